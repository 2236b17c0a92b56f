package grouplog_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/projectiontest"
)

// joins counts how often each user has joined, or been invited into, a group.
type joins struct {
	name    string
	version int
	fail    func(user string) error
}

func (j joins) Name() string    { return j.name }
func (j joins) Version() int    { return max(1, j.version) }
func (j joins) Types() []string { return []string{"member.joined"} }
func (j joins) Schema() string {
	return "CREATE TABLE joins (user TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID"
}

func (j joins) Apply(_ context.Context, tx *projections.Tx, events []projections.Event) error {
	for _, e := range events {
		user := e.Fact.(domain.MemberJoined).UserID
		if j.fail != nil {
			if err := j.fail(user); err != nil {
				return err
			}
		}
		err := tx.Exec("INSERT INTO joins (user, n) VALUES (?, ?) ON CONFLICT (user) DO UPDATE SET n = n + excluded.n", user, max(1, j.version))
		if err != nil {
			return err
		}
	}
	return nil
}

// total is the sum of the rows of a projection.
func total(t *testing.T, engine *grouplog.Engine, name string) (n int) {
	t.Helper()
	require.NoError(t, engine.Read(t.Context(), name, func(tx *sql.Tx) error {
		return tx.QueryRow("SELECT coalesce(sum(n), 0) FROM joins").Scan(&n)
	}))
	return n
}

// meeting makes a group that anybody may join.
func meeting(t *testing.T, engine *grouplog.Engine, groupID string) {
	t.Helper()
	require.NoError(t, errors.Join(second(engine.As("alice").CreateGroup(t.Context(), domain.Meeting, groupID, groupID))))
}

func second[T any](_ T, err error) error { return err }

func join(t *testing.T, engine *grouplog.Engine, groupID string, users ...string) {
	t.Helper()
	for _, user := range users {
		require.NoError(t, second(engine.As(user).JoinGroup(t.Context(), groupID, "")))
	}
}

// TestOwnProjections are filled from the beginning of a log that was there before them,
// show what the caller has done, and are made anew for a new version.
func TestOwnProjections(t *testing.T) {
	for _, path := range []string{grouplog.Memory, filepath.Join(t.TempDir(), "groups.db")} {
		store := (*grouplog.Options)(nil)
		if path != grouplog.Memory {
			first := openFile(t, path, store)
			meeting(t, first, "chess")
			join(t, first, "chess", "bob", "carol")
			require.NoError(t, first.Close())
		}
		engine := openFile(t, path, &grouplog.Options{Projections: []projections.Projection{joins{name: "joins"}, joins{name: "others", version: 2}}})
		want := 2
		if path == grouplog.Memory {
			meeting(t, engine, "chess")
			want = 0
		}
		require.Equal(t, want, total(t, engine, "joins"))
		for i := range 5 {
			join(t, engine, "chess", fmt.Sprint("u", i))
			require.Equal(t, want+i+1, total(t, engine, "joins"), "a caller reads its own writes")
			require.Equal(t, 2*(want+i+1), total(t, engine, "others"))
		}
		require.NoError(t, engine.RebuildProjection(t.Context(), "joins", nil))
		require.Equal(t, want+5, total(t, engine, "joins"))
		require.ErrorContains(t, engine.Read(t.Context(), "joints", nil), `"joints" in Options.Projections (joins, others)`)
		require.ErrorIs(t, engine.RetryProjection(t.Context(), "joints"), grouplog.ErrUnknownProjection)
		status, err := engine.Projections(t.Context())
		require.NoError(t, err)
		require.Len(t, status, 3)
		require.NoError(t, engine.Close())
		require.ErrorIs(t, engine.Read(t.Context(), "joins", nil), grouplog.ErrClosed)
		if path == grouplog.Memory {
			continue
		}
		require.FileExists(t, filepath.Join(filepath.Dir(path), "groups.own.joins.db"))
		engine = openFile(t, path, &grouplog.Options{Projections: []projections.Projection{joins{name: "joins", version: 3}}})
		require.Equal(t, 3*(want+5), total(t, engine, "joins"), "made anew")
	}
}

// TestAnOwnProjectionThatFails stands still, and nothing else does.
func TestAnOwnProjectionThatFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	var broken atomic.Bool
	broken.Store(true)
	bad := joins{name: "bad", fail: func(user string) error {
		if user == "mallory" && broken.Load() {
			panic("mallory was here")
		}
		return nil
	}}
	engine := openFile(t, path, &grouplog.Options{Projections: []projections.Projection{bad, joins{name: "good"}}})
	meeting(t, engine, "chess")
	join(t, engine, "chess", "bob", "mallory", "carol")
	var parked *projections.ParkedError
	require.ErrorAs(t, engine.Read(t.Context(), "bad", nil), &parked)
	require.Equal(t, "panic: mallory was here", parked.Reason)
	require.Equal(t, 3, total(t, engine, "good"))
	require.Len(t, memberIDs(t, engine, "chess"), 4)
	join(t, engine, "chess", "dave")
	require.Equal(t, 4, total(t, engine, "good"))
	status, err := engine.Projections(t.Context())
	require.NoError(t, err)
	require.Equal(t, []bool{false, true, false}, []bool{status[0].Parked, status[1].Parked, status[2].Parked})
	require.Equal(t, parked.Position-1, status[1].Position)
	require.NoError(t, engine.RebuildProjection(t.Context(), "good", nil))
	require.ErrorContains(t, engine.RebuildProjection(t.Context(), "bad", nil), "mallory was here")

	broken.Store(false)
	require.NoError(t, engine.RetryProjection(t.Context(), "bad"))
	require.Equal(t, 4, total(t, engine, "bad"))
}

func TestOwnProjectionsAreSound(t *testing.T) {
	projectiontest.Run(t, joins{name: "joins"})
	projectiontest.Run(t, daily{})
}

func TestMistakesInOwnProjections(t *testing.T) {
	for _, test := range []struct {
		projections []projections.Projection
		mistake     string
	}{
		{[]projections.Projection{nil}, "Projections[0] is nil"},
		{[]projections.Projection{joins{name: "a"}, joins{name: "a"}}, `Projections[1] has the name "a", which another has`},
		{[]projections.Projection{joins{name: "groupview"}}, "one of the engine's"},
		{[]projections.Projection{joins{name: "../etc"}}, "part of a file's name"},
		{[]projections.Projection{joins{}}, "has no name"},
	} {
		path := filepath.Join(t.TempDir(), "groups.db")
		_, err := grouplog.Open(t.Context(), path, &grouplog.Options{Projections: test.projections})
		require.ErrorContains(t, err, test.mistake)
		require.NoFileExists(t, path)
	}
	path := filepath.Join(t.TempDir(), "groups.own.joins.db")
	require.NoError(t, os.WriteFile(path, []byte("not a database, and longer than a header is, by far; really, it is"), 0o600))
	_, err := grouplog.Open(t.Context(), filepath.Join(filepath.Dir(path), "groups.db"), &grouplog.Options{Projections: []projections.Projection{joins{name: "joins"}}})
	require.ErrorIs(t, err, projections.ErrNotViews)
}
