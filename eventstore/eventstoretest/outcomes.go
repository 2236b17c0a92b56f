package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

func requireDuplicate(t testing.TB, result eventstore.Result, want eventstore.Outcome) {
	t.Helper()
	require.ErrorIs(t, result.Err, eventstore.ErrDuplicate, "a command ID has one outcome, for ever")
	var duplicate *eventstore.DuplicateError
	require.ErrorAs(t, result.Err, &duplicate, "a duplicate is a *DuplicateError")
	require.Equal(t, want, duplicate.Stored, "a DuplicateError carries the first outcome, as it was stored, with its events' places")
	result.Err = nil
	require.Zero(t, result, "a commit that is not stored has no places")
}

func requireOutcome(t testing.TB, store eventstore.Store, want eventstore.Outcome) {
	t.Helper()
	got, found, err := store.Outcome(t.Context(), want.CommandID)
	require.NoError(t, err, "Outcome")
	require.True(t, found, "the outcome of command %q is stored", want.CommandID)
	require.Equal(t, want, got, "an outcome's bytes are stored as given, none come back as nil, and First and Last say where its events are")
}

func testOutcomes(t *testing.T, s *suite) {
	store := s.store(t)
	_, found, err := store.Outcome(t.Context(), "nobody's")
	require.NoError(t, err)
	require.False(t, found, "a command that was never answered has no outcome")

	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, outcome := range []eventstore.Outcome{
		{CommandID: "with events", Fingerprint: []byte{1, 2, 3}, Answer: []byte(`{"ok":true}`)},
		{CommandID: "any bytes", Fingerprint: every, Answer: every},
		{CommandID: "nothing"},
		{CommandID: "fingerprint only", Fingerprint: []byte{0}},
		{CommandID: "answer only", Answer: []byte{0}},
		{CommandID: "Case"}, {CommandID: "case"}, {CommandID: "case "}, {CommandID: "事件"},
	} {
		c := commit("s", eventstore.Any(), event(outcome.CommandID))
		c.Outcome = &outcome
		requireOutcome(t, store, stored(c, mustAppend(t, store, c)))
	}
	lying := withOutcome(commit("s", eventstore.Any(), events("two", 2)...), "lying", "answer")
	lying.Outcome.First, lying.Outcome.Last = 77, 78
	requireOutcome(t, store, stored(lying, mustAppend(t, store, lying)))
	before := requireWhole(t, store)

	refused := withOutcome(commit("s", eventstore.Present()), "refused", "no")
	require.Zero(t, mustAppend(t, store, refused), "a commit without events has no places")
	requireOutcome(t, store, *refused.Outcome) // has no places
	nowhere := withOutcome(commit("no such stream", eventstore.Absent()), "nowhere", "no")
	mustAppend(t, store, nowhere)
	requireOutcome(t, store, *nowhere.Outcome)
	require.Equal(t, before, requireWhole(t, store), "a commit without events adds no records")
	mustAppend(t, store, commit("no such stream", eventstore.Absent(), event("now")))

	late := appendOne(t, store, withOutcome(commit("s", eventstore.Absent()), "late", "no"))
	require.ErrorIs(t, late.Err, eventstore.ErrConflict, "an expectation counts for a commit without events too")
}

func testDuplicates(t *testing.T, s *suite) {
	store := s.store(t)
	first := withOutcome(commit("s", eventstore.Absent(), events("once", 2)...), "id", "first")
	outcome := stored(first, mustAppend(t, store, first))
	before := requireWhole(t, store)

	for name, c := range map[string]eventstore.Commit{
		"at the right version":  withOutcome(commit("s", eventstore.Exactly(2), event("twice")), "id", "second"),
		"at the first version":  withOutcome(commit("s", eventstore.Absent(), event("twice")), "id", "second"),
		"of another stream":     withOutcome(commit("other", eventstore.Any(), events("twice", 3)...), "id", "second"),
		"without events":        withOutcome(commit("s", eventstore.Any()), "id", "second"),
		"expecting a stream":    withOutcome(commit("other", eventstore.Present(), event("twice")), "id", "second"),
		"with the same content": first,
	} {
		t.Log("the same command ID again, " + name + ": a duplicate, and not a conflict")
		requireDuplicate(t, appendOne(t, store, c), outcome)
	}
	require.Equal(t, before, requireWhole(t, store), "nothing of a duplicate is stored")
	requireOutcome(t, store, outcome)

	plain := event("ID on the event only")
	plain.CommandID = "id"
	mustAppend(t, store, commit("s", eventstore.Exactly(2), plain))
}

