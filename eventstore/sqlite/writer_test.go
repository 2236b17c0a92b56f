package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

// slowCommit holds every COMMIT back until it is let go, and counts them.
type slowCommit struct {
	hooks
	started chan struct{} // gets one value for each COMMIT that begins
	proceed chan struct{} // takes one value for each COMMIT, or is closed
}

func newSlowCommit() *slowCommit {
	s := &slowCommit{started: make(chan struct{}, 100), proceed: make(chan struct{})}
	s.exec = func(query string, do func() (driver.Result, error)) (driver.Result, error) {
		if query == "COMMIT" {
			s.started <- struct{}{}
			<-s.proceed
		}
		return do()
	}
	return s
}

// enqueueAll puts n calls into the queue, behind whatever the writer is doing.
func enqueueAll(t *testing.T, db *DB, n int, commitOf func(i int) eventstore.Commit) []*request {
	t.Helper()
	requests := make([]*request, n)
	for i := range requests {
		requests[i] = &request{commits: []eventstore.Commit{commitOf(i)}}
		require.NoError(t, db.enqueue(t.Context(), requests[i], false))
	}
	return requests
}

func TestGroupCommit(t *testing.T) {
	slow := newSlowCommit()
	db := open(t, &Options{dial: slow.dial, MaxBatch: 50})
	of := func(i int) eventstore.Commit { return commit(fmt.Sprint("stream ", i), eventstore.Absent(), "x") }

	first := enqueueAll(t, db, 1, of)
	<-slow.started
	rest := enqueueAll(t, db, 120, func(i int) eventstore.Commit { return of(i + 1) })
	close(slow.proceed)
	for _, r := range append(first, rest...) {
		<-r.done
		require.NoError(t, r.err)
		require.NoError(t, r.results[0].Err)
	}
	require.Len(t, slow.started, 3, "what waits during a COMMIT shares the next ones: 120 commits in batches of at most 50 take three")
	all, err := drain(t, db)
	require.NoError(t, err)
	require.Len(t, all, 121)
}

func TestNobodyIsAnsweredBeforeTheCommit(t *testing.T) {
	slow := newSlowCommit()
	db := open(t, &Options{dial: slow.dial})
	r := enqueueAll(t, db, 1, func(int) eventstore.Commit { return commit("s", eventstore.Absent(), "x") })[0]
	<-slow.started
	changed := db.Changed()
	for _, ch := range []<-chan struct{}{r.done, changed} {
		select {
		case <-ch:
			t.Fatal("an append is answered, and others are told, after its COMMIT and not before")
		default:
		}
	}
	head, err := db.Head(t.Context())
	require.NoError(t, err)
	require.Zero(t, head, "what is not committed is not seen")
	close(slow.proceed)
	<-r.done
	<-changed
}

func TestCancelWhileQueuedAndWhenTaken(t *testing.T) {
	slow := newSlowCommit()
	db := open(t, &Options{dial: slow.dial})
	type answer struct {
		results []eventstore.Result
		err     error
	}
	call := func(ctx context.Context, stream string) <-chan answer {
		ch := make(chan answer, 1)
		go func() {
			results, err := db.Append(ctx, commit(stream, eventstore.Absent(), "x"))
			ch <- answer{results, err}
		}()
		return ch
	}
	ctx, cancel := context.WithCancel(t.Context())
	taken := call(ctx, "taken")
	<-slow.started
	queued := call(ctx, "queued")
	cancel()
	a := <-queued
	require.ErrorIs(t, a.err, context.Canceled, "who waits is let go while somebody else's transaction goes on")
	select {
	case a := <-taken:
		t.Fatalf("an append that was taken waits for what becomes of it: %v", a)
	default:
	}
	close(slow.proceed)
	a = <-taken
	require.NoError(t, a.err, "an append that was taken is answered with what became of it")
	mustAppend(t, db, commit("after", eventstore.Absent(), "x"))
	all, err := drain(t, db)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, []string{"taken", "after"}, []string{all[0].Stream, all[1].Stream})
}

