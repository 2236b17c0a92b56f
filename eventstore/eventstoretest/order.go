package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

// testGapless lets many callers append to few streams, and checks that every answer is
// where the log says, and that who came after an answer is after it in the log.
func testGapless(t *testing.T, s *suite) {
	store := s.store(t)
	const callers, each, streams = 8, 40, 3
	var (
		mu     sync.Mutex
		stored = make(map[eventstore.Position]string)
	)
	concurrently(callers, func(i int) {
		last := eventstore.Position(0)
		for n := range each {
			stream := fmt.Sprint("stream ", (i+n)%streams)
			batch := events(fmt.Sprintf("%d/%d", i, n), 1+n%3)
			results, err := store.Append(t.Context(), commit(stream, eventstore.Any(), batch...))
			if err != nil || results[0].Err != nil {
				t.Errorf("Append: %v %v", err, results)
				return
			}
			if results[0].First <= last {
				t.Errorf("position %d was given out after position %d had been answered; positions only rise", results[0].First, last)
			}
			last = results[0].Last
			mu.Lock()
			for k, e := range batch {
				stored[results[0].First+eventstore.Position(k)] = stream + string(e.Data)
			}
			mu.Unlock()
		}
	})
	all := requireWhole(t, store)
	require.Len(t, all, len(stored), "no position is used twice, and nothing is stored that was not appended")
	for _, r := range all {
		require.Equal(t, stored[r.Position], r.Stream+string(r.Data), "a record stands at the position that Append has answered")
	}
}

// boundaries are places at which pages of usual sizes end, in a sequence of n.
func boundaries(n int) []uint64 {
	places := []uint64{0, 1, 2, uint64(n) - 1, uint64(n), uint64(n) + 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}
	for size := 16; size < n; size *= 2 {
		places = append(places, uint64(size)-1, uint64(size), uint64(size)+1)
	}
	return places
}

func testPaging(t *testing.T, s *suite) {
	store := s.store(t)
	all := fill(t, store, 5000)
	for _, after := range boundaries(len(all)) {
		want := all[min(after, uint64(len(all))):]
		got := readAll(t, store, eventstore.Position(after))
		require.Equal(t, len(want), len(got), "ReadAll after %d yields everything after it, up to the head", after)
		if len(want) > 0 {
			require.Equal(t, want, got, "ReadAll after %d", after)
		}
	}
	requireRestartable(t, all, func() sequence { return store.ReadAll(t.Context(), 0) })
}

func testPagingStream(t *testing.T, s *suite) {
	store := s.store(t)
	fill(t, store, 7500)
	all := readStream(t, store, "third", 0)
	require.Len(t, all, 2500)
	for _, after := range boundaries(len(all)) {
		want := all[min(after, uint64(len(all))):]
		got := readStream(t, store, "third", eventstore.Version(after))
		require.Equal(t, len(want), len(got), "ReadStream after %d yields everything after it", after)
		if len(want) > 0 {
			require.Equal(t, want, got, "ReadStream after %d", after)
		}
	}
	requireRestartable(t, all, func() sequence { return store.ReadStream(t.Context(), "third", 0) })
}

type sequence = func(yield func(eventstore.Record, error) bool)

// requireRestartable checks that a reader may stop anywhere, and begin again.
func requireRestartable(t testing.TB, all []eventstore.Record, open func() sequence) {
	t.Helper()
	seq := open()
	for _, stop := range []int{1, 100, 1500, len(all)} {
		var got []eventstore.Record
		for r, err := range seq {
			require.NoError(t, err)
			if got = append(got, r); len(got) == stop {
				break
			}
		}
		require.Equal(t, all[:stop], got, "a sequence that is ranged over again starts anew, wherever it was left before")
	}
}

