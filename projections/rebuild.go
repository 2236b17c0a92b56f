package projections

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/grouplog/grouplog/eventstore"
)

// Rebuild makes all rows anew from the log, in a second file (the path with ".rebuild"
// after it) that is gone when Rebuild is done, and swaps them in. Queries and the
// runner go on meanwhile; queries see the old rows until they see the new ones. The
// runner, and other processes that share the file, stand still only during the swap,
// which copies the rows: about a second for a million of them.
//
// progress, if not nil, is told after each page how far the rebuild is, from the
// calling goroutine. Whatever interrupts a rebuild leaves the old rows as they were.
//
// Where its context ends, the views are closed, or another process has the file locked for
// too long (ErrBusy), the second file stays, and the next Rebuild goes on from there, in this process or another one. After a crash it goes on
// from the last mark, one every million events (50 times RebuildPageSize); a file that
// cannot be gone on from, because it has no mark or the log is another one, is removed
// by the next Open.
//
// The new rows go in by a transaction and not by renaming files: another process that
// has the views open would go on with the file that has lost its name.
func (v *Views) Rebuild(ctx context.Context, progress func(done, total eventstore.Position)) error {
	_, err := v.RebuildReport(ctx, progress)
	return err
}

// RebuildReport is Rebuild, and tells whether the old rows were those that the log gives.
// Rebuild finds that out too, and warns Options.Logger where they were not: before the
// swap, it holds the digests of both against each other at one position, while the
// runner goes on, but for rows in memory. Compare says which rows differ.
func (v *Views) RebuildReport(ctx context.Context, progress func(done, total eventstore.Position)) (Rebuilt, error) {
	var found Rebuilt
	err := v.withScratch(ctx, rebuildSuffix, func(ctx context.Context, w *writer) error {
		reached, err := v.fillToHead(ctx, w, progress)
		if err != nil {
			return err
		}
		old, err := v.sumUp(ctx, w, reached)
		if err != nil {
			return err
		}
		defer old.end()
		if err := v.complete(ctx, w); err != nil {
			return err
		}
		if found, reached, err = v.contrast(ctx, w, reached, old); err != nil {
			return err
		}
		v.tell(ctx, found)
		if reached, err = v.catchUp(ctx, w, reached); err != nil {
			return err
		}
		return v.takeOver(ctx, w, reached)
	})
	if err != nil {
		return Rebuilt{}, fmt.Errorf("rebuild views %s: %w", v.place, err)
	}
	return found, nil
}

// manyPages is from how many pages on the rows of an empty file are made as Rebuild does
// it, which takes a third of the time.
const manyPages = 10

