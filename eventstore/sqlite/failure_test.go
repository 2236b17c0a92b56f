package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

// TestFailures lets the disk fail at every statement of a transaction. Whatever
// happens, the answer is honest and the next append is right.
func TestFailures(t *testing.T) {
	ioError := sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync}
	for _, test := range []struct {
		statement string
		after     bool // the statement is done, and fails all the same
		unknown   bool
		stored    bool
	}{
		{statement: "BEGIN IMMEDIATE"},
		{statement: "BEGIN IMMEDIATE", after: true},
		{statement: "INSERT INTO events"},
		{statement: "INSERT INTO events", after: true},
		{statement: "INSERT INTO outcomes", after: true},
		{statement: "COMMIT", unknown: true},
		{statement: "COMMIT", after: true, unknown: true, stored: true},
	} {
		t.Run(fmt.Sprintf("%s after=%v", test.statement, test.after), func(t *testing.T) {
			var armed, opened int
			h := &hooks{}
			h.dsn = func(dsn string) string { opened++; return dsn }
			h.exec = func(query string, do func() (driver.Result, error)) (driver.Result, error) {
				if armed == 0 || len(query) < len(test.statement) || query[:len(test.statement)] != test.statement {
					return do()
				}
				armed--
				if test.after {
					if _, err := do(); err != nil {
						return nil, err
					}
				}
				return nil, ioError
			}
			db := open(t, &Options{dial: h.dial})
			fill(t, db, 2)
			armed, opened = 1, 0
			results, err := db.Append(t.Context(), withOutcome(commit("s", eventstore.Exactly(2), "a", "b"), "id"))
			require.ErrorAs(t, err, new(sqlite3.Error), "the cause is kept")
			require.Nil(t, results)
			require.Equal(t, test.unknown, errors.Is(err, eventstore.ErrUnknown), "%v", err)

			at := eventstore.Version(2)
			if test.stored {
				at = 4
			}
			result := mustAppend(t, db, commit("s", eventstore.Exactly(at), "after"))
			require.EqualValues(t, at+1, result.First, "memory is what the disk holds")
			require.Equal(t, 1, opened, "after an I/O error the connection is not trusted any more")
			_, found, err := db.Outcome(t.Context(), "id")
			require.NoError(t, err)
			require.Equal(t, test.stored, found)
			all, err := drain(t, db)
			require.NoError(t, err)
			require.Len(t, all, int(at)+1)
			require.NoError(t, db.Check(t.Context()))
		})
	}
}

// TestFailureFailsTheWholeBatch checks that a transaction which fails is answered with
// its error to all who share it, and leaves nothing in memory.
func TestFailureFailsTheWholeBatch(t *testing.T) {
	slow := newSlowCommit()
	var fail error
	exec := slow.exec
	slow.exec = func(query string, do func() (driver.Result, error)) (driver.Result, error) {
		if query == "COMMIT" && fail != nil {
			return nil, fail
		}
		return exec(query, do)
	}
	db := open(t, &Options{dial: slow.dial})
	first := enqueueAll(t, db, 1, func(int) eventstore.Commit { return commit("first", eventstore.Absent(), "x") })[0]
	<-slow.started
	batch := enqueueAll(t, db, 5, func(i int) eventstore.Commit { return commit(fmt.Sprint(i%3), eventstore.Any(), "x") })
	fail = sqlite3.Error{Code: sqlite3.ErrFull}
	close(slow.proceed)
	<-first.done
	require.NoError(t, first.err)
	for _, r := range batch {
		<-r.done
		require.ErrorIs(t, r.err, eventstore.ErrFull)
		require.Nil(t, r.results)
	}
	fail = nil
	require.EqualValues(t, 2, mustAppend(t, db, commit("0", eventstore.Absent(), "x")).First)
}

// TestFailureInAnEmptyLog fails the first transaction of all, after which the head is
// where it was before: nothing else tells that what was remembered is not so.
func TestFailureInAnEmptyLog(t *testing.T) {
	var fail error
	h := &hooks{exec: func(query string, do func() (driver.Result, error)) (driver.Result, error) {
		if query == "COMMIT" && fail != nil {
			return nil, fail
		}
		return do()
	}}
	db := open(t, &Options{dial: h.dial})
	fail = sqlite3.Error{Code: sqlite3.ErrFull}
	_, err := db.Append(t.Context(), commit("s", eventstore.Absent(), "a", "b"))
	require.ErrorIs(t, err, eventstore.ErrFull)
	fail = nil
	require.EqualValues(t, 1, mustAppend(t, db, commit("s", eventstore.Absent(), "a")).First)
}

// TestAPanicLeavesNobodyWaiting: the driver panics on a caller's goroutine, who recovers, as
// servers do; somebody else's append had joined the batch.
func TestAPanicLeavesNobodyWaiting(t *testing.T) {
	var armed atomic.Bool
	faults := &hooks{exec: func(query string, do func() (driver.Result, error)) (driver.Result, error) {
		if query == "COMMIT" && armed.CompareAndSwap(true, false) {
			panic("a bug of the driver's")
		}
		return do()
	}}
	db := open(t, &Options{dial: faults.dial})
	of := func(stream string) *request {
		return &request{commits: []eventstore.Commit{commit(stream, eventstore.Absent(), "x")}, done: make(chan struct{})}
	}
	mustAppend(t, db, commit("before", eventstore.Absent(), "x"))

	armed.Store(true)
	caller, other := of("caller's"), of("other's")
	require.True(t, caller.take() && other.take())
	db.writer.turn.Lock()
	db.writer.batch = append(db.writer.batch[:0], caller, other)
	require.Panics(t, db.writer.write)
	require.Nil(t, db.writer.conn, "nobody knows what the connection is in")
	db.writer.turn.Unlock()
	for _, r := range []*request{caller, other} {
		<-r.done
		require.ErrorIs(t, r.err, eventstore.ErrUnknown)
	}

	mustAppend(t, db, commit("after", eventstore.Absent(), "x"))
	all, err := drain(t, db)
	require.NoError(t, err)
	require.Len(t, all, 2, "what was not committed is not there")
	require.Equal(t, eventstore.Position(2), all[1].Position)
}

// What the system says is in SQLite's text already: it is said once, and still found.
func TestSystemErrorsAreSaidOnce(t *testing.T) {
	err := explain(fmt.Errorf("connect: %w", sqlite3.Error{Code: sqlite3.ErrCantOpen, SystemErrno: syscall.EACCES}))
	require.Equal(t, 1, strings.Count(err.Error(), syscall.EACCES.Error()), err)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.True(t, isCode(err, sqlite3.ErrCantOpen))
}
