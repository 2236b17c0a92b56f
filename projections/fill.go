package projections

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// filling is how a Filler fills a scratch file: a goroutine runs the statements that
// change rows, while the projection goes on. Whoever wants to use the connection waits
// until it has run them: see settle.
type filling struct {
	next    []queued // not in the queue yet
	queue   chan []queued
	open    sync.WaitGroup // lists that have not run
	failure error          // of the first that failed; for whoever has waited
}

type queued struct {
	query string
	args  []any
}

// listed is how many statements are handed over together: one at a time, either
// goroutine would wake the other for each.
const listed = 128

func (f *filling) put(query string, args []any) {
	if f.next = append(f.next, queued{query, args}); len(f.next) == listed {
		f.hand()
	}
}

// hand hands over what has been put.
func (f *filling) hand() {
	if len(f.next) > 0 {
		f.open.Add(1)
		f.queue <- f.next
		f.next = make([]queued, 0, listed)
	}
}

// wait hands over what has been put, and waits until all has run.
func (f *filling) wait() error {
	f.hand()
	f.open.Wait()
	return f.failure
}

func (f *filling) run(do func(query string, args []any) error) {
	for list := range f.queue {
		for _, q := range list {
			if f.failure == nil {
				f.failure = do(q.query, q.args)
			}
		}
		f.open.Done()
	}
}

// fillBy has f fill a scratch file, in one transaction or a few: see mark.
func (w *writer) fillBy(ctx context.Context, f func() error) error {
	return w.transact(ctx, func() error {
		w.filling = &filling{queue: make(chan []queued, 8)}
		go w.filling.run(w.run)
		defer func() {
			_ = w.filling.wait()
			close(w.filling.queue)
			w.filling = nil
		}()
		if err := f(); err != nil {
			return err
		}
		if err := w.flush(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		return w.settle()
	})
}

// settle waits until the connection is the caller's alone, and reports what went wrong
// meanwhile.
func (w *writer) settle() error {
	if w.filling == nil {
		return nil
	}
	return w.filling.wait()
}

// flush has the projections write what they have kept back, and writes their checkpoints.
func (w *writer) flush(ctx context.Context) error {
	for _, p := range w.projections {
		known := w.known[p.Name()]
		if known == nil {
			continue
		}
		if filler, ok := p.(Filler); ok {
			if err := guarded(func() error { return filler.Flush(ctx, w.tx(p, known)) }); err != nil {
				return fmt.Errorf("projection %s: %w", p.Name(), err)
			}
		}
		if err := w.move(p.Name(), known.checkpoint); err != nil {
			return err
		}
	}
	return nil
}

// Filling reports that nobody reads the tables before Flush; see Filler.
func (tx *Tx) Filling() bool { return tx.filling != nil }

// Index makes the indexes that a Filler's tables do not have yet. Queries find their
// rows without them too, but by reading all.
func (tx *Tx) Index() error {
	if err := tx.writer.settle(); err != nil {
		return err
	}
	return tx.writer.index()
}

// withholding is where a scratch file keeps what indexes it does not have yet.
const withholding = `CREATE TABLE projection_withheld (text TEXT NOT NULL) STRICT`

// withhold drops the indexes of a projection's tables, which are empty, until index
// makes them.
func (w *writer) withhold(projection string) error {
	indexes, err := w.indexes(projection)
	if err != nil {
		return err
	}
	for name, text := range indexes {
		w.later = append(w.later, text)
		if err := w.script("DROP INDEX " + quote(name)); err != nil {
			return err
		}
		if err := w.exec("INSERT INTO projection_withheld (text) VALUES (?)", text); err != nil {
			return err
		}
	}
	slices.Sort(w.later)
	return nil
}

// index makes the indexes that were withheld.
func (w *writer) index() error {
	for len(w.later) > 0 {
		if err := w.script(w.later[0]); err != nil {
			return err
		}
		if err := w.exec("DELETE FROM projection_withheld WHERE text = ?", w.later[0]); err != nil {
			return err
		}
		w.later = w.later[1:]
	}
	return nil
}
