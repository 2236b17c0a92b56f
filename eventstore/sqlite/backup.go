package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/grouplog/grouplog/internal/files"
)

// Backup writes a copy of the log, as of some moment during the call, to a new file at
// dest, and checks it. Appends go on meanwhile. The copy is compact, has the log's ID,
// and is a log itself: open it, or move it in the place of one that was lost.
//
// Where there is a file at dest already, it is left alone, and the error wraps
// fs.ErrExist; also where a -wal, a -shm or a -journal of another log lies there, which
// SQLite would take for the copy's. The file appears at dest when it is complete and
// durable; a backup that is cut short by a crash leaves one with ".partial" at its end,
// which the next one replaces.
func (db *DB) Backup(ctx context.Context, dest string) (err error) {
	leave, err := db.enter()
	if err != nil {
		return err
	}
	defer leave()
	dest, err = filepath.Abs(dest)
	if err != nil {
		return fmt.Errorf("back up log %s: %w", db.path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("back up log %s to %s: %w", db.path, dest, explain(err))
		}
	}()
	if err := files.Free(dest); err != nil {
		return err
	}
	partial := dest + ".partial"
	if what := files.OfLog(db.path).Is(partial); what != "" {
		return fmt.Errorf("%s, which would be written first and replaced, is %s: give another name", partial, what)
	}
	for _, side := range []string{"", "-wal", "-shm", "-journal"} { // one that was cut short may have left them
		if err := os.Remove(partial + side); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	defer os.Remove(partial) //nolint:errcheck // is gone if all went well
	// A URI, as the connection takes names that begin with "file:" for one.
	if _, err := db.readers.ExecContext(ctx, "VACUUM INTO ?", uri(partial)); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	if err := checkCopy(ctx, partial, db.id); err != nil {
		return err
	}
	return publish(partial, dest)
}

// checkCopy opens a backup and reads all of it.
func checkCopy(ctx context.Context, path, id string) (err error) {
	c, err := Open(ctx, path, &Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if c.ID() != id {
		return fmt.Errorf("the copy is log %s instead of %s", c.ID(), id)
	}
	if err := c.Check(ctx); err != nil {
		return err
	}
	for _, err := range c.ReadAll(ctx, 0) {
		if err != nil {
			return err
		}
	}
	return nil
}

// publish makes a file durable and gives it its name, together.
func publish(from, to string) error {
	f, err := os.OpenFile(from, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := files.Free(to); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}
