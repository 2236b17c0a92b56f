package eventstoretest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFaultyIsAStore holds a faulty store that has not been told to fail against the
// contract.
func TestFaultyIsAStore(t *testing.T) {
	eventstoretest.Run(t, eventstoretest.Features{}, func(testing.TB, string) eventstore.Store {
		return eventstoretest.Faulty(memory.New())
	})
}

var commit = eventstore.Commit{Stream: "s", Events: []eventstore.Event{
	{Type: "t", Schema: 1, Data: []byte(`{}`), Time: time.Unix(1, 0)},
}}

func read(t *testing.T, store eventstore.Store) (n int, failed error) {
	t.Helper()
	for _, err := range store.ReadAll(t.Context(), 0) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func TestFailAppend(t *testing.T) {
	store := eventstoretest.Faulty(memory.New())
	mine := errors.New("mine")
	store.FailAppend(2, nil)
	store.FailAppendAfter(3, mine)
	stored := 0
	for i, want := range []error{nil, eventstoretest.ErrInjected, mine, nil} {
		results, err := store.Append(t.Context(), commit)
		require.ErrorIs(t, err, want, "call %d", i+1)
		if want != nil {
			require.Nil(t, results)
		}
		require.Equal(t, want == mine, errors.Is(err, eventstore.ErrUnknown), "only what may be stored is unknown")
		if want == nil || want == mine {
			stored++
		}
		n, err := read(t, store)
		require.NoError(t, err)
		require.Equal(t, stored, n, "call %d", i+1)
	}
	require.Equal(t, 4, store.Appends())
}

func TestBeforeAppend(t *testing.T) {
	store := eventstoretest.Faulty(memory.New())
	store.BeforeAppend(func(ctx context.Context, _ []eventstore.Commit) error {
		_, err := store.Store.Append(ctx, commit) // somebody gets in between
		return err
	})
	late := commit
	late.Expect = eventstore.Absent()
	results, err := store.Append(t.Context(), late)
	require.NoError(t, err)
	require.ErrorIs(t, results[0].Err, eventstore.ErrConflict)

	store.BeforeAppend(func(context.Context, []eventstore.Commit) error { return eventstore.ErrBusy })
	_, err = store.Append(t.Context(), commit)
	require.ErrorIs(t, err, eventstore.ErrBusy)
	store.BeforeAppend(nil)
	_, err = store.Append(t.Context(), commit)
	require.NoError(t, err)
	require.Equal(t, 3, store.Appends())
}

func TestFailReads(t *testing.T) {
	store := eventstoretest.Faulty(memory.New())
	_, err := store.Append(t.Context(), commit, commit, commit)
	require.NoError(t, err)
	store.FailRead(1, 2, nil)
	store.FailRead(2, 0, nil)
	for _, want := range []int{2, 0} {
		n, err := read(t, store)
		require.ErrorIs(t, err, eventstoretest.ErrInjected)
		require.Equal(t, want, n, "records before the fault are yielded")
	}
	n, err := read(t, store)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, 3, store.Reads())

	store.FailRead(1, 1, nil)
	for _, err := range store.ReadStream(t.Context(), "s", 0) {
		require.NoError(t, err)
		break // before the fault
	}
	store.FailHead(1, nil)
	_, err = store.Head(t.Context())
	require.ErrorIs(t, err, eventstoretest.ErrInjected)
	store.FailOutcome(1, nil)
	_, _, err = store.Outcome(t.Context(), "x")
	require.ErrorIs(t, err, eventstoretest.ErrInjected)
	head, err := store.Head(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, head)
	require.Panics(t, func() { store.FailAppend(0, nil) }, "calls are counted from 1")
}
