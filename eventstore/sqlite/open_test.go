package sqlite

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

func TestOptionsValidate(t *testing.T) {
	require.NoError(t, (*Options)(nil).Validate())
	require.NoError(t, (&Options{}).Validate())
	err := (&Options{BusyTimeout: -1, MaxBatch: -1}).Validate()
	require.ErrorContains(t, err, "BusyTimeout")
	require.ErrorContains(t, err, "MaxBatch", "every mistake is reported at once")

	path := filepath.Join(t.TempDir(), "groups.db")
	_, err = Open(t.Context(), path, &Options{BusyTimeout: time.Microsecond})
	require.ErrorContains(t, err, "BusyTimeout")
	require.NoFileExists(t, path)
}

func TestOpenPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{
		"plain.db", "with space.db", "what?.db", "a#b.db", "100%.db", "%41.db", "file:x.db", "a&mode=ro.db", "ä群.db", "q'uote\".db", "?mode=memory",
	} {
		db := openAt(t, path, nil)
		mustAppend(t, db, commit("s", eventstore.Absent(), "x"))
		require.FileExists(t, path, "the log is in the file of that very name")
		require.True(t, filepath.IsAbs(db.Path()))
		require.NoError(t, db.Close())
		require.NoFileExists(t, path+"-wal", "Close puts the -wal away")

		again := openAt(t, path, &Options{MustExist: true})
		require.Equal(t, db.ID(), again.ID())
		require.Equal(t, db.Created(), again.Created())
	}
}

func TestOpenIsIndependentOfTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	db := openAt(t, "groups.db", nil)
	t.Chdir(t.TempDir())
	mustAppend(t, db, commit("s", eventstore.Absent(), "x"))
	_, err := drain(t, db)
	require.NoError(t, err)
}

func TestOpenRefusesPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for path, want := range map[string]error{
		dir:                              eventstore.ErrNotALog,
		filepath.Join(dir, "no", "x.db"): fs.ErrNotExist,
		filepath.Join(file, "x.db"):      nil,
		"":                               nil,
		":memory:":                       nil,
	} {
		_, err := Open(t.Context(), path, nil)
		require.Error(t, err, path)
		if want != nil {
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, path, "an error names the file")
		}
	}
}

func TestOpenMustExist(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "groups.db")
	for _, opts := range []*Options{{MustExist: true}, {ReadOnly: true}} {
		_, err := Open(t.Context(), path, opts)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, path)
	}
	require.Empty(t, snapshot(t, dir), "nothing is created")

	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := Open(t.Context(), path, &Options{ReadOnly: true})
	require.ErrorIs(t, err, eventstore.ErrNotALog)
	require.Equal(t, map[string]string{"groups.db": ""}, snapshot(t, dir))
}

func TestOpenFillsEmptyFiles(t *testing.T) {
	t.Run("no bytes", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "groups.db")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		mustAppend(t, openAt(t, path, nil), commit("s", eventstore.Absent(), "x"))
	})
	t.Run("a creation that was cut short", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "groups.db")
		tamper(t, path, "PRAGMA page_size = 8192", "PRAGMA journal_mode = WAL")
		mustAppend(t, openAt(t, path, nil), commit("s", eventstore.Absent(), "x"))
	})
	t.Run("a creation that a loss of power cut short in its first page", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "groups.db")
		unwritten(t, path, 7680, 0)
		_, err := Open(t.Context(), path, &Options{ReadOnly: true})
		require.ErrorContains(t, err, "it is empty")
		mustAppend(t, openAt(t, path, nil), commit("s", eventstore.Absent(), "x"))
	})
}

// unwritten makes a file of zeros, and beside it a journal of when it had so many pages.
func unwritten(t *testing.T, path string, size int, pages byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, make([]byte, size), 0o600))
	header := make([]byte, 512)
	copy(header, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")
	header[19], header[22], header[26] = pages, 0x02, 0x20 // sectors of 512 bytes, pages of 8192
	require.NoError(t, os.WriteFile(path+"-journal", header, 0o600))
}

