package consumers

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// Place is a place in the log, and within what one record gives rise to, which is
// numbered from 0. As that of a consumer, everything before it has been handled.
type Place struct {
	Position eventstore.Position `json:"position"`
	Index    int                 `json:"index,omitempty"`
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
	Stream   string             `json:"stream"`
	Version  eventstore.Version `json:"version"`            // of the record in its stream
	Attempts int                `json:"attempts,omitempty"` // how often handling what stands at the place has begun
	Forgiven int                `json:"forgiven,omitempty"` // of those, the ones before the last Retry
	Due      time.Time          `json:"due,omitzero"`       // of the next attempt; zero: parked, until somebody retries or discards it
	Since    time.Time          `json:"since"`              // when the stream was held
	Error    string             `json:"error,omitempty"`    // of the last attempt
}

// Parked reports whether nothing is tried until somebody says so.
func (h *Hold) Parked() bool { return h.Due.IsZero() }

// Failed reports whether what stands at the place has been tried and could not be handled.
func (h *Hold) Failed() bool { return h.Parked() || h.Error != "" }

// Progress is how far a consumer has come. Everything before the cursor has been
// handled, but what is held.
type Progress struct {
	Cursor   Place
	Attempts int             // how often handling what stands at the cursor has begun
	Holds    map[string]Hold // by stream
	Trouble  Trouble         // what went wrong last

	record []byte // the fingerprint of the record at the cursor

	since Place // where it was reset to, or has begun
	runs  []run // between earlier resets, oldest first
}

// run is what has been handled between two resets: everything from one place to another,
// but of streams that were held at the end, what is before their hold.
type run struct {
	Since Place            `json:"since"`
	Until Place            `json:"until"`
	Held  map[string]Place `json:"held,omitempty"`
}

// Trouble is something that went wrong.
type Trouble struct {
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// Told reports whether something had been handled before the consumer was reset, so
// that to handle it is a repetition. What was discarded counts as handled.
func (p *Progress) Told(stream string, at Place) bool {
	for _, r := range p.runs {
		held, ok := r.Held[stream]
		if !at.Before(r.Since) && at.Before(r.Until) && (!ok || at.Before(held)) {
			return true
		}
	}
	return false
}

// run is what has been handled since the last reset.
func (p *Progress) run() run {
	r := run{Since: p.since, Until: p.Cursor, Held: map[string]Place{}}
	for stream, h := range p.Holds {
		r.Held[stream] = h.Place
	}
	return r
}

// Step is one change of a Progress: all of it is stored, or nothing.
type Step struct {
	Cursor   Place
	Attempts int
	Record   *eventstore.Record // at the cursor; where nil, it is read from the log
	Put      []Hold
	Drop     []string // streams that are not held any more
	Trouble  Trouble
}

// apply makes a progress what it is after a step to the record with a fingerprint.
func (p *Progress) apply(s *Step, record []byte) {
	p.Cursor, p.Attempts, p.record, p.Trouble = s.Cursor, s.Attempts, record, s.Trouble
	for _, h := range s.Put {
		p.Holds[h.Stream] = h
	}
	for _, stream := range s.Drop {
		delete(p.Holds, stream)
	}
}

// clone is a copy that can be changed by itself.
func (p *Progress) clone() Progress {
	c := *p
	if c.Holds = maps.Clone(p.Holds); c.Holds == nil {
		c.Holds = map[string]Hold{}
	}
	c.runs = slices.Clone(p.runs)
	return c
}
