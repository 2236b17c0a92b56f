package grouplog_test

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
)

// change runs SQL on a file that an engine has open.
func change(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	require.NoError(t, err)
	defer db.Close()
	result, err := db.Exec(statement)
	require.NoError(t, err)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	require.Positive(t, n)
}

// TestRebuildIsOfAllThatIsDerived: read models, the index of the audit where there is one,
// and the embedder's projections; and it tells which were not what the log gives.
func TestRebuildIsOfAllThatIsDerived(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	engine := openFile(t, path, &grouplog.Options{Projections: []projections.Projection{joins{name: "joins"}}})
	meeting(t, engine, "chess")
	join(t, engine, "chess", "bob", "carol")
	require.Equal(t, 2, total(t, engine, "joins"))
	_, err := engine.Group(t.Context(), "chess") // the rows are there
	require.NoError(t, err)
	names := func(reports []projections.Rebuilt) (all []string) {
		for _, r := range reports {
			require.Empty(t, r.Unknown)
			require.EqualValues(t, 3, r.Position)
			for _, p := range r.Projections {
				all = append(all, strings.Join(append([]string{p.Projection}, p.Differ...), " "))
			}
		}
		return all
	}
	reports, err := engine.RebuildReport(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"groupview", "joins"}, names(reports))
	require.NoFileExists(t, filepath.Join(filepath.Dir(path), "groups.audit.db"), "nobody has asked")

	want := audited(t, engine, audit.Query{})
	change(t, filepath.Join(filepath.Dir(path), "groups.audit.db"), "UPDATE audit_events SET actor = 99")
	change(t, filepath.Join(filepath.Dir(path), "groups.own.joins.db"), "UPDATE joins SET n = n + 40")
	require.NotEqual(t, 2, total(t, engine, "joins"))
	var steps []eventstore.Position
	reports, err = engine.RebuildReport(t.Context(), func(done, total eventstore.Position) {
		require.EqualValues(t, 9, total)
		steps = append(steps, done)
	})
	require.NoError(t, err)
	require.Equal(t, []eventstore.Position{3, 6, 9}, steps)
	require.Equal(t, []string{"groupview", "audit audit_events", "joins joins"}, names(reports))
	require.Equal(t, 2, total(t, engine, "joins"))
	require.Equal(t, want, audited(t, engine, audit.Query{}))

	require.NoError(t, engine.Rebuild(t.Context(), nil))
	reports, err = engine.RebuildReport(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"groupview", "audit", "joins"}, names(reports))
	require.NoError(t, engine.Close())
	require.ErrorIs(t, engine.Rebuild(t.Context(), nil), grouplog.ErrClosed)
}

// TestRebuildGoesOnBehindAnOwnProjectionThatFails, and tells of it.
func TestRebuildGoesOnBehindAnOwnProjectionThatFails(t *testing.T) {
	var broken atomic.Bool
	bad := joins{name: "bad", fail: func(string) error {
		if broken.Load() {
			panic("not today")
		}
		return nil
	}}
	engine := openFile(t, grouplog.Memory, &grouplog.Options{Projections: []projections.Projection{bad, joins{name: "good"}}})
	meeting(t, engine, "chess")
	join(t, engine, "chess", "bob")
	require.Equal(t, 1, total(t, engine, "bad"))
	require.Equal(t, 1, total(t, engine, "good"))
	broken.Store(true)
	reports, err := engine.RebuildReport(t.Context(), nil)
	require.ErrorContains(t, err, "not today")
	require.Len(t, reports, 2)
	require.Equal(t, "good", reports[1].Projections[0].Projection)
	require.Equal(t, 1, total(t, engine, "bad"), "the old rows stay")
}

type ofRebuild struct{}

// held is a log to which a rebuild comes back while it swaps rows, for there is always an
// event that it lacks.
type held struct {
	eventstore.Store
	looked func() // a rebuild has looked where the log ends
	read   func() // a rebuild begins to read
}

func (h *held) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := h.Store.Head(ctx)
	if ctx.Value(ofRebuild{}) != nil {
		h.looked()
	}
	return head, err
}

func (h *held) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	if ctx.Value(ofRebuild{}) != nil {
		h.read()
	}
	return h.Store.ReadAll(ctx, after)
}

// TestCommandsGoOnDuringTheSwap: while a rebuild holds the lock of the read models' file,
// commands are carried out, durable, and answered.
func TestCommandsGoOnDuringTheSwap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	inner, err := sqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer inner.Close()
	log := &held{Store: inner}
	engine := openFile(t, path, &grouplog.Options{Store: log})
	meeting(t, engine, "chess")
	views, err := sql.Open("sqlite3", "file:"+filepath.Join(filepath.Dir(path), "groups.views.db")+"?_busy_timeout=1&_txlock=immediate")
	require.NoError(t, err)
	defer views.Close()
	locked := func() bool {
		tx, err := views.Begin()
		if err != nil {
			require.ErrorContains(t, err, "locked")
			return true
		}
		require.NoError(t, tx.Rollback())
		return false
	}
	users := 0
	joins := func() commands.Receipt {
		users++
		ctx, stop := context.WithTimeout(t.Context(), time.Minute) // it would wait for ever for what waits for it
		defer stop()
		receipt, err := engine.Do(ctx, domain.Actor{UserID: fmt.Sprint("user-", users)}, commands.RequestJoin{GroupID: "chess"})
		require.NoError(t, err)
		return receipt
	}
	log.looked = func() {
		joins()
		_, err := engine.Group(t.Context(), "chess") // the live rows have it
		require.NoError(t, err)
	}
	during := 0
	log.read = func() {
		if !locked() {
			return
		}
		for range 10 {
			receipt := joins()
			head, err := inner.Head(t.Context())
			require.NoError(t, err)
			require.GreaterOrEqual(t, head, receipt.Position)
		}
		require.True(t, locked(), "the swap is still under way")
		during++
	}
	require.NoError(t, engine.Rebuild(context.WithValue(t.Context(), ofRebuild{}, true), nil))
	require.Positive(t, during)
	group, err := engine.Group(t.Context(), "chess")
	require.NoError(t, err)
	require.Equal(t, users+1, group.MemberCount)
}
