package consumers_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections/consumers"
)

// childPath, in the environment, makes the test binary a process that is active under
// the name "mailer", says so, and waits until it is killed.
const childPath = "GROUPLOG_TEST_CONSUMERS"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		fmt.Println(child(path))
		select {}
	}
	goleak.VerifyTestMain(m)
}

// child takes over the file's log ID, because its own log is another one.
func child(path string) error {
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		return err
	}
	var id string
	if err := db.QueryRow("SELECT log_id FROM consumer_file").Scan(&id); err != nil {
		return err
	}
	r, err := consumers.Open(context.Background(), path, named{memory.New(), id})
	if err != nil {
		return err
	}
	_, err = r.Acquire(context.Background(), "mailer", 0)
	return err
}

// named is a log with the ID of another.
type named struct {
	*memory.Store
	id string
}

func (n named) ID() string { return n.id }

// grow appends events to a log, each with a text.
func grow(t *testing.T, log eventstore.Store, texts ...string) {
	t.Helper()
	for _, text := range texts {
		_, err := log.Append(t.Context(), eventstore.Commit{Stream: "s", Events: []eventstore.Event{{
			Type: "test.happened", Schema: 1, Data: []byte(`"` + text + `"`), Time: time.Unix(1, 0),
		}}})
		require.NoError(t, err)
	}
}

func open(t *testing.T, path string, log eventstore.Store) *consumers.Registry {
	t.Helper()
	r, err := consumers.Open(t.Context(), path, log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// opener opens the consumers of a log, always in the same place.
type opener func(t *testing.T, log eventstore.Store) *consumers.Registry

// everywhere runs a test wherever progress can be kept.
func everywhere(t *testing.T, test func(t *testing.T, open opener)) {
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "groups.consumers.db")
		test(t, func(t *testing.T, log eventstore.Store) *consumers.Registry { return open(t, path, log) })
	})
	t.Run("cells", func(t *testing.T) {
		cells := memory.New()
		test(t, func(t *testing.T, log eventstore.Store) *consumers.Registry {
			r, err := consumers.OpenCells(t.Context(), cells, log, nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			return r
		})
	})
}

func acquire(t *testing.T, r *consumers.Registry, name string, start eventstore.Position) *consumers.Consumer {
	t.Helper()
	c, err := r.Acquire(t.Context(), name, start)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Release()) })
	return c
}

func TestPositionsAreKept(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) { testPositions(t, open, true) })
	memory := func(t *testing.T, log eventstore.Store) *consumers.Registry { return open(t, ":memory:", log) }
	t.Run("memory", func(t *testing.T) { testPositions(t, memory, false) })
}

func testPositions(t *testing.T, open opener, kept bool) {
	log := memory.New()
	grow(t, log, "a", "b", "c", "d")
	r := open(t, log)
	c := acquire(t, r, "mailer", 1)
	require.Equal(t, eventstore.Position(1), c.Position())
	require.NoError(t, c.Save(t.Context(), 3))
	require.NoError(t, c.Save(t.Context(), 2), "it never moves back")
	require.ErrorIs(t, c.Save(t.Context(), 5), consumers.ErrAhead)
	require.Equal(t, eventstore.Position(3), c.Position())
	require.NoError(t, c.Release())
	require.NoError(t, c.Release())
	require.ErrorIs(t, c.Save(t.Context(), 4), consumers.ErrReleased)
	require.ErrorIs(t, c.Save(t.Context(), 1), consumers.ErrReleased)
	if kept {
		r = open(t, log)
	}
	require.Equal(t, eventstore.Position(3), acquire(t, r, "mailer", 0).Position(), "a known name goes on")
	require.Equal(t, eventstore.Position(0), acquire(t, r, "other", 0).Position())
	_, err := r.Acquire(t.Context(), "ahead", 5)
	require.ErrorIs(t, err, consumers.ErrAhead)
}

func TestNames(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		r := open(t, memory.New())
		for _, name := range []string{"a", "A.b_c-9", string(bytes.Repeat([]byte("x"), 64))} {
			acquire(t, r, name, 0)
		}
		for _, name := range []string{"", "a/b", "é", "a b", string(bytes.Repeat([]byte("x"), 65))} {
			_, err := r.Acquire(t.Context(), name, 0)
			require.ErrorIs(t, err, consumers.ErrName, name)
			require.ErrorIs(t, r.Enroll(t.Context(), name, 0), consumers.ErrName, name)
		}
	})
}