func TestCancelWhileTheQueueIsFull(t *testing.T) {
	slow := newSlowCommit()
	db := open(t, &Options{dial: slow.dial})
	of := func(i int) eventstore.Commit { return commit(fmt.Sprint(i), eventstore.Absent(), "x") }
	enqueueAll(t, db, 1, of)
	<-slow.started
	enqueueAll(t, db, queueLength, func(i int) eventstore.Commit { return of(i + 1) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := db.Append(ctx, of(-1))
		done <- err
	}()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	close(slow.proceed)
}

func TestCloseAnswersWhatIsQueued(t *testing.T) {
	slow := newSlowCommit()
	path := filepath.Join(t.TempDir(), "groups.db")
	db := openAt(t, path, &Options{dial: slow.dial})
	of := func(i int) eventstore.Commit { return commit(fmt.Sprint(i), eventstore.Absent(), "x") }
	requests := enqueueAll(t, db, 1, of)
	<-slow.started
	requests = append(requests, enqueueAll(t, db, 5, func(i int) eventstore.Commit { return of(i + 1) })...)
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	close(slow.proceed)
	require.NoError(t, <-closed)
	for _, r := range requests {
		<-r.done
		require.NoError(t, r.err)
	}
	all, err := drain(t, openAt(t, path, nil))
	require.NoError(t, err)
	require.Len(t, all, 6)
}

func TestChangedTellsOfRecordsOnly(t *testing.T) {
	db := open(t, nil)
	mustAppend(t, db, withOutcome(commit("s", eventstore.Any(), "x"), "id"))
	changed := db.Changed()
	mustAppend(t, db, withOutcome(commit("s", eventstore.Any()), "other"))
	for _, c := range []eventstore.Commit{commit("s", eventstore.Absent(), "x"), withOutcome(commit("s", eventstore.Any(), "x"), "id")} {
		results, err := db.Append(t.Context(), c)
		require.NoError(t, err)
		require.Error(t, results[0].Err)
	}
	select {
	case <-changed:
		t.Fatal("without new records there is no news")
	default:
	}
	mustAppend(t, db, commit("s", eventstore.Any(), "y"))
	<-changed
}

func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	db := openAt(t, path, &Options{BusyTimeout: 20 * time.Millisecond})
	fill(t, db, 2)
	other, err := sql.Open("sqlite3", uri(path)+"?_txlock=immediate")
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	tx, err := other.BeginTx(t.Context(), nil)
	require.NoError(t, err)

	results, err := db.Append(t.Context(), commit("s", eventstore.Any(), "x"))
	require.ErrorIs(t, err, eventstore.ErrBusy)
	require.NotErrorIs(t, err, eventstore.ErrUnknown)
	require.Nil(t, results)
	var cause sqlite3.Error
	require.ErrorAs(t, err, &cause, "the cause is kept")
	all, err := drain(t, db)
	require.NoError(t, err, "reading goes on while somebody else writes")
	require.Len(t, all, 2)
	second := openAt(t, path, &Options{BusyTimeout: 20 * time.Millisecond}) // so does opening
	require.NoError(t, second.Close())

	require.NoError(t, tx.Rollback())
	require.EqualValues(t, 3, mustAppend(t, db, commit("s", eventstore.Exactly(2), "x")).Version)
}

func TestFull(t *testing.T) {
	db := open(t, nil)
	fill(t, db, 10)
	// No record is in flight: the writer's connection can be used here.
	require.NoError(t, db.writer.conn.exec("PRAGMA max_page_count = 20"))
	stored := eventstore.Position(10)
	for {
		results, err := db.Append(t.Context(), commit("s", eventstore.Any(), strings.Repeat("x", 20000)))
		if err != nil {
			require.ErrorIs(t, err, eventstore.ErrFull)
			require.NotErrorIs(t, err, eventstore.ErrUnknown)
			require.Nil(t, results)
			break
		}
		stored = results[0].Last
	}
	all, err := drain(t, db)
	require.NoError(t, err, "reading goes on")
	require.Len(t, all, int(stored), "nothing was stored of what did not fit")
	require.NoError(t, db.Check(t.Context()))

	require.NoError(t, db.writer.conn.exec("PRAGMA max_page_count = 1000000"))
	require.Equal(t, stored+1, mustAppend(t, db, commit("s", eventstore.Exactly(eventstore.Version(stored)), "x")).First,
		"when there is room again, writing goes on where it was")
}

// TestLastLineOfDefence makes the writer believe what is not so: the index over streams
// and versions, and a second look, put it right.
func TestLastLineOfDefence(t *testing.T) {
	db := open(t, nil)
	fill(t, db, 3)
	db.writer.versions.set("s", 1)
	results, err := db.Append(t.Context(), commit("s", eventstore.Exactly(1), "late"), commit("other", eventstore.Absent(), "x"))
	require.NoError(t, err)
	var conflict *eventstore.ConflictError
	require.ErrorAs(t, results[0].Err, &conflict)
	require.EqualValues(t, 3, conflict.Actual)
	require.EqualValues(t, 4, results[1].First)

	db.writer.versions.set("s", 0)
	require.EqualValues(t, 4, mustAppend(t, db, commit("s", eventstore.Any(), "x")).Version)
	_, err = drain(t, db)
	require.NoError(t, err)
}

