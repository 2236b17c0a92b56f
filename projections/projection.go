package projections

import (
	"context"
	"fmt"
	"iter"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// Projection derives rows from events. Its name, its version and the names of its
// tables are on disk.
//
// A projection must be deterministic: the rows after an event depend on the events
// up to it and on nothing else. No clock, no randomness, no order of a map, no
// setting that may be another one tomorrow; and not on how the events are cut into
// pages either. Views.Rebuild and Views.Compare rest on it.
type Projection interface {
	// Name identifies the projection in the views file, for ever.
	Name() string

	// Version is that of the rows' shape and meaning, from 1. Rows of another version
	// are dropped and come back from the log: raise it whenever Schema or Apply changes.
	Version() int

	// Schema is the SQL that creates the projection's tables and indexes, and nothing
	// else: no views, triggers or virtual tables. The names must not begin with
	// "projection_" or "sqlite_", nor be another projection's.
	Schema() string

	// Apply turns events into rows, in the transaction that also moves the checkpoint.
	// Events come in the order of the log, every one once, in pages of any size; there is
	// at least one. The slice is used again after Apply, what is in its events is not. An
	// error, or a panic, rolls the page back and stops the runner, or parks the rows where
	// Options.Park says so; so it is for what cannot be: an event that does not matter to
	// the projection is passed over, not refused. So is a Message, whose Fact is nil.
	//
	// Apply is called by one goroutine at a time for one file, but for several files
	// at once while a rebuild runs: what it remembers from page to page belongs into
	// Tx.Memo, not into the projection.
	Apply(ctx context.Context, tx *Tx, events []Event) error
}

// Selective is a Projection that is given events of some types alone. The others cost it
// next to nothing: where no projection of a file wants them, they are not even decoded.
type Selective interface {
	Projection

	// Types are the names of the events, as in "member.joined", or "member.*" for all that
	// begin so. Raise Version whenever they change.
	Types() []string
}

// Filler is a Projection that is faster at filling empty tables when it may keep rows
// back. While Tx.Filling says so, nobody reads the tables, not even after a page: Apply
// may leave rows in its memo, until Flush. Statements that change rows run soon, in
// their order, beside what the projection does next, with the arguments as they were: it
// has closed the rows of its queries, and hears of a failure from a later call.
//
// The indexes of a Filler come after the rows, or when Apply calls Tx.Index because it
// has to look rows up. So no statement may rest on one, by ON CONFLICT or OR REPLACE:
// those may rest on primary keys.
type Filler interface {
	Projection

	// Flush writes what Apply has kept back. More pages may follow.
	Flush(ctx context.Context, tx *Tx) error
}

// Event is a record of the log with what it says.
//
// A record says one thing, unless its event was split after it was written: then its Fact
// is a domain.Several. Projections are given an Event for each of its facts instead, which
// have all else in common.
type Event struct {
	eventstore.Record
	Fact domain.Event // nil for a Message, which says nothing of groups
	Part int          // which of several facts of the record this is, from 0
}

// Parts yields an event for each fact.
func (e Event) Parts() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for i, fact := range domain.Facts(e.Fact) {
			part := e
			part.Fact, part.Part = fact, i
			if !yield(part) {
				return
			}
		}
	}
}

// Meta is who recorded the event and when, as domain.Group.Apply wants it.
func (e *Event) Meta() domain.Meta {
	return domain.Meta{Actor: domain.Actor{UserID: e.Actor, AppAdmin: e.AppAdmin}, At: e.Time}
}

// Decode reads what a record says. A record that cannot be read stops whoever
// follows the log: rows without it would be wrong from there on.
func Decode(r eventstore.Record) (Event, error) {
	if _, ok := TopicOf(r.Stream); ok {
		_, err := DecodeMessage(r)
		return Event{Record: r}, err
	}
	fact, err := domain.Decode(r.Type, r.Schema, r.Data)
	if err != nil {
		return Event{}, unreadable(r, err)
	}
	return Event{Record: r, Fact: fact}, nil
}

func unreadable(r eventstore.Record, err error) error {
	return fmt.Errorf("record at position %d of the log (stream %q) cannot be read: %w", r.Position, r.Stream, err)
}

// pages yields the log after a position, decoded, in pages of at most size events.
// The sequence ends after the first error. The pages are the receiver's to keep, or to
// give back as spare ones.
//
// What none of the projections wants is passed over: it has no Fact.
func (v *Views) pages(ctx context.Context, after eventstore.Position, size int, spare <-chan []Event) iter.Seq2[[]Event, error] {
	return func(yield func([]Event, error) bool) {
		var page []Event
		wanted := selectionOf(v.opts.Projections...)
		for record, err := range v.log.ReadAll(ctx, after) {
			if err != nil {
				yield(nil, fmt.Errorf("read the log after position %d: %w", after, err))
				return
			}
			if record.Position != after+1 {
				yield(nil, fmt.Errorf("read the log: position %d follows %d", record.Position, after))
				return
			}
			event := Event{Record: record}
			if wanted.record(&record) {
				if event, err = Decode(record); err != nil {
					yield(nil, err)
					return
				}
			}
			after = record.Position
			page = append(page, event)
			if len(page) == size {
				if !yield(page, nil) {
					return
				}
				select {
				case page = <-spare:
				default:
					page = make([]Event, 0, size)
				}
			}
		}
		if len(page) > 0 {
			yield(page, nil)
		}
	}
}

// ahead runs a sequence in a goroutine of its own, up to two elements ahead, so that
// reading and decoding overlap with what is done with the pages. The goroutine has
// ended when the returned sequence has.
func ahead(seq iter.Seq2[[]Event, error]) iter.Seq2[[]Event, error] {
	type element struct {
		page []Event
		err  error
	}
	return func(yield func([]Event, error) bool) {
		elements, stop := make(chan element, 2), make(chan struct{})
		go func() {
			defer close(elements)
			for page, err := range seq {
				select {
				case elements <- element{page, err}:
				case <-stop:
					return
				}
			}
		}()
		defer func() {
			close(stop)
			for range elements { // until the goroutine has closed it
			}
		}()
		for e := range elements {
			if !yield(e.page, e.err) {
				return
			}
		}
	}
}
