package overlay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/overlay"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

func TestOverlayOnNothing(t *testing.T) {
	eventstoretest.Run(t, eventstoretest.Features{}, func(t testing.TB, _ string) eventstore.Store {
		store, err := overlay.New(t.Context(), memory.New())
		require.NoError(t, err)
		return store
	})
}

func commit(stream string, expect eventstore.Expectation, id string, events ...string) eventstore.Commit {
	c := eventstore.Commit{Stream: stream, Expect: expect}
	for _, name := range events {
		c.Events = append(c.Events, eventstore.Event{Type: name, Schema: 1, Data: []byte("{}"), Actor: "a", Time: time.Unix(1, 0)})
	}
	if id != "" {
		c.Outcome = &eventstore.Outcome{CommandID: id, Fingerprint: []byte("f"), Answer: []byte("{}")}
	}
	return c
}

// An overlay goes on where the log below was, and leaves it alone.
func TestOverlayOnALog(t *testing.T) {
	ctx := t.Context()
	base := memory.New()
	_, err := base.Append(ctx, commit("s", eventstore.Absent(), "first", "e1", "e2"))
	require.NoError(t, err)
	store, err := overlay.New(ctx, base)
	require.NoError(t, err)
	// What comes to the log below afterwards is not seen.
	_, err = base.Append(ctx, commit("s", eventstore.Exactly(2), "", "unseen"), commit("t", eventstore.Absent(), "", "unseen"))
	require.NoError(t, err)

	results, err := store.Append(ctx,
		commit("s", eventstore.Exactly(2), "second", "e3"),
		commit("s", eventstore.Exactly(2), "", "late"),
		commit("t", eventstore.Absent(), "", "e4"),
		commit("s", eventstore.Any(), "first", "again"),
		commit("s", eventstore.Any(), "second", "again"))
	require.NoError(t, err)
	require.Equal(t, eventstore.Result{First: 3, Last: 3, Version: 3}, results[0])
	require.ErrorIs(t, results[1].Err, eventstore.ErrConflict)
	require.Equal(t, eventstore.Result{First: 4, Last: 4, Version: 1}, results[2])
	for i, first := range map[int]eventstore.Position{3: 1, 4: 3} {
		var duplicate *eventstore.DuplicateError
		require.ErrorAs(t, results[i].Err, &duplicate)
		require.Equal(t, first, duplicate.Stored.First)
	}

	head, err := store.Head(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 4, head)
	for after := eventstore.Position(0); after <= 5; after++ {
		var got []string
		next := after
		for record, err := range store.ReadAll(ctx, after) {
			require.NoError(t, err)
			next++
			require.Equal(t, next, record.Position)
			got = append(got, record.Type)
		}
		require.Equal(t, []string{"e1", "e2", "e3", "e4"}[min(after, 4):], append([]string{}, got...))
	}
	for after := eventstore.Version(0); after <= 4; after++ {
		got := []string{}
		next := after
		for record, err := range store.ReadStream(ctx, "s", after) {
			require.NoError(t, err)
			next++
			require.Equal(t, next, record.Version)
			got = append(got, record.Type)
		}
		require.Equal(t, []string{"e1", "e2", "e3"}[min(after, 3):], got)
	}
	head, err = base.Head(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 4, head)
	_, found, err := base.Outcome(ctx, "second")
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, store.Close())
	_, err = base.Head(ctx)
	require.NoError(t, err)
}
