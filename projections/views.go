package projections

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/bulk"
)

// Views are the read models of a log, in one file.
type Views struct {
	place place
	log   eventstore.Store
	opts  Options

	readers *sql.DB
	gate    sync.RWMutex // held for reading by queries; for writing by Close and, in memory, by pages

	turn   sync.Mutex // whose turn it is to write through this process
	writer *writer

	rebuilding sync.Mutex // one scratch file at a time

	mu       sync.Mutex
	position eventstore.Position
	failure  error // why the runner stopped
	closed   bool
	parked   bool // the file says so, as far as is known
	restarts int
	moved    chan struct{}   // closed when position, failure or closed changes
	running  context.Context // ends with Close
	stop     context.CancelFunc
	wanted   chan struct{} // tells the runner that somebody waits for rows
	resume   chan struct{} // tells a runner that has stopped to try again
	done     chan struct{} // closed when the runner has ended
}

// Open opens the views at a path, or creates them, for a log, and starts to follow
// it. ":memory:" keeps them in memory. Open does not wait until the rows are up to
// date: WaitFor does.
//
// The views borrow the log, which must stay open until they are closed.
func Open(ctx context.Context, path string, log eventstore.Store, opts *Options) (*Views, error) {
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("open views: %w", err)
	}
	at, err := locate(path)
	if err != nil {
		return nil, err
	}
	if err := at.identify(ctx); err != nil {
		return nil, err
	}
	v := &Views{
		place: at, log: log, opts: opts.withDefaults(),
		moved: make(chan struct{}), wanted: make(chan struct{}, 1), resume: make(chan struct{}, 1), done: make(chan struct{}),
	}
	v.writer, err = openWriter(ctx, at, writerPragmas, v.opts)
	if err != nil {
		return nil, err
	}
	if err := v.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open views %s: %w", at, err), v.writer.close())
	}
	v.readers = at.openReaders(max(4, 2*runtime.GOMAXPROCS(0)))
	v.failure = v.parkedStill(ctx)
	v.running, v.stop = context.WithCancel(context.WithoutCancel(ctx))
	if v.opts.Manual {
		close(v.done)
	} else {
		go v.run(v.running)
	}
	return v, nil
}

// prepare brings the file into the shape that the runner expects. Where it is in that shape,
// nothing is locked: another process may be in the middle of a swap.
func (v *Views) prepare(ctx context.Context) error {
	w := v.writer
	if err := w.script("PRAGMA page_size = 8192"); err != nil { // before the first table, or it does nothing
		return err
	}
	if err := w.create(ctx, v.log.ID()); err != nil {
		return err
	}
	if v.place.path != "" {
		if err := w.patiently(ctx, func() error { return w.script("PRAGMA journal_mode = WAL") }); err != nil {
			return err
		}
	}
	if err := v.sweep(ctx); err != nil {
		return err
	}
	for _, p := range w.projections {
		if err := v.admit(ctx, p); err != nil {
			return err
		}
	}
	var err error
	if v.position, err = w.reached(); err != nil {
		return err
	}
	v.parked, err = w.anyParked()
	return err
}

// admit makes sure that a projection's rows are this version's and this log's. Rows
// that are not are dropped; they come back from the log.
func (v *Views) admit(ctx context.Context, p Projection) error {
	if _, found, why, err := v.assess(ctx, p); err != nil || found && why == "" {
		return err
	}
	return v.writer.transact(ctx, func() error {
		at, found, why, err := v.assess(ctx, p) // another process may have done it meanwhile
		if err != nil || found && why == "" {
			return err
		}
		if !found {
			return v.writer.install(p, 1)
		}
		v.opts.Logger.WarnContext(ctx, "rows are dropped and come back from the log",
			"views", v.place.String(), "projection", p.Name(), "reason", why)
		if err := v.writer.uninstall(p.Name()); err != nil {
			return err
		}
		return v.writer.install(p, at.epoch+1)
	})
}