// begin makes the first rows of an empty views file, if it still is one.
func (v *Views) begin(ctx context.Context) error {
	return v.withScratch(ctx, rebuildSuffix, func(ctx context.Context, w *writer) error {
		at := map[string]checkpoint{}
		err := v.Read(ctx, func(tx *sql.Tx) error {
			rows, err := tx.QueryContext(ctx, selectCheckpoints)
			if err == nil {
				at, err = scanCheckpoints(rows)
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range w.projections {
			if at[p.Name()].position > 0 {
				return errMoved
			}
		}
		reached, err := v.fillToHead(ctx, w, v.opts.Progress)
		if err != nil {
			return err
		}
		if err := v.complete(ctx, w); err != nil {
			return err
		}
		return v.takeOver(ctx, w, reached)
	})
}

// complete gives a scratch file that is full its indexes, and attaches the live file.
func (v *Views) complete(ctx context.Context, w *writer) error {
	if err := w.transact(ctx, w.index); err != nil {
		return err
	}
	return v.attachLive(w)
}

// catchUp applies to a scratch file what has come since it was filled, until that is so
// little that the swap can. Its indexes are there: a page takes what it does in the live file.
func (v *Views) catchUp(ctx context.Context, w *writer, reached eventstore.Position) (eventstore.Position, error) {
	for {
		head, err := v.log.Head(ctx)
		if err = cmp.Or(err, ctx.Err()); err != nil || head < reached+eventstore.Position(v.opts.PageSize) {
			return reached, err
		}
		if err := w.aside(func() error { return v.fillHere(ctx, w, reached, head) }); err != nil {
			return 0, err
		}
		reached = head
	}
}

// takeOver puts a scratch file's rows in the place of the old ones.
func (v *Views) takeOver(ctx context.Context, w *writer, reached eventstore.Position) error {
	return v.write(func() error { // what the writer remembers ends with the epoch
		if err := w.transact(ctx, func() error { return v.swap(ctx, w, reached) }); err != nil {
			return err
		}
		reached, err := v.writer.reached()
		if err == nil {
			v.restart(reached)
		}
		return err
	})
}

// fillToHead fills a scratch file until next to nothing is missing.
func (v *Views) fillToHead(ctx context.Context, w *writer, progress func(done, total eventstore.Position)) (reached eventstore.Position, err error) {
	if reached, err = w.reached(); err != nil {
		return 0, err
	}
	for resumed := reached > 0; ; resumed = false {
		head, err := v.log.Head(ctx)
		if err != nil {
			return 0, err
		}
		if resumed && progress != nil {
			progress(reached, max(reached, head))
		}
		if head <= reached || reached > 0 && head-reached < eventstore.Position(v.opts.PageSize) {
			return reached, nil
		}
		if reached, err = v.fill(ctx, w, reached, head, progress); err != nil {
			return 0, err
		}
	}
}

// swap puts the scratch file's rows in the place of the live file's. It runs under the
// write locks of both, so the checkpoints stand still, and first brings the new rows
// to where the old ones are: nobody sees a position go back.
func (v *Views) swap(ctx context.Context, w *writer, reached eventstore.Position) error {
	rows, err := w.query(selectLiveCheckpoints)
	if err != nil {
		return err
	}
	at, err := scanCheckpoints(rows)
	if err != nil {
		return err
	}
	for _, p := range w.projections {
		live, found := at[p.Name()]
		if !found || live.version != p.Version() {
			return fmt.Errorf("%w: %s is version %d here and %d in the file", ErrTakenOver, p.Name(), p.Version(), live.version)
		}
		if err := v.fillHere(ctx, w, reached, live.position); err != nil {
			return err
		}
		reached = max(reached, live.position)
	}
	for _, p := range w.projections {
		if err := w.replace(p.Name()); err != nil {
			return fmt.Errorf("replace the rows of projection %s: %w", p.Name(), err)
		}
	}
	return nil
}

// replace drops a projection's tables in the attached file and copies those of the
// main one, with their checkpoint. Tables and indexes are created alike and empty, so
// SQLite copies both as they are instead of inserting row by row.
func (w *writer) replace(projection string) error {
	old, err := w.tables("live", projection)
	if err != nil {
		return err
	}
	for _, table := range old {
		if err := w.script("DROP TABLE live." + quote(table)); err != nil {
			return err
		}
	}
	tables, err := w.tables("main", projection)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := w.createLike(table); err != nil {
			return err
		}
		if err := w.script("INSERT INTO live." + quote(table) + " SELECT * FROM main." + quote(table)); err != nil {
			return err
		}
		if err := w.copySequence(table); err != nil {
			return err
		}
	}
	for _, statement := range []string{
		"DELETE FROM live.projection_tables WHERE projection = ?1",
		"INSERT INTO live.projection_tables SELECT * FROM main.projection_tables WHERE projection = ?1",
		`UPDATE live.projection_checkpoints SET epoch = epoch + 1,
			position = (SELECT position FROM main.projection_checkpoints WHERE name = ?1),
			record = (SELECT record FROM main.projection_checkpoints WHERE name = ?1) WHERE name = ?1`,
		"DELETE FROM live.projection_parked WHERE name = ?1",
	} {
		if err := w.script(statement, projection); err != nil {
			return err
		}
	}
	return nil
}

// copySequence copies the last number that AUTOINCREMENT has given out in a table, if it
// is one with it: the row may be gone.
func (w *writer) copySequence(table string) error {
	var counted bool
	err := w.queryRow("SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE name = 'sqlite_sequence')").Scan(&counted)
	if err != nil || !counted {
		return err
	}
	if err := w.script("DELETE FROM live.sqlite_sequence WHERE name = ?", table); err != nil {
		return err
	}
	return w.script("INSERT INTO live.sqlite_sequence SELECT * FROM main.sqlite_sequence WHERE name = ?", table)
}

// createLike creates a table of the main file, with its indexes, in the attached one.
func (w *writer) createLike(table string) error {
	rows, err := w.query("SELECT sql FROM main.sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC, rowid", table)
	if err != nil {
		return err
	}
	texts, err := texts(rows) // the table first: 't' is after 'i'
	if err != nil {
		return err
	}
	for _, text := range texts {
		// SQLite keeps the text from the name on as it was given, and normalizes what is before.
		for _, kind := range []string{"CREATE TABLE ", "CREATE UNIQUE INDEX ", "CREATE INDEX "} {
			if rest, ok := strings.CutPrefix(text, kind); ok {
				text = kind + "live." + rest
				break
			}
		}
		if err := w.script(text); err != nil {
			return err
		}
	}
	return nil
}

// restart takes over from a runner that had stopped: its rows are right again.
func (v *Views) restart(reached eventstore.Position) {
	v.publish(reached)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.restarts++
	if v.failure == nil {
		return
	}
	v.failure = nil
	v.wake()
	select {
	case v.resume <- struct{}{}:
	default:
	}
}
