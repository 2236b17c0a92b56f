package eventstore

import (
	"context"
	"iter"
	"time"
)

// DefaultPoll is how often to look for what other processes have appended.
const DefaultPoll = 250 * time.Millisecond

// Follow yields the records of a log after a position, oldest first, without gap or
// repetition: those there are, and then those to come. What is appended through the
// store is noticed at once, what another process appends within poll (DefaultPoll where
// it is not positive). A slow reader slows itself only, and costs no memory: the log is
// read when it gets there.
//
// The sequence ends after the first error, which is the context's when that ends.
func Follow(ctx context.Context, store Store, after Position, poll time.Duration) iter.Seq2[Record, error] {
	if poll <= 0 {
		poll = DefaultPoll
	}
	return func(yield func(Record, error) bool) {
		tick := time.NewTicker(poll)
		defer tick.Stop()
		for {
			changed := store.Changed() // before reading, so that no append falls between
			for record, err := range store.ReadAll(ctx, after) {
				if !yield(record, err) || err != nil {
					return
				}
				after = record.Position
			}
			select {
			case <-changed:
			case <-tick.C:
			case <-ctx.Done():
				yield(Record{}, ctx.Err())
				return
			}
		}
	}
}
