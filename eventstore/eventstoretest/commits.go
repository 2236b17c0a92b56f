package eventstoretest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

func testBatch(t *testing.T, s *suite) {
	store := s.store(t)
	mustAppend(t, store, commit("old", eventstore.Absent(), event("old 1")))
	results, err := store.Append(t.Context(),
		commit("new", eventstore.Absent(), events("new", 2)...),     // 2, 3
		commit("old", eventstore.Absent(), event("never")),          // conflict
		commit("new", eventstore.Exactly(2), event("new again")),    // 4: sees the first
		commit("new", eventstore.Absent(), event("never")),          // conflict: sees the first
		commit("old", eventstore.Any(), event("old 2")),             // 5
		commit("old", eventstore.Exactly(2), event("never")),        // conflict: right by chance alone
		withOutcome(commit("old", eventstore.Any()), "id", "first"), // an outcome only
		withOutcome(commit("other", eventstore.Any(), event("never")), "id", "second"),
		commit("last", eventstore.Absent(), event("last")), // 6
	)
	require.NoError(t, err, "commits that cannot be stored say so in their Result, not as an error of the call")
	require.Len(t, results, 9, "Append answers one Result for each commit, in order")

	requireConflict(t, results[1], "old", eventstore.Absent(), 1)
	requireConflict(t, results[3], "new", eventstore.Absent(), 3)
	requireConflict(t, results[5], "old", eventstore.Exactly(2), 2)
	if s.features.Unordered {
		requireAnyOrder(t, store, results)
		return
	}
	requireDuplicate(t, results[7], *withOutcome(eventstore.Commit{}, "id", "first").Outcome)
	for i, want := range map[int]eventstore.Result{
		0: {First: 2, Last: 3, Version: 2},
		2: {First: 4, Last: 4, Version: 3},
		4: {First: 5, Last: 5, Version: 2},
		6: {},
		8: {First: 6, Last: 6, Version: 1},
	} {
		require.Equal(t, want, results[i],
			"commit %d: a commit that cannot be stored does not affect the others, and a later one sees the earlier ones of its call", i)
	}
	require.Equal(t, textsOf(event("old 1"), event("new.1"), event("new.2"), event("new again"), event("old 2"), event("last")),
		texts(requireWhole(t, store)), "commits of one call are applied in the order given")
}

// testImport checks that the order of commits to many streams is kept where that is asked
// for, those that are refused left out.
func testImport(t *testing.T, s *suite) {
	store := s.store(t)
	var want []string
	for call := range 3 {
		var commits []eventstore.Commit
		for i := range 100 {
			text := fmt.Sprint(call, "/", i)
			expect := eventstore.Any()
			if i == 50 {
				expect = eventstore.Exactly(77)
			}
			c := commit(fmt.Sprint("s", i%7), expect, events(text, 1+i%2)...)
			commits = append(commits, c)
			if i != 50 {
				want = append(want, textsOf(c.Events...)...)
			}
		}
		results, err := eventstore.Import(t.Context(), store, commits...)
		require.NoError(t, err)
		for i, result := range results {
			require.Equal(t, i == 50, result.Err != nil, "commit %d", i)
		}
	}
	require.Equal(t, want, texts(requireWhole(t, store)), "Import keeps the order of commits to different streams")
}

// requireAnyOrder checks what came of the batch where streams have no order among each
// other: which of two commits with one command ID was first is open, but one was.
func requireAnyOrder(t *testing.T, store eventstore.Store, results []eventstore.Result) {
	t.Helper()
	stored := map[string]eventstore.Result{"new": results[0], "new again": results[2], "old 2": results[4], "last": results[8]}
	events := 1
	switch {
	case errors.Is(results[6].Err, eventstore.ErrDuplicate):
		stored["never"] = results[7]
		require.NoError(t, results[7].Err, "of two commits with one command ID, one is stored")
	default:
		require.NoError(t, results[6].Err, "of two commits with one command ID, one is stored")
		require.ErrorIs(t, results[7].Err, eventstore.ErrDuplicate, "of two commits with one command ID, one is stored")
	}
	all := requireWhole(t, store)
	for text, result := range stored {
		require.NoError(t, result.Err, "%s: a commit that cannot be stored does not affect the others", text)
		last := all[result.Last-1]
		require.Contains(t, string(last.Data), text, "a commit stands where its result says")
		require.Equal(t, last.Version, result.Version)
		events += int(result.Last - result.First + 1)
	}
	require.Len(t, all, events, "nothing else is stored")
	require.Less(t, results[0].Last, results[2].First, "commits to one stream are applied in the order given")
}

