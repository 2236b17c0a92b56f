package projections

import (
	"context"
	"fmt"
	"sync"

	"github.com/grouplog/grouplog/internal/bulk"
)

// filling is how a Filler fills a scratch file: a goroutine runs the statements that
// change rows, while the projection goes on. Whoever wants to use the connection waits
// until it has run them: see settle.
type filling struct {
	next    []several // not in the queue yet
	size    int       // of their arguments, in bytes
	queue   chan []several
	spare   chan []several // that have run, to be used again
	open    sync.WaitGroup // lists that have not run
	failure error          // of the first that failed; for whoever has waited
}

// several is a statement that runs for each row of arguments, which are encoded as they
// are put: nothing of the caller's is kept.
type several struct {
	query   string
	args    bulk.List
	columns int // of a row
	rows    int
}

// handed is how many bytes of arguments are handed over together. One statement at a time,
// either goroutine would wake the other for each.
const handed = 64 << 10

// put adds a row of arguments to those of the last statement, if it is the same.
func (f *filling) put(query string, args []any) error {
	last := f.last(query, len(args))
	before := last.args.Size()
	if err := last.args.AddRow(args...); err != nil {
		return err
	}
	last.rows++
	if f.size += last.args.Size() - before; f.size >= handed {
		f.hand()
	}
	return nil
}

// last is the list that a statement's next row goes into.
func (f *filling) last(query string, columns int) *several {
	if n := len(f.next); n > 0 && f.next[n-1].query == query && f.next[n-1].columns == columns {
		return &f.next[n-1]
	}
	if n := len(f.next); n < cap(f.next) {
		f.next = f.next[:n+1] // with the memory of a list that has run
	} else {
		f.next = append(f.next, several{})
	}
	s := &f.next[len(f.next)-1]
	s.query, s.columns, s.rows = query, columns, 0
	s.args.Clear()
	return s
}

// hand hands over what has been put.
func (f *filling) hand() {
	if len(f.next) == 0 {
		return
	}
	f.open.Add(1)
	f.queue <- f.next
	f.size = 0
	select {
	case f.next = <-f.spare:
	default:
		f.next = nil
	}
}

// wait hands over what has been put, and waits until all has run.
func (f *filling) wait() error {
	f.hand()
	f.open.Wait()
	return f.failure
}

func (f *filling) run(do func(query string, args *bulk.List, rows int) error) {
	for list := range f.queue {
		for i := range list {
			if f.failure == nil {
				f.failure = do(list[i].query, &list[i].args, list[i].rows)
			}
		}
		select {
		case f.spare <- list[:0]:
		default:
		}
		f.open.Done()
	}
}

// fillBy has f fill a scratch file, in one transaction or a few: see mark.
func (w *writer) fillBy(ctx context.Context, f func() error) error {
	return w.transact(ctx, func() error {
		w.filling = &filling{queue: make(chan []several, 8), spare: make(chan []several, 8)}
		go w.filling.run(w.runAll)
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
	for _, i := range indexes {
		w.later = append(w.later, i.text)
		if err := w.script("DROP INDEX " + quote(i.name)); err != nil {
			return err
		}
		if err := w.exec("INSERT INTO projection_withheld (text) VALUES (?)", i.text); err != nil {
			return err
		}
	}
	return nil
}

// index makes the indexes that were withheld, in the order of the schema: between two that
// would do, SQLite chooses by it.
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
