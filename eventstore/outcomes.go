package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// OutcomeLister is a Store that lists its outcomes, for whoever copies or compares logs.
type OutcomeLister interface {
	// Outcomes yields the outcomes of the command IDs after the given one, in the order
	// of their bytes, each as of when it is read. The sequence ends after the first error.
	Outcomes(ctx context.Context, after string) iter.Seq2[Outcome, error]
}

// Outcomes yields the outcomes of a store, which must be an OutcomeLister: of any other,
// it yields an error that wraps errors.ErrUnsupported.
func Outcomes(ctx context.Context, store Store, after string) iter.Seq2[Outcome, error] {
	if lister, ok := store.(OutcomeLister); ok {
		return lister.Outcomes(ctx, after)
	}
	return func(yield func(Outcome, error) bool) {
		yield(Outcome{}, errUnlisted)
	}
}

var errUnlisted = fmt.Errorf("this store cannot list its outcomes: %w", errors.ErrUnsupported)
