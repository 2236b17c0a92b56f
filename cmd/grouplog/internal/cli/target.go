package cli

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/internal/files"
)

// target is where something is written: standard output, or a file.
type target struct {
	path  string // empty: standard output
	force bool
}

func (t *target) addTo(c *cobra.Command) {
	c.Flags().StringVarP(&t.path, "output", "o", "", "write to this `FILE` in place of standard output; gzip, if it ends in .gz")
	c.Flags().BoolVar(&t.force, "force", false, "also where the file exists; never over a file of the log")
}

// writeTo has something written to a target. A file has its name when it is whole, and
// not before: what was there stays, should anything fail.
func (a *app) writeTo(t *target, write func(io.Writer) error) error {
	if t.path == "" {
		err := write(a.out)
		if errors.Is(err, errUnread) {
			return hint(err, "where that is wanted, all is well")
		}
		return err
	}
	if err := a.mayReplace(t); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(t.path), "."+filepath.Base(t.path)+".partial-*")
	if err != nil {
		return inFolder(t.path, err)
	}
	err = writeWhole(file, strings.HasSuffix(t.path, ".gz"), write)
	if err == nil {
		err = os.Rename(file.Name(), t.path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // it is the other error that counts
		return err
	}
	return nil
}

// writeWhole fills a file, makes it durable, and closes it.
func writeWhole(file *os.File, zip bool, write func(io.Writer) error) error {
	var err error
	if zip {
		zipped := gzip.NewWriter(file) // without a time: the same content is the same file
		err = write(zipped)
		if err == nil {
			err = zipped.Close()
		}
	} else {
		err = write(file)
	}
	if err == nil {
		err = file.Chmod(0o644)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// spare refuses to write to a file that belongs to the log.
func (a *app) spare(path string) error { return spare(a.db, path) }

func spare(log, path string) error {
	if err := files.Spare(log, path); err != nil {
		return hint(err, "name another file: nothing is written over what belongs to a log, or where it would be looked for")
	}
	return nil
}

// mayReplace refuses files that exist, unless that is asked for, and those of the log always.
func (a *app) mayReplace(t *target) error {
	if err := a.spare(t.path); err != nil {
		return err
	}
	there, err := os.Stat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !there.Mode().IsRegular():
		return hint(&fs.PathError{Op: "write", Path: t.path, Err: fs.ErrExist}, "it is no file that could be replaced: name another")
	}
	if !t.force {
		return hint(&fs.PathError{Op: "write", Path: t.path, Err: fs.ErrExist}, "name another file, or replace it: --force")
	}
	return nil
}

// inFolder is about the folder of a file that could not be made, where that is not there.
func inFolder(path string, err error) error {
	if _, missing := os.Stat(filepath.Dir(path)); missing != nil {
		return missing
	}
	return err
}
