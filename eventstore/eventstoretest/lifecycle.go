package eventstoretest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

func testChanged(t *testing.T, s *suite) {
	store := s.store(t)
	for n := range 3 {
		first, second := store.Changed(), store.Changed()
		mustAppend(t, store, commit("s", eventstore.Any(), event(fmt.Sprint(n))))
		await(t, first, "a channel of Changed is closed by an append after it was got")
		await(t, second, "Changed wakes everybody")
	}

	// As readers use it: get the channel, then read, then wait. No news is lost.
	const commits = 50
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := range commits {
			results, err := store.Append(t.Context(), commit("s", eventstore.Any(), event(fmt.Sprint(n))))
			if err != nil || results[0].Err != nil {
				t.Errorf("Append: %v %v", err, results)
			}
		}
	})
	for seen := eventstore.Position(0); seen < commits+3; {
		changed := store.Changed()
		if records := readAll(t, store, seen); len(records) > 0 {
			seen = records[len(records)-1].Position
			continue
		}
		await(t, changed, "a reader that gets the channel, then reads, then waits, misses nothing")
	}
	writer.Wait()

	changed := store.Changed()
	require.NoError(t, store.Close())
	await(t, changed, "Close closes the channel of Changed, so that nobody waits for a store that is gone")
	await(t, store.Changed(), "Changed of a closed store is a channel that is closed")
}

func testClosed(t *testing.T, s *suite) {
	store := s.store(t)
	mustAppend(t, store, withOutcome(commit("s", eventstore.Any(), event("x")), "id", "answer"))
	id := store.ID()
	concurrently(4, func(int) {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v; it may be called again, and at once", err)
		}
	})
	require.NoError(t, store.Close(), "Close may be called again")

	const rule = "a closed store refuses with ErrClosed"
	results, err := store.Append(t.Context(), commit("s", eventstore.Any(), event("x")))
	require.ErrorIs(t, err, eventstore.ErrClosed, rule)
	require.Nil(t, results, "results are nil when the call fails")
	_, err = drain(t, store.ReadAll(t.Context(), 0))
	require.ErrorIs(t, err, eventstore.ErrClosed, rule)
	_, err = drain(t, store.ReadStream(t.Context(), "s", 0))
	require.ErrorIs(t, err, eventstore.ErrClosed, rule)
	_, err = store.Head(t.Context())
	require.ErrorIs(t, err, eventstore.ErrClosed, rule)
	_, _, err = store.Outcome(t.Context(), "id")
	require.ErrorIs(t, err, eventstore.ErrClosed, rule)
	require.Equal(t, id, store.ID(), "a closed store still knows its name")
}

// testCloseWaits closes a store while others append: each of them is told the truth.
func testCloseWaits(t *testing.T, s *suite) {
	dir := t.TempDir()
	store := s.open(t, dir)
	const callers = 8
	var (
		mu     sync.Mutex
		stored = make(map[string]bool)
	)
	started := store.Changed()
	concurrently(callers+1, func(i int) {
		if i == callers {
			await(t, started, "an append wakes who waits for it")
			if err := store.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			return
		}
		for n := 0; ; n++ {
			text := fmt.Sprintf("%d/%d", i, n)
			results, err := store.Append(t.Context(), commit(text, eventstore.Absent(), event(text)))
			if errors.Is(err, eventstore.ErrClosed) {
				return
			}
			if err != nil || results[0].Err != nil {
				t.Errorf("Append while the store is closed: %v %v; it is stored, or refused with ErrClosed", err, results)
				return
			}
			mu.Lock()
			stored[text] = true
			mu.Unlock()
		}
	})
	if !s.features.Persistent {
		return
	}
	for _, r := range requireWhole(t, s.open(t, dir)) {
		require.True(t, stored[r.Stream], "commit %s was refused with ErrClosed, and is stored all the same", r.Stream)
		delete(stored, r.Stream)
	}
	require.Empty(t, stored, "Close waits for appends that have started: what they have answered is stored")
}

func testID(t *testing.T, s *suite) {
	one, other := s.store(t), s.store(t)
	require.NotEmpty(t, one.ID(), "a log has a name")
	require.NotEqual(t, one.ID(), other.ID(), "two logs have different names")
	id := one.ID()
	mustAppend(t, one, commit("s", eventstore.Any(), event("x")))
	require.Equal(t, id, one.ID(), "a log's name never changes")
}

