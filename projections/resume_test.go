package projections_test

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
)

// interrupt begins a rebuild and ends its context at a position.
func interrupt(t *testing.T, views *projections.Views, at eventstore.Position) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	err := views.Rebuild(ctx, func(done, _ eventstore.Position) {
		if done >= at {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
}

// rebuilt rebuilds, and returns how far it was at each step.
func rebuilt(t *testing.T, views *projections.Views) (steps []eventstore.Position) {
	t.Helper()
	require.NoError(t, views.Rebuild(t.Context(), func(done, _ eventstore.Position) { steps = append(steps, done) }))
	return steps
}

// watched is a log that remembers from where it was read.
type watched struct {
	eventstore.Store
	from []eventstore.Position
}

func (w *watched) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	w.from = append(w.from, after)
	return w.Store.ReadAll(ctx, after)
}

// fillers are projections that keep rows back, and one that does not.
func fillers() *projections.Options {
	opts := options(hoarder{many: 33}, counter{name: "counts"})
	opts.PageSize, opts.RebuildPageSize, opts.Manual = 20, 10, true
	return opts
}

// TestAnInterruptedRebuildGoesOn from where it was, in this process or another one, and
// gives the rows that it would have given.
func TestAnInterruptedRebuildGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := &watched{Store: grown(t, 2000)}
	first := opened(t, path, log, fillers())
	want, indexes := digestOf(t, first), schemaOf(t, first)
	edit(t, path, "UPDATE counts SET n = 77")
	wrong := digestOf(t, first)

	interrupt(t, first, 50)
	require.Equal(t, wrong, digestOf(t, first), "the old rows are as they were")
	interrupt(t, first, 730) // beyond the first mark, at 500
	interrupt(t, first, 1200)
	grow(t, log, 100)
	second := opened(t, path, log, fillers())
	log.from = nil
	steps := rebuilt(t, second)
	require.EqualValues(t, 1200, steps[0])
	require.NotContains(t, log.from, eventstore.Position(0))
	require.NoError(t, first.CatchUp(t.Context()))
	require.NotEqual(t, want, digestOf(t, second), "100 more")
	fresh := opened(t, filepath.Join(t.TempDir(), "fresh.db"), log, fillers())
	require.Equal(t, digestOf(t, fresh), digestOf(t, second))
	require.Equal(t, indexes, schemaOf(t, second))
	noDebris(t, path)
	require.EqualValues(t, 10, rebuilt(t, second)[0], "the next one begins anew")
}

// TestAnInterruptedRebuildInMemoryLeavesNothing: there is nobody who would go on.
func TestAnInterruptedRebuildInMemoryLeavesNothing(t *testing.T) {
	views := opened(t, ":memory:", grown(t, 100), fillers())
	want := digestOf(t, views)
	interrupt(t, views, 50)
	require.Equal(t, want, digestOf(t, views))
	require.EqualValues(t, 10, rebuilt(t, views)[0])
	require.Equal(t, want, digestOf(t, views))
}

// TestARebuildThatFailsLeavesNothing, unlike one that is interrupted.
func TestARebuildThatFailsLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	poisoned := false
	opts := options(counter{name: "counts", fail: func(e projections.Event) error {
		if poisoned && e.Position == 700 {
			return errPoison
		}
		return nil
	}})
	opts.RebuildPageSize = 10
	views := opened(t, path, grown(t, 1000), opts)
	poisoned = true
	require.ErrorIs(t, views.Rebuild(t.Context(), nil), errPoison)
	noDebris(t, path)
}

// TestARebuildThatCannotGoOnBeginsAnew: what is left of another log, by another version, or
// by a crash before the first mark, is removed by Open and by Rebuild.
func TestARebuildThatCannotGoOnBeginsAnew(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, scratch string, opts *projections.Options) (log eventstore.Store){
		"another way": func(t *testing.T, _ string, _ *projections.Options) eventstore.Store {
			other := memory.New()
			grow(t, other, 1)
			grow(t, other, 999)
			return other
		},
		"shorter": func(t *testing.T, _ string, _ *projections.Options) eventstore.Store { return grown(t, 300) },
		"another version": func(_ *testing.T, _ string, opts *projections.Options) eventstore.Store {
			opts.Projections[0] = counter{name: "counts", version: 2}
			return nil
		},
		"one more": func(_ *testing.T, _ string, opts *projections.Options) eventstore.Store {
			opts.Projections = append(opts.Projections, counter{name: "others"})
			return nil
		},
		"no seal": func(t *testing.T, scratch string, _ *projections.Options) eventstore.Store {
			edit(t, scratch, "PRAGMA user_version = 0")
			return nil
		},
		"half a seal": func(t *testing.T, scratch string, _ *projections.Options) eventstore.Store {
			edit(t, scratch, "PRAGMA user_version = -1")
			return nil
		},
		"another log": func(t *testing.T, scratch string, _ *projections.Options) eventstore.Store {
			edit(t, scratch, "UPDATE projection_file SET log_id = 'x'")
			return nil
		},
		"cut off": func(t *testing.T, scratch string, _ *projections.Options) eventstore.Store {
			require.NoError(t, os.Truncate(scratch, 5000))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.db")
			log := grown(t, 1000)
			opts := options()
			opts.RebuildPageSize, opts.Manual = 10, true
			interrupt(t, opened(t, path, log, opts), 600)
			var store eventstore.Store = log
			if other := spoil(t, path+".rebuild", opts); other != nil {
				store = relabelled{other, log.ID()}
			}
			scratch, err := os.ReadFile(path + ".rebuild")
			require.NoError(t, err)
			views := opened(t, path, store, opts)
			require.NoFileExists(t, path+".rebuild", "Open removes it")
			require.NoError(t, os.WriteFile(path+".rebuild", scratch, 0o600))
			require.EqualValues(t, 10, rebuilt(t, views)[0], "Rebuild begins anew")
			require.Equal(t, digestOf(t, opened(t, ":memory:", store, opts)), digestOf(t, views))
			noDebris(t, path)
		})
	}
}

