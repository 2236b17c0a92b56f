package consumers

import (
	"cmp"
	"math"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// Place is a place in the log, and within what one record gives rise to, which is
// numbered from 0. As that of a consumer, everything before it has been handled.
type Place struct {
	Position eventstore.Position
	Index    int
}

// whole, as an index, is behind everything that a record may give rise to.
const whole = math.MaxInt32

// After is the place behind everything that stands at a position.
func After(p eventstore.Position) Place { return Place{p, whole} }

// Next is the place behind this one.
func (p Place) Next() Place { return Place{p.Position, p.Index + 1} }

// Before reports whether p comes before another place.
func (p Place) Before(other Place) bool { return p.compare(other) < 0 }

func (p Place) compare(other Place) int {
	return cmp.Or(cmp.Compare(p.Position, other.Position), cmp.Compare(p.Index, other.Index))
}

func later(a, b Place) Place {
	if a.Before(b) {
		return b
	}
	return a
}

// Done is the last position that has been handled as a whole.
func (p Place) Done() eventstore.Position {
	if p.Index == whole || p.Position == 0 {
		return p.Position
	}
	return p.Position - 1
}

// Hold is a stream that is left behind: what stands at its place could not be handled,
// and what follows in the stream waits.
type Hold struct {
	Place
	Stream   string
	Version  eventstore.Version // of the record in its stream
	Attempts int                // how often handling what stands at the place has begun
	Forgiven int                // of those, the ones before the last Retry
	Due      time.Time          // of the next attempt; zero: parked, until somebody retries or discards it
	Since    time.Time          // when the stream was held
	Error    string             // of the last attempt
}

// Parked reports whether nothing is tried until somebody says so.
func (h *Hold) Parked() bool { return h.Due.IsZero() }

// Progress is how far a consumer has come. Everything before the cursor has been
// handled, but what is held.
type Progress struct {
	Cursor   Place
	Attempts int             // how often handling what stands at the cursor has begun
	Holds    map[string]Hold // by stream
	Trouble  Trouble         // what went wrong last

	record []byte // the fingerprint of the record at the cursor

	// Before a reset, everything before told had been handled; of some streams, only
	// what is before another place.
	told       Place
	toldStream map[string]Place
}

// Trouble is something that went wrong.
type Trouble struct {
	Text string
	At   time.Time
}

// Told reports whether something had been handled before the consumer was reset, so
// that to handle it is a repetition.
func (p *Progress) Told(stream string, at Place) bool {
	limit, ok := p.toldStream[stream]
	if !ok {
		limit = p.told
	}
	return at.Before(limit)
}

// rewind notes, for a reset, what has been handled. A stream that is held has been
// handled up to its hold only.
func (p *Progress) rewind() {
	limits := map[string]Place{}
	for stream, limit := range p.toldStream {
		limits[stream] = later(limit, p.Cursor)
	}
	for stream, h := range p.Holds {
		limit, ok := p.toldStream[stream]
		if !ok {
			limit = p.told
		}
		limits[stream] = later(limit, h.Place)
	}
	p.told = later(p.told, p.Cursor)
	p.toldStream = limits
}
