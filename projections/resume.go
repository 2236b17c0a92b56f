package projections

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/grouplog/grouplog/eventstore"
)

// A rebuild that is interrupted leaves its scratch file, and the next one goes on from
// there. A crash must not leave one that is taken for more than it is, and most rebuilds
// are over in seconds, so that nothing may be slower for it:
//
//   - Until the first mark, nothing is synced: a crash leaves a file without a seal, which
//     is thrown away. What is lost is less than what a mark is apart from the next.
//   - With a mark, what has been filled is committed, synced and sealed. From then on,
//     every transaction is synced and has a journal, and a crash leaves the last mark.
//   - Where a context ends, or a lock is not waited for any more, the pages that have been applied are committed and sealed.
//
// The seal is the version of the format, in the file's header.
const unsealed = 0

// markedPages is how many pages lie between two marks: a million events, if they are of
// the default size.
const markedPages = 50

// mark makes durable what has been filled, within fillBy.
func (w *writer) mark(ctx context.Context) error {
	if err := w.flush(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if err := w.exec("COMMIT"); err != nil {
		return err
	}
	if err := w.seal(ctx); err != nil {
		return err
	}
	return w.exec(beginWriting)
}

// seal says that the file holds up to its checkpoints what the log gives, after a power
// cut too. The first transaction that is synced takes all that was written before with
// it to the disk; the seal is in the second.
func (w *writer) seal(ctx context.Context) error {
	if w.sealed {
		return nil
	}
	if err := w.script("PRAGMA main.synchronous = NORMAL"); err != nil {
		return err
	}
	for _, version := range []int{unsealed - 1, fileFormat} {
		err := w.transact(ctx, func() error { return w.script(fmt.Sprintf("PRAGMA main.user_version = %d", version)) })
		if err != nil {
			return err
		}
	}
	w.sealed = true
	return nil
}

// keep seals the file of a rebuild that is interrupted, and reports whether there is
// something to go on from.
func (w *writer) keep(ctx context.Context) bool {
	_ = w.script("DETACH live") // where it is attached, it may be locked
	reached, err := w.reached()
	return err == nil && reached > 0 && w.seal(context.WithoutCancel(ctx)) == nil
}

// reopen opens a scratch file from which a rebuild can go on; nil if there is none,
// whatever the reason: it is made anew then.
func (v *Views) reopen(ctx context.Context, at place) *writer {
	if _, err := os.Stat(at.path); at.path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	w, err := openWriter(ctx, at, scratchPragmas+"PRAGMA main.synchronous = NORMAL;", v.opts)
	if err != nil {
		return nil
	}
	if ok, err := v.continues(ctx, w); !ok || err != nil {
		_ = w.close()
		return nil
	}
	return w
}

// continues reports whether a scratch file is sealed, and its rows are those that this
// program would have made of this log.
func (v *Views) continues(ctx context.Context, w *writer) (bool, error) {
	var format int
	var log string
	err := w.queryRow("SELECT user_version, (SELECT log_id FROM projection_file) FROM pragma_user_version").Scan(&format, &log)
	if err != nil || format != fileFormat || log != v.log.ID() {
		return false, err
	}
	var reached eventstore.Position
	for i, p := range w.projections {
		at, found, err := w.checkpoint(p.Name())
		if err != nil || !found || i > 0 && at.position != reached {
			return false, err
		}
		if why, err := v.astray(ctx, p, at); err != nil || why != "" {
			return false, err
		}
		reached = at.position
	}
	rows, err := w.query("SELECT text FROM projection_withheld ORDER BY rowid")
	if err != nil {
		return false, err
	}
	w.later, err = texts(rows)
	w.sealed = true
	return err == nil, err
}
