package notify

import (
	"context"
	"fmt"
	"iter"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// CatchUp yields what a user should have been told of what stands after a position, in
// the order of the log up to its head: what a live listener of theirs has been told. It
// is derived from the log. It costs reading the log from there, and folding the groups
// that it meets, each from its beginning. The sequence ends after the first error.
func CatchUp(ctx context.Context, log eventstore.Store, policies domain.Policies, userID string, after eventstore.Position) iter.Seq2[Notification, error] {
	return func(yield func(Notification, error) bool) {
		d := newDeriver(log, policies)
		for record, err := range log.ReadAll(ctx, after) {
			stopped := false
			if err == nil {
				err = d.step(ctx, record, func(n Notification, a Audience) {
					if !stopped && a.Has(userID) {
						stopped = !yield(n, nil)
					}
				})
			}
			if stopped {
				return
			}
			if err != nil {
				yield(Notification{}, fmt.Errorf("catch up from position %d: %w", after, err))
				return
			}
		}
	}
}