func testPersistence(t *testing.T, s *suite) {
	if !s.features.Persistent {
		t.Skip("the store does not claim to be Persistent")
	}
	dir := t.TempDir()
	store := s.open(t, dir)
	id := store.ID()
	fill(t, store, 200)
	first := withOutcome(commit("s", eventstore.Absent(), event("x")), "id", "answer")
	outcome := stored(first, mustAppend(t, store, first))
	before := requireWhole(t, store)
	require.NoError(t, store.Close())

	store = s.open(t, dir)
	require.Equal(t, id, store.ID(), "a log keeps its name when it is opened again")
	require.Equal(t, before, requireWhole(t, store), "a log that is opened again holds what it held")
	requireOutcome(t, store, outcome)
	requireDuplicate(t, appendOne(t, store, first), outcome)
	requireConflict(t, appendOne(t, store, commit("s", eventstore.Absent(), event("x"))), "s", eventstore.Absent(), 1)
	result := mustAppend(t, store, commit("s", eventstore.Exactly(1), event("y")))
	require.EqualValues(t, len(before)+1, result.First, "positions go on where they ended")
	requireWhole(t, store)
}

// testTwoStores lets two stores on one log take turns: each must see at once what the
// other did, whatever it remembers.
func testTwoStores(t *testing.T, s *suite) {
	if !s.features.MultiProcess {
		t.Skip("the store does not claim to be MultiProcess")
	}
	dir := t.TempDir()
	a, b := s.open(t, dir), s.open(t, dir)
	require.Equal(t, a.ID(), b.ID(), "two stores on one log have its name")
	for n := range eventstore.Version(10) {
		id := fmt.Sprint("command ", n)
		c := withOutcome(commit("s", eventstore.Exactly(n), event(fmt.Sprint(n))), id, "a's")
		outcome := stored(c, mustAppend(t, a, c))
		require.EqualValues(t, n+1, head(t, b), "Head sees what another store has appended")
		require.Len(t, readAll(t, b, 0), int(n)+1, "ReadAll sees what another store has appended")
		require.Len(t, readStream(t, b, "s", 0), int(n)+1, "ReadStream sees what another store has appended")
		requireOutcome(t, b, outcome)
		requireDuplicate(t, appendOne(t, b, withOutcome(commit("s", eventstore.Any(), event("x")), id, "b's")), outcome)
		requireConflict(t, appendOne(t, b, commit("s", eventstore.Exactly(n), event("late"))), "s", eventstore.Exactly(n), n+1)
		a, b = b, a
	}
	for n := range eventstore.Version(10) {
		result := appendOne(t, a, commit("turns", eventstore.Exactly(n), event(fmt.Sprint(n))))
		require.NoError(t, result.Err, "who appends where another store has left the stream meets no conflict with its own memory")
		a, b = b, a
	}
	c := withOutcome(commit("s", eventstore.Any()), "outcome only", "a's")
	mustAppend(t, a, c)
	requireDuplicate(t, appendOne(t, b, withOutcome(commit("s", eventstore.Any()), "outcome only", "b's")), *c.Outcome)
	require.Equal(t, requireWhole(t, a), requireWhole(t, b), "two stores on one log read the same")
	require.NoError(t, a.Close())
	mustAppend(t, b, commit("s", eventstore.Exactly(10), event("alone")))
}

func testTwoStoresConcurrently(t *testing.T, s *suite) {
	if !s.features.MultiProcess {
		t.Skip("the store does not claim to be MultiProcess")
	}
	dir := t.TempDir()
	stores := []eventstore.Store{s.open(t, dir), s.open(t, dir)}
	const callers, each = 4, 25
	concurrently(callers, func(i int) {
		store := stores[i%len(stores)]
		at := eventstore.Version(0)
		for n := 0; n < each; {
			results, err := store.Append(t.Context(),
				commit("contended", eventstore.Exactly(at), events(fmt.Sprintf("%d/%d", i, n), 2)...),
				commit(fmt.Sprint("own ", i), eventstore.Any(), event(fmt.Sprint(n))))
			var conflict *eventstore.ConflictError
			switch {
			case errors.Is(err, eventstore.ErrBusy): // the other one holds the lock; nothing was stored
			case err != nil:
				t.Errorf("Append: %v", err)
				return
			case results[0].Err == nil:
				at = results[0].Version
				n++
			case errors.As(results[0].Err, &conflict):
				at = conflict.Actual
			default:
				t.Errorf("Append: %v", results[0].Err)
				return
			}
		}
	})
	all := requireWhole(t, stores[0])
	require.Equal(t, all, requireWhole(t, stores[1]), "two stores on one log read the same")
	require.Len(t, readStream(t, stores[0], "contended", 0), callers*each*2, "what two stores have answered is stored, once")
}
