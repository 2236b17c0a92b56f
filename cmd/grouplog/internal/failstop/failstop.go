// Package failstop is a log that has failed for good once it has failed.
//
// Commands that are in flight together build on each other: the second joins the
// group that the first creates. If the first could not be written because the disk
// was full for a moment, the second must not be decided without it, and its refusal
// recorded for ever. With this log it is not: after one failure nothing is written any
// more, what is recorded is what came before, and a repetition goes on from there.
package failstop

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/grouplog/grouplog/eventstore"
)

// Store passes everything on to another log until that fails.
type Store struct {
	eventstore.Store
	mu  sync.Mutex
	err error
}

// New wraps a log, which the caller closes.
func New(log eventstore.Store) *Store { return &Store{Store: log} }

// Append stores commits, unless something has failed before.
func (s *Store) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if err := s.failed(); err != nil {
		return nil, err
	}
	results, err := s.Store.Append(ctx, commits...)
	return results, s.note(ctx, err)
}

// Head is the position of the last record.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := s.Store.Head(ctx)
	return head, s.note(ctx, err)
}

// ReadStream yields the records of a stream.
func (s *Store) ReadStream(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for record, err := range s.Store.ReadStream(ctx, stream, after) {
			if !yield(record, s.note(ctx, err)) {
				return
			}
		}
	}
}

func (s *Store) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return fmt.Errorf("nothing is written after a failure: %w", s.err)
	}
	return nil
}

// note remembers a failure, unless it is that the caller has gone away.
func (s *Store) note(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil {
			s.err = err
		}
	}
	return err
}
