package projections

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/bulk"
)

// writer is the one connection through which a file of views is written. It is not
// safe for concurrent use.
type writer struct {
	db          *sql.DB
	conn        *sql.Conn
	bulk        *bulk.Conn // the same
	queries     map[string]*sql.Stmt
	changes     map[string]*bulk.Statement
	args        bulk.List // of the statement at hand
	projections []Projection
	known       map[string]*knowledge
	locked      place         // the file whose lock it may have to wait for
	patience    time.Duration // how long it does
	logger      *slog.Logger

	filling *filling // nil unless a scratch file is being filled
	later   []string // the indexes that it does not have yet
	sealed  bool     // it is one from which a rebuild can go on
}

// knowledge is what the writer remembers of a projection from its last page: where it
// left the checkpoint, and what the projection remembers itself. It holds only as
// long as nobody else has moved the checkpoint.
type knowledge struct {
	checkpoint checkpoint
	memo       any
	selection  *selection
	selected   []Event // of the last page, to be used again
}

func openWriter(ctx context.Context, at place, pragmas string, opts Options) (*writer, error) {
	db := sql.OpenDB(connector{dsn: at.uri(writerParameters), pragmas: pragmas})
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open views %s: %w", at, err), db.Close())
	}
	w := &writer{
		db: db, conn: conn, projections: opts.Projections, locked: at, patience: opts.BusyTimeout, logger: opts.Logger,
		queries: map[string]*sql.Stmt{}, changes: map[string]*bulk.Statement{}, known: map[string]*knowledge{},
	}
	return w, conn.Raw(func(c any) error {
		w.bulk = c.(*bulk.Conn)
		return nil
	})
}

func (w *writer) close() error {
	var errs []error
	for _, query := range w.queries {
		errs = append(errs, query.Close())
	}
	// The connection itself, for sql.Conn's Close would wait for rows that a projection
	// which failed has not closed.
	err := w.conn.Raw(func(conn any) error { return conn.(driver.Conn).Close() })
	return errors.Join(append(errs, err, w.db.Close())...)
}

// Statements run without the caller's context: a page takes milliseconds, and a
// context that can be cancelled would cost a goroutine for each statement.

func (w *writer) prepare(query string) (*sql.Stmt, error) {
	if statement, ok := w.queries[query]; ok {
		return statement, nil
	}
	statement, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	w.queries[query] = statement
	return statement, nil
}

// exec runs a statement that changes rows, and keeps it for the next time.
func (w *writer) exec(query string, args ...any) error {
	if err := w.settle(); err != nil {
		return err
	}
	return w.run(query, args)
}

func (w *writer) run(query string, args []any) error {
	w.args.Clear()
	if err := w.args.AddRow(args...); err != nil {
		return err
	}
	return w.runAll(query, &w.args, 1)
}

// runAll runs a statement for so many rows of arguments.
func (w *writer) runAll(query string, args *bulk.List, rows int) error {
	statement, ok := w.changes[query]
	if !ok {
		var err error
		if statement, err = w.bulk.Statement(query); err != nil {
			return err
		}
		w.changes[query] = statement
	}
	return statement.Run(args, rows)
}

// script runs statements that are not worth keeping.
func (w *writer) script(sql string, args ...any) error {
	_, err := w.conn.ExecContext(context.Background(), sql, args...)
	return err
}

func (w *writer) query(query string, args ...any) (*sql.Rows, error) {
	return w.conn.QueryContext(context.Background(), query, args...)
}

func (w *writer) queryRow(query string, args ...any) *sql.Row {
	return w.conn.QueryRowContext(context.Background(), query, args...)
}

// sayAfter is how long a lock is waited for without a word.
const sayAfter = 2 * time.Second

