package transfer

import (
	"errors"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// ErrDifferent: the two logs are not the same where they should be; see DifferenceError.
var ErrDifferent = errors.New("the logs differ")

// DifferenceError says where two logs that have one ID part: at a position, with the
// records of both, or at a command, with its outcomes. What one of them lacks is nil.
type DifferenceError struct {
	Position               eventstore.Position // zero if it is about an outcome
	From, To               *eventstore.Record
	FromOutcome, ToOutcome *eventstore.Outcome
}

func (e *DifferenceError) Error() string {
	if e.Position > 0 {
		return fmt.Sprintf("the logs differ at position %d: the source has %s, the target %s", e.Position, record(e.From), record(e.To))
	}
	id := ""
	for _, o := range []*eventstore.Outcome{e.FromOutcome, e.ToOutcome} {
		if o != nil {
			id = o.CommandID
		}
	}
	return fmt.Sprintf("the logs differ in the outcome of command %q: the source has %s, the target %s", id, outcome(e.FromOutcome), outcome(e.ToOutcome))
}

// Is makes errors.Is(err, ErrDifferent) true.
func (e *DifferenceError) Is(target error) bool { return target == ErrDifferent }

// record says what a record is, as far as it fits on a line.
func record(r *eventstore.Record) string {
	if r == nil {
		return "none"
	}
	return fmt.Sprintf("%q by %q at %s, version %d of %q (fingerprint %x)",
		r.Type, r.Actor, r.Time.UTC().Format(time.RFC3339Nano), r.Version, r.Stream, r.Fingerprint()[:4])
}

func outcome(o *eventstore.Outcome) string {
	switch {
	case o == nil:
		return "none"
	case o.First == 0:
		return fmt.Sprintf("one without events, answered with %d bytes", len(o.Answer))
	default:
		return fmt.Sprintf("one of positions %d to %d, answered with %d bytes", o.First, o.Last, len(o.Answer))
	}
}

// isLasting reports whether an error will be the same the next time.
func isLasting(err error) bool {
	for _, target := range []error{
		ErrDifferent, eventstore.ErrOtherLog, eventstore.ErrDamaged, eventstore.ErrClosed, eventstore.ErrReadOnly,
		eventstore.ErrInvalid, errors.ErrUnsupported,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