func TestOpenRefusesForeignFiles(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, path string){
		"text": func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("hello\n"), 0o600)) },
		"long text": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("hello\n", 10000)), 0o600))
		},
		"zeros":                          func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, make([]byte, pageSize), 0o600)) },
		"a journal of what is not there": func(t *testing.T, path string) { unwritten(t, path, pageSize, 1) },
		"more zeros than a page":         func(t *testing.T, path string) { unwritten(t, path, pageSize+1, 0) },
		"zeros twice": func(t *testing.T, path string) {
			unwritten(t, path, pageSize, 0)
			require.NoError(t, os.WriteFile(path+"-journal", make([]byte, 512), 0o600))
		},
		"text beside a journal": func(t *testing.T, path string) {
			unwritten(t, path, pageSize, 0)
			require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("hello\n", 100)), 0o600))
		},
		"database": func(t *testing.T, path string) { tamper(t, path, "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)") },
		"database in WAL mode": func(t *testing.T, path string) {
			tamper(t, path, "PRAGMA journal_mode = WAL", "CREATE TABLE t (x)")
		},
		"database with an ID":            func(t *testing.T, path string) { tamper(t, path, "PRAGMA application_id = 7", "CREATE TABLE t (x)") },
		"database with a version":        func(t *testing.T, path string) { tamper(t, path, "PRAGMA user_version = 1") },
		"database with tables like ours": func(t *testing.T, path string) { tamper(t, path, schemaSQL) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "groups.db")
			make(t, path)
			before := snapshot(t, dir)
			for _, opts := range []*Options{nil, {MustExist: true}, {ReadOnly: true}} {
				_, err := Open(t.Context(), path, opts)
				require.ErrorIs(t, err, eventstore.ErrNotALog)
				require.ErrorContains(t, err, path)
			}
			require.Equal(t, before, snapshot(t, dir), "a foreign file is left as it is, and nothing is put beside it")
		})
	}
}

func TestOpenRefusesForeignDatabaseInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "theirs.db")
	theirs, err := sql.Open("sqlite3", uri(path)+"?_journal_mode=WAL")
	require.NoError(t, err)
	defer func() { require.NoError(t, theirs.Close()) }()
	_, err = theirs.ExecContext(t.Context(), "CREATE TABLE only_in_the_wal (x)")
	require.NoError(t, err)
	_, err = Open(t.Context(), path, nil)
	require.ErrorIs(t, err, eventstore.ErrNotALog, "what stands in the -wal only is seen too")
	_, err = theirs.ExecContext(t.Context(), "INSERT INTO only_in_the_wal VALUES (1)")
	require.NoError(t, err)
}

func TestOpenRefusesOtherSchemas(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "groups.db")
	require.NoError(t, openAt(t, path, nil).Close())
	tamper(t, path, "PRAGMA user_version = 99")
	before := snapshot(t, dir)["groups.db"]
	_, err := Open(t.Context(), path, nil)
	require.ErrorIs(t, err, eventstore.ErrNewerSchema)
	require.ErrorContains(t, err, "99")
	require.ErrorContains(t, err, "up to 1")
	require.ErrorContains(t, err, "use a newer version")
	require.Equal(t, before, snapshot(t, dir)["groups.db"])

	tamper(t, path, "PRAGMA user_version = 0")
	_, err = Open(t.Context(), path, nil)
	require.ErrorIs(t, err, eventstore.ErrNotALog)
}

func TestOpenConcurrently(t *testing.T) {
	for range 5 {
		path := filepath.Join(t.TempDir(), "groups.db")
		const openers = 8
		var (
			all [openers]*DB
			wg  sync.WaitGroup
		)
		for i := range openers {
			wg.Go(func() {
				db, err := Open(t.Context(), path, &Options{BusyTimeout: 20 * time.Second})
				if err != nil {
					t.Errorf("Open: %v", err)
					return
				}
				all[i] = db
			})
		}
		wg.Wait()
		for _, db := range all {
			require.NotNil(t, db)
			require.Equal(t, all[0].ID(), db.ID(), "of those who create a log at once, one does")
			mustAppend(t, db, commit("s", eventstore.Any(), "x"))
		}
		for _, db := range all {
			require.NoError(t, db.Close())
		}
	}
}