// patiently runs what may find the file locked, until it is not, the context ends, or it
// has been locked for longer than the writer waits. Whoever holds the lock is another
// process in the middle of a page, or of a swap, which may take seconds.
func (w *writer) patiently(ctx context.Context, try func() error) error {
	const longest = 50 * time.Millisecond
	var since time.Time
	said := false
	for wait := time.Millisecond; ; wait = min(2*wait, longest) {
		err := try()
		if !isBusy(err) {
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		waited := time.Since(since)
		switch {
		case waited < w.patience:
		case errors.Is(err, eventstore.ErrBusy):
			return err // it is the log that is locked
		default:
			return fmt.Errorf("%w for more than %v", ErrBusy, w.patience)
		}
		if waited >= sayAfter && !said {
			said = true
			w.logger.WarnContext(ctx, "views are locked by another process: waiting", "views", w.locked.String(), "longest", w.patience)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}

// beginWriting begins a transaction under the write locks of all files that the connection
// has attached.
const beginWriting = "BEGIN IMMEDIATE"

// transact runs f under the file's write lock and commits what it did, or nothing.
func (w *writer) transact(ctx context.Context, f func() error) error {
	if err := w.patiently(ctx, func() error { return w.exec(beginWriting) }); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = w.exec("COMMIT")
	}
	if err != nil {
		// SQLite has rolled back itself where the disk was full; then there is nothing left.
		_ = w.script("ROLLBACK")
		w.forget()
	}
	return err
}

// forget drops what is remembered from earlier pages.
func (w *writer) forget() { clear(w.known) }

// apply brings a page of events into the rows, in a transaction, and returns where
// the projections are then: the position that all of them have reached.
func (w *writer) apply(ctx context.Context, page []Event) (reached eventstore.Position, err error) {
	err = w.transact(ctx, func() error {
		reached, err = w.applyHere(ctx, page)
		return err
	})
	return reached, err
}

// applyHere is apply in a transaction that has begun.
func (w *writer) applyHere(ctx context.Context, page []Event) (reached eventstore.Position, err error) {
	for i, p := range w.projections {
		position, err := w.applyTo(ctx, p, page)
		if err != nil {
			return 0, err
		}
		if i == 0 || position < reached {
			reached = position
		}
	}
	return reached, nil
}

// applyTo brings those events of a page into a projection's rows that are not in them
// yet. The checkpoint is read anew, because another process may have moved it. Where the
// page holds the record at the checkpoint, it must be the one that was applied.
func (w *writer) applyTo(ctx context.Context, p Projection, page []Event) (eventstore.Position, error) {
	at, found, err := w.standing(p.Name())
	if err != nil {
		return 0, err
	}
	if !found || at.version != p.Version() {
		return 0, fmt.Errorf("%w: %s is version %d here and %d in the file; run one version of the program on a views file",
			ErrTakenOver, p.Name(), p.Version(), at.version)
	}
	last := page[len(page)-1].Position
	if at.position >= page[0].Position && at.position <= last {
		if applied := &page[at.position-page[0].Position].Record; !bytes.Equal(applied.Fingerprint(), at.record) {
			return 0, fmt.Errorf("%w: the log has another record at position %d than the rows of projection %s", ErrOtherHistory, at.position, p.Name())
		}
	}
	if at.position >= last {
		return at.position, nil
	}
	if at.position+1 < page[0].Position {
		return 0, errMoved
	}
	known := w.known[p.Name()]
	if known == nil || known.checkpoint.position != at.position || known.checkpoint.epoch != at.epoch {
		known = &knowledge{selection: selectionOf(p)}
		w.known[p.Name()] = known
	}
	rest := page[at.position+1-page[0].Position:]
	if events := known.given(rest); len(events) > 0 {
		if err := guarded(func() error { return p.Apply(ctx, w.tx(p, known), events) }); err != nil {
			return 0, &applyError{projection: p, first: rest[0].Position, last: last, err: err}
		}
	}
	at.position, at.record = last, page[len(page)-1].Fingerprint()
	known.checkpoint = at
	if w.filling != nil {
		return last, nil // flush writes it
	}
	return last, w.move(p.Name(), at)
}

// standing is where a projection is. A scratch file's writer is the only one, and knows.
func (w *writer) standing(name string) (at checkpoint, found bool, err error) {
	if known := w.known[name]; known != nil && w.filling != nil {
		return known.checkpoint, true, nil
	}
	return w.checkpoint(name)
}

// reached is the position that all projections have reached.
func (w *writer) reached() (eventstore.Position, error) {
	var reached eventstore.Position
	for i, p := range w.projections {
		at, _, err := w.checkpoint(p.Name())
		if err != nil {
			return 0, err
		}
		if i == 0 || at.position < reached {
			reached = at.position
		}
	}
	return reached, nil
}

// Tx is the transaction in which a projection applies a page. It is valid until
// Apply returns, for one goroutine.
type Tx struct {
	writer  *writer
	memo    *any
	filling *filling // nil unless the projection is a Filler, and the file a scratch file
}

func (w *writer) tx(p Projection, known *knowledge) *Tx {
	tx := &Tx{writer: w, memo: &known.memo}
	if _, ok := p.(Filler); ok {
		tx.filling = w.filling
	}
	return tx
}

// Exec runs one statement. It is prepared once for the file: keep the text constant
// and put values into arguments.
func (tx *Tx) Exec(query string, args ...any) error {
	if tx.filling != nil {
		return tx.filling.put(query, args)
	}
	return tx.writer.exec(query, args...)
}

// Query runs a query, prepared like Exec's statements. Close the rows before running
// the same query again.
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	if err := tx.writer.settle(); err != nil {
		return nil, err
	}
	statement, err := tx.writer.prepare(query)
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(context.Background(), args...)
}

// QueryRow runs a query of at most one row, as Query does. Scan gives sql.ErrNoRows
// if there is none.
func (tx *Tx) QueryRow(query string, args ...any) *sql.Row {
	_ = tx.writer.settle() // whoever runs the page will ask again
	statement, err := tx.writer.prepare(query)
	if err != nil {
		return tx.writer.queryRow(query, args...) // fails the same way, in Scan
	}
	return statement.QueryRowContext(context.Background(), args...)
}

// Memo is what the projection remembers from page to page, such as keys that it would
// have to look up; fresh makes it when there is nothing to remember. A memo is
// dropped whenever the rows may be other than the last call of Apply left them: after
// a page that failed, and when another process has written. So it may hold anything
// that can be read from the rows, and nothing else.
func (tx *Tx) Memo(fresh func() any) any {
	if *tx.memo == nil {
		*tx.memo = fresh()
	}
	return *tx.memo
}