func TestOneIsActive(t *testing.T) {
	everywhere(t, testOneIsActive)
	t.Run("memory", func(t *testing.T) {
		testOneIsActive(t, func(t *testing.T, log eventstore.Store) *consumers.Registry { return open(t, ":memory:", log) })
	})
}

func testOneIsActive(t *testing.T, open opener) {
	r := open(t, memory.New())
	first := acquire(t, r, "mailer", 0)
	status, err := r.Status(t.Context(), "mailer")
	require.NoError(t, err)
	require.True(t, status.Active)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Acquire(ctx, "mailer", 0)
	require.ErrorIs(t, err, context.Canceled, "it waits for the other")
	acquire(t, r, "another", 0)

	second := make(chan *consumers.Consumer)
	go func() {
		c, _ := r.Acquire(t.Context(), "mailer", 0)
		second <- c
	}()
	require.NoError(t, first.Release())
	c := <-second
	require.NotNil(t, c)
	require.NoError(t, c.Release())
	status, err = r.Status(t.Context(), "mailer")
	require.NoError(t, err)
	require.False(t, status.Active)
}

// Whoever is killed is not active any more.
func TestKilledProcessLetsGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.consumers.db")
	r := open(t, path, memory.New())
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childPath+"="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var said string
	_, err = fmt.Fscanln(out, &said)
	require.NoError(t, err)
	require.Equal(t, "<nil>", said)
	status, err := r.Status(t.Context(), "mailer")
	require.NoError(t, err)
	require.True(t, status.Active, "in the other process")

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	acquire(t, r, "mailer", 0)
}

// A consumer whose lock file was deleted under it stores nothing any more.
func TestLostLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.consumers.db")
	log := memory.New()
	grow(t, log, "a", "b")
	r := open(t, path, log)
	lost := acquire(t, r, "mailer", 0)
	require.NoError(t, os.RemoveAll(filepath.Join(filepath.Dir(path), "groups.consumers.locks")))
	c := acquire(t, r, "mailer", 0)
	require.ErrorIs(t, lost.Save(t.Context(), 2), consumers.ErrReleased)
	require.NoError(t, c.Save(t.Context(), 1))
}

func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "groups.consumers.db")
	log := memory.New()
	open(t, path, log)
	open(t, path, log)
	refused := func(path string, target error) {
		t.Helper()
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		_, err = consumers.Open(t.Context(), path, memory.New())
		require.ErrorIs(t, err, target)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
	refused(path, consumers.ErrOtherLog)

	text := filepath.Join(dir, "text.db")
	require.NoError(t, os.WriteFile(text, bytes.Repeat([]byte("no database "), 100), 0o600))
	refused(text, consumers.ErrNotConsumers)

	change := func(path, statement string) {
		t.Helper()
		db, err := sql.Open("sqlite3", path)
		require.NoError(t, err)
		_, err = db.Exec(statement)
		require.NoError(t, err)
		require.NoError(t, db.Close())
	}
	other := filepath.Join(dir, "other.db")
	change(other, "CREATE TABLE t (x)")
	refused(other, consumers.ErrNotConsumers)
	newer := filepath.Join(dir, "newer.db")
	r, err := consumers.Open(t.Context(), newer, log)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	change(newer, "PRAGMA user_version = 2")
	refused(newer, consumers.ErrNewerFormat)

	_, err = consumers.Open(t.Context(), "", log)
	require.ErrorContains(t, err, "no path")
	_, err = consumers.Open(t.Context(), filepath.Join(dir, "nowhere", "c.db"), log)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A log that was restored is noticed, whether it is shorter or went another way, and
// only Reset goes on.
func TestRestoredLog(t *testing.T) {
	for name, restored := range map[string][]string{"shorter": {"a", "b"}, "other": {"a", "b", "x", "y", "z"}} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, open opener) { testRestored(t, open, restored) })
		})
	}
}

