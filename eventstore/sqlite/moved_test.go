package sqlite

import (
	"database/sql/driver"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

// TestMoved: where the file is not in its place, nothing is written, and it goes on when it is back.
func TestMoved(t *testing.T) {
	for name, test := range map[string]struct {
		move, back func(t *testing.T, path string)
	}{
		"moved": {
			move: func(t *testing.T, path string) { require.NoError(t, os.Rename(path, path+".away")) },
			back: func(t *testing.T, path string) { require.NoError(t, os.Rename(path+".away", path)) },
		},
		"deleted": {move: func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }},
		"replaced": {move: func(t *testing.T, path string) {
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path+".new", content, 0o600))
			require.NoError(t, os.Rename(path+".new", path))
		}},
		"-wal deleted": {move: func(t *testing.T, path string) { require.NoError(t, os.Remove(path+"-wal")) }},
		"-wal replaced": {move: func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path+"-wal"))
			require.NoError(t, os.WriteFile(path+"-other", nil, 0o600))
			require.NoError(t, os.Rename(path+"-other", path+"-wal"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "groups.db")
			db := openAt(t, path, nil)
			fill(t, db, 2)
			test.move(t, path)
			for range 2 {
				results, err := db.Append(t.Context(), commit("s", eventstore.Any(), "lost"))
				require.ErrorIs(t, err, ErrMoved)
				require.NotErrorIs(t, err, eventstore.ErrUnknown, "what is noticed before the COMMIT is not written")
				require.ErrorContains(t, err, path)
				require.Nil(t, results)
				if !strings.HasPrefix(name, "-wal") { // the -wal is the writer's affair
					_, err = db.Head(t.Context())
					require.ErrorIs(t, err, ErrMoved)
					_, _, err = db.Outcome(t.Context(), "command 1")
					require.ErrorIs(t, err, ErrMoved)
				}
			}
			if test.back != nil {
				test.back(t, path)
				require.EqualValues(t, 3, mustAppend(t, db, commit("s", eventstore.Exactly(2), "x")).First)
			}
		})
	}
}

// TestMovedWhileNotConnected puts another log in the place of one whose writer has lost its
// connection. The next one must not be to the other log: the guard would find nothing wrong
// with it once the files are back, and what was acknowledged would be lost.
func TestMovedWhileNotConnected(t *testing.T) {
	var fail atomic.Bool
	h := &hooks{exec: func(query string, do func() (driver.Result, error)) (driver.Result, error) {
		if query == "COMMIT" && fail.CompareAndSwap(true, false) {
			return nil, sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync}
		}
		return do()
	}}
	other := closedLog(t, 5)
	path := filepath.Join(t.TempDir(), "groups.db")
	db := openAt(t, path, &Options{dial: h.dial})
	fill(t, db, 2)
	fail.Store(true)
	_, err := db.Append(t.Context(), commit("s", eventstore.Any(), "lost"))
	require.ErrorIs(t, err, eventstore.ErrUnknown)

	require.NoError(t, os.Rename(path, path+".away"))
	require.NoError(t, os.Rename(other, path))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = db.Append(t.Context(), commit("s", eventstore.Any(), "lost"))
	require.ErrorIs(t, err, ErrMoved)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after, "the other log is left as it is")

	require.NoError(t, os.Rename(path, other))
	require.NoError(t, os.Rename(path+".away", path))
	require.EqualValues(t, 3, mustAppend(t, db, commit("s", eventstore.Exactly(2), "x")).First)
	require.NoError(t, db.Close())
	for path, records := range map[string]int{path: 3, other: 5} {
		all, err := drain(t, openAt(t, path, nil))
		require.NoError(t, err)
		require.Len(t, all, records, path)
	}
}
