package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"

	"github.com/grouplog/grouplog/eventstore"
)

// queueLength is how many calls of Append may wait without blocking in their send.
const queueLength = 1024

// writer is who writes: one goroutine at a time. It takes a call of Append, drains
// whatever else is queued at that moment, writes all of it in one transaction, and
// answers after the COMMIT. There is no timer: while one transaction syncs, the next
// batch gathers by itself.
//
// The goroutine is the writer's own or, where nobody is writing, the caller's: to one
// caller alone, two changes of goroutine take a fifth as long as the fsync.
type writer struct {
	db    *DB
	guard *guard
	queue chan *request
	done  chan struct{} // closed when run has returned; nil before start

	waiting  atomic.Int64 // calls that nobody has taken into a batch
	turn     sync.Mutex   // held by who writes; it guards the rest
	batch    []*request
	conn     *writerConn // nil after an error that it may not survive
	head     eventstore.Position
	versions *versions
	hasher   hasher
}

func newWriter(db *DB, guard *guard) *writer {
	return &writer{
		db:       db,
		guard:    guard,
		queue:    make(chan *request, queueLength),
		versions: newVersions(maxVersions),
	}
}

func (w *writer) start() {
	w.done = make(chan struct{})
	go w.run()
}

// stop lets the writer finish what is queued. Nothing may be queued after it.
func (w *writer) stop() {
	if w.done != nil {
		close(w.queue)
		<-w.done
	}
}

func (w *writer) run() {
	defer close(w.done)
	for first := range w.queue {
		w.turn.Lock()
		w.gather(first)
		w.write()
		w.turn.Unlock()
	}
}

// writeAtOnce writes a request on its caller's goroutine. It reports false where others
// write or want to: then it is to be queued, to share their next transaction.
func (w *writer) writeAtOnce(r *request) bool {
	if w.waiting.Load() > 0 || !w.turn.TryLock() {
		return false
	}
	defer w.turn.Unlock()
	w.waiting.Add(1)
	w.gather(r)
	w.write()
	return true
}

// gather makes a batch of the first request and those that wait behind it.
func (w *writer) gather(first *request) {
	w.batch = w.batch[:0]
	commits := 0
	for r, ok := first, true; ok; {
		w.waiting.Add(-1)
		if r.take() {
			w.batch = append(w.batch, r)
			commits += len(r.commits)
		}
		if commits >= w.db.options.MaxBatch {
			return
		}
		select {
		case r, ok = <-w.queue:
		default:
			return
		}
	}
}

// errPanicked answers a batch in whose transaction the driver panicked.
var errPanicked = fmt.Errorf("%w: the SQLite driver panicked", eventstore.ErrUnknown)

// write stores the batch and answers it. It does so where the driver panics, too: on a
// caller's goroutine, the caller may recover, and the others must not wait for ever.
func (w *writer) write() {
	if len(w.batch) == 0 {
		return
	}
	answer, panicked := errPanicked, true
	defer func() {
		for _, r := range w.batch {
			r.answer(answer)
		}
		clear(w.batch) // keeps no commits alive
		if panicked {
			w.abandon(answer)
		}
	}()
	appended, err := w.transact()
	if isTaken(err) {
		// Somebody else has written, and the head did not show it. Their versions are in
		// the log now, and not in memory any more.
		if appended, err = w.transact(); isTaken(err) {
			err = &eventstore.DamageError{Reason: "a position or version that is free is taken: " + err.Error(), Err: err}
		}
	}
	if appended {
		w.db.changed.raise()
	}
	answer, panicked = explain(err), false
}

// transact stores the batch in one transaction and reports whether the log is longer
// now. With an error it is rolled back, if it can be, and everything that was
// remembered of the log is forgotten.
func (w *writer) transact() (appended bool, err error) {
	defer func() {
		if err != nil {
			w.abandon(err)
		}
	}()
	if w.conn == nil {
		if err := w.open(); err != nil {
			return false, err
		}
	}
	if err := retryBusy(w.db.options.BusyTimeout, w.begin); err != nil {
		return false, err
	}
	if err := w.catchUp(); err != nil {
		return false, err
	}
	replica := w.db.options.Replica != nil
	if replica {
		if err := w.mark(); err != nil {
			return false, err
		}
	}
	head := w.head
	stored, err := w.applyBatch()
	if err != nil {
		return false, err
	}
	if !stored && !replica {
		_, err := w.conn.rollback.exec()
		return false, err
	}
	// As late as it can be: the COMMIT is what writes. Who moves the file after that
	// moves it with what it holds.
	if err := w.guard.check(); err != nil {
		return false, err
	}
	if _, err := w.conn.commit.exec(); err != nil {
		return false, commitError(err)
	}
	return w.head > head, nil
}

// begin begins a transaction, or finds the lock taken.
func (w *writer) begin() error {
	_, err := w.conn.begin.exec()
	return err
}

// catchUp looks whether somebody else has written since the last transaction. If so,
// versions in memory may be old.
func (w *writer) catchUp() error {
	head, err := w.conn.readHead()
	if err != nil {
		return err
	}
	if head != w.head {
		w.versions.forget()
		w.head = head
	}
	return nil
}

// abandon leaves nothing behind of a transaction that has failed.
func (w *writer) abandon(err error) {
	w.versions.forget()
	w.head = 0
	if w.conn == nil {
		return
	}
	if !w.conn.autoCommit() {
		if _, rollbackErr := w.conn.rollback.exec(); rollbackErr != nil {
			w.drop()
			return
		}
	}
	var e sqlite3.Error
	if errors.Is(err, errPanicked) || errors.As(err, &e) && !leavesConnectionUsable(err) {
		w.drop()
	}
}

// commitError says what a failed COMMIT means for what it should have stored. SQLite
// has rolled back, or will, after an error that it meets before the commit is in the
// -wal; after any other it may turn up when the log is opened next.
func commitError(err error) error {
	if isCode(err, sqlite3.ErrBusy, sqlite3.ErrFull, sqlite3.ErrReadonly) {
		return err
	}
	return fmt.Errorf("%w: %w", eventstore.ErrUnknown, err)
}

// open opens the connection and checks that it is as durable as was asked for, and to the
// file that is meant: to another one at its path, SQLite would take this log's -wal along.
func (w *writer) open() error {
	o := &w.db.options
	raw, err := connector{
		dial:  o.dial,
		dsn:   dsn(w.db.path, "rw", o.BusyTimeout, append(slices.Clip(writerParams), o.synchronous())...),
		setup: writerSetup,
		check: w.guard.checkMain,
	}.Connect(context.Background())
	if err != nil {
		return err
	}
	c := conn{raw}
	conn, err := newWriterConn(c, o)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	if err := c.exec("PRAGMA busy_timeout = 0"); err != nil { // see retryBusy
		return errors.Join(err, conn.close())
	}
	w.conn = conn
	return nil
}

// drop closes a connection that is not to be trusted; the next transaction opens
// another one.
func (w *writer) drop() {
	_ = w.conn.close() // there is an error already, and it says more
	w.conn = nil
}

// close puts the -wal away, if nobody else uses it, and closes the connection. The
// writer must have stopped.
func (w *writer) close() error {
	if w.conn == nil {
		return nil
	}
	// Whatever stays in the -wal is durable there, and read from there by the next one.
	_ = w.conn.exec(fmt.Sprintf("PRAGMA busy_timeout = %d; PRAGMA wal_checkpoint(TRUNCATE)", w.db.options.BusyTimeout.Milliseconds()))
	err := w.conn.close()
	w.conn = nil
	return err
}
