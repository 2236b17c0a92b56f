package projections

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"

	"github.com/grouplog/grouplog/internal/bulk"
)

// What marks a SQLite file as a views file, and the version of its bookkeeping.
const (
	applicationID = 0x676c7677 // "glvw"
	fileFormat    = 1
)

// place is where views are: a file, or memory that this process shares among its
// connections.
type place struct {
	path   string // absolute; empty in memory
	memory string // a name of its own in this process; empty for a file
}

var memories atomic.Int64

func locate(path string) (place, error) {
	if path == ":memory:" {
		return place{memory: fmt.Sprintf("/grouplog-views-%d", memories.Add(1))}, nil
	}
	if path == "" {
		return place{}, errors.New("open views: no path; use \":memory:\" to keep them in memory")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return place{}, fmt.Errorf("open views %s: %w", path, err)
	}
	if _, err := os.Stat(filepath.Dir(abs)); err != nil {
		return place{}, fmt.Errorf("open views %s: its directory: %w", abs, err)
	}
	return place{path: abs}, nil
}

// String names the place to a person.
func (p place) String() string {
	if p.path == "" {
		return "in memory"
	}
	return p.path
}

// beside is the place for a file that is thrown away.
func (p place) beside(suffix string) place {
	if p.path == "" {
		return place{memory: p.memory + suffix}
	}
	return place{path: p.path + suffix}
}

// uri is the place as SQLite wants it, here with the driver's parameters.
func (p place) uri(parameters string) string {
	if p.path == "" {
		return "file:" + p.memory + "?vfs=memdb&" + parameters
	}
	path := filepath.ToSlash(p.path)
	if path[0] != '/' {
		path = "/" + path // C:/… on Windows
	}
	return "file://" + (&url.URL{Path: path}).EscapedPath() + "?" + parameters
}

// remove deletes the files of a place. What is not there is no error.
func (p place) remove() error {
	if p.path == "" {
		return nil
	}
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(p.path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// connector opens connections that move many rows at once, and have run the pragmas. The
// driver's own DSN does not know all of them, nor their order.
type connector struct {
	dsn     string
	pragmas string
}

func (c connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := bulk.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	if c.pragmas == "" {
		return conn, nil
	}
	if _, err := conn.ExecContext(ctx, c.pragmas, nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// How connections are set up. busy_timeout is short where the caller tries again
// itself, for a context does not interrupt SQLite's own waiting.
const (
	// synchronous=NORMAL keeps a WAL file consistent when the power fails and loses at
	// most the newest transactions, which come back from the log. Checkpoints are small and
	// many: the sync of a large one holds up those of the log's commits on the same disk. With
	// 2000 pages, one command in a hundred took three times as long.
	writerPragmas = `PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32000;
		PRAGMA wal_autocheckpoint = 250; PRAGMA journal_size_limit = 33554432;`
	readerPragmas = `PRAGMA query_only = 1; PRAGMA cache_size = -8000;`
	// Of the main schema alone: they must not hold for the live file, which is attached.
	scratchPragmas = `PRAGMA main.page_size = 8192; PRAGMA main.locking_mode = EXCLUSIVE;
		PRAGMA main.journal_mode = TRUNCATE; PRAGMA main.synchronous = OFF; PRAGMA main.cache_size = -128000;`

	writerParameters = "_busy_timeout=100"
	readerParameters = "_busy_timeout=5000&_txlock=deferred&_stmt_cache_size=64"
)

// openReaders is the pool that queries are answered from.
func (p place) openReaders(size int) *sql.DB {
	pool := sql.OpenDB(connector{dsn: p.uri(readerParameters), pragmas: readerPragmas})
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	return pool
}

// identify refuses a file that is not a views file, without changing it: only what its last
// writer left half done is rolled back, as whoever opens it next has to. It asks
// SQLite and does not open the file itself: to close a second descriptor of a file
// would drop the locks that this process holds on it.
func (p place) identify(ctx context.Context) error {
	if p.path == "" {
		return nil
	}
	info, err := os.Stat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("open views: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("open views %s: %w: it is not a regular file", p, ErrNotViews)
	case info.Size() == 0:
		return nil
	}
	id, format, err := p.header(ctx, "ro")
	var failure sqlite3.Error
	if errors.As(err, &failure) && failure.Code == sqlite3.ErrReadonly {
		// Whoever wrote it last was cut off. What they had begun is rolled back by whoever may,
		// and where that was the whole file, nothing is left.
		id, format, err = p.header(ctx, "rw")
		if left, failed := os.Stat(p.path); err == nil && failed == nil && left.Size() == 0 {
			return nil
		}
	}
	if err != nil {
		if errors.As(err, &failure) && failure.Code == sqlite3.ErrNotADB {
			return fmt.Errorf("open views %s: %w: it is not a SQLite file", p, ErrNotViews)
		}
		return fmt.Errorf("open views %s: %w", p, err)
	}
	switch {
	case id != applicationID:
		return fmt.Errorf("open views %s: %w: it belongs to another program (application ID %#x); give another path", p, ErrNotViews, id)
	case format > fileFormat:
		return fmt.Errorf("open views %s: %w (format %d, this one knows %d): use that version, or delete the file, which comes back from the log",
			p, ErrNewerFormat, format, fileFormat)
	}
	return nil
}

// header is what SQLite's header says of whose file it is.
func (p place) header(ctx context.Context, mode string) (id, format int, err error) {
	db := sql.OpenDB(connector{dsn: p.uri("mode=" + mode + "&_busy_timeout=5000")})
	err = db.QueryRowContext(ctx, "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version").Scan(&id, &format)
	return id, format, errors.Join(err, db.Close())
}
