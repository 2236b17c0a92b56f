package consumers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// What follows may be done in any process, whether the consumer is active or not. An
// active one notices when it stores its progress next, or looks (Consumer.Refresh).

// Reset has a consumer go on after a position: 0 begins anew. What it holds is let go;
// Reset returns those streams of which something at or before the position is not
// handled any more because of that. What is handled again is known as a repetition
// (Progress.Told), except where the log was restored: nobody can tell there.
func (r *Registry) Reset(ctx context.Context, name string, to eventstore.Position) (skipped []Hold, err error) {
	record, err := r.fingerprint(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("reset consumer %q to position %d: %w", name, to, err)
	}
	err = r.book.edit(ctx, name, func(p *Progress) error {
		runs := append(p.runs, p.run())
		switch err := r.check(ctx, name, p); {
		case errors.Is(err, ErrRestored):
			runs = nil
		case err != nil:
			return err
		}
		skipped = p.heldBefore(After(to))
		*p = Progress{
			Cursor: After(to), record: record, since: After(to), Trouble: p.Trouble,
			Holds: map[string]Hold{}, runs: runs[max(0, len(runs)-maxRuns):],
		}
		return nil
	})
	return skipped, err
}

// maxRuns is how many resets are remembered.
const maxRuns = 32

// heldBefore are the streams that are held before a place.
func (p *Progress) heldBefore(at Place) []Hold {
	var before []Hold
	for _, h := range p.Holds {
		if h.Before(at) {
			before = append(before, h)
		}
	}
	sortHolds(before)
	return before
}

// Retry has what stands at the place of held streams tried at once, and as often as in
// the beginning: of those named, or, where none is, of all that are parked. It returns
// them as they were; the error of a stream that is not held is ErrNotHeld.
func (r *Registry) Retry(ctx context.Context, name string, streams ...string) ([]Hold, error) {
	return r.release(ctx, name, streams, func(h *Hold) error {
		h.Forgiven = h.Attempts
		return nil
	})
}

// Discard gives up what stands at the place of held streams, as Retry chooses them, and
// has them go on behind it. It returns what was given up. Where one of them has come to
// something that has not failed, the error is ErrNotFailed, and nothing is given up.
func (r *Registry) Discard(ctx context.Context, name string, streams ...string) ([]Hold, error) {
	return r.release(ctx, name, streams, func(h *Hold) error {
		if !h.Failed() {
			return fmt.Errorf("%w: %q goes on with %d/%d by itself", ErrNotFailed, h.Stream, h.Position, h.Index)
		}
		h.Place, h.Attempts, h.Forgiven, h.Error = h.Next(), 0, 0, ""
		return nil
	})
}

// release makes held streams due, changed.
func (r *Registry) release(ctx context.Context, name string, streams []string, change func(*Hold) error) (were []Hold, err error) {
	err = r.book.edit(ctx, name, func(p *Progress) (err error) {
		if were, err = p.pick(streams); err != nil {
			return fmt.Errorf("consumer %q: %w", name, err)
		}
		for _, h := range were {
			if err := change(&h); err != nil {
				return fmt.Errorf("consumer %q: %w", name, err)
			}
			h.Due = time.Now()
			p.Holds[h.Stream] = h
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return were, nil
}

// pick is the holds of some streams, or all that are parked.
func (p *Progress) pick(streams []string) ([]Hold, error) {
	var picked []Hold
	for _, stream := range streams {
		h, ok := p.Holds[stream]
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrNotHeld, stream)
		}
		picked = append(picked, h)
	}
	if len(streams) == 0 {
		for _, h := range p.Holds {
			if h.Parked() {
				picked = append(picked, h)
			}
		}
	}
	sortHolds(picked)
	return picked, nil
}

// sortHolds puts holds in the order of the log.
func sortHolds(holds []Hold) {
	slices.SortFunc(holds, func(a, b Hold) int {
		if a.Place != b.Place {
			return a.compare(b.Place)
		}
		return strings.Compare(a.Stream, b.Stream)
	})
}
