package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

// Picked records are those that are read, in the order asked for, from any store.
func TestPick(t *testing.T) {
	file, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "groups.db"), nil)
	require.NoError(t, err)
	for _, store := range []eventstore.Store{file, memory.New()} {
		for range 5 {
			_, err := store.Append(t.Context(), eventstore.Commit{Stream: "a", Events: []eventstore.Event{{Type: "t", Schema: 1, Data: []byte(`{}`), Time: time.Unix(1, 0)}}})
			require.NoError(t, err)
		}
		var all []eventstore.Record
		for r, err := range store.ReadAll(t.Context(), 0) {
			require.NoError(t, err)
			all = append(all, r)
		}
		got, err := eventstore.Pick(t.Context(), store, []eventstore.Position{4, 1, 5, 4})
		require.NoError(t, err)
		require.Equal(t, []eventstore.Record{all[3], all[0], all[4], all[3]}, got)
		for _, p := range []eventstore.Position{0, 6} {
			_, err := eventstore.Pick(t.Context(), store, []eventstore.Position{1, p})
			require.ErrorContains(t, err, "no record at position")
		}
		require.NoError(t, store.Close())
		_, err = eventstore.Pick(t.Context(), store, []eventstore.Position{1})
		require.ErrorIs(t, err, eventstore.ErrClosed)
	}
}
