package grouplog_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
)

// backedUp is the path of a log with three members of "chess", the path of a backup of it,
// and the engine, with so many more members since.
func backedUp(t *testing.T, more int) (engine *grouplog.Engine, path, backup string) {
	t.Helper()
	dir := t.TempDir()
	path, backup = filepath.Join(dir, "groups.db"), filepath.Join(dir, "backup.db")
	engine, err := grouplog.Open(t.Context(), path, &grouplog.Options{Poll: time.Millisecond})
	require.NoError(t, err)
	_, err = engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "chess", "Chess")
	require.NoError(t, err)
	joinAll(t, engine, "old", 2)
	require.NoError(t, engine.Log().(*sqlite.DB).Backup(t.Context(), backup))
	joinAll(t, engine, "lost", more)
	require.Len(t, memberIDs(t, engine, "chess"), 3+more)
	return engine, path, backup
}

func joinAll(t *testing.T, engine *grouplog.Engine, name string, n int) {
	t.Helper()
	for i := range n {
		_, err := engine.As(fmt.Sprint(name, "-", i)).JoinGroup(t.Context(), "chess", "")
		require.NoError(t, err)
	}
}

// reopen opens an engine that must warn that rows are dropped, or must not warn at all.
func reopen(t *testing.T, path string, dropped bool) *grouplog.Engine {
	t.Helper()
	var warnings strings.Builder
	engine := openFile(t, path, &grouplog.Options{Logger: slog.New(slog.NewTextHandler(&warnings, nil))})
	require.Equal(t, dropped, strings.Contains(warnings.String(), "rows are dropped and come back from the log"), warnings.String())
	return engine
}

// A log that was restored from an older backup beside newer read models: they are noticed,
// dropped, and made anew, also where the log has gone another way since and is as long as
// before, or longer.
func TestRestoredLog(t *testing.T) {
	for name, since := range map[string]int{"older": 0, "as long, another way": 5, "longer, another way": 9} {
		t.Run(name, func(t *testing.T) {
			engine, path, backup := backedUp(t, 5)
			require.NoError(t, engine.Close())
			require.NoError(t, os.Rename(backup, path))
			if since > 0 { // with read models elsewhere: those beside the log know nothing of it
				elsewhere := openFile(t, path, &grouplog.Options{ViewsPath: grouplog.Memory})
				joinAll(t, elsewhere, "new", since)
				require.NoError(t, elsewhere.Close())
			}
			engine = reopen(t, path, true)
			members := memberIDs(t, engine, "chess")
			require.Len(t, members, 3+since)
			require.NotContains(t, strings.Join(members, " "), "lost")
			joinAll(t, engine, "next", 1)
			require.NoError(t, engine.Close())
			rowsAreTheFold(t, path, slog.New(slog.DiscardHandler))
			require.Len(t, memberIDs(t, reopen(t, path, false), "chess"), 4+since, "once is enough")
		})
	}
}

// Older read models beside a newer log catch up.
func TestRestoredReadModels(t *testing.T) {
	engine, path, _ := backedUp(t, 2)
	require.NoError(t, engine.Close())
	views := strings.TrimSuffix(path, ".db") + ".views.db"
	old, err := os.ReadFile(views)
	require.NoError(t, err)
	engine = openFile(t, path, nil)
	joinAll(t, engine, "new", 3)
	require.Len(t, memberIDs(t, engine, "chess"), 8)
	require.NoError(t, engine.Close())
	require.NoError(t, os.WriteFile(views, old, 0o600))
	require.Len(t, memberIDs(t, reopen(t, path, false), "chess"), 8)
}

func TestReadModelsOfAnotherLogAreRefused(t *testing.T) {
	engine, path, _ := backedUp(t, 0)
	require.NoError(t, engine.Close())
	other := filepath.Join(filepath.Dir(path), "other.db")
	_, err := grouplog.Open(t.Context(), other, &grouplog.Options{ViewsPath: strings.TrimSuffix(path, ".db") + ".views.db"})
	require.ErrorIs(t, err, projections.ErrOtherLog)
	require.ErrorContains(t, err, "delete the file or give another path")
	require.Len(t, memberIDs(t, reopen(t, path, false), "chess"), 3, "they are as they were")
}

// A backup is put in the place of the log under an engine that is open: that engine says
// so and does nothing any more, whatever it is asked, and one that is opened then has
// what the backup has, and is not disturbed by the other one.
func TestLogIsReplacedUnderTheEngine(t *testing.T) {
	old, path, backup := backedUp(t, 5)
	heard := make(chan string, 100)
	old.As("alice").AddGroupListener(grouplog.Listener{OnAny: func(n grouplog.Notification) { heard <- n.GroupID }})
	for _, suffix := range []string{"-wal", "-shm"} { // as documented: without those of the old one
		require.NoError(t, os.Remove(path+suffix))
	}
	require.NoError(t, os.Rename(backup, path))
	refuses := func() {
		_, err := old.As("late").JoinGroup(t.Context(), "chess", "")
		require.ErrorIs(t, err, sqlite.ErrMoved)
		_, err = old.As("lost-0").JoinGroup(t.Context(), "chess", "")
		require.ErrorIs(t, err, sqlite.ErrMoved, "a refusal that would rest on the past")
		for err = nil; err == nil; { // until it has looked
			_, err = old.Group(t.Context(), "chess")
		}
		require.ErrorIs(t, err, sqlite.ErrMoved)
		for err = nil; err == nil; {
			err = old.WaitForListeners(t.Context())
		}
		require.ErrorIs(t, err, sqlite.ErrMoved)
		require.ErrorIs(t, old.Rebuild(t.Context(), nil), sqlite.ErrMoved)
	}
	refuses()
	engine := reopen(t, path, true)
	joinAll(t, engine, "new", 3)
	refuses()
	require.ErrorIs(t, old.Close(), sqlite.ErrMoved, "its listeners have not been told everything")
	joinAll(t, engine, "newer", 3) // what the old one puts away is not what the new one writes
	require.Len(t, memberIDs(t, engine, "chess"), 9)
	require.NoError(t, engine.Close())
	rowsAreTheFold(t, path, slog.New(slog.DiscardHandler))
	require.Empty(t, heard, "nobody is told of another history")
}

// The file is written over in its place, by one that is shorter, or by a backup of the
// same size.
func TestLogIsWrittenOverUnderTheEngine(t *testing.T) {
	for name, content := range map[string]func(backup []byte) []byte{
		"nothing":  func([]byte) []byte { return nil },
		"a backup": func(backup []byte) []byte { return backup },
	} {
		t.Run(name, func(t *testing.T) {
			engine, path, backup := backedUp(t, 5)
			other, err := sqlite.Open(t.Context(), path, nil) // puts the -wal into the file
			require.NoError(t, err)
			require.NoError(t, other.Close())
			bytes, err := os.ReadFile(backup)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, content(bytes), 0o600))
			_, err = engine.As("late").JoinGroup(t.Context(), "chess", "")
			require.Error(t, err)
			_, err = engine.As("late").JoinGroup(t.Context(), "chess", "")
			require.Error(t, err)
			for err = nil; err == nil; { // until it has looked
				_, err = engine.Group(t.Context(), "chess")
			}
			require.Error(t, engine.Rebuild(t.Context(), nil))
			_ = engine.Close() // nobody listens, so there is nobody who was not told everything
		})
	}
}
