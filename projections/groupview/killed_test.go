package groupview_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
)

// killAt is at which call of the log a child that rebuilds is killed.
const killAt = "GROUPLOG_TEST_KILL_AT"

type ofRebuild struct{}

// fatal is a log that grows whenever a rebuild looks where it ends, so that rows are to be
// brought in before the comparison and again in the swap; and that kills the process at
// one of the rebuild's calls.
type fatal struct {
	eventstore.Store
	grow  func()
	calls int
	at    int
}

func (f *fatal) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := f.Store.Head(ctx)
	if ctx.Value(ofRebuild{}) != nil {
		f.call()
		f.grow()
	}
	return head, err
}

func (f *fatal) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	if ctx.Value(ofRebuild{}) != nil {
		f.call()
	}
	return f.Store.ReadAll(ctx, after)
}

func (f *fatal) call() {
	if f.calls++; f.calls == f.at {
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {} // until the signal comes
	}
}

// TestRebuildOnAFatalLog is what TestARebuildKilledAtAnyCall kills.
func TestRebuildOnAFatalLog(t *testing.T) {
	dir := os.Getenv(rebuildIn)
	at, err := strconv.Atoi(os.Getenv(killAt))
	if dir == "" || err != nil {
		t.Skip("a part of another test")
	}
	inner, err := sqlite.Open(t.Context(), filepath.Join(dir, "groups.db"), nil)
	require.NoError(t, err)
	log := &fatal{Store: inner, at: at}
	opts := options(100)
	opts.RebuildPageSize, opts.Manual = 40, true
	views, err := projections.Open(t.Context(), filepath.Join(dir, "views.db"), log, opts)
	require.NoError(t, err)
	name, schema, data, err := domain.Encode(domain.GroupMuted{Muted: true})
	require.NoError(t, err)
	log.grow = func() {
		_, err := inner.Append(t.Context(), eventstore.Commit{Stream: domain.GroupStream("group-0"), Events: []eventstore.Event{
			{Type: name, Schema: schema, Data: data, Actor: "u", Time: time.Unix(2e9, 0)},
		}})
		require.NoError(t, err)
		require.NoError(t, views.CatchUp(t.Context()))
	}
	found, err := views.RebuildReport(context.WithValue(t.Context(), ofRebuild{}, true), nil)
	require.NoError(t, err)
	require.Empty(t, found.Unknown)
	require.NoError(t, views.Close())
	require.NoError(t, inner.Close())
	fmt.Println("calls:", log.calls)
}

// TestARebuildKilledAtAnyCall: while it fills, before and in the comparison, after it, and
// in the swap, the old rows stay valid, the next Open finds nothing that it would have to
// keep, or removes it, and the next rebuild is right.
func TestARebuildKilledAtAnyCall(t *testing.T) {
	for _, events := range []int{800, 2_500} { // without a mark, and with one
		dir := t.TempDir()
		populate(t, filepath.Join(dir, "groups.db"), events)
		killed := true
		for at := 1; killed; at++ {
			log, views := openIn(t, dir)
			require.NoError(t, views.CatchUp(t.Context()))
			require.NoError(t, views.Close())
			require.NoError(t, log.Close())
			child := exec.Command(os.Args[0], "-test.run=^TestRebuildOnAFatalLog$")
			child.Env = append(os.Environ(), rebuildIn+"="+dir, fmt.Sprint(killAt, "=", at))
			out, err := child.CombinedOutput()
			if killed = err != nil; killed {
				require.ErrorContains(t, err, "killed", "%s", out)
			} else {
				require.Greater(t, at, 6, "looks and reads: to fill, to compare, to swap")
			}
			log, views = openIn(t, dir)
			if events < 2_000 {
				require.NoFileExists(t, filepath.Join(dir, "views.db.rebuild"))
			}
			require.NoError(t, views.CatchUp(t.Context()))
			differences, err := views.Compare(t.Context(), nil)
			require.NoError(t, err)
			require.Empty(t, differences, "killed at call %d", at)
			found, err := views.RebuildReport(t.Context(), nil)
			require.NoError(t, err)
			require.False(t, found.Differs() || found.Unknown != "", "killed at call %d", at)
			require.NoError(t, views.Close())
			require.NoError(t, log.Close())
			left, err := filepath.Glob(filepath.Join(dir, "views.db.*"))
			require.NoError(t, err)
			require.Empty(t, left)
		}
	}
}
