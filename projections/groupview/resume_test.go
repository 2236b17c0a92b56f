package groupview_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// TestAnInterruptedRebuildGivesTheSameRows, wherever it is interrupted and however many
// rows it may load when it goes on.
func TestAnInterruptedRebuildGivesTheSameRows(t *testing.T) {
	dir := t.TempDir()
	populate(t, filepath.Join(dir, "groups.db"), 5_000)
	log, err := sqlite.Open(t.Context(), filepath.Join(dir, "groups.db"), nil)
	require.NoError(t, err)
	defer log.Close()
	var want projections.Digest
	for i, keep := range []int{1 << 20, 1 << 20, 300, 0} {
		opts := options(100)
		opts.Projections = []projections.Projection{groupview.NewKeeping(keep)}
		opts.RebuildPageSize, opts.Manual = 40, true
		views, err := projections.Open(t.Context(), filepath.Join(dir, "views.db"), log, opts)
		require.NoError(t, err)
		require.NoError(t, views.CatchUp(t.Context()))
		if i == 0 {
			want, err = views.Digest(t.Context())
			require.NoError(t, err)
		}
		for at := eventstore.Position(0); at < 4_500; {
			ctx, cancel := context.WithCancel(t.Context())
			stop := min(at+40+eventstore.Position(rand.IntN(1_500)), 4_900)
			err := views.Rebuild(ctx, func(done, _ eventstore.Position) {
				if at = done; done >= stop {
					cancel()
				}
			})
			require.ErrorIs(t, err, context.Canceled)
			cancel()
		}
		require.NoError(t, views.Rebuild(t.Context(), nil))
		got, err := views.Digest(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got, "with room for %d rows", keep)
		require.NoError(t, views.Close())
	}
}

// TestRebuildsOfAnyHistory are the same as rows that were made event by event, wherever they
// are interrupted, however few rows may stay in memory, and while the log grows: users leave
// and come back, applications are made again, groups end and their IDs begin anew, between
// one part and the next.
func TestRebuildsOfAnyHistory(t *testing.T) {
	dir, histories := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		w := newWorld(ctx)
		histories++
		steps := rapid.IntRange(1, 60)
		grow := func() {
			for range steps.Draw(t, "steps") {
				w.step(t)
			}
		}
		plain, err := projections.Open(ctx, ":memory:", w.log, options(1))
		require.NoError(t, err)
		defer plain.Close()
		opts := options(rapid.IntRange(1, 7).Draw(t, "page")) // a mark every fifty of them
		opts.Projections[0] = groupview.NewKeeping(rapid.SampledFrom([]int{0, 1, 3, 8, 25, 80, 1000}).Draw(t, "keep"))
		grow()
		views, err := projections.Open(ctx, filepath.Join(dir, fmt.Sprint(histories, ".db")), w.log, opts)
		require.NoError(t, err)
		defer views.Close()
		for range rapid.IntRange(0, 5).Draw(t, "parts") {
			interruptedAfter(t, views, steps.Draw(t, "part"))
			grow()
		}
		require.NoError(t, views.Rebuild(ctx, nil))
		for _, v := range []*projections.Views{plain, views} {
			require.NoError(t, v.WaitFor(ctx, w.head))
		}
		want, err := plain.Digest(ctx)
		require.NoError(t, err)
		got, err := views.Digest(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// interruptedAfter rebuilds views and stops after so many events, if they are as many.
func interruptedAfter(t require.TestingT, views *projections.Views, events int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first := eventstore.Position(0)
	err := views.Rebuild(ctx, func(done, _ eventstore.Position) {
		if first = cmp.Or(first, done); done >= first+eventstore.Position(events) {
			cancel()
		}
	})
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
}

const rebuildIn = "GROUPLOG_TEST_REBUILD"

// TestRebuildInAChild is what TestAKilledRebuildGoesOn kills.
func TestRebuildInAChild(t *testing.T) {
	dir := os.Getenv(rebuildIn)
	if dir == "" {
		t.Skip("a part of another test")
	}
	log, views := openIn(t, dir)
	require.NoError(t, views.Rebuild(t.Context(), func(done, _ eventstore.Position) { fmt.Println(done) }))
	require.NoError(t, views.Close())
	require.NoError(t, log.Close())
}

func openIn(t *testing.T, dir string) (*sqlite.DB, *projections.Views) {
	log, err := sqlite.Open(t.Context(), filepath.Join(dir, "groups.db"), nil)
	require.NoError(t, err)
	opts := options(100)
	opts.RebuildPageSize, opts.Manual = 40, true
	views, err := projections.Open(t.Context(), filepath.Join(dir, "views.db"), log, opts)
	require.NoError(t, err)
	return log, views
}

// TestAKilledRebuildGoesOn from its last mark, which are 2000 events apart here.
func TestAKilledRebuildGoesOn(t *testing.T) {
	const events = 12_000
	dir := t.TempDir()
	populate(t, filepath.Join(dir, "groups.db"), events)
	log, views := openIn(t, dir)
	defer log.Close()
	defer func() { require.NoError(t, views.Close()) }()
	require.NoError(t, views.CatchUp(t.Context()))
	want, err := views.Digest(t.Context())
	require.NoError(t, err)
	marked := 0
	for range 6 {
		child := exec.Command(os.Args[0], "-test.run=^TestRebuildInAChild$")
		child.Env = append(os.Environ(), rebuildIn+"="+dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		stop, done, first := marked+rand.IntN(4_000), 0, true
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if done, err = strconv.Atoi(lines.Text()); err != nil {
				break // the child is ready before it could be killed
			}
			if first && marked > 0 {
				require.GreaterOrEqual(t, done, marked, "it goes on from the last mark or later")
			}
			if first = false; done >= stop {
				require.NoError(t, child.Process.Kill())
				break
			}
		}
		if child.Wait() == nil {
			marked = 0 // and the next one begins anew
			continue
		}
		marked = (done - 1) / 2_000 * 2_000 // said before the mark
	}
	require.NoError(t, views.Rebuild(t.Context(), nil))
	got, err := views.Digest(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
	differences, err := views.Compare(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, differences)
}

// TestApplicationsAreMadeAgainAfterAMark: their rows are written by then, and move.
func TestApplicationsAreMadeAgainAfterAMark(t *testing.T) {
	const applications = 300
	w := newWorld(t.Context())
	w.create(t, "chess", domain.Public, "owner")
	ids := make([]string, applications)
	for i := range ids {
		ids[i] = w.apply(t, "chess", fmt.Sprint("user-", i), "please")
	}
	for i, id := range ids { // marks are 200 events apart
		user := fmt.Sprint("user-", i)
		w.record(t, "chess", user, domain.ApplicationRefreshed{ApplicationID: id, From: user, UserID: user, Message: "again"})
		if i%3 == 0 {
			w.record(t, "chess", "owner", domain.ApplicationRefused{ApplicationID: id, From: user, UserID: user})
		}
	}
	views := w.views(t, filepath.Join(t.TempDir(), "views.db"), projections.Options{RebuildPageSize: 4, Manual: true})
	require.NoError(t, views.CatchUp(t.Context()))
	want, err := views.Digest(t.Context())
	require.NoError(t, err)
	require.NoError(t, views.Rebuild(t.Context(), nil))
	got, err := views.Digest(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
}