func testRestored(t *testing.T, open opener, restored []string) {
	log := memory.New()
	grow(t, log, "a", "b", "c", "d")
	r := open(t, log)
	c := acquire(t, r, "mailer", 0)
	require.NoError(t, c.Save(t.Context(), 3))
	require.NoError(t, c.Release())

	backup := memory.New()
	grow(t, backup, restored...)
	r = open(t, named{backup, log.ID()})
	_, err := r.Acquire(t.Context(), "mailer", 0)
	require.ErrorIs(t, err, consumers.ErrRestored)
	require.ErrorContains(t, err, "grouplog listener reset mailer --to")
	require.ErrorIs(t, r.Enroll(t.Context(), "mailer", 0), consumers.ErrRestored)
	status, err := r.Status(t.Context(), "mailer")
	require.NoError(t, err)
	require.False(t, status.Active, "who was refused has let go")
	require.ErrorIs(t, status.Restored, consumers.ErrRestored)

	_, err = r.Reset(t.Context(), "mailer", 1)
	require.NoError(t, err)
	c = acquire(t, r, "mailer", 0)
	require.Equal(t, eventstore.Position(1), c.Position())
	p := c.Progress()
	require.False(t, p.Told("s", consumers.Place{Position: 2}), "nobody knows what was told")
}

func TestList(t *testing.T) { everywhere(t, testList) }

func testList(t *testing.T, open opener) {
	log := memory.New()
	grow(t, log, "a", "b", "c")
	r := open(t, log)
	acquire(t, r, "b", 3)
	a := acquire(t, r, "a", 0)
	require.NoError(t, a.Save(t.Context(), 1))
	require.NoError(t, a.Release())
	list, err := r.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []consumers.Status{
		{Name: "a", Position: 1, Lag: 2, Waiting: time.Unix(1, 0).UTC()},
		{Name: "b", Active: true, Position: 3},
	}, list)
	_, err = r.Status(t.Context(), "c")
	require.ErrorIs(t, err, consumers.ErrUnknown)
}

// Reset, Retry and Discard are noticed by the active consumer at its next write.
func TestEditsAreNoticed(t *testing.T) { everywhere(t, testEdits) }

func testEdits(t *testing.T, open opener) {
	log := memory.New()
	grow(t, log, "a", "b", "c")
	operator, r := open(t, log), open(t, log)
	c := acquire(t, r, "mailer", 0)
	require.NoError(t, c.Save(t.Context(), 3))
	changed, err := c.Refresh(t.Context())
	require.NoError(t, err)
	require.False(t, changed)

	_, err = operator.Reset(t.Context(), "mailer", 1)
	require.NoError(t, err)
	require.ErrorIs(t, c.Save(t.Context(), 3), consumers.ErrChanged, "even if there is nothing to move")
	require.Equal(t, eventstore.Position(1), c.Position())
	require.NoError(t, c.Save(t.Context(), 2))
	_, err = operator.Reset(t.Context(), "mailer", 0)
	require.NoError(t, err)
	require.ErrorIs(t, c.Save(t.Context(), 3), consumers.ErrChanged)
	require.Equal(t, eventstore.Position(0), c.Position())

	held := consumers.Hold{Place: consumers.Place{Position: 1}, Stream: "s", Version: 1, Attempts: 3, Since: time.Unix(2, 0).UTC(), Error: "no"}
	require.NoError(t, c.Advance(t.Context(), consumers.Step{Cursor: consumers.After(1), Put: []consumers.Hold{held}}))
	_, err = operator.Retry(t.Context(), "mailer", "t")
	require.ErrorIs(t, err, consumers.ErrNotHeld)
	were, err := operator.Retry(t.Context(), "mailer")
	require.NoError(t, err)
	require.Equal(t, []consumers.Hold{held}, were)
	changed, err = c.Refresh(t.Context())
	require.NoError(t, err)
	require.True(t, changed)
	require.ErrorIs(t, c.Advance(t.Context(), consumers.Step{Cursor: consumers.After(2)}), consumers.ErrChanged, "not before it was looked at")
	now := c.Progress().Holds["s"]
	require.False(t, now.Parked())
	require.Equal(t, 3, now.Forgiven)

	were, err = operator.Discard(t.Context(), "mailer")
	require.NoError(t, err)
	require.Empty(t, were, "none is parked")
	_, err = operator.Discard(t.Context(), "mailer", "s")
	require.NoError(t, err)
	require.ErrorIs(t, c.Advance(t.Context(), consumers.Step{Cursor: consumers.After(2)}), consumers.ErrChanged)
	now = c.Progress().Holds["s"]
	require.Equal(t, consumers.Place{Position: 1, Index: 1}, now.Place)
	require.Zero(t, now.Attempts)
}

