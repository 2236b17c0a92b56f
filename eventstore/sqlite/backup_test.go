package sqlite

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, filepath.Join(dir, "groups.db"), nil)
	fill(t, db, 500)
	want, err := drain(t, db)
	require.NoError(t, err)

	t.Chdir(dir)
	for _, dest := range []string{"backup.db", "file:backup?mode=memory.db", "back up's.db"} {
		require.NoError(t, db.Backup(t.Context(), dest))
		for _, opts := range []*Options{{ReadOnly: true}, {MustExist: true}} {
			backup := openAt(t, dest, opts)
			require.Equal(t, db.ID(), backup.ID())
			got, err := drain(t, backup)
			require.NoError(t, err)
			require.Equal(t, want, got)
			outcome, found, err := backup.Outcome(t.Context(), "command 7")
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, "answer to command 7", string(outcome.Answer))
			require.NoError(t, backup.Check(t.Context()))
			if !opts.ReadOnly {
				mustAppend(t, backup, commit("s", eventstore.Exactly(500), "a copy is a log itself"))
			}
			require.NoError(t, backup.Close())
		}
		require.NoFileExists(t, dest+".partial")
	}
	require.EqualValues(t, 501, mustAppend(t, db, commit("s", eventstore.Exactly(500), "on")).First)
}

func TestBackupOfALogInUse(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, filepath.Join(dir, "groups.db"), nil)
	fill(t, db, 300)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, _ = db.Append(ctx, commit(fmt.Sprint(i), eventstore.Any(), "x", "y"))
			}
		})
	}
	for i := range 3 {
		dest := filepath.Join(dir, fmt.Sprint(i))
		before, err := db.Head(t.Context())
		require.NoError(t, err)
		require.NoError(t, db.Backup(t.Context(), dest))
		backup := openAt(t, dest, &Options{ReadOnly: true})
		all, err := drain(t, backup)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(all), int(before), "what was there before is in the backup")
		require.Zero(t, len(all)%2, "a commit is in it as a whole or not at all")
	}
	stop()
	wg.Wait()
}

func TestBackupRefuses(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, filepath.Join(dir, "groups.db"), nil)
	fill(t, db, 10)
	dest := filepath.Join(dir, "there.db")
	require.NoError(t, os.WriteFile(dest, []byte("precious"), 0o600))
	err := db.Backup(t.Context(), dest)
	require.ErrorIs(t, err, fs.ErrExist)
	content, err := os.ReadFile(dest)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content))
	require.ErrorIs(t, db.Backup(t.Context(), db.Path()), fs.ErrExist, "a log is not its own backup")
	require.Error(t, db.Backup(t.Context(), filepath.Join(dir, "no", "such", "directory.db")))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dest = filepath.Join(dir, "cancelled.db")
	require.ErrorIs(t, db.Backup(ctx, dest), context.Canceled)
	require.NoFileExists(t, dest)

	require.NoError(t, os.WriteFile(dest+".partial", []byte("of a crash"), 0o600))
	require.NoError(t, db.Backup(t.Context(), dest))
	require.NoFileExists(t, dest+".partial")
	require.NoError(t, db.Close())
	require.ErrorIs(t, db.Backup(t.Context(), filepath.Join(dir, "late.db")), eventstore.ErrClosed)
	require.ErrorIs(t, db.Check(t.Context()), eventstore.ErrClosed)
}

func TestBackupOfADamagedLog(t *testing.T) {
	path := closedLog(t, 10)
	tamper(t, path, dropTriggers, "UPDATE events SET actor = 'mallory' WHERE position = 5")
	db := openAt(t, path, nil)
	dest := path + ".backup"
	require.ErrorIs(t, db.Backup(t.Context(), dest), eventstore.ErrDamaged, "a copy of damage is no backup")
	require.NoFileExists(t, dest)
	require.NoFileExists(t, dest+".partial")
}

// TestBackupBesideWhatWasLeft: opened with the -wal of another log, the copy would be that
// log, or damaged.
func TestBackupBesideWhatWasLeft(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, filepath.Join(dir, "groups.db"), nil)
	fill(t, db, 10)
	dest := filepath.Join(dir, "copy.db")
	require.NoError(t, os.WriteFile(dest+".partial", []byte("of a crash"), 0o600))
	for _, left := range []string{"-wal", "-shm", "-journal"} {
		require.NoError(t, os.WriteFile(dest+left, []byte("of a log that was here"), 0o600))
		err := db.Backup(t.Context(), dest)
		require.ErrorIs(t, err, fs.ErrExist)
		require.ErrorContains(t, err, dest+left)
		require.ErrorContains(t, err, "may hold what was committed")
		require.NoFileExists(t, dest)
		require.FileExists(t, dest+".partial", "it is refused before anything is copied")

		whole := filepath.Join(dir, "whole")
		require.NoError(t, os.WriteFile(whole, []byte("a copy"), 0o600))
		require.ErrorIs(t, publish(whole, dest), fs.ErrExist, "it has come while the log was copied")
		require.FileExists(t, whole)
		require.NoError(t, os.Remove(dest+left))
	}
}

// TestBackupSparesItsOwnLog, and any other, where the copy would be taken for a part of it.
func TestBackupSparesItsOwnLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "groups.db.partial")
	db := openAt(t, path, nil)
	fill(t, db, 10)
	require.ErrorContains(t, db.Backup(t.Context(), filepath.Join(dir, "groups.db")), "is the log: give another name")
	require.ErrorContains(t, db.Backup(t.Context(), path+"-journal"), "it is its -journal")
	require.NoFileExists(t, path+"-journal")
	require.NoError(t, db.Check(t.Context()))
	require.EqualValues(t, 11, mustAppend(t, db, commit("s", eventstore.Exactly(10), "on")).First)
}
