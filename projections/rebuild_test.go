package projections_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// each runs a test with views in memory and in a file.
func each(t *testing.T, test func(t *testing.T, path string)) {
	t.Run("memory", func(t *testing.T) { test(t, ":memory:") })
	t.Run("file", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "v.db")) })
}

func TestRebuildGivesTheSameRows(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		log := grown(t, 100)
		opts := options(counter{name: "counts"}, counter{name: "others"})
		opts.RebuildPageSize = 7
		views := opened(t, path, log, opts)
		want := digestOf(t, views)
		var steps []eventstore.Position
		require.NoError(t, views.Rebuild(t.Context(), func(done, total eventstore.Position) {
			require.Equal(t, eventstore.Position(100), total)
			steps = append(steps, done)
		}))
		require.Len(t, steps, 15)
		require.Equal(t, want, digestOf(t, views))
		grow(t, log, 10)
		require.NoError(t, views.CatchUp(t.Context()), "the runner goes on")
		noDebris(t, path)
	})
}

// noDebris asserts that there is nothing beside the views.
func noDebris(t *testing.T, path string) {
	t.Helper()
	if path == ":memory:" {
		return
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, entry := range entries {
		require.Contains(t, []string{"v.db", "v.db-wal", "v.db-shm"}, entry.Name())
	}
}

func TestRebuildRepairs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 10)
	views := opened(t, path, log, options())
	want := digestOf(t, views)
	differences, err := views.Compare(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, differences)

	edit(t, path, "UPDATE counts SET n = 77 WHERE stream = 'group:a'; DELETE FROM counts WHERE stream = 'group:b'")
	require.NotEqual(t, want, digestOf(t, views))
	differences, err = views.Compare(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, []projections.Difference{{
		Projection: "counts", Table: "counts", Extra: 1, Missing: 2,
		Examples: []string{
			"extra: stream=group:a, n=77, last=10",
			"missing: stream=group:a, n=4, last=10",
			"missing: stream=group:b, n=3, last=8",
		},
		Rows: []projections.Row{
			{Key: "stream=group:a", Live: "n=77, last=10", Rebuilt: "n=4, last=10"},
			{Key: "stream=group:b", Rebuilt: "n=3, last=8"},
		},
	}}, differences)
	noDebris(t, path)

	require.NoError(t, views.Rebuild(t.Context(), nil))
	require.Equal(t, want, digestOf(t, views))
	grow(t, log, 3)
	require.NoError(t, views.CatchUp(t.Context()), "nothing is remembered of the rows before")
	require.Equal(t, digest(t, log), digestOf(t, views))
}

// TestRebuildUnderTraffic: while rows are made anew again and again, events come in,
// and every query sees rows that were right at some position that does not go back.
func TestRebuildUnderTraffic(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		log := grown(t, 500)
		opts := options()
		opts.PageSize, opts.RebuildPageSize = 10, 50
		views := opened(t, path, log, opts)
		var wg sync.WaitGroup
		var done atomic.Bool
		for range 3 {
			wg.Go(func() {
				last := 0
				for !done.Load() {
					err := views.Read(context.Background(), func(tx *sql.Tx) error {
						var sum, position int
						err := tx.QueryRow("SELECT sum(n), (SELECT position FROM projection_checkpoints) FROM counts").Scan(&sum, &position)
						if err == nil && (sum != position || position < last) {
							t.Errorf("%d events in the rows at position %d, after %d", sum, position, last)
						}
						last = position
						return err
					})
					if err != nil {
						t.Errorf("query during a rebuild: %v", err)
						return
					}
				}
			})
		}
		wg.Go(func() {
			for !done.Load() {
				at := grow(t, log, 3)
				if err := views.WaitFor(context.Background(), at); err != nil {
					t.Error(err)
				}
			}
		})
		for range 8 {
			require.NoError(t, views.Rebuild(t.Context(), nil))
			_, err := views.Compare(t.Context(), nil)
			require.NoError(t, err)
		}
		done.Store(true)
		wg.Wait()
		require.NoError(t, views.CatchUp(t.Context()))
		require.Equal(t, digest(t, log), digestOf(t, views))
		noDebris(t, path)
	})
}

func TestCloseEndsARebuild(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		const events = 5_000
		log := grown(t, events)
		opts := options()
		opts.RebuildPageSize = 1
		views := opened(t, path, log, opts)
		begun, closed := make(chan struct{}), make(chan error)
		var once sync.Once
		go func() {
			<-begun
			closed <- views.Close()
		}()
		pages := 0
		err := views.Rebuild(t.Context(), func(_, _ eventstore.Position) {
			pages++
			once.Do(func() {
				close(begun)
				for views.WaitFor(t.Context(), 0) == nil { // until Close has begun
				}
			})
		})
		require.ErrorIs(t, err, projections.ErrClosed)
		require.NoError(t, <-closed)
		require.Less(t, pages, events)
		if path != ":memory:" {
			require.FileExists(t, path+".rebuild", "the next one goes on from there")
		}
	})
}

func TestWhatACrashLeftIsRemovedUnlessItIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 100)
	for _, name := range []string{".rebuild", ".rebuild-journal", ".compare", ".compare-wal"} {
		require.NoError(t, os.WriteFile(path+name, []byte("cut off"), 0o600))
	}
	opts := options()
	opts.RebuildPageSize = 10
	views := opened(t, path, log, opts)
	noDebris(t, path)

	require.NoError(t, views.Rebuild(t.Context(), func(done, _ eventstore.Position) {
		if done != 50 {
			return
		}
		other := opened(t, path, log, options())
		require.FileExists(t, path+".rebuild", "another's rebuild is left alone")
		require.ErrorContains(t, other.Rebuild(t.Context(), nil), "in use")
	}))
	noDebris(t, path)
}

// TestTwoShareAFileThatIsRebuilt: the other's rows, and what it remembers of them, are
// good after the swap.
func TestTwoShareAFileThatIsRebuilt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 50)
	a, b := opened(t, path, log, options()), opened(t, path, log, options())
	for range 3 {
		require.NoError(t, a.Rebuild(t.Context(), nil))
		at := grow(t, log, 7)
		require.NoError(t, b.WaitFor(t.Context(), at))
		require.NoError(t, a.WaitFor(t.Context(), at))
	}
	require.Equal(t, digest(t, log), digestOf(t, b))
}
