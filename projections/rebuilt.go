package projections

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/bulk"
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

// oldRows are the sums of the live file's tables, all at one position.
type oldRows struct {
	at   chan eventstore.Position // tells it as soon as it is known; closed
	done chan struct{}            // closed when the live file has been read

	sums    map[string]string // by table; to be read when done
	unknown error             // why there are none

	cancel context.CancelFunc
}

// end gives up what is still being read.
func (o *oldRows) end() {
	o.cancel()
	<-o.done
}

// sumUp sums up the old rows, which must have come to a position, in a goroutine of its
// own: meanwhile the new ones get their indexes and are summed up. They are read as they
// are at one moment, and go on, unless they are in memory.
func (v *Views) sumUp(ctx context.Context, w *writer, reached eventstore.Position) (*oldRows, error) {
	var tables []string
	for _, p := range w.projections {
		own, err := w.tables("main", p.Name())
		if err != nil {
			return nil, err
		}
		tables = append(tables, own...)
	}
	ctx, cancel := context.WithCancel(ctx)
	old := &oldRows{at: make(chan eventstore.Position, 1), done: make(chan struct{}), sums: map[string]string{}, cancel: cancel}
	go func() {
		defer close(old.done)
		defer close(old.at)
		if old.unknown = v.oldRowsAt(ctx, reached); old.unknown == nil {
			old.unknown = v.scan(ctx, func(tx *sql.Tx, c *bulk.Conn) error { return old.read(ctx, tx, c, v, reached, tables) })
		}
	}()
	return old, nil
}

func (o *oldRows) read(ctx context.Context, tx *sql.Tx, c *bulk.Conn, v *Views, reached eventstore.Position, tables []string) error {
	at, err := v.evenly(tx.QueryContext(ctx, selectCheckpoints))
	if err == nil && at < reached {
		err = fmt.Errorf("the old rows are at position %d, and the new ones at %d", at, reached)
	}
	if err != nil {
		return err
	}
	o.at <- at
	for _, table := range tables {
		if o.sums[table], err = sum(ctx, c, quote(table)); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("the old rows cannot be read: %w", err)
		}
	}
	return nil
}

// contrast compares the old rows with the new ones, which it brings to the same position
// first, and returns where they are then. What keeps them from being compared is no reason
// not to replace them.
func (v *Views) contrast(ctx context.Context, w *writer, reached eventstore.Position, old *oldRows) (Rebuilt, eventstore.Position, error) {
	var found []Replaced
	if at, known := <-old.at; known {
		err := w.aside(func() (err error) {
			if err = v.fillHere(ctx, w, reached, at); err == nil {
				reached = at
				found, err = w.replacements(ctx, old)
			}
			return err
		})
		if err != nil {
			return Rebuilt{}, reached, err
		}
	}
	<-old.done
	if old.unknown != nil {
		return Rebuilt{Position: reached, Unknown: old.unknown.Error()}, reached, ctx.Err()
	}
	return Rebuilt{Position: reached, Projections: found}, reached, nil
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

// replacements sums up the new rows, and then holds them against the old ones.
func (w *writer) replacements(ctx context.Context, old *oldRows) ([]Replaced, error) {
	all := make([]Replaced, len(w.projections))
	fresh, tables := map[string]string{}, make([][]string, len(w.projections))
	for i, p := range w.projections {
		var err error
		if tables[i], err = w.tables("main", p.Name()); err != nil {
			return nil, err
		}
		for _, table := range tables[i] {
			if fresh[table], err = w.sumOf(ctx, "main", table); err != nil {
				return nil, err
			}
		}
	}
	<-old.done
	for i, p := range w.projections {
		all[i] = replaced(p.Name(), tables[i], old.sums, fresh)
	}
	return all, nil
}

// replaced holds the sums of a projection's tables against each other.
func replaced(projection string, tables []string, stored, fresh map[string]string) Replaced {
	r := Replaced{Projection: projection}
	before, after := sha256.New(), sha256.New()
	for _, table := range tables {
		if stored[table] != fresh[table] {
			r.Differ = append(r.Differ, table)
		}
		fmt.Fprintf(before, "%s %s\n", table, stored[table])
		fmt.Fprintf(after, "%s %s\n", table, fresh[table])
	}
	r.Old, r.New = fmt.Sprintf("%.16x", before.Sum(nil)), fmt.Sprintf("%.16x", after.Sum(nil))
	return r
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
