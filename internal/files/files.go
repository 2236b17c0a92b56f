// Package files knows which files belong to a log, so that nothing else is written there.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What stands beside a log, after its name without the extension: groups.views.db for
// groups.db.
const (
	Views     = ".views.db"
	Audit     = ".audit.db"
	Refusals  = ".refusals.db"
	Consumers = ".consumers.db"
	own       = ".own."
)

// ErrBelongs is about a path at which nothing else may be written.
var ErrBelongs = errors.New("belongs to")

// Beside is the file of a kind beside a log.
func Beside(log, suffix string) string {
	return strings.TrimSuffix(log, filepath.Ext(log)) + suffix
}

// Own is the file of an embedder's projection beside a log.
func Own(log, name string) string { return Beside(log, own+name+".db") }

// File is a file of a log, with those beside it that are part of it.
type File struct {
	Path   string
	what   string // "the log", say
	parts  []part // itself first
	folder bool   // what is in it belongs to it too
}

// part is a file that is part of another, by what is added to its name.
type part struct {
	suffix string
	place  place
}

var (
	// sides are what SQLite puts after the name of a file: a file of that name is taken for
	// a part of it.
	sides = []string{"-wal", "-shm", "-journal"}
	// fromLog are the suffixes where rows come from the log: those of a second file, while
	// they are rebuilt or compared, as well.
	fromLog = around("", ".rebuild", ".compare")
)

// around are suffixes, and each with those of SQLite.
func around(suffixes ...string) (all []string) {
	for _, suffix := range suffixes {
		all = append(all, suffix)
		for _, side := range sides {
			all = append(all, suffix+side)
		}
	}
	return all
}

func newFile(path, what string, suffixes ...string) File {
	f := File{Path: path, what: what}
	bases := slices.Compact([]string{located(path), resolve(path)}) // SQLite follows links before it adds a suffix
	for _, base := range bases {
		for _, suffix := range suffixes {
			f.parts = append(f.parts, part{suffix, placeOf(base + suffix)})
		}
	}
	return f
}

// OfLog is the log itself.
func OfLog(path string) File { return newFile(path, "the log", around("")...) }

// OfRows is a file of rows that come from the log.
func OfRows(path, what string) File { return newFile(path, what, fromLog...) }

// OfRefusals is the file of refused attempts.
func OfRefusals(path string) File { return newFile(path, "the refused attempts", around("")...) }

// OfConsumers is the progress of listeners, and the folder of their locks.
func OfConsumers(path string) (progress, locks File) {
	locks = newFile(Beside(path, ".locks"), "the locks of listeners", "")
	locks.folder = true
	return newFile(path, "the progress of listeners", around("")...), locks
}

// Is says what of the file a path is, there or not yet, through links too: empty where it
// is something else.
func (f File) Is(path string) string {
	path = resolve(path)
	if what := f.has(placeOf(path)); what != "" || !f.folder {
		return what
	}
	return f.has(placeOf(filepath.Dir(path)))
}

// Has is Is of where another file is.
func (f File) Has(other File) string { return f.has(other.parts[0].place) }

func (f File) has(wanted place) string {
	for _, p := range f.parts {
		if !p.place.same(wanted) {
			continue
		}
		if p.suffix == "" {
			return f.what
		}
		return "the " + p.suffix + " of " + f.what
	}
	return ""
}

// Spare refuses a path at which something is to be written, where that belongs to the log,
// or to any file at all as its -wal does. Of what an embedder has put elsewhere it does not
// know.
func Spare(log, path string) error {
	progress, locks := OfConsumers(Beside(log, Consumers))
	for _, f := range append(ownOf(log, path),
		OfLog(log), OfRows(Beside(log, Views), "the read models"), OfRows(Beside(log, Audit), "the index of the audit"),
		OfRefusals(Beside(log, Refusals)), progress, locks,
	) {
		if what := f.Is(path); what != "" {
			return fmt.Errorf("%s %w the log %s: it is %s", path, ErrBelongs, log, what)
		}
	}
	return notASide(path)
}

// ownOf are the embedder's projections of a log: those that have a file, and the one that a
// path is the name of.
func ownOf(log, path string) (found []File) {
	entries, _ := os.ReadDir(filepath.Dir(log)) // where it cannot be read, the path is all
	names := []string{filepath.Base(resolve(path))}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, filepath.Base(Beside(log, own))); ok {
			name, _, _ = strings.Cut(rest, ".db")
			found = append(found, OfRows(Own(log, name), "the projection "+name))
		}
	}
	return found
}

// Free refuses a path at which a new log is to stand, where there is a file, or what SQLite
// would take for a part of the new one, or of which SQLite would take the new one for a part.
func Free(path string) error {
	for _, suffix := range around("") {
		_, err := os.Lstat(path + suffix)
		switch {
		case err == nil && suffix == "":
			return taken(path)
		case err == nil:
			return fmt.Errorf("%w: it was left by another log at %s, may hold what was committed to that, and would be taken for a part of the new one: move it away, or remove it",
				taken(path+suffix), path)
		case !os.IsNotExist(err):
			return err
		}
	}
	return notASide(path)
}

func taken(path string) error { return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist} }

// notASide refuses the name of what SQLite keeps beside a file that is there.
func notASide(path string) error {
	resolved := resolve(path)
	for _, side := range sides {
		if main, ok := strings.CutSuffix(resolved, side); ok {
			if _, err := os.Lstat(main); err == nil {
				return fmt.Errorf("%s %w %s: it is its %s", path, ErrBelongs, main, side)
			}
		}
	}
	return nil
}

// place is where a file is, or could be.
type place struct {
	path string
	info fs.FileInfo // nil where there is none
}

// placeOf is where the path of a file in a folder that is located leads to.
func placeOf(path string) place {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSymlink {
		return place{path, info}
	}
	info, _ = os.Stat(path) // none where the link leads to nothing
	return place{resolve(path), info}
}

func (p place) same(other place) bool {
	return p.path == other.path || p.info != nil && other.info != nil && os.SameFile(p.info, other.info)
}

// located is a path that is absolute, and without links in its folder.
func located(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// maxLinks is how many links are followed, as many as Linux follows.
const maxLinks = 40

// resolve is a path without links, also where there is no file: a link to one that is not
// there says where it would be made.
func resolve(path string) string {
	path = located(path)
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = located(target)
	}
	return path
}
