package projections

import (
	"errors"
	"slices"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// selection says which events are wanted. Nil wants all. It remembers what it has been
// asked, so it is for one goroutine.
type selection struct {
	patterns []string
	known    map[string]bool // by the name of an event
}

// selectionOf is what several projections want together.
func selectionOf(projections ...Projection) *selection {
	s := &selection{known: map[string]bool{}}
	for _, p := range projections {
		selective, ok := p.(Selective)
		if !ok {
			return nil
		}
		s.patterns = append(s.patterns, selective.Types()...)
	}
	return s
}

func (s *selection) name(name string) bool {
	wanted, ok := s.known[name]
	if !ok {
		wanted = slices.ContainsFunc(s.patterns, func(pattern string) bool { return matches(pattern, name) })
		s.known[name] = wanted
	}
	return wanted
}

// record reports whether what a record says is wanted.
func (s *selection) record(r *eventstore.Record) bool { return s == nil || readAs(r, s.name) }

// event is record for an event that has been decoded if anybody wants it.
func (s *selection) event(e *Event) bool {
	if s == nil {
		return true
	}
	if e.Fact != nil {
		return s.name(e.Fact.EventName())
	}
	_, message := TopicOf(e.Stream)
	return message && s.name(e.Type)
}

// given are the events of a page that a projection is given: those it wants, and each fact
// of a record by itself.
func (k *knowledge) given(page []Event) []Event {
	if k.selection == nil && !anySeveral(page) {
		return page
	}
	k.selected = k.selected[:0]
	for i := range page {
		if !anySeveral(page[i : i+1]) {
			if k.selection.event(&page[i]) {
				k.selected = append(k.selected, page[i])
			}
			continue
		}
		for part := range page[i].Parts() {
			if k.selection.event(&part) {
				k.selected = append(k.selected, part)
			}
		}
	}
	return k.selected
}

// anySeveral reports whether a record of a page says more than one thing.
func anySeveral(page []Event) bool {
	for i := range page {
		if _, ok := page[i].Fact.(domain.Several); ok {
			return true
		}
	}
	return false
}

// checkTypes reports types that no event has.
func checkTypes(p Projection) error {
	selective, ok := p.(Selective)
	if !ok {
		return nil
	}
	types := selective.Types()
	if len(types) == 0 {
		return errors.New("Types is empty: name the events that it is made from, or leave the method out for all")
	}
	types = slices.DeleteFunc(slices.Clone(types), func(pattern string) bool { return matches(pattern, messageType) })
	return (&Filter{Types: types}).Validate()
}
