// Package overlay is a log on top of a log: it reads both and writes only the upper
// one, which is in memory and thrown away. It is what a dry run writes to.
package overlay

import (
	"context"
	"iter"
	"sync"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
)

var _ eventstore.Store = (*Store)(nil)

// Store shows the log below as it was when the Store was made, followed by what has
// been appended to the Store. It keeps the contract of package eventstore except that
// nothing survives, and never writes to the log below.
type Store struct {
	base eventstore.Store
	head eventstore.Position // of the log below, when the Store was made
	top  *memory.Store       // holds the appended records, at positions and versions from 1

	appending sync.Mutex                    // held while commits are judged and stored
	above     map[string]eventstore.Version // the versions of streams among the appended records

	mu    sync.RWMutex
	below map[string]eventstore.Version // the versions of streams in the log below, as far as known
}

// New puts an overlay on a log, which must stay open as long as the overlay is used.
func New(ctx context.Context, base eventstore.Store) (*Store, error) {
	head, err := base.Head(ctx)
	if err != nil {
		return nil, err
	}
	return &Store{
		base: base, head: head, top: memory.New(),
		above: map[string]eventstore.Version{}, below: map[string]eventstore.Version{},
	}, nil
}

// Append stores commits in memory. See eventstore.Store.
func (s *Store) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	s.appending.Lock()
	defer s.appending.Unlock()
	if err := eventstore.ValidateAll(commits); err != nil {
		return nil, err
	}
	if _, err := s.top.Head(ctx); err != nil { // closed, or cancelled
		return nil, err
	}
	results := make([]eventstore.Result, len(commits))
	var refused eventstore.Refused
	for i := range commits {
		var err error
		if results[i], err = s.commit(context.WithoutCancel(ctx), commits[i], &refused); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// commit judges one commit as it would be judged by the log below, and stores it.
func (s *Store) commit(ctx context.Context, c eventstore.Commit, refused *eventstore.Refused) (eventstore.Result, error) {
	below, err := s.versionBelow(ctx, c.Stream)
	if err != nil {
		return eventstore.Result{}, err
	}
	if c.Outcome != nil {
		stored, found, err := s.Outcome(ctx, c.Outcome.CommandID)
		if err != nil {
			return eventstore.Result{}, err
		}
		if found {
			refused.Add(&c)
			return eventstore.Result{Err: &eventstore.DuplicateError{Stored: stored}}, nil
		}
	}
	above := s.above[c.Stream]
	if err := refused.Judge(&c, below+above); err != nil {
		return eventstore.Result{Err: err}, nil
	}
	c.Expect = eventstore.Exactly(above)
	results, err := s.top.Append(ctx, c)
	if err != nil {
		return eventstore.Result{}, err
	}
	result := results[0]
	if result.Last > 0 {
		s.above[c.Stream] = result.Version
		result.First, result.Last, result.Version = result.First+s.head, result.Last+s.head, result.Version+below
	}
	return result, nil
}

// versionBelow is the version of a stream in the log below, counted once.
func (s *Store) versionBelow(ctx context.Context, stream string) (eventstore.Version, error) {
	s.mu.RLock()
	version, known := s.below[stream]
	s.mu.RUnlock()
	if known {
		return version, nil
	}
	for record, err := range s.base.ReadStream(ctx, stream, 0) {
		if err != nil {
			return 0, err
		}
		if record.Position > s.head {
			break
		}
		version = record.Version
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.below[stream] = version
	return version, nil
}

// ReadStream yields the stream's records of the log below, and then the appended ones.
func (s *Store) ReadStream(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		below := after
		for record, err := range s.base.ReadStream(ctx, stream, after) {
			if err == nil && record.Position > s.head {
				break
			}
			if !yield(record, err) || err != nil {
				return
			}
			below = record.Version
		}
		if _, err := s.top.Head(ctx); err != nil {
			yield(eventstore.Record{}, err)
			return
		}
		offset, err := s.versionBelow(ctx, stream)
		if err != nil {
			yield(eventstore.Record{}, err)
			return
		}
		skip := below - min(below, offset)
		for record, err := range s.top.ReadStream(ctx, stream, skip) {
			record.Position, record.Version = record.Position+s.head, record.Version+offset
			if !yield(record, err) {
				return
			}
		}
	}
}

// ReadAll yields the log below as it was, and then the appended records.
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		if after < s.head {
			for record, err := range s.base.ReadAll(ctx, after) {
				if err == nil && record.Position > s.head {
					break
				}
				if !yield(record, err) || err != nil {
					return
				}
			}
		}
		for record, err := range s.top.ReadAll(ctx, after-min(after, s.head)) {
			if err == nil {
				below, failure := s.versionBelow(ctx, record.Stream)
				record.Position, record.Version, err = record.Position+s.head, record.Version+below, failure
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// Head is the position of the last record.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := s.top.Head(ctx)
	if err != nil {
		return 0, err
	}
	return s.head + head, nil
}

// Outcome is what was stored for a command ID, here or below.
func (s *Store) Outcome(ctx context.Context, commandID string) (eventstore.Outcome, bool, error) {
	outcome, found, err := s.top.Outcome(ctx, commandID)
	if err != nil {
		return eventstore.Outcome{}, false, err
	}
	if !found {
		return s.base.Outcome(ctx, commandID)
	}
	if outcome.Last > 0 {
		outcome.First, outcome.Last = outcome.First+s.head, outcome.Last+s.head
	}
	return outcome, true, nil
}

// Changed returns a channel that is closed at the next append, and by Close.
func (s *Store) Changed() <-chan struct{} { return s.top.Changed() }

// ID is that of the log below.
func (s *Store) ID() string { return s.base.ID() }

// Close forgets what was appended. The log below stays open.
func (s *Store) Close() error { return s.top.Close() }
