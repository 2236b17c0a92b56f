package projections_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// TestARebuildComparesByDigest: it tells of each projection whether its old rows were what
// the log gives, and warns where they were not.
func TestARebuildComparesByDigest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	var said bytes.Buffer
	opts := options(counter{name: "counts"}, counter{name: "others"})
	opts.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	views := opened(t, path, grown(t, 100), opts)
	equal, err := views.RebuildReport(t.Context(), nil)
	require.NoError(t, err)
	require.EqualValues(t, 100, equal.Position)
	require.Empty(t, equal.Unknown)
	require.False(t, equal.Differs())
	require.Equal(t, []string{"counts", "others"}, []string{equal.Projections[0].Projection, equal.Projections[1].Projection})
	require.Equal(t, equal.Projections[0].Old, equal.Projections[0].New)
	require.Empty(t, said.String())

	edit(t, path, "UPDATE others SET n = n + 1 WHERE stream = 'group:a'")
	found, err := views.RebuildReport(t.Context(), nil)
	require.NoError(t, err)
	require.True(t, found.Differs())
	require.Equal(t, equal.Projections[0], found.Projections[0])
	require.Equal(t, []string{"others"}, found.Projections[1].Differ)
	require.Equal(t, equal.Projections[1].New, found.Projections[1].New)
	require.NotEqual(t, found.Projections[1].Old, found.Projections[1].New)
	require.Contains(t, said.String(), "projection=others position=100 tables=[others]")
	require.NotContains(t, said.String(), "projection=counts")

	again, err := views.RebuildReport(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, equal, again)
}

type ofRebuild struct{}

// marked is the context of a rebuild, which busy knows again.
func marked(t *testing.T) context.Context { return context.WithValue(t.Context(), ofRebuild{}, true) }

// busy is a log to which somebody appends whenever a rebuild has looked where it ends.
type busy struct {
	eventstore.Store
	after func() // each look of a rebuild
}

func (b *busy) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := b.Store.Head(ctx)
	if ctx.Value(ofRebuild{}) != nil && b.after != nil {
		b.after()
	}
	return head, err
}

// TestARebuildComparesAtOnePosition, however much comes meanwhile: a few events, which the
// swap brings in, and more than it would.
func TestARebuildComparesAtOnePosition(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		for _, more := range []int{1, 7, 70} {
			inner := grown(t, 200)
			log := &busy{Store: inner}
			opts := options(hoarder{many: 33}, counter{name: "counts"})
			opts.PageSize, opts.RebuildPageSize = 10, 50
			if path != ":memory:" {
				path = filepath.Join(t.TempDir(), "v.db")
			}
			views := opened(t, path, log, opts)
			looks := 0
			log.after = func() {
				if looks++; looks < 6 {
					require.NoError(t, views.WaitFor(t.Context(), grow(t, inner, more)))
				}
			}
			found, err := views.RebuildReport(marked(t), nil)
			require.NoError(t, err)
			require.Empty(t, found.Unknown)
			require.False(t, found.Differs())
			require.Greater(t, found.Position, eventstore.Position(200))
			log.after = nil
			require.NoError(t, views.CatchUp(t.Context()))
			fresh := options(hoarder{}, counter{name: "counts"})
			require.Equal(t, digestOf(t, opened(t, ":memory:", inner, fresh)), digestOf(t, views))
			noDebris(t, path)
		}
	})
}

// TestARebuildOfWhatCannotBeCompared replaces it all the same, and says why it was not.
func TestARebuildOfWhatCannotBeCompared(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string, log eventstore.Store)
		says  string
	}{
		"behind": {func(t *testing.T, _ string, log eventstore.Store) { grow(t, log, 5) }, "the old rows are at position 10, and the new ones at 15"},
		"a table is gone": {func(t *testing.T, path string, _ eventstore.Store) {
			edit(t, path, "DROP TABLE counts; DELETE FROM projection_tables WHERE name = 'counts'")
		}, "the old rows cannot be read: no such table: counts"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.db")
			log := grown(t, 10)
			opts := options()
			opts.Manual = true
			views := opened(t, path, log, opts)
			test.spoil(t, path, log)
			found, err := views.RebuildReport(t.Context(), nil)
			require.NoError(t, err)
			require.Equal(t, test.says, found.Unknown)
			require.Empty(t, found.Projections)
			require.Equal(t, digest(t, log), digestOf(t, views))
			noDebris(t, path)
		})
	}
}

// TestARebuildOfWhatIsParked: rows that stand still are not waited for.
func TestARebuildOfWhatIsParked(t *testing.T) {
	failing := true
	opts := options(counter{name: "counts", fail: func(e projections.Event) error {
		if failing && e.Position == 7 {
			return errPoison
		}
		return nil
	}})
	opts.Park, opts.Manual = true, true
	views, err := projections.Open(t.Context(), filepath.Join(t.TempDir(), "v.db"), grown(t, 10), opts)
	require.NoError(t, err)
	defer views.Close()
	require.Error(t, views.CatchUp(t.Context()))
	failing = false
	found, err := views.RebuildReport(t.Context(), nil)
	require.NoError(t, err)
	require.Contains(t, found.Unknown, "the new ones at 10")
}

// TestARebuildThatIsStoppedWhileItCompares leaves what an interrupted one does: the next
// goes on from the end, and nothing is left of either.
func TestARebuildThatIsStoppedWhileItCompares(t *testing.T) {
	for _, look := range []int{2, 3} { // after filling, and after comparing
		path := filepath.Join(t.TempDir(), "v.db")
		log := &busy{Store: grown(t, 200)}
		opts := fillers()
		opts.Manual = false
		views := opened(t, path, log, opts)
		want := digestOf(t, views)
		edit(t, path, "UPDATE counts SET n = 77")
		wrong := digestOf(t, views)
		ctx, cancel := context.WithCancel(marked(t))
		looks, journals := 0, map[string][]byte{}
		log.after = func() {
			if looks++; looks == look {
				for _, suffix := range []string{".rebuild", ".rebuild-journal"} { // as a crash would leave them
					file, err := os.ReadFile(path + suffix)
					require.True(t, err == nil || errors.Is(err, os.ErrNotExist))
					journals[suffix] = file
				}
				cancel()
			}
		}
		_, err := views.RebuildReport(ctx, nil)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, wrong, digestOf(t, views), "the old rows are as they were")
		log.after = nil
		require.FileExists(t, path+".rebuild")
		require.EqualValues(t, 200, rebuilt(t, views)[0], "the next goes on from there")
		require.Equal(t, want, digestOf(t, views))
		noDebris(t, path)

		for suffix, file := range journals {
			require.NoError(t, os.WriteFile(path+suffix, file, 0o600))
		}
		other := opened(t, path, log, opts)
		noDebris(t, path) // 200 events are less than a mark: what a crash left is removed
		require.Equal(t, want, digestOf(t, other))
	}
}