func TestOpenSettings(t *testing.T) {
	db := open(t, nil)
	for query, want := range map[string]any{
		"PRAGMA journal_mode":   "wal",
		"PRAGMA synchronous":    int64(2),
		"PRAGMA page_size":      int64(pageSize),
		"PRAGMA application_id": int64(applicationID),
		"PRAGMA user_version":   int64(schemaVersion),
		"PRAGMA busy_timeout":   int64(0), // retryBusy waits
		"PRAGMA foreign_keys":   int64(1),
		"PRAGMA fullfsync":      int64(1),
	} {
		got, err := db.writer.conn.value(query)
		require.NoError(t, err)
		require.Equal(t, want, got, query)
	}
	require.WithinDuration(t, time.Now(), db.Created(), time.Hour)
	_, err := db.readers.ExecContext(t.Context(), "INSERT INTO outcomes VALUES ('x', x'', x'', 0, 0, 0)")
	require.ErrorIs(t, explain(err), eventstore.ErrReadOnly, "connections that read cannot write")
}

func TestOpenReadsSettingsBack(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"no shared memory": {"?", "?vfs=unix-none&", "journal mode is"},
		"not durable":      {"_synchronous=FULL", "_synchronous=NORMAL", "synchronous is 1"},
		"a misspelt key":   {"_synchronous=FULL", "_synchronus=FULL", "synchronous is 1"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &hooks{dsn: func(dsn string) string { return strings.Replace(dsn, test.old, test.new, 1) }}
			_, err := Open(t.Context(), filepath.Join(t.TempDir(), "groups.db"), &Options{dial: h.dial})
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	db := openAt(t, path, nil)
	fill(t, db, 3)
	ro := openAt(t, path, &Options{ReadOnly: true})
	require.Equal(t, db.ID(), ro.ID())
	fill2 := mustAppend(t, db, commit("t", eventstore.Absent(), "beside a reader"))
	head, err := ro.Head(t.Context())
	require.NoError(t, err)
	require.Equal(t, fill2.Last, head)
	require.NoError(t, db.Close())

	ro = openAt(t, path, &Options{ReadOnly: true})
	all, err := drain(t, ro)
	require.NoError(t, err)
	require.Len(t, all, 4)
	require.NoError(t, ro.Check(t.Context()))
	results, err := ro.Append(t.Context(), commit("s", eventstore.Any(), "x"))
	require.ErrorIs(t, err, eventstore.ErrReadOnly)
	require.Nil(t, results)
}

// A log that is made as a copy of another has its ID, and no other log is taken for it.
func TestOpenWithID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.db")
	log := openAt(t, path, &Options{ID: "the other's"})
	require.Equal(t, "the other's", log.ID())
	mustAppend(t, log, commit("s", eventstore.Absent(), "x"))
	require.NoError(t, log.Close())
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	for _, options := range []*Options{{ID: "another"}, {ID: "another", ReadOnly: true}} {
		_, err := Open(t.Context(), path, options)
		require.ErrorIs(t, err, eventstore.ErrOtherLog)
		require.ErrorContains(t, err, `it is log the other's, and not another`)
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Equal(t, "the other's", openAt(t, path, &Options{ID: "the other's"}).ID())
	require.NotEqual(t, "the other's", open(t, nil).ID())
}

// A page of outcomes that is damaged is not listed.
func TestListDamagedOutcomes(t *testing.T) {
	for _, change := range []string{"answer = x'00'", "last = last + 1", "fingerprint = x''"} {
		log := open(t, nil)
		fill(t, log, 3)
		raw, err := sql.Open("sqlite3", log.Path())
		require.NoError(t, err)
		_, err = raw.Exec("DROP TRIGGER outcomes_no_update; UPDATE outcomes SET " + change + " WHERE command_id = 'command 2'")
		require.NoError(t, err)
		require.NoError(t, raw.Close())
		var ids []string
		for o, listErr := range log.Outcomes(t.Context(), "") {
			if err = listErr; err == nil {
				ids = append(ids, o.CommandID)
			}
		}
		require.Equal(t, []string{"command 1"}, ids)
		require.ErrorIs(t, err, eventstore.ErrDamaged)
	}
}
