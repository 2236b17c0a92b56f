package eventstoretest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

// testExpectations holds every expectation against a stream of every length from
// none to three, the last of which has moved on since somebody looked.
func testExpectations(t *testing.T, s *suite) {
	store := s.store(t)
	mustAppend(t, store, commit("neighbour", eventstore.Any(), events("neighbour", 5)...))
	for _, test := range []struct {
		name     string
		expect   eventstore.Expectation
		accepted [4]bool // at version 0, 1, 2, 3
	}{
		{"zero value", eventstore.Expectation{}, [4]bool{true, true, true, true}},
		{"Any", eventstore.Any(), [4]bool{true, true, true, true}},
		{"Absent", eventstore.Absent(), [4]bool{true, false, false, false}},
		{"Present", eventstore.Present(), [4]bool{false, true, true, true}},
		{"Exactly(0)", eventstore.Exactly(0), [4]bool{true, false, false, false}},
		{"Exactly(1)", eventstore.Exactly(1), [4]bool{false, true, false, false}},
		{"Exactly(2)", eventstore.Exactly(2), [4]bool{false, false, true, false}},
		{"Exactly(3)", eventstore.Exactly(3), [4]bool{false, false, false, true}},
		{"Exactly(4)", eventstore.Exactly(4), [4]bool{}},
	} {
		for at, accepted := range test.accepted {
			stream := fmt.Sprintf("%s at %d", test.name, at)
			for v := range at {
				mustAppend(t, store, commit(stream, eventstore.Exactly(eventstore.Version(v)), event("before")))
			}
			actual := eventstore.Version(at)
			result := appendOne(t, store, commit(stream, test.expect, event("tried")))
			if accepted {
				require.NoError(t, result.Err, "%s accepts a stream at version %d", test.expect, at)
				require.Equal(t, actual+1, result.Version, "the version after one event on a stream at %d", at)
				continue
			}
			requireConflict(t, result, stream, test.expect, actual)
			require.Len(t, readStream(t, store, stream, 0), at, "a commit that conflicts stores nothing")
		}
	}
	requireWhole(t, store)
}

func requireConflict(t testing.TB, result eventstore.Result, stream string, expect eventstore.Expectation, actual eventstore.Version) {
	t.Helper()
	require.ErrorIs(t, result.Err, eventstore.ErrConflict, "%s does not accept a stream at version %d", expect, actual)
	var conflict *eventstore.ConflictError
	require.ErrorAs(t, result.Err, &conflict, "a conflict is a *ConflictError")
	follows := conflict.Follows && expect.Accepts(actual) // nothing else can be the reason
	require.Equal(t, eventstore.ConflictError{Stream: stream, Expected: expect, Actual: actual, Follows: follows}, *conflict,
		"a ConflictError names the stream, what was expected of it, and where it is")
	result.Err = nil
	require.Zero(t, result, "a commit that is not stored has no places")
}

func testConflictChangesNothing(t *testing.T, s *suite) {
	store := s.store(t)
	mustAppend(t, store, commit("s", eventstore.Absent(), event("first")))
	mustAppend(t, store, commit("s", eventstore.Exactly(1), event("somebody else's")))
	before := requireWhole(t, store)

	result := appendOne(t, store, withOutcome(commit("s", eventstore.Exactly(1), events("late", 3)...), "late", "done"))
	requireConflict(t, result, "s", eventstore.Exactly(1), 2)
	require.Equal(t, before, requireWhole(t, store), "a commit that conflicts stores none of its events")
	_, found, err := store.Outcome(t.Context(), "late")
	require.NoError(t, err)
	require.False(t, found, "a commit that conflicts does not store its outcome: the command will be tried again under its ID")

	result = mustAppend(t, store, withOutcome(commit("s", eventstore.Exactly(2), event("again")), "late", "done"))
	require.EqualValues(t, 3, result.First, "a commit that conflicts leaves no hole in the positions")
}

// testStreamNames checks that names are bytes: nothing folds, trims or splits them.
func testStreamNames(t *testing.T, s *suite) {
	store := s.store(t)
	names := []string{
		"a", "A", "a ", " a", "a/b", "a.b", "a*", "a%", "a_", "a>", "ä", "a\u0308", "1", "01", "1.0",
		"'", `"`, "a\nb", "NULL", "\U0001F600", "群组",
	}
	for _, name := range names {
		result := appendOne(t, store, commit(name, eventstore.Absent(), event(name)))
		require.NoError(t, result.Err, "stream %q is another one than those before it", name)
	}
	for _, name := range names {
		require.Equal(t, textsOf(event(name)), texts(readStream(t, store, name, 0)), "stream %q holds its own records and no others", name)
	}
	require.Empty(t, readStream(t, store, "nobody", 0), "a stream that does not exist has no records")
	requireWhole(t, store)
}

func testConcurrentCreation(t *testing.T, s *suite) {
	store := s.store(t)
	const rounds, callers = 20, 8
	for round := range rounds {
		var (
			stream = fmt.Sprint("round ", round)
			won    atomic.Int32
		)
		concurrently(callers, func(i int) {
			results, err := store.Append(t.Context(), commit(stream, eventstore.Absent(), events(fmt.Sprint(i), 2)...))
			switch {
			case err != nil:
				t.Errorf("Append: %v", err)
			case results[0].Err == nil:
				won.Add(1)
			case !errors.Is(results[0].Err, eventstore.ErrConflict):
				t.Errorf("who loses the race to create a stream is told of a conflict, not: %v", results[0].Err)
			}
		})
		require.EqualValues(t, 1, won.Load(), "of concurrent commits that expect no stream, exactly one is stored")
		require.Len(t, readStream(t, store, stream, 0), 2, "only the winner's events are stored")
	}
	requireWhole(t, store)
}

// testConcurrentExactly lets callers count a stream up, each trying again after a
// conflict, as commands do.
func testConcurrentExactly(t *testing.T, s *suite) {
	store := s.store(t)
	const callers, each = 4, 25
	concurrently(callers, func(int) {
		at := eventstore.Version(0)
		for stored := 0; stored < each; {
			results, err := store.Append(t.Context(), commit("counter", eventstore.Exactly(at), event("tick")))
			if err != nil {
				t.Errorf("Append: %v", err)
				return
			}
			var conflict *eventstore.ConflictError
			switch {
			case results[0].Err == nil:
				if results[0].Version != at+1 {
					t.Errorf("a commit that expects version %d is stored as version %d", at, results[0].Version)
				}
				at = results[0].Version
				stored++
			case errors.As(results[0].Err, &conflict) && conflict.Actual > at:
				at = conflict.Actual
			default:
				t.Errorf("expected version %d: %v; a stream only grows", at, results[0].Err)
				return
			}
		}
	})
	require.Len(t, readStream(t, store, "counter", 0), callers*each, "no commit is stored twice, and none that was answered is lost")
	requireWhole(t, store)
}