func TestVersionsAreBounded(t *testing.T) {
	v := newVersions(3)
	for i := range 10 {
		v.set(fmt.Sprint(i), eventstore.Version(i))
		got, ok := v.get(fmt.Sprint(i))
		require.True(t, ok, "what was set last is remembered")
		require.EqualValues(t, i, got)
		require.LessOrEqual(t, len(v.last), 3)
	}
	full := fmt.Sprint(9)
	v.set(full, 99)
	require.Len(t, v.last, 3, "a stream that is known displaces no other")

	db := open(t, nil)
	db.writer.versions = newVersions(2)
	for i := range 30 {
		mustAppend(t, db, commit(fmt.Sprint(i%5), eventstore.Exactly(eventstore.Version(i/5)), "x"))
	}
}

// TestTheLockIsTakenBeforeLooking lets another store try to append when the first one has
// looked at the log and not yet written: it must wait, or what the first one has seen
// would not be so any more.
func TestTheLockIsTakenBeforeLooking(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	other := openAt(t, path, &Options{BusyTimeout: 5 * time.Millisecond})
	tried := errors.New("not tried")
	var once sync.Once
	h := &hooks{exec: func(query string, do func() (driver.Result, error)) (driver.Result, error) {
		if strings.HasPrefix(query, "INSERT") {
			once.Do(func() { _, tried = other.Append(t.Context(), commit("s", eventstore.Absent(), "other")) })
		}
		return do()
	}}
	db := openAt(t, path, &Options{dial: h.dial})
	require.EqualValues(t, 1, mustAppend(t, db, commit("s", eventstore.Absent(), "x")).First)
	require.ErrorIs(t, tried, eventstore.ErrBusy)
}

// TestCut cuts the file off under the log: nothing goes on as if nothing had happened.
func TestCut(t *testing.T) {
	for _, left := range []int64{0, pageSize, 3 * pageSize} {
		path := filepath.Join(t.TempDir(), "groups.db")
		db := openAt(t, path, nil)
		fill(t, db, 500)
		require.NoError(t, db.writer.conn.exec("PRAGMA wal_checkpoint(PASSIVE)")) // so that there is something to cut
		_, err := db.Head(t.Context())
		require.NoError(t, err)
		require.NoError(t, os.Truncate(path, left))
		_, err = db.Head(t.Context())
		require.ErrorIs(t, err, ErrMoved)
		require.ErrorContains(t, err, fmt.Sprint("has ", left, " bytes, and had "))
		_, err = db.Append(t.Context(), commit("s", eventstore.Any(), "lost"))
		require.Error(t, err) // SQLite may find something worse, or write nothing
	}
}

// TestMovedUnderReaders puts another log in the place of one that is being read: no new
// connection takes records from there.
func TestMovedUnderReaders(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "groups.db"), filepath.Join(t.TempDir(), "other.db")
	db := openAt(t, path, nil)
	fill(t, db, 5)
	another := openAt(t, other, nil)
	fill(t, another, 7)
	require.NoError(t, another.Close())
	held, err := db.readers.Conn(t.Context()) // the only one that is open
	require.NoError(t, err)
	for _, suffix := range []string{"-wal", "-shm"} {
		require.NoError(t, os.Remove(path+suffix))
	}
	require.NoError(t, os.Rename(other, path))
	all, err := drain(t, db)
	require.ErrorIs(t, err, ErrMoved)
	require.Empty(t, all)
	require.NoError(t, held.Close())
	all, err = drain(t, db)
	require.NoError(t, err, "what is open can still be read")
	require.Len(t, all, 5)
}

// TestSlowReaderHoldsNothingBack stops a reader in the middle: the -wal can be put
// away all the same.
func TestSlowReaderHoldsNothingBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	db := openAt(t, path, nil)
	fill(t, db, firstPage+2*fullPage)
	other, err := sql.Open("sqlite3", uri(path)+"?_busy_timeout=20")
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	n := 0
	for _, err := range db.ReadAll(t.Context(), 0) {
		require.NoError(t, err)
		if n++; n%(firstPage+1) != 1 {
			continue
		}
		var busy, frames, moved int
		require.NoError(t, other.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved))
		require.Zero(t, busy, "a reader holds no transaction while it looks at what it got")
	}
	require.Equal(t, firstPage+2*fullPage, n)
}

func TestPagesAreBoundedInBytes(t *testing.T) {
	db := open(t, nil)
	var commits []eventstore.Commit
	for i := range 12 {
		commits = append(commits, commit("s", eventstore.Exactly(eventstore.Version(i)), strings.Repeat("x", 1<<20)))
	}
	_, err := db.Append(t.Context(), commits...)
	require.NoError(t, err)
	p := db.readPage(t.Context(), order{query: selectAll}, 0, make([]eventstore.Record, 0, 100))
	require.NoError(t, p.err)
	require.Less(t, len(p.records), 12)
	require.False(t, p.last)
	all, err := drain(t, db)
	require.NoError(t, err)
	require.Len(t, all, 12)
}
