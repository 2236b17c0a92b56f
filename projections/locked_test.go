package projections_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/projections"
)

// locked is another process in the middle of writing to a file, until it is released.
func locked(t *testing.T, path string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec("BEGIN IMMEDIATE")
	require.NoError(t, err)
	return func() { require.NoError(t, db.Close()) }
}

// brief are options of who waits for a lock for next to no time.
func brief(p ...projections.Projection) *projections.Options {
	opts := options(p...)
	opts.BusyTimeout = time.Millisecond
	return opts
}

func TestOpeningWaitsForNobodyWhereNothingIsToChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 5)
	require.NoError(t, opened(t, path, log, options()).Close())
	defer locked(t, path)()
	views := opened(t, path, log, brief())
	require.Equal(t, digest(t, log), digestOf(t, views))
	require.NoError(t, views.Close())
}

func TestALockedFileIsNotWaitedForForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 5)
	require.NoError(t, opened(t, path, log, options()).Close())
	release := locked(t, path)

	busy := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, projections.ErrBusy)
		require.ErrorContains(t, err, path)
	}
	_, err := projections.Open(t.Context(), path, log, brief(counter{name: "another"}))
	busy(err) // it has tables to make

	views := opened(t, path, log, brief())
	byHand := brief()
	byHand.Manual = true
	manual := opened(t, path, log, byHand)
	busy(views.Rebuild(t.Context(), nil))
	require.FileExists(t, path+".rebuild", "the next one goes on from there")
	head := grow(t, log, 1)
	busy(views.WaitFor(t.Context(), head))
	busy(manual.WaitFor(t.Context(), head))

	release()
	require.NoError(t, manual.WaitFor(t.Context(), head))
	require.Eventually(t, func() bool { return views.WaitFor(t.Context(), head) == nil }, time.Minute, time.Millisecond, "the runner tries again")
	require.NoError(t, views.Rebuild(t.Context(), nil))
	require.NoFileExists(t, path+".rebuild")
	require.Equal(t, digest(t, log), digestOf(t, views))
}
