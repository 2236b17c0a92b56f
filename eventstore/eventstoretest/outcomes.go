package eventstoretest

import (
	"errors"
	"fmt"
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
