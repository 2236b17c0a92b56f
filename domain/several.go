package domain

import (
	"iter"

	"github.com/grouplog/grouplog/domain/internal/upcast"
)

// Several is what one record of the log says where an event was split after the record
// was written. The record is still one: it has one position, counts as one version of its
// group, and nothing is between its facts. It is read, never stored.
type Several struct {
	Stored string // the name of the event in the log
	Facts  []Event
}

// EventName is the name in the log, which is none of today's events'.
func (e Several) EventName() string { return e.Stored }

func (e Several) evolve(g *Group, m Meta) {
	for _, fact := range e.Facts {
		g.Also(fact, m)
	}
}

// Also folds in a further fact of a record, after Apply of the first: the group's version
// stays.
func (g *Group) Also(e Event, m Meta) {
	if g.status == Live || begins(e) {
		e.evolve(g, m)
	}
}

// Facts are what an event says: itself, or several.
func Facts(e Event) iter.Seq2[int, Event] {
	return func(yield func(int, Event) bool) {
		several, ok := e.(Several)
		if !ok {
			yield(0, e)
			return
		}
		for i, fact := range several.Facts {
			if !yield(i, fact) {
				return
			}
		}
	}
}

// ReadAs are the names of the events as which Decode reads what was stored under an older
// name or schema; nil for what is read as it was stored.
func ReadAs(name string, schema int) []string {
	return upcast.Old.Names(upcast.Form{Name: name, Schema: schema})
}