func testEmptyCall(t *testing.T, s *suite) {
	store := s.store(t)
	results, err := store.Append(t.Context())
	require.NoError(t, err, "a call without commits has nothing to fail at")
	require.Empty(t, results, "a call without commits has no results")
	require.Empty(t, requireWhole(t, store), "an empty log has no records")
}

func testAllOrNothing(t *testing.T, s *suite) {
	store := s.store(t)
	const callers, each, size = 4, 15, 3
	concurrently(callers, func(i int) {
		for n := range each {
			text := fmt.Sprintf("%d/%d", i, n)
			results, err := store.Append(t.Context(), commit("shared", eventstore.Any(), events(text, size)...))
			if err != nil || results[0].Err != nil {
				t.Errorf("Append: %v %v", err, results)
				return
			}
			if r := results[0]; r.Last-r.First+1 != size {
				t.Errorf("a commit of %d events is at positions %d to %d; they are consecutive", size, r.First, r.Last)
			}
		}
	})
	all := requireWhole(t, store)
	require.Len(t, all, callers*each*size)
	for i := 0; i < len(all); i += size {
		text, _, _ := strings.Cut(string(all[i].Data), ".")
		for k := range size {
			require.Equal(t, fmt.Sprintf(`%s.%d"}`, text, k+1), string(all[i+k].Data),
				"a commit's events are at consecutive places: nothing comes between them, in whatever company they were stored")
		}
	}
}

// testInvalidCommits checks what no log can hold. One such commit refuses the call,
// as it is a mistake of the program and not of the moment.
func testInvalidCommits(t *testing.T, s *suite) {
	store := s.store(t)
	valid := func(change func(e *eventstore.Event)) eventstore.Commit {
		e := event("x")
		change(&e)
		return commit("s", eventstore.Any(), e)
	}
	for name, c := range map[string]eventstore.Commit{
		"no stream":          commit("", eventstore.Any(), event("x")),
		"stream not UTF-8":   commit("a\xff", eventstore.Any(), event("x")),
		"stream with NUL":    commit("a\x00b", eventstore.Any(), event("x")),
		"stream too long":    commit(strings.Repeat("x", eventstore.MaxNameSize+1), eventstore.Any(), event("x")),
		"nothing":            commit("s", eventstore.Any()),
		"no type":            valid(func(e *eventstore.Event) { e.Type = "" }),
		"type not UTF-8":     valid(func(e *eventstore.Event) { e.Type = "\xc3" }),
		"type with NUL":      valid(func(e *eventstore.Event) { e.Type = "\x00" }),
		"schema 0":           valid(func(e *eventstore.Event) { e.Schema = 0 }),
		"schema negative":    valid(func(e *eventstore.Event) { e.Schema = -1 }),
		"actor not UTF-8":    valid(func(e *eventstore.Event) { e.Actor = "\xff" }),
		"actor with NUL":     valid(func(e *eventstore.Event) { e.Actor = "bob\x00" }),
		"command not UTF-8":  valid(func(e *eventstore.Event) { e.CommandID = "\xff" }),
		"command with NUL":   valid(func(e *eventstore.Event) { e.CommandID = "a\x00" }),
		"no data":            valid(func(e *eventstore.Event) { e.Data = nil }),
		"data not JSON":      valid(func(e *eventstore.Event) { e.Data = []byte(`{"a":`) }),
		"data not UTF-8":     valid(func(e *eventstore.Event) { e.Data = []byte("\"\xff\"") }),
		"two data":           valid(func(e *eventstore.Event) { e.Data = []byte(`{} {}`) }),
		"no time":            valid(func(e *eventstore.Event) { e.Time = time.Time{} }),
		"time too late":      valid(func(e *eventstore.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"time far too late":  valid(func(e *eventstore.Event) { e.Time = time.Unix(math.MaxInt64/2, 0) }),
		"outcome without ID": withOutcome(commit("s", eventstore.Any(), event("x")), "", "answer"),
		"outcome ID invalid": withOutcome(commit("s", eventstore.Any(), event("x")), "\xff", "answer"),
		"second event":       commit("s", eventstore.Any(), event("x"), eventstore.Event{}),
	} {
		results, err := store.Append(t.Context(), commit("s", eventstore.Any(), event("good")), c)
		require.ErrorIs(t, err, eventstore.ErrInvalid, "%s: a commit that can never be stored is refused", name)
		require.Nil(t, results, "%s: results are nil when the call fails", name)
	}
	require.Empty(t, requireWhole(t, store), "a call with an invalid commit stores nothing, not even its valid commits")
}
