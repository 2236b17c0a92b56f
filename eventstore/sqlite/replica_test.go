package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

func openReplica(t *testing.T, path, id string) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, &Options{Replica: &Replica{ID: id, Origin: "somewhere"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func replicate(t *testing.T, db *DB, mark uint64, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	t.Helper()
	wait, err := db.Replicate(t.Context(), &Entry{Mark: mark, Note: fmt.Append(nil, mark), Commits: commits})
	require.NoError(t, err)
	return wait()
}

func entry(stream string, expect eventstore.Version, id string) eventstore.Commit {
	c := eventstore.Commit{Stream: stream, Expect: eventstore.Exactly(expect), Events: []eventstore.Event{{
		Type: "test.happened", Schema: 1, Data: []byte(`{}`), Time: noon,
	}}}
	if id != "" {
		c.Outcome = &eventstore.Outcome{CommandID: id}
	}
	return c
}

// A replica goes on where it was, judges as any log does, and stores an entry's number
// whatever came of the entry.
func TestReplica(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replica.db")
	db := openReplica(t, path, "the-log")
	require.Equal(t, "the-log", db.ID())
	results, err := replicate(t, db, 1, entry("a", 0, "one"), entry("a", 1, ""))
	require.NoError(t, err)
	require.EqualValues(t, 2, results[1].Last)
	results, err = replicate(t, db, 2, entry("b", 0, "one"), entry("b", 1, ""))
	require.NoError(t, err, "what follows a duplicate in its entry is refused with it")
	require.ErrorIs(t, results[0].Err, eventstore.ErrDuplicate)
	require.ErrorIs(t, results[1].Err, eventstore.ErrConflict)
	require.NoError(t, db.Close())

	db = openReplica(t, path, "the-log")
	mark, note, err := db.Mark(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, mark, "an entry that is void is an entry")
	require.Equal(t, "2", string(note))
	for stream, want := range map[string]eventstore.Version{"a": 2, "b": 0} {
		version, err := db.Version(t.Context(), stream)
		require.NoError(t, err)
		require.Equal(t, want, version)
	}
}

// An entry that the original cannot have accepted is damage, and leaves nothing behind.
func TestReplicaOfFork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replica.db")
	db := openReplica(t, path, "the-log")
	_, err := replicate(t, db, 1, entry("a", 0, ""))
	require.NoError(t, err)
	for _, expect := range []eventstore.Version{0, 2} {
		_, err = replicate(t, db, 2, entry("b", 0, "x"), entry("a", expect, ""))
		require.ErrorIs(t, err, eventstore.ErrDamaged)
		require.ErrorContains(t, err, "entry 2")
	}
	_, err = replicate(t, db, 3, entry("b", 0, "x"))
	require.ErrorIs(t, err, ErrReplica, "what follows an entry that failed has no effect")
	mark, _, err := db.Mark(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, mark)
	_, found, err := db.Outcome(t.Context(), "x")
	require.NoError(t, err)
	require.False(t, found)
}

// A replica is not written to as a log, a log is not overwritten as a replica, and a
// replica of one log is not taken for one of another.
func TestReplicaIsNoLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "replica.db")
	db := openReplica(t, path, "the-log")
	_, err := db.Append(t.Context(), entry("a", 0, ""))
	require.ErrorIs(t, err, eventstore.ErrReadOnly)
	require.NoError(t, db.Close())

	_, err = Open(t.Context(), path, nil)
	require.ErrorIs(t, err, ErrReplica)
	_, err = Open(t.Context(), path, &Options{Replica: &Replica{ID: "another"}})
	require.ErrorIs(t, err, ErrReplica)
	require.ErrorContains(t, err, "another")
	_, err = Open(t.Context(), path, &Options{Replica: &Replica{}})
	require.ErrorContains(t, err, "no ID")
	reader, err := Open(t.Context(), path, &Options{ReadOnly: true})
	require.NoError(t, err)
	require.NoError(t, reader.Close())

	own := filepath.Join(dir, "own.db")
	log, err := Open(t.Context(), own, nil)
	require.NoError(t, err)
	_, err = log.Replicate(t.Context(), &Entry{Mark: 1})
	require.ErrorIs(t, err, ErrReplica)
	_, _, err = log.Mark(t.Context())
	require.ErrorIs(t, err, ErrReplica)
	require.NoError(t, log.Close())
	_, err = Open(t.Context(), own, &Options{Replica: &Replica{ID: log.ID()}})
	require.ErrorIs(t, err, ErrReplica)
}

// What an entry's commits come to is told before the entry is in the file, and is what
// they come to when it is. Entries behind one that failed are not judged.
func TestReplicaJudges(t *testing.T) {
	db := openReplica(t, filepath.Join(t.TempDir(), "replica.db"), "the-log")
	var told [][]eventstore.Result
	begin := func(mark uint64, commits ...eventstore.Commit) func() ([]eventstore.Result, error) {
		wait, err := db.Replicate(t.Context(), &Entry{Mark: mark, Commits: commits, Judged: func(results []eventstore.Result) {
			head, err := db.Head(t.Context())
			require.NoError(t, err)
			require.Less(t, uint64(head), mark, "it is not in the file yet")
			told = append(told, results)
		}})
		require.NoError(t, err)
		return wait
	}
	results, err := begin(1, entry("a", 0, "one"))()
	require.NoError(t, err)
	require.Equal(t, [][]eventstore.Result{results}, told)
	require.EqualValues(t, 1, results[0].Last)

	fork, behind := begin(2, entry("a", 0, "")), begin(3, entry("b", 0, ""))
	_, err = fork()
	require.ErrorIs(t, err, eventstore.ErrDamaged)
	_, err = behind()
	require.Error(t, err)
	require.Len(t, told, 1, "neither is, nor will be, what it was given as")
}