// Only what has failed is discarded: not what follows it in its stream, whether it has not
// been tried yet or is being tried, nor, with that, what has failed in another stream.
func TestDiscardsWhatHasFailed(t *testing.T) { everywhere(t, testDiscards) }

func testDiscards(t *testing.T, open opener) {
	log := memory.New()
	grow(t, log, "a", "b", "c")
	r := open(t, log)
	c := acquire(t, r, "mailer", 0)
	hold := func(stream string, attempts int, due time.Time, err string) consumers.Hold {
		at := consumers.Place{Position: 1}
		return consumers.Hold{Place: at, Stream: stream, Version: 1, Attempts: attempts, Due: due, Since: time.Unix(2, 0).UTC(), Error: err}
	}
	later := time.Unix(4_000_000_000, 0).UTC()
	holds := []consumers.Hold{hold("parked", 3, time.Time{}, "no"), hold("failing", 1, later, "no"), hold("waiting", 0, later, ""), hold("tried", 1, later, "")}
	require.NoError(t, c.Advance(t.Context(), consumers.Step{Cursor: consumers.After(3), Put: holds}))
	before, err := r.Status(t.Context(), "mailer")
	require.NoError(t, err)
	for _, streams := range [][]string{{"waiting"}, {"tried"}, {"parked", "failing", "waiting"}} {
		were, err := r.Discard(t.Context(), "mailer", streams...)
		require.ErrorIs(t, err, consumers.ErrNotFailed)
		require.ErrorContains(t, err, "goes on with 1/0 by itself")
		require.Empty(t, were)
		now, err := r.Status(t.Context(), "mailer")
		require.NoError(t, err)
		require.Equal(t, before.Holds, now.Holds)
	}
	for _, streams := range [][]string{{"failing"}, nil} {
		were, err := r.Discard(t.Context(), "mailer", streams...)
		require.NoError(t, err)
		require.Len(t, were, 1)
		_, err = r.Discard(t.Context(), "mailer", were[0].Stream)
		require.ErrorIs(t, err, consumers.ErrNotFailed, "what follows")
		require.ErrorContains(t, err, "goes on with 1/1 by itself")
	}
}

// What had been handled before a reset is a repetition, and nothing else is.
func TestTold(t *testing.T) { everywhere(t, testTold) }

func testTold(t *testing.T, open opener) {
	log := memory.New()
	grow(t, log, "a", "b", "c", "d", "e", "f")
	r := open(t, log)
	c := acquire(t, r, "mailer", 0)
	at := func(p eventstore.Position) consumers.Place { return consumers.Place{Position: p} }
	hold := consumers.Hold{Place: at(2), Stream: "held", Version: 1, Since: time.Unix(2, 0)}
	require.NoError(t, c.Advance(t.Context(), consumers.Step{Cursor: consumers.After(4), Put: []consumers.Hold{hold}}))
	skipped, err := r.Reset(t.Context(), "mailer", 0)
	require.NoError(t, err)
	require.Empty(t, skipped)
	_, err = c.Refresh(t.Context())
	require.NoError(t, err)
	p := c.Progress()
	require.Empty(t, p.Holds)
	require.True(t, p.Told("other", at(4)))
	require.False(t, p.Told("other", at(5)))
	require.True(t, p.Told("held", at(1)))
	require.False(t, p.Told("held", at(2)))

	// Once more, before it has caught up: what was known stays known.
	require.NoError(t, c.Advance(t.Context(), consumers.Step{Cursor: consumers.After(3), Put: []consumers.Hold{{Place: at(1), Stream: "other", Since: time.Unix(2, 0)}}}))
	skipped, err = r.Reset(t.Context(), "mailer", 1)
	require.NoError(t, err)
	require.Len(t, skipped, 1, "what other holds is given up")
	_, err = c.Refresh(t.Context())
	require.NoError(t, err)
	p = c.Progress()
	require.True(t, p.Told("other", at(4)))
	require.False(t, p.Told("other", at(5)))
	require.True(t, p.Told("held", at(3)))
	require.False(t, p.Told("held", at(4)))
}
