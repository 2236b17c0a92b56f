package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

var _ eventstore.Store = (*DB)(nil)

// DB is a log in a SQLite file. Its methods may be called from any number of
// goroutines. Open one; the zero value is not usable.
type DB struct {
	path    string
	options Options // nothing left open
	id      string
	created time.Time

	// life is held for reading by every call for as long as it uses the connections
	// or the queue, and for writing by Close while it closes the door.
	life    sync.RWMutex
	closed  bool
	closing sync.Once

	guard         *guard
	readers       *sql.DB
	selectHead    *sql.Stmt
	selectOutcome *sql.Stmt

	writer  *writer // nil if the log is read-only
	changed *signal
}

// ID names this log for ever. A backup of it has the same.
func (db *DB) ID() string { return db.id }

// Created is when the log was made, by the clock of the machine that made it.
func (db *DB) Created() time.Time { return db.created }

// Path is the absolute path of the log's file.
func (db *DB) Path() string { return db.path }

// Changed returns a channel that is closed when records are appended through this
// DB, and when it is closed. Of other processes' appends it does not tell.
func (db *DB) Changed() <-chan struct{} { return db.changed.wait() }

// enter keeps the log open until the function that it returns is called.
func (db *DB) enter() (leave func(), err error) {
	db.life.RLock()
	if db.closed {
		db.life.RUnlock()
		return nil, eventstore.ErrClosed
	}
	return db.life.RUnlock, nil
}

// Close waits for appends that have started and for pages that are being read, and
// closes the log. An iteration that has not ended gets ErrClosed with its next page.
// Calling it again waits for the first call and does nothing.
func (db *DB) Close() error {
	var err error
	db.closing.Do(func() {
		db.life.Lock()
		db.closed = true
		db.life.Unlock()
		if err = db.release(); err != nil {
			err = fmt.Errorf("close log %s: %w", db.path, explain(err))
		}
		db.changed.close()
	})
	return err
}

// release closes whatever has been opened. The readers go first: a checkpoint waits
// for them, and only the last connection can put the -wal away.
func (db *DB) release() error {
	var errs []error
	if db.writer != nil {
		db.writer.stop()
	}
	if db.readers != nil {
		errs = append(errs, db.readers.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.close())
	}
	return errors.Join(errs...)
}

// signal wakes everybody who waits for something new.
type signal struct {
	mu     sync.Mutex
	ch     chan struct{}
	closed bool
}

func newSignal() *signal { return &signal{ch: make(chan struct{})} }

// wait returns a channel that is closed by the next call of raise or close.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ch
}

func (s *signal) raise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		close(s.ch)
		s.ch = make(chan struct{})
	}
}

func (s *signal) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		close(s.ch)
		s.closed = true
	}
}

// background is the context of queries that are short and not to be interrupted. A
// context that can be cancelled costs a goroutine for every query; calls look at
// their own between pages instead.
func background(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
