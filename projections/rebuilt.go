package projections

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// Rebuilt tells how the rows that a rebuild has replaced stood to the new ones, when both
// were at the same position.
type Rebuilt struct {
	Position    eventstore.Position `json:"position"`              // of both
	Projections []Replaced          `json:"projections,omitempty"` // in the order of Options.Projections
	Unknown     string              `json:"unknown,omitempty"`     // why they were not compared; empty if they were
}

// Replaced are the digests of a projection's rows before and after.
type Replaced struct {
	Projection string   `json:"projection"`
	Old        string   `json:"old"`
	New        string   `json:"new"`
	Differ     []string `json:"differ,omitempty"` // the tables whose rows were not those that the log gives
}

// Differs reports whether rows were found that were not those that the log gives.
func (r Rebuilt) Differs() bool {
	for _, p := range r.Projections {
		if len(p.Differ) > 0 {
			return true
		}
	}
	return false
}

// oldRowsPatience is how long a rebuild waits for the old rows to come to where the new
// ones are. They are there at once, if they follow the log at all.
const oldRowsPatience = 5 * time.Second

// contrast compares the old rows with the new ones, which it brings to the same position
// first, and returns where they are then. The old ones are read as they are at one moment,
// and go on meanwhile, unless they are in memory. What keeps them from being compared is
// no reason not to replace them.
func (v *Views) contrast(ctx context.Context, w *writer, reached eventstore.Position) (Rebuilt, eventstore.Position, error) {
	if why := v.oldRowsAt(ctx, reached); why != nil {
		return Rebuilt{Position: reached, Unknown: why.Error()}, reached, ctx.Err()
	}
	v.gate.RLock()
	defer v.gate.RUnlock()
	found := Rebuilt{}
	err := w.aside(func() error {
		at, err := v.evenly(w.query(selectLiveCheckpoints))
		if err == nil && at < reached {
			err = fmt.Errorf("the old rows are at position %d, and the new ones at %d", at, reached)
		}
		if err != nil {
			found.Unknown = err.Error()
			return nil
		}
		if err := v.fillHere(ctx, w, reached, at); err != nil {
			return err
		}
		reached = at
		for _, p := range w.projections {
			replaced, err := w.replaced(ctx, p.Name())
			var unreadable *oldRowsError
			if errors.As(err, &unreadable) {
				found.Projections, found.Unknown = nil, unreadable.Error()
				return nil
			}
			if err != nil {
				return err
			}
			found.Projections = append(found.Projections, replaced)
		}
		return nil
	})
	found.Position = reached
	return found, reached, err
}

// oldRowsAt waits until the old rows have come to a position, and says why they do not.
func (v *Views) oldRowsAt(ctx context.Context, position eventstore.Position) error {
	if v.opts.Manual { // they are where they are
		return nil
	}
	if v.Position() == 0 { // a runner that would fill them waits for the rebuild
		return errors.New("there were no rows")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, oldRowsPatience, fmt.Errorf("the old rows did not come to position %d", position))
	defer cancel()
	err := v.WaitFor(ctx, position)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// oldRowsError says that the old rows cannot be read.
type oldRowsError struct{ err error }

func (e *oldRowsError) Error() string { return "the old rows cannot be read: " + e.err.Error() }
func (e *oldRowsError) Unwrap() error { return e.err }

// replaced sums up a projection's tables in the attached file, which are the old ones, and
// in the main one.
func (w *writer) replaced(ctx context.Context, projection string) (Replaced, error) {
	r := Replaced{Projection: projection}
	tables, err := w.tables("main", projection)
	if err != nil {
		return r, err
	}
	before, after := sha256.New(), sha256.New()
	for _, table := range tables {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		stored, err := w.sumOf("live", table)
		if err != nil {
			return r, &oldRowsError{err}
		}
		fresh, err := w.sumOf("main", table)
		if err != nil {
			return r, err
		}
		if stored != fresh {
			r.Differ = append(r.Differ, table)
		}
		fmt.Fprintf(before, "%s %s\n", table, stored)
		fmt.Fprintf(after, "%s %s\n", table, fresh)
	}
	r.Old, r.New = fmt.Sprintf("%.16x", before.Sum(nil)), fmt.Sprintf("%.16x", after.Sum(nil))
	return r, nil
}

// tell logs what was found of the old rows.
func (v *Views) tell(ctx context.Context, found Rebuilt) {
	if found.Unknown != "" {
		v.opts.Logger.InfoContext(ctx, "the old rows are replaced without having been compared", "views", v.place.String(), "reason", found.Unknown)
	}
	for _, p := range found.Projections {
		if len(p.Differ) > 0 {
			v.opts.Logger.WarnContext(ctx, "the old rows are not what the log gives, and are replaced", "views", v.place.String(),
				"projection", p.Projection, "position", found.Position, "tables", p.Differ, "old", p.Old, "new", p.New)
		}
	}
}

// aside runs f in a transaction of a scratch file alone: it sees one state of the attached
// file, and takes none of its locks.
func (w *writer) aside(f func() error) error {
	if err := w.script("BEGIN"); err != nil {
		return err
	}
	if err := f(); err != nil {
		w.forget()
		return errors.Join(err, w.script("ROLLBACK"))
	}
	return w.script("COMMIT")
}
