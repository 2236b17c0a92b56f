package eventstore_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

func appendTo(t *testing.T, store eventstore.Store, n int) {
	t.Helper()
	for i := range n {
		_, err := store.Append(context.Background(), eventstore.Commit{Stream: "s", Events: []eventstore.Event{{
			Type: "test.happened", Schema: 1, Data: fmt.Appendf(nil, "%d", i), Time: time.Unix(1, 0),
		}}})
		require.NoError(t, err)
	}
}

// What is appended while somebody follows is followed by what comes after it, however
// the two interleave.
func TestFollowHasNoSeam(t *testing.T) {
	store := memory.New()
	appendTo(t, store, 50)
	const all = 500
	done := make(chan struct{})
	go func() {
		defer close(done)
		appendTo(t, store, all-50) //nolint:testifylint // the test waits for it
	}()
	defer func() { <-done }()
	next := eventstore.Position(11)
	for record, err := range eventstore.Follow(t.Context(), store, 10, time.Hour) {
		require.NoError(t, err)
		require.Equal(t, next, record.Position)
		if next++; record.Position == all {
			break
		}
	}
}

// What another process appends is noticed without a hint.
func TestFollowPolls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	open := func() eventstore.Store {
		store, err := sqlite.Open(t.Context(), path, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		return store
	}
	mine, theirs := open(), open()
	appendTo(t, mine, 1)
	seen := 0
	for _, err := range eventstore.Follow(t.Context(), mine, 0, time.Millisecond) {
		require.NoError(t, err)
		if seen++; seen == 3 {
			break
		}
		appendTo(t, theirs, 1)
	}
}

func TestFollowEnds(t *testing.T) {
	store := eventstoretest.Faulty(memory.New())
	appendTo(t, store, 3)
	store.FailRead(1, 2, nil)
	var seen int
	var failure error
	for _, err := range eventstore.Follow(t.Context(), store, 0, 0) {
		if failure = err; err == nil {
			seen++
		}
	}
	require.Equal(t, 2, seen)
	require.ErrorIs(t, failure, eventstoretest.ErrInjected)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, failure = range eventstore.Follow(ctx, store, 2, 0) {
		cancel()
	}
	require.ErrorIs(t, failure, context.Canceled)
}
