package eventstoretest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// A shuffled store keeps what is left of the contract.
func TestShuffledIsAStore(t *testing.T) {
	eventstoretest.Run(t, eventstoretest.Features{Unordered: true}, func(testing.TB, string) eventstore.Store {
		return eventstoretest.Shuffled(memory.New(), 1)
	})
}

// to is a commit to a stream.
func to(stream, event string) eventstore.Commit {
	return eventstore.Commit{Stream: stream, Events: []eventstore.Event{{Type: event, Schema: 1, Data: []byte(`{}`), Time: time.Unix(1, 0)}}}
}

func TestShuffledKeepsTheOrderOfEachStreamOnly(t *testing.T) {
	store := eventstoretest.Shuffled(memory.New(), 1)
	orders := map[string]bool{}
	for range 100 {
		results, err := store.Append(t.Context(), to("a", "1"), to("b", "1"), to("a", "2"), to("c", "1"))
		require.NoError(t, err)
		require.Equal(t, results[0].Last+1, results[2].Last)
		orders[fmt.Sprint(results[1].Last < results[0].Last, results[3].Last < results[0].Last, results[3].Last < results[1].Last)] = true
	}
	require.Len(t, orders, 6)
}

// What fails is told of each stream, once something is stored.
func TestShuffledFailsStreamByStream(t *testing.T) {
	log := memory.New()
	faulty := eventstoretest.Faulty(log)
	store := eventstoretest.Shuffled(faulty, 1)
	faulty.FailAppend(1, nil)
	results, err := store.Append(t.Context(), to("a", "1"), to("b", "1"))
	require.ErrorIs(t, err, eventstoretest.ErrInjected)
	require.Nil(t, results)

	faulty.FailAppendAfter(2, nil)
	results, err = store.Append(t.Context(), to("a", "1"), to("b", "1"))
	require.NoError(t, err)
	failed := 0
	for _, result := range results {
		if result.Err != nil {
			failed++
			require.ErrorIs(t, result.Err, eventstore.ErrUnknown)
		}
	}
	require.Equal(t, 1, failed)
	n, err := read(t, log)
	require.NoError(t, err)
	require.Equal(t, 2, n, "it is stored all the same")
}
