// Package memory is a log that lives in this process and is gone with it, for
// examples and tests. It keeps the whole contract of package eventstore except
// that nothing survives: "durable" means "until Close".
package memory

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/grouplog/grouplog/eventstore"
)

var (
	_ eventstore.Store         = (*Store)(nil)
	_ eventstore.OutcomeLister = (*Store)(nil)
)

// Store is a log in memory. Its methods may be called from any number of
// goroutines. The zero value is not usable: call New.
type Store struct {
	id string

	mu       sync.RWMutex
	closed   bool
	records  []eventstore.Record // records[p-1] is at position p; never changed once there
	streams  map[string][]eventstore.Position
	outcomes map[string]eventstore.Outcome
	changed  chan struct{}

	cells     map[string]cell
	revisions uint64 // given so far, to all cells together
}

// New returns an empty log with an ID of its own.
func New() *Store { return CopyOf(uuid.Must(uuid.NewV7()).String()) }

// CopyOf returns an empty log with the ID of another, to be filled with what that holds.
func CopyOf(id string) *Store {
	return &Store{
		id:       id,
		streams:  make(map[string][]eventstore.Position),
		outcomes: make(map[string]eventstore.Outcome),
		changed:  make(chan struct{}),
		cells:    make(map[string]cell),
	}
}

// ID names this log.
func (s *Store) ID() string { return s.id }

// Append stores commits. See eventstore.Store.
func (s *Store) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if err := eventstore.ValidateAll(commits); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, eventstore.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	head := len(s.records)
	results := make([]eventstore.Result, len(commits))
	var refused eventstore.Refused
	for i := range commits {
		results[i] = s.commit(&commits[i], &refused)
	}
	if len(s.records) > head {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	return results, nil
}

// commit judges one commit and applies it. The caller holds the lock.
func (s *Store) commit(c *eventstore.Commit, refused *eventstore.Refused) eventstore.Result {
	if c.Outcome != nil {
		if stored, ok := s.outcomes[c.Outcome.CommandID]; ok {
			refused.Add(c)
			return eventstore.Result{Err: &eventstore.DuplicateError{Stored: cloneOutcome(stored)}}
		}
	}
	actual := eventstore.Version(len(s.streams[c.Stream]))
	if conflict := refused.Judge(c, actual); conflict != nil {
		return eventstore.Result{Err: conflict}
	}
	if c.Outcome != nil {
		s.outcomes[c.Outcome.CommandID] = cloneOutcome(c.Outcome.Of(eventstore.Position(len(s.records)), len(c.Events)))
	}
	if len(c.Events) == 0 {
		return eventstore.Result{}
	}
	first := eventstore.Position(len(s.records) + 1)
	for _, event := range c.Events {
		event.Data = bytes.Clone(event.Data)
		event.Time = time.UnixMicro(event.Time.UnixMicro()).UTC()
		s.records = append(s.records, eventstore.Record{
			Position: eventstore.Position(len(s.records) + 1),
			Stream:   c.Stream,
			Version:  eventstore.Version(len(s.streams[c.Stream]) + 1),
			Event:    event,
		})
		s.streams[c.Stream] = append(s.streams[c.Stream], eventstore.Position(len(s.records)))
	}
	return eventstore.Result{
		First:   first,
		Last:    eventstore.Position(len(s.records)),
		Version: actual + eventstore.Version(len(c.Events)),
	}
}

// ReadStream yields the records of one stream as of the start of the iteration.
func (s *Store) ReadStream(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		s.mu.RLock()
		records, places, closed := s.records, s.streams[stream], s.closed
		s.mu.RUnlock()
		places = places[min(after, eventstore.Version(len(places))):]
		s.yield(ctx, closed, len(places), func(i int) eventstore.Record { return records[places[i]-1] }, yield)
	}
}

// ReadAll yields the records of the log as of the start of the iteration.
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		s.mu.RLock()
		records, closed := s.records, s.closed
		s.mu.RUnlock()
		records = records[min(after, eventstore.Position(len(records))):]
		s.yield(ctx, closed, len(records), func(i int) eventstore.Record { return records[i] }, yield)
	}
}

// yield hands out n records, each with data of its own: a reader that scribbles
// on what it was given must not change the log.
func (s *Store) yield(ctx context.Context, closed bool, n int,
	record func(int) eventstore.Record, yield func(eventstore.Record, error) bool,
) {
	if closed {
		yield(eventstore.Record{}, eventstore.ErrClosed)
		return
	}
	for i := range n {
		if err := ctx.Err(); err != nil {
			yield(eventstore.Record{}, err)
			return
		}
		r := record(i)
		r.Data = bytes.Clone(r.Data)
		if !yield(r, nil) {
			return
		}
	}
}

// Head is the position of the last record.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, eventstore.ErrClosed
	}
	return eventstore.Position(len(s.records)), ctx.Err()
}

// Outcome is what was stored for a command ID.
func (s *Store) Outcome(ctx context.Context, commandID string) (eventstore.Outcome, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return eventstore.Outcome{}, false, eventstore.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Outcome{}, false, err
	}
	outcome, ok := s.outcomes[commandID]
	return cloneOutcome(outcome), ok, nil
}

// Outcomes yields the outcomes after a command ID, as of the start of the iteration.
func (s *Store) Outcomes(ctx context.Context, after string) iter.Seq2[eventstore.Outcome, error] {
	return func(yield func(eventstore.Outcome, error) bool) {
		s.mu.RLock()
		ids := slices.Sorted(maps.Keys(s.outcomes))
		s.mu.RUnlock()
		for _, id := range ids {
			if id <= after {
				continue
			}
			outcome, _, err := s.Outcome(ctx, id)
			if !yield(outcome, err) || err != nil {
				return
			}
		}
	}
}

// Changed returns a channel that is closed at the next append, and by Close.
func (s *Store) Changed() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

// Close refuses new calls. What was read before stays readable: an iteration
// that has started goes on to its end.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.changed)
	}
	return nil
}

// cloneOutcome copies an outcome's bytes; none become nil.
func cloneOutcome(o eventstore.Outcome) eventstore.Outcome {
	o.Fingerprint = append([]byte(nil), o.Fingerprint...)
	o.Answer = append([]byte(nil), o.Answer...)
	return o
}