// testReadWhileWriting checks that a reader sees a prefix of the log, at every moment,
// and one that holds everything which was answered before it began.
func testReadWhileWriting(t *testing.T, s *suite) {
	store := s.store(t)
	const commits, readers = 150, 3
	var (
		answered atomic.Uint64
		done     atomic.Bool
		writer   sync.WaitGroup
	)
	writer.Go(func() {
		defer done.Store(true)
		for n := range commits {
			results, err := store.Append(t.Context(), commit(fmt.Sprint("stream ", n%2), eventstore.Any(), events(fmt.Sprint(n), 1+n%4)...))
			if err != nil || results[0].Err != nil {
				t.Errorf("Append: %v %v", err, results)
				return
			}
			answered.Store(uint64(results[0].Last))
		}
	})
	concurrently(readers, func(int) {
		for last := false; !last; {
			last = done.Load()
			least := answered.Load()
			next := uint64(1)
			for r, err := range store.ReadAll(t.Context(), 0) {
				if err != nil || uint64(r.Position) != next {
					t.Errorf("position %d: %v %v; what is read while others write has no holes", next, r, err)
					return
				}
				next++
			}
			if next <= least {
				t.Errorf("ReadAll ends at position %d, but %d was answered before it began", next-1, least)
				return
			}
			version := eventstore.Version(1)
			for r, err := range store.ReadStream(t.Context(), "stream 1", 0) {
				if err != nil || r.Version != version {
					t.Errorf("version %d: %v %v; what is read while others write has no holes", version, r, err)
					return
				}
				version++
			}
		}
	})
	writer.Wait()
	requireWhole(t, store)
}

func testCancelled(t *testing.T, s *suite) {
	store := s.store(t)
	mustAppend(t, store, withOutcome(commit("s", eventstore.Any(), event("before")), "id", "answer"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	results, err := store.Append(ctx, commit("s", eventstore.Any(), event("cancelled")))
	require.ErrorIs(t, err, context.Canceled, "Append with a context that was cancelled before is refused with its error")
	require.Nil(t, results, "results are nil when the call fails")
	require.NotErrorIs(t, err, eventstore.ErrUnknown, "the fate of commits that were never taken is known")

	_, err = drain(t, store.ReadAll(ctx, 0))
	require.ErrorIs(t, err, context.Canceled, "ReadAll honours its context")
	_, err = drain(t, store.ReadStream(ctx, "s", 0))
	require.ErrorIs(t, err, context.Canceled, "ReadStream honours its context")
	_, err = store.Head(ctx)
	require.ErrorIs(t, err, context.Canceled, "Head honours its context")
	_, _, err = store.Outcome(ctx, "id")
	require.ErrorIs(t, err, context.Canceled, "Outcome honours its context")

	require.Equal(t, textsOf(event("before")), texts(requireWhole(t, store)), "what was cancelled before it was taken is not stored")
}

// testCancelledWhileWaiting cancels callers at any moment of their calls: each must be
// told what became of its commit.
func testCancelledWhileWaiting(t *testing.T, s *suite) {
	store := s.store(t)
	const rounds, callers = 20, 8
	stored := make(map[string]bool)
	var mu sync.Mutex
	for round := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		concurrently(callers+1, func(i int) {
			if i == callers {
				cancel()
				return
			}
			text := fmt.Sprintf("%d/%d", round, i)
			results, err := store.Append(ctx, commit(text, eventstore.Absent(), event(text)))
			switch {
			case err == nil && results[0].Err == nil:
				mu.Lock()
				stored[text] = true
				mu.Unlock()
			case err == nil || !errors.Is(err, context.Canceled):
				t.Errorf("Append that is cancelled: %v %v; it answers with the context's error, or with what became of it", err, results)
			}
		})
	}
	for _, r := range requireWhole(t, store) {
		require.True(t, stored[r.Stream], "commit %s was answered with the context's error, and is stored all the same", r.Stream)
		delete(stored, r.Stream)
	}
	require.Empty(t, stored, "commits that were answered as stored are stored")
}