func testConcurrentDuplicates(t *testing.T, s *suite) {
	store := s.store(t)
	const rounds, callers = 15, 8
	for round := range rounds {
		var (
			mu     sync.Mutex
			id     = fmt.Sprint("command ", round)
			won    []string
			told   []eventstore.Outcome
			before = head(t, store)
		)
		concurrently(callers, func(i int) {
			answer := fmt.Sprint("answer ", i)
			stream := fmt.Sprint("stream ", i%2)
			results, err := store.Append(t.Context(), withOutcome(commit(stream, eventstore.Any(), event(answer)), id, answer))
			if err != nil {
				t.Errorf("Append: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			var duplicate *eventstore.DuplicateError
			switch {
			case results[0].Err == nil:
				won = append(won, answer)
			case errors.As(results[0].Err, &duplicate):
				told = append(told, duplicate.Stored)
			default:
				t.Errorf("who is late with a command ID is told of a duplicate, not: %v", results[0].Err)
			}
		})
		require.Len(t, won, 1, "of concurrent commits with one command ID, exactly one is stored")
		for _, outcome := range told {
			require.Equal(t, won[0], string(outcome.Answer), "the others are told the winner's answer")
		}
		require.Equal(t, textsOf(event(won[0])), texts(readAll(t, store, before)), "only the winner's events are stored")
	}
	requireWhole(t, store)
}

// testListOutcomes checks stores that list their outcomes.
func testListOutcomes(t *testing.T, s *suite) {
	store := s.store(t)
	if _, ok := store.(eventstore.OutcomeLister); !ok {
		t.Skip("the store does not list its outcomes")
	}
	list := func(after string) (all []eventstore.Outcome) {
		for o, err := range eventstore.Outcomes(t.Context(), store, after) {
			require.NoError(t, err, "listing outcomes")
			all = append(all, o)
		}
		return all
	}
	require.Empty(t, list(""), "an empty log has no outcomes")

	var commits []eventstore.Commit
	ids := []string{"A", "a", "a ", "a\x01", "b", "é", "事件", "\U0010ffff"}
	for i := range 1500 { // more than a page
		ids = append(ids, fmt.Sprint("command ", i))
	}
	for i, id := range ids {
		c := withOutcome(commit(fmt.Sprint("s", i%3), eventstore.Any(), events(fmt.Sprint(i), i%3)...), id, fmt.Sprint("answer ", i))
		if i%5 == 0 {
			c.Outcome.Fingerprint, c.Outcome.Answer = nil, nil
		}
		commits = append(commits, c)
	}
	results, err := store.Append(t.Context(), commits...)
	require.NoError(t, err)
	want := make([]eventstore.Outcome, len(commits))
	for i, result := range results {
		require.NoError(t, result.Err)
		want[i] = stored(commits[i], result)
	}
	slices.SortFunc(want, func(a, b eventstore.Outcome) int { return strings.Compare(a.CommandID, b.CommandID) })
	require.Equal(t, want, list(""), "Outcomes yields every outcome as it was stored, in the order of the bytes of command IDs")
	for _, i := range []int{0, 3, 1023, 1024, len(want) - 2} {
		require.Equal(t, want[i+1:], list(want[i].CommandID), "Outcomes yields those after a command ID")
	}
	require.Equal(t, want[1:], list(want[0].CommandID+"\x00"), "the command ID need not be there")
	require.Empty(t, list(want[len(want)-1].CommandID), "nothing is after the last")

	for _, err := range eventstore.Outcomes(t.Context(), store, "") {
		require.NoError(t, err)
		break // and leaves nothing behind
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range eventstore.Outcomes(ctx, store, "") {
		require.ErrorIs(t, err, context.Canceled, "Outcomes ends with its context")
	}
	require.NoError(t, store.Close())
	for _, err := range eventstore.Outcomes(t.Context(), store, "") {
		require.ErrorIs(t, err, eventstore.ErrClosed, "a store that is closed lists nothing")
	}
}