// TestACrashLeavesTheLastMark: the second file, as it lies there in the middle of a
// rebuild, holds what was marked, or is not gone on from.
func TestACrashLeavesTheLastMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 2000)
	opts := fillers()
	opts.Projections = append(opts.Projections, spiller{counter{name: "spilled"}})
	views := opened(t, path, log, opts)
	want := digestOf(t, views)
	left := map[eventstore.Position][2][]byte{}
	require.NoError(t, views.Rebuild(t.Context(), func(done, _ eventstore.Position) {
		if !slices.Contains([]eventstore.Position{490, 510, 900, 1010, 1990}, done) {
			return
		}
		file, err := os.ReadFile(path + ".rebuild")
		require.NoError(t, err)
		journal, _ := os.ReadFile(path + ".rebuild-journal")
		left[done] = [2][]byte{file, journal}
	}))
	for done, files := range left {
		require.NoError(t, os.WriteFile(path+".rebuild", files[0], 0o600))
		require.NoError(t, os.WriteFile(path+".rebuild-journal", files[1], 0o600))
		mark := max(done/500*500, 10)
		require.Equal(t, mark, rebuilt(t, views)[0], "killed at %d", done)
		require.Equal(t, want, digestOf(t, views))
	}
	require.Len(t, left, 5)
}

// spiller has SQLite write pages before the transaction ends, as it does with tables that
// are larger than its cache.
type spiller struct{ counter }

func (s spiller) Schema() string {
	return s.counter.Schema() + "CREATE TABLE spill (n INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;"
}

func (s spiller) Apply(ctx context.Context, tx *projections.Tx, events []projections.Event) error {
	return errors.Join(
		tx.Exec("PRAGMA main.cache_size = 1"),
		tx.Exec("INSERT INTO spill (n, bytes) VALUES (?, zeroblob(30000))", uint64(events[0].Position)),
		tx.Exec("UPDATE spill SET bytes = zeroblob(20000) WHERE n < ? AND length(bytes) > 20000", uint64(events[0].Position)),
		s.counter.Apply(ctx, tx, events),
	)
}

// TestAnEmptyFileIsFilledLikeARebuild, and by what a first attempt has left.
func TestAnEmptyFileIsFilledLikeARebuild(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 1000)
	var filled []bool
	opts := options(witness{hoarder{many: 33}, &filled})
	opts.PageSize, opts.RebuildPageSize, opts.Manual = 50, 100, true
	views := opened(t, path, log, opts)
	require.Equal(t, slices.Repeat([]bool{true}, 10), filled)
	opts.PageSize, opts.Projections = 1000, []projections.Projection{hoarder{}}
	byPage := opened(t, filepath.Join(t.TempDir(), "v.db"), log, opts)
	require.Equal(t, digestOf(t, byPage), digestOf(t, views))
	require.Equal(t, schemaOf(t, byPage), schemaOf(t, views))
	noDebris(t, path)

	filled = nil
	grow(t, log, 1000)
	require.NoError(t, views.CatchUp(t.Context()))
	require.Len(t, filled, 21, "the record at the checkpoint is looked at again")
	require.NotContains(t, filled, true, "only an empty one")
}

// witness notes for each page whether it was filling.
type witness struct {
	hoarder
	filled *[]bool
}

func (w witness) Apply(ctx context.Context, tx *projections.Tx, events []projections.Event) error {
	*w.filled = append(*w.filled, tx.Filling())
	return w.hoarder.Apply(ctx, tx, events)
}

// TestAFirstFillThatFails leaves the rows up to what cannot be applied.
func TestAFirstFillThatFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	opts := options(counter{name: "counts", fail: func(e projections.Event) error {
		if e.Position == 700 {
			return errPoison
		}
		return nil
	}})
	opts.PageSize, opts.Manual = 50, true
	views, err := projections.Open(t.Context(), path, grown(t, 1000), opts)
	require.NoError(t, err)
	defer views.Close()
	require.ErrorIs(t, views.CatchUp(t.Context()), errPoison)
	require.EqualValues(t, 650, views.Position())
	require.NoError(t, views.Read(t.Context(), func(tx *sql.Tx) error {
		var n int
		require.NoError(t, tx.QueryRow("SELECT sum(n) FROM counts").Scan(&n))
		require.Equal(t, 650, n)
		return nil
	}))
	noDebris(t, path)
}
