package transfer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"iter"

	"github.com/grouplog/grouplog/eventstore"
)

// compareRecords compares the records of both logs from where that was done before up to
// a position.
func (c *copier) compareRecords(ctx context.Context, until eventstore.Position) error {
	next, stop := iter.Pull2(c.to.ReadAll(ctx, c.report.Records))
	defer stop()
	for from, err := range c.from.ReadAll(ctx, c.report.Records) {
		if err != nil {
			return err
		}
		if from.Position > until {
			break
		}
		to, err, found := next()
		if err != nil {
			return fmt.Errorf("target: %w", err)
		}
		if !found {
			return &DifferenceError{Position: from.Position, From: &from}
		}
		fingerprint := from.Fingerprint()
		if !bytes.Equal(fingerprint, to.Fingerprint()) {
			return &DifferenceError{Position: from.Position, From: &from, To: &to}
		}
		c.records.Write(fingerprint)
		c.report.Records, c.report.Digest = from.Position, ""
		c.progress(Progress{Comparing: true, Done: from.Position, Total: until})
	}
	return nil
}

// samePosition compares one record of both logs.
func (c *copier) samePosition(ctx context.Context, at eventstore.Position) error {
	from, err := eventstore.Pick(ctx, c.from, []eventstore.Position{at})
	if err != nil {
		return err
	}
	to, err := eventstore.Pick(ctx, c.to, []eventstore.Position{at})
	if err != nil {
		return err
	}
	if !bytes.Equal(from[0].Fingerprint(), to[0].Fingerprint()) {
		return &DifferenceError{Position: at, From: &from[0], To: &to[0]}
	}
	return nil
}

// surplus is that the target has a record at a position, and the source has not.
func (c *copier) surplus(ctx context.Context, at eventstore.Position) error {
	to, err := eventstore.Pick(ctx, c.to, []eventstore.Position{at})
	if err != nil {
		return err
	}
	return &DifferenceError{Position: at, To: &to[0]}
}

// outcomes goes through the outcomes of both logs by command ID, and calls visit with
// each and its counterpart, nil where there is none.
func (c *copier) outcomes(ctx context.Context, visit func(from, to *eventstore.Outcome) error) error {
	nextFrom, stop := iter.Pull2(eventstore.Outcomes(ctx, c.from, ""))
	defer stop()
	nextTo, stop := iter.Pull2(eventstore.Outcomes(ctx, c.to, ""))
	defer stop()
	from, err := pull(nextFrom)
	if err != nil {
		return err
	}
	to, err := pull(nextTo)
	for err == nil && (from != nil || to != nil) {
		switch {
		case to == nil || from != nil && from.CommandID < to.CommandID:
			if err = visit(from, nil); err == nil {
				from, err = pull(nextFrom)
			}
		case from == nil || to.CommandID < from.CommandID:
			if err = visit(nil, to); err == nil {
				to, err = pull(nextTo)
			}
		default:
			if err = visit(from, to); err == nil {
				from, err = pull(nextFrom)
			}
			if err == nil {
				to, err = pull(nextTo)
			}
		}
	}
	return err
}

// pull is the next outcome of a sequence, nil at its end.
func pull(next func() (eventstore.Outcome, error, bool)) (*eventstore.Outcome, error) {
	o, err, ok := next()
	if err != nil || !ok {
		return nil, err
	}
	return &o, nil
}

// sameOutcomes compares the outcomes of the target, which has its records up to a
// position, with those of the source. It may lack those without events.
func (c *copier) sameOutcomes(ctx context.Context, until eventstore.Position) error {
	return c.outcomes(ctx, func(from, to *eventstore.Outcome) error {
		if to == nil && (from.First == 0 || from.First > until) {
			return nil
		}
		return sameOutcome(from, to)
	})
}

// compareOutcomes compares the outcomes of both logs, of which the source had so many
// without events when they were copied, and completes the report.
func (c *copier) compareOutcomes(ctx context.Context, until eventstore.Position, found int) error {
	digest, without := sha256.New(), 0
	c.report.Outcomes = 0
	err := c.outcomes(ctx, func(from, to *eventstore.Outcome) error {
		if to == nil && (from.First == 0 || from.First > until) {
			return nil // it came later, or is missed below
		}
		if err := sameOutcome(from, to); err != nil {
			return err
		}
		if to.First == 0 {
			without++
		}
		c.report.Outcomes++
		hashOutcome(digest, from)
		return nil
	})
	if err != nil {
		return err
	}
	if without < found {
		return fmt.Errorf("%w: the copy has %d outcomes without events, and %d were copied", ErrDifferent, without, found)
	}
	c.report.Digest = c.digest(digest)
	return nil
}

func sameOutcome(from, to *eventstore.Outcome) error {
	if from != nil && to != nil && from.First == to.First && from.Last == to.Last &&
		bytes.Equal(from.Fingerprint, to.Fingerprint) && bytes.Equal(from.Answer, to.Answer) {
		return nil
	}
	return &DifferenceError{FromOutcome: from, ToOutcome: to}
}

// hashOutcome adds all fields of an outcome, each with its length.
func hashOutcome(h hash.Hash, o *eventstore.Outcome) {
	number := func(n uint64) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
	for _, text := range [][]byte{[]byte(o.CommandID), o.Fingerprint, o.Answer} {
		number(uint64(len(text)))
		h.Write(text)
	}
	number(uint64(o.First))
	number(uint64(o.Last))
}
