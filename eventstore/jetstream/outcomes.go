package jetstream

import (
	"context"
	"iter"

	"github.com/grouplog/grouplog/eventstore"
)

var _ eventstore.OutcomeLister = (*Store)(nil)

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

// Check looks for damage of the replica that reading the log does not show; see
// sqlite.DB.Check.
func (s *Store) Check(ctx context.Context) error {
	if err := s.current(ctx); err != nil {
		return s.reading(err)
	}
	return s.replica.Check(ctx)
}