// assess reads where a projection is, and why it cannot go on from there; see astray.
func (v *Views) assess(ctx context.Context, p Projection) (at checkpoint, found bool, why string, err error) {
	err = v.writer.patiently(ctx, func() (err error) {
		at, found, err = v.writer.checkpoint(p.Name())
		return err
	})
	if err == nil && found {
		why, err = v.astray(ctx, p, at)
	}
	return at, found, why, err
}

// astray says why a projection's rows cannot be continued from the log; empty if they
// can.
func (v *Views) astray(ctx context.Context, p Projection, at checkpoint) (string, error) {
	if at.version != p.Version() {
		return fmt.Sprintf("they are of version %d, and this program makes version %d", at.version, p.Version()), nil
	}
	if at.position == 0 {
		return "", nil
	}
	for record, err := range v.log.ReadAll(ctx, at.position-1) {
		if err != nil {
			return "", fmt.Errorf("read the log at position %d: %w", at.position, err)
		}
		if record.Position != at.position || !bytes.Equal(record.Fingerprint(), at.record) {
			return fmt.Sprintf("the log has another record at position %d: it was restored or has gone another way", at.position), nil
		}
		return "", nil
	}
	head, err := v.log.Head(ctx)
	if err != nil {
		return "", fmt.Errorf("read the log: %w", err)
	}
	return fmt.Sprintf("they go up to position %d, and the log ends at %d: it was restored from an older backup", at.position, head), nil
}

// Read answers questions: fn sees one state of all rows, however many statements it
// runs, and cannot change them. Statements are prepared once for each connection, so
// keep their text constant.
//
// fn must not call a method of Views, and should not take long: in memory, the rows
// stand still while it runs; in a file, space is not reused.
func (v *Views) Read(ctx context.Context, fn func(tx *sql.Tx) error) error {
	v.gate.RLock()
	defer v.gate.RUnlock()
	if v.isClosed() {
		return ErrClosed
	}
	tx, err := v.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("read views: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return fn(tx)
}

// ReadOne is Read for a single statement, which sees one state of all rows by itself: to
// begin and end a transaction takes longer than many a question. The context ends waiting
// for a connection; fn gives its own to the statement.
func (v *Views) ReadOne(ctx context.Context, fn func(conn *sql.Conn) error) error {
	v.gate.RLock()
	defer v.gate.RUnlock()
	if v.isClosed() {
		return ErrClosed
	}
	conn, err := v.readers.Conn(ctx)
	if err != nil {
		return fmt.Errorf("read views: %w", err)
	}
	defer conn.Close()
	return fn(conn)
}

// scan is Read for who reads whole tables, by the connection of the transaction. It looks
// after the context itself: one that could end the transaction beside it could close that
// connection.
func (v *Views) scan(ctx context.Context, fn func(tx *sql.Tx, c *bulk.Conn) error) error {
	v.gate.RLock()
	defer v.gate.RUnlock()
	if v.isClosed() {
		return ErrClosed
	}
	conn, err := v.readers.Conn(ctx)
	if err != nil {
		return fmt.Errorf("read views: %w", err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("read views: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	var raw *bulk.Conn
	if err := conn.Raw(func(c any) error { raw = c.(*bulk.Conn); return nil }); err != nil {
		return err
	}
	return fn(tx, raw)
}

// Close stops following the log, waits for queries and for the page that is being
// applied, and releases the file. Calling it again does nothing.
func (v *Views) Close() error {
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return nil
	}
	v.closed = true
	v.wake()
	v.mu.Unlock()

	v.stop()
	<-v.done
	v.rebuilding.Lock()
	defer v.rebuilding.Unlock()
	v.turn.Lock()
	defer v.turn.Unlock()
	v.gate.Lock()
	defer v.gate.Unlock()
	return errors.Join(v.readers.Close(), v.writer.close())
}

func (v *Views) isClosed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.closed
}

// write runs f when it is this caller's turn to write, with queries held off where
// the rows are in memory: there, SQLite cannot do both at once.
func (v *Views) write(f func() error) error {
	v.turn.Lock()
	defer v.turn.Unlock()
	if v.isClosed() {
		return ErrClosed
	}
	if v.place.path == "" {
		v.gate.Lock()
		defer v.gate.Unlock()
	}
	return f()
}
