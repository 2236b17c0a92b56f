package bench

import (
	"context"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// verify reads the whole log as grouplog verify does, and folds every group.
func verify(ctx context.Context, log eventstore.Store) error {
	f := newFold()
	_, err := eventstore.Verify(ctx, log, f.add, nil)
	f.end()
	return err
}

// fold folds groups in a goroutine of its own, beside whoever reads and decodes. It takes
// many events at a time and folds group after group, as what belongs to one group is
// seldom in the processor's cache when its next event comes.
type fold struct {
	next    []folded
	full    chan []folded
	spare   chan []folded
	done    chan struct{}
	groups  map[string]*group
	touched []*group
}

// folded is an event on its way into a group.
type folded struct {
	stream string
	event  domain.Event
	meta   domain.Meta
}

// group is one with the events of a list that are its own, by their places.
type group struct {
	*domain.Group
	events []int32
}

// foldedTogether is how many events are folded group by group.
const foldedTogether = 1 << 15

func newFold() *fold {
	f := &fold{
		next: make([]folded, 0, foldedTogether), full: make(chan []folded), spare: make(chan []folded, 1),
		done: make(chan struct{}), groups: map[string]*group{},
	}
	go f.run()
	return f
}

// add decodes a record.
func (f *fold) add(r eventstore.Record) error {
	event, err := domain.Decode(r.Type, r.Schema, r.Data)
	if err != nil {
		return err
	}
	f.next = append(f.next, folded{r.Stream, event, commands.MetaOf(r)})
	if len(f.next) < foldedTogether {
		return nil
	}
	f.full <- f.next
	select {
	case f.next = <-f.spare:
	default:
		f.next = make([]folded, 0, foldedTogether)
	}
	return nil
}

// end waits until everything is folded.
func (f *fold) end() {
	f.full <- f.next
	close(f.full)
	<-f.done
}

func (f *fold) run() {
	defer close(f.done)
	for events := range f.full {
		for i := range events {
			f.put(events[i].stream, int32(i))
		}
		for _, g := range f.touched {
			for _, i := range g.events {
				g.Apply(events[i].event, events[i].meta)
			}
			g.events = g.events[:0]
		}
		f.touched = f.touched[:0]
		clear(events)
		select {
		case f.spare <- events[:0]:
		default:
		}
	}
}

func (f *fold) put(stream string, i int32) {
	id, ok := domain.GroupOf(stream)
	if !ok {
		return
	}
	g := f.groups[id]
	if g == nil {
		g = &group{Group: domain.NewGroup(id)}
		f.groups[id] = g
	}
	if len(g.events) == 0 {
		f.touched = append(f.touched, g)
	}
	g.events = append(g.events, i)
}
