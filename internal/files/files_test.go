package files_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/internal/files"
)

// TestSpare: what belongs to a log is known whether it is there or not, and whatever way
// leads to it.
func TestSpare(t *testing.T) {
	const log = "groups.db"
	ways := map[string]func(t *testing.T, name string) string{
		"not there": func(_ *testing.T, name string) string { return name },
		"there":     func(t *testing.T, name string) string { return write(t, name) },
		"another way": func(t *testing.T, name string) string {
			dir, err := os.Getwd()
			require.NoError(t, err)
			return filepath.Join("..", filepath.Base(dir), ".", name)
		},
		"a link":               func(t *testing.T, name string) string { return link(t, os.Symlink, write(t, name)) },
		"a link to nothing":    func(t *testing.T, name string) string { return link(t, os.Symlink, name) },
		"a hard link":          func(t *testing.T, name string) string { return link(t, os.Link, write(t, name)) },
		"a link that it is":    func(t *testing.T, name string) string { return link(t, os.Symlink, "elsewhere", name) },
		"what it is linked to": func(t *testing.T, name string) string { link(t, os.Symlink, "elsewhere", name); return "elsewhere" },
		"a linked folder": func(t *testing.T, name string) string {
			link(t, os.Symlink, ".", "here")
			return filepath.Join("here", name)
		},
	}
	for name, what := range map[string]string{
		"groups.db":                       "the log",
		"groups.db-wal":                   "the -wal of the log",
		"groups.db-shm":                   "the -shm of the log",
		"groups.db-journal":               "the -journal of the log",
		"groups.views.db":                 "the read models",
		"groups.views.db-wal":             "the -wal of the read models",
		"groups.views.db.rebuild":         "the .rebuild of the read models",
		"groups.views.db.rebuild-journal": "the .rebuild-journal of the read models",
		"groups.views.db.compare":         "the .compare of the read models",
		"groups.audit.db":                 "the index of the audit",
		"groups.audit.db-shm":             "the -shm of the index of the audit",
		"groups.audit.db.rebuild":         "the .rebuild of the index of the audit",
		"groups.refusals.db":              "the refused attempts",
		"groups.refusals.db-wal":          "the -wal of the refused attempts",
		"groups.consumers.db":             "the progress of listeners",
		"groups.consumers.db-journal":     "the -journal of the progress of listeners",
		"groups.consumers.locks":          "the locks of listeners",
		"groups.own.joins.db":             "the projection joins",
		"groups.own.joins.db.rebuild-wal": "the .rebuild-wal of the projection joins",
		"groups.db.bak":                   "",
		"groups.csv":                      "",
		"groups":                          "",
		"groups.own.csv":                  "",
		"groups.own.joins.db.csv":         "",
		"groups.refusals.db.rebuild":      "",
		"another.views.db":                "",
		"below/groups.db":                 "",
		"below/groups.db-wal":             "",
	} {
		for way, to := range ways {
			t.Run(fmt.Sprint(name, " ", way), func(t *testing.T) {
				t.Chdir(t.TempDir())
				require.NoError(t, os.Mkdir("below", 0o700))
				err := files.Spare(log, to(t, name))
				if what == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, "belongs to the log groups.db: it is "+what)
			})
		}
	}
}

func write(t *testing.T, name string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	return name
}

// link makes a link to a file, named "link" or as is said.
func link(t *testing.T, make func(to, name string) error, to string, name ...string) string {
	t.Helper()
	at := append(name, "link")[0]
	if filepath.Dir(at) != "." {
		to = filepath.Join("..", to)
	}
	require.NoError(t, make(to, at))
	return at
}

// TestALogThatIsALink: SQLite keeps its files beside the log itself.
func TestALogThatIsALink(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("disk", 0o700))
	require.NoError(t, os.Symlink("disk/real.db", "groups.db"))
	for _, path := range []string{"disk/real.db", "disk/real.db-wal", "groups.db-wal", "groups.views.db"} {
		require.Error(t, files.Spare("groups.db", path), path)
	}
	require.NoError(t, files.Spare("groups.db", "disk/real.csv"))
}

// TestLocksOfListeners are what is in their folder.
func TestLocksOfListeners(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("groups.consumers.locks", 0o700))
	const lock = "groups.consumers.locks/mailer"
	require.ErrorContains(t, files.Spare("groups.db", lock), "the locks of listeners")
	require.ErrorContains(t, files.Spare("groups.db", link(t, os.Symlink, write(t, lock))), "the locks of listeners")
}

// TestTheWalOfAnyFile is spared, whichever log is meant.
func TestTheWalOfAnyFile(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, files.Spare("groups.db", "other.db-wal"))
	write(t, "other.db")
	require.ErrorContains(t, files.Spare("groups.db", "other.db-wal"), "other.db: it is its -wal")
}

// TestFree: a new log needs a name that is free, and what SQLite puts beside it too.
func TestFree(t *testing.T) {
	for _, there := range []string{"a.db", "a.db-wal", "a.db-shm", "a.db-journal"} {
		t.Chdir(t.TempDir())
		require.NoError(t, files.Free("a.db"))
		require.NoError(t, os.Symlink("nowhere", there))
		err := files.Free("a.db")
		require.ErrorIs(t, err, fs.ErrExist)
		require.ErrorContains(t, err, there)
	}
	t.Chdir(t.TempDir())
	write(t, "a.db")
	require.ErrorContains(t, files.Free("a.db-journal"), "it is its -journal")
}
