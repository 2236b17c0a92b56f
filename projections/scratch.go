package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/bulk"
)

// A scratch file is filled from the log, looked at, and thrown away. Its lock is never
// given back while it is open: that is how another process can tell one that is in use
// from one that a crash left behind.
const (
	rebuildSuffix = ".rebuild"
	compareSuffix = ".compare"
)

// sweep removes scratch files that a crash left behind, but for a rebuild that can be
// continued.
func (v *Views) sweep(ctx context.Context) error {
	if v.place.path == "" {
		return nil
	}
	for _, suffix := range []string{rebuildSuffix, compareSuffix} {
		at := v.place.beside(suffix)
		if used, err := at.inUse(ctx); err != nil || used {
			if err != nil {
				return err
			}
			continue
		}
		if w := v.reopen(ctx, at); w != nil {
			if err := w.close(); err != nil {
				return err
			}
			continue
		}
		if err := at.remove(); err != nil {
			return fmt.Errorf("remove what an interrupted rebuild left: %w", err)
		}
	}
	return nil
}

// inUse reports whether somebody has the scratch file open. One that is not there, or
// that is no database because it was cut off, is not.
func (p place) inUse(ctx context.Context) (bool, error) {
	if p.path == "" {
		return false, nil
	}
	if _, err := os.Stat(p.path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	w, err := openWriter(ctx, p, "", Options{})
	if err != nil { // the driver may find the lock already when it opens the file
		return isBusy(err), ctx.Err()
	}
	busy := isBusy(w.script("BEGIN EXCLUSIVE"))
	return busy, w.close()
}

// withScratch gives f a scratch file with the projections' tables, empty or as an
// interrupted rebuild left them, and removes it afterwards, unless this one is
// interrupted too, or gives up on a lock. The context ends with the views.
func (v *Views) withScratch(ctx context.Context, suffix string, f func(ctx context.Context, w *writer) error) (err error) {
	v.rebuilding.Lock()
	defer v.rebuilding.Unlock()
	if v.isClosed() {
		return ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(v.running, cancel)()

	at := v.place.beside(suffix)
	if used, err := at.inUse(ctx); err != nil || used {
		return errors.Join(err, fmt.Errorf("%s is in use: another process is doing the same", at))
	}
	w, err := v.openScratch(ctx, at)
	if err != nil {
		return errors.Join(err, at.remove())
	}
	err = f(ctx, w)
	stopped := err != nil && (ctx.Err() != nil || errors.Is(err, ErrBusy))
	kept := stopped && suffix == rebuildSuffix && at.path != "" && w.keep(ctx)
	if err != nil && v.isClosed() {
		err = ErrClosed
	}
	err = errors.Join(err, w.close())
	bulk.GiveBack() // the cache was large
	if kept {
		return err
	}
	return errors.Join(err, at.remove())
}

// openScratch opens the scratch file that an interrupted rebuild left, or makes one.
func (v *Views) openScratch(ctx context.Context, at place) (*writer, error) {
	if w := v.reopen(ctx, at); w != nil {
		return w, nil
	}
	if err := at.remove(); err != nil {
		return nil, err
	}
	w, err := openWriter(ctx, at, scratchPragmas, v.opts)
	if err != nil {
		return nil, err
	}
	if err := v.layOut(ctx, w, at); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// layOut creates the projections' tables in a scratch file, and withholds the indexes of
// those that can do without.
func (v *Views) layOut(ctx context.Context, w *writer, at place) error {
	if err := w.create(ctx, v.log.ID()); err != nil {
		return err
	}
	return w.transact(ctx, func() error {
		if err := w.script(fmt.Sprintf("PRAGMA main.user_version = %d; %s", unsealed, withholding)); err != nil {
			return err
		}
		for _, p := range w.projections {
			if err := w.install(p, 1); err != nil {
				return err
			}
			if _, ok := p.(Filler); !ok {
				continue
			}
			if err := w.withhold(p.Name()); err != nil {
				return err
			}
		}
		return nil
	})
}

// attachLive attaches the live file to a scratch file's connection, as "live". From
// then on, transactions that begin with a lock hold up the live file's writers too.
//
// It reads the live file's schema, which in memory is locked while a page is written.
func (v *Views) attachLive(w *writer) error {
	v.gate.RLock()
	defer v.gate.RUnlock()
	if err := w.script("ATTACH ? AS live", v.place.uri("")); err != nil {
		return err
	}
	w.locked = v.place
	// The statement was made for the scratch file alone, and would go on to lock no other.
	if statement, ok := w.changes[beginWriting]; ok {
		delete(w.changes, beginWriting)
		if err := statement.Close(); err != nil {
			return err
		}
	}
	return w.script("PRAGMA live.synchronous = NORMAL; PRAGMA live.cache_size = -64000")
}

// fill applies the log to a scratch file up to a position, or to its end if that comes
// first, and returns how far it came. Reading and applying overlap. When the context
// ends, what has been applied until then is kept.
func (v *Views) fill(ctx context.Context, w *writer, from, to eventstore.Position, progress func(done, total eventstore.Position)) (eventstore.Position, error) {
	if from >= to {
		return from, nil
	}
	size := v.opts.RebuildPageSize
	err := w.fillBy(ctx, func() (err error) {
		spare := make(chan []Event, 1)
		marked := from
		for page, err := range ahead(v.pages(ctx, from, size, spare)) {
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			if from, err = w.applyHere(context.WithoutCancel(ctx), upTo(page, to)); err != nil {
				return err
			}
			select {
			case spare <- page[:0]:
			default:
			}
			if progress != nil {
				progress(from, to)
			}
			if from >= to {
				return nil
			}
			if from-marked >= markedPages*eventstore.Position(size) {
				if err := w.mark(ctx); err != nil {
					return err
				}
				marked = from
			}
		}
		return nil
	})
	return from, cmp.Or(err, ctx.Err())
}

// fillHere is fill in a transaction that has begun, for the last few events.
func (v *Views) fillHere(ctx context.Context, w *writer, from, to eventstore.Position) error {
	if from >= to {
		return nil
	}
	for page, err := range v.pages(ctx, from, v.opts.RebuildPageSize, nil) {
		if err != nil {
			return err
		}
		if from, err = w.applyHere(ctx, upTo(page, to)); err != nil {
			return err
		}
		if from >= to {
			return nil
		}
	}
	return fmt.Errorf("the log ends at position %d, and the views go up to %d", from, to)
}

// upTo cuts a page off after a position, which is not before its first event's.
func upTo(page []Event, to eventstore.Position) []Event {
	if last := page[len(page)-1].Position; last > to {
		return page[:len(page)-int(last-to)]
	}
	return page
}
