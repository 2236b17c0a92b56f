package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
)

// locate makes the path absolute, so that a later change of directory does not
// matter, and refuses what cannot be a log's path. It reports whether there is
// something at the path, which is more than zero bytes.
func locate(path string, mustExist bool) (abs string, exists bool, err error) {
	if path == "" || path == ":memory:" {
		return "", false, fmt.Errorf("open log %q: a log needs the path of a file; for one in memory use eventstore/memory", path)
	}
	abs, err = filepath.Abs(path)
	if err != nil {
		return "", false, fmt.Errorf("open log %q: %w", path, err)
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if mustExist {
			return "", false, fmt.Errorf("open log: %w", err)
		}
		// SQLite would only say that it cannot open the file.
		if _, err := os.Stat(filepath.Dir(abs)); err != nil {
			return "", false, fmt.Errorf("open log %s: its directory: %w", abs, err)
		}
		return abs, false, nil
	case err != nil:
		return "", false, fmt.Errorf("open log: %w", err)
	case !info.Mode().IsRegular():
		return "", false, notALog(abs, "it is a "+describe(info.Mode()))
	}
	return abs, info.Size() > 0, nil
}

func describe(mode fs.FileMode) string {
	if mode.IsDir() {
		return "directory"
	}
	return "special file (" + mode.Type().String() + ")"
}

// guard notices that the files at the log's path are no longer the ones that are
// open, or have lost their end. SQLite does not: it goes on writing into a file without
// a name, and what it wrote is gone with the last process that has it open; worse, it
// pairs a -wal, or a second connection, with a log that was put in the place of the one
// it belongs to.
//
// It looks at names only and never opens the file: to close a second descriptor of a
// file drops every lock that this process holds on it.
type guard struct {
	path string
	main identity
	size atomic.Int64 // the largest that the file has been; a log never shrinks
	wal  *identity    // nil until first seen; the writer's
}

func newGuard(path string) (*guard, error) {
	main, err := identify(path)
	if err != nil {
		return nil, err
	}
	g := &guard{path: path, main: main}
	g.size.Store(main.size)
	return g, nil
}

// check returns an error that wraps ErrMoved if the files are not in their place.
// The log must be open for writing: the -wal exists for as long as it is. Only the
// writer calls it.
func (g *guard) check() error {
	if err := g.checkMain(); err != nil {
		return err
	}
	now, err := identify(g.path + "-wal")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMoved, err)
	}
	if g.wal == nil {
		g.wal = &now
	}
	if !g.wal.same(now) {
		return fmt.Errorf("%w: another file is at %s-wal", ErrMoved, g.path)
	}
	return nil
}

// checkMain looks at the file itself alone. It may be called by any goroutine.
func (g *guard) checkMain() error {
	known := g.size.Load() // before looking: the file may grow meanwhile
	now, err := identify(g.path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMoved, err)
	}
	if !g.main.same(now) {
		return fmt.Errorf("%w: another file is at %s", ErrMoved, g.path)
	}
	if now.size < known {
		return fmt.Errorf("%w: %s has %d bytes, and had %d", ErrMoved, g.path, now.size, known)
	}
	for now.size > known && !g.size.CompareAndSwap(known, now.size) {
		known = g.size.Load()
	}
	return nil
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // has no fsync of a directory
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}
