package jetstream

import (
	"context"
	"iter"

	"github.com/grouplog/grouplog/eventstore"
)

var (
	_ eventstore.OutcomeLister = (*Store)(nil)
	_ eventstore.Importer      = (*Store)(nil)
)

// NameOf is the name of the log at an address. The error is about the address.
func NameOf(s string) (string, error) {
	a, err := parseAddress(s)
	return a.name, err
}

// Outcomes yields the outcomes after a command ID, those that were stored before the call
// and are not in the replica yet among them.
func (s *Store) Outcomes(ctx context.Context, after string) iter.Seq2[eventstore.Outcome, error] {
	return func(yield func(eventstore.Outcome, error) bool) {
		if err := s.current(ctx); err != nil {
			yield(eventstore.Outcome{}, s.reading(err))
			return
		}
		s.replica.Outcomes(ctx, after)(yield)
	}
}

// Import stores commits in the order given, whatever their streams are.
func (s *Store) Import(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	results := make([]eventstore.Result, 0, len(commits))
	for len(commits) > 0 {
		n := 1
		for n < len(commits) && commits[n].Stream == commits[0].Stream {
			n++
		}
		some, err := s.Append(ctx, commits[:n]...)
		if err != nil {
			return nil, err
		}
		results, commits = append(results, some...), commits[n:]
	}
	return results, nil
}

// Check looks for damage of the replica that reading the log does not show; see
// sqlite.DB.Check.
func (s *Store) Check(ctx context.Context) error {
	if err := s.current(ctx); err != nil {
		return s.reading(err)
	}
	return s.replica.Check(ctx)
}
