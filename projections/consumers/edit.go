package consumers

import (
	"context"
	"database/sql"
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
	err = r.edit(ctx, name, func(tx *sql.Tx, p *Progress) error {
		err := r.check(ctx, name, p)
		switch {
		case errors.Is(err, ErrRestored):
			p.runs = nil
		case err != nil:
			return err
		default:
			p.runs = append(p.runs, p.run())
			p.runs = p.runs[max(0, len(p.runs)-maxRuns):]
		}
		skipped = p.heldBefore(After(to))
		return rewrite(ctx, tx, name, After(to), record, p.runs)
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

// rewrite puts a consumer somewhere else, holding nothing.
func rewrite(ctx context.Context, tx *sql.Tx, name string, at Place, record []byte, runs []run) error {
	_, err := tx.ExecContext(ctx, `UPDATE consumers SET position = ?, place = ?, record = ?, attempts = 0, since = ?, since_place = ? WHERE name = ?`,
		uint64(at.Position), at.Index, record, uint64(at.Position), at.Index, name)
	if err != nil {
		return err
	}
	for _, table := range []string{"consumer_holds", "consumer_runs", "consumer_run_holds"} {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE consumer = ?", name); err != nil {
			return err
		}
	}
	for i := range runs {
		if err := putRun(ctx, tx, name, i, &runs[i]); err != nil {
			return err
		}
	}
	return nil
}

// Retry has what stands at the place of held streams tried at once, and as often as in
// the beginning: of those named, or, where none is, of all that are parked. It returns
// them as they were; the error of a stream that is not held is ErrNotHeld.
func (r *Registry) Retry(ctx context.Context, name string, streams ...string) ([]Hold, error) {
	return r.release(ctx, name, streams, func(h *Hold) { h.Forgiven = h.Attempts })
}

// Discard gives up what stands at the place of held streams, as Retry chooses them, and
// has them go on behind it. It returns what was given up.
func (r *Registry) Discard(ctx context.Context, name string, streams ...string) ([]Hold, error) {
	return r.release(ctx, name, streams, func(h *Hold) {
		h.Place, h.Attempts, h.Forgiven, h.Error = h.Next(), 0, 0, ""
	})
}

// release makes held streams due, changed.
func (r *Registry) release(ctx context.Context, name string, streams []string, change func(*Hold)) (were []Hold, err error) {
	err = r.edit(ctx, name, func(tx *sql.Tx, p *Progress) error {
		if were, err = p.pick(streams); err != nil {
			return fmt.Errorf("consumer %q: %w", name, err)
		}
		for _, h := range were {
			h.Due = time.Now()
			change(&h)
			if err := putHold(ctx, tx, name, &h); err != nil {
				return err
			}
		}
		return nil
	})
	return were, err
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

// edit changes a consumer under the file's write lock, durably and so that whoever is
// active notices.
func (r *Registry) edit(ctx context.Context, name string, f func(*sql.Tx, *Progress) error) error {
	return durably(ctx, r.db, func(tx *sql.Tx) error {
		p, _, err := r.find(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := f(tx, &p); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE consumers SET edits = edits + 1 WHERE name = ?", name)
		return err
	})
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
