package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// Selection says which events of a log are wanted: those that everything that is not
// zero lets through.
type Selection struct {
	projections.Filter

	First, Last eventstore.Position // both included
	Since       time.Time           // included
	Until       time.Time           // not included
}

// Validate reports what can never select anything: types that no event has, and ranges
// that end before they begin.
func (s *Selection) Validate() error {
	err := s.Filter.Validate()
	if s.Last > 0 && s.Last < s.First {
		err = errors.Join(err, fmt.Errorf("the positions from %d to %d are none", s.First, s.Last))
	}
	if !s.Until.IsZero() && !s.Since.Before(s.Until) {
		err = errors.Join(err, fmt.Errorf("the times from %s until %s are none", s.Since.UTC().Format(time.RFC3339), s.Until.UTC().Format(time.RFC3339)))
	}
	return err
}

// Records reads the events that are wanted, oldest first, up to the head as of the call
// or later. The events of one group are read from its stream, which costs what they
// cost; anything else reads the log between First and Last. Times do not narrow that: an
// imported past stands behind events that were recorded before.
func (s *Selection) Records(ctx context.Context, log eventstore.Store) iter.Seq2[eventstore.Record, error] {
	records := log.ReadAll(ctx, s.First-min(s.First, 1))
	if len(s.Groups) == 1 {
		records = log.ReadStream(ctx, domain.GroupStream(s.Groups[0]), 0)
	}
	return func(yield func(eventstore.Record, error) bool) {
		for record, err := range records {
			switch {
			case err != nil:
				yield(record, err)
				return
			case s.Last > 0 && record.Position > s.Last:
				return
			case record.Position >= s.First && s.within(record.Time) && s.Wants(&record):
				if !yield(record, nil) {
					return
				}
			}
		}
	}
}

func (s *Selection) within(at time.Time) bool {
	return !at.Before(s.Since) && (s.Until.IsZero() || at.Before(s.Until))
}
