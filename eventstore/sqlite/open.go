package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/grouplog/grouplog/eventstore"
)

// minSQLite is the first version in which two connections that write and checkpoint
// at once cannot corrupt a log in WAL mode (sqlite.org/wal.html, "the WAL-reset bug").
const minSQLite = 3_051_003

// Settings of every connection that writes. The driver's own default would be
// synchronous=NORMAL, which loses acknowledged commits with the power.
var (
	writerParams = []string{"_journal_mode=WAL", "_txlock=immediate", "_cache_size=-65536", "_mutex=no"}
	writerSetup  = []string{
		"PRAGMA fullfsync = 1", // on macOS, fsync alone does not reach the disk
		"PRAGMA checkpoint_fullfsync = 1",
		"PRAGMA journal_size_limit = 67108864", // bytes; gives the disk back after a long read
	}
)

// maxReaders is how many connections read at once. Each holds a page cache.
const maxReaders = 4

// Open opens the log at path, and creates it where there is none unless the options
// say otherwise. Nil options are the defaults. The path is that of a file, not a URI.
//
// Nothing at the path is touched before it has been recognised as a log or as empty.
// Errors wrap eventstore.ErrNotALog, ErrOtherLog, ErrNewerSchema, ErrDamaged, ErrReadOnly,
// ErrFull or ErrBusy, or fs.ErrNotExist, together with what the system said.
func Open(ctx context.Context, path string, opts *Options) (*DB, error) {
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("open log %s: %w", path, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open log %s: %w", path, err)
	}
	if version, number, _ := sqlite3.Version(); number < minSQLite {
		return nil, fmt.Errorf("open log %s: SQLite is version %s; 3.51.3 or later is needed, as earlier ones can corrupt a log", path, version)
	}
	o := opts.withDefaults()
	path, exists, err := locate(path, o.MustExist)
	if err != nil {
		return nil, err
	}
	if err := prepareFile(path, exists, &o); err != nil {
		return nil, err
	}
	db := &DB{path: path, options: o, changed: newSignal()}
	if err := db.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open log %s: %w", path, explain(err)), db.release())
	}
	return db, nil
}

// prepareFile sees to it that there is a log at the path, and nothing else.
func prepareFile(path string, exists bool, o *Options) error {
	found := content{}
	if exists {
		var err error
		if found, err = recognise(path, o); err != nil {
			return err
		}
	}
	if !found.isEmpty() {
		return o.fits(path, found)
	}
	if o.ReadOnly {
		return notALog(path, "it is empty")
	}
	err := create(path, o)
	if isDenied(err) {
		return systemError{fmt.Errorf("create log %s: %w: its directory cannot be written", path, eventstore.ErrReadOnly), err}
	}
	if err != nil {
		return fmt.Errorf("create log %s: %w", path, explain(err))
	}
	return nil
}

// recognise looks what the file is. First as it lies there, without locks and without
// a -wal beside it, so that a foreign database is left in peace; then, where that says
// nothing against it, through the -wal, which may hold all that there is.
func recognise(path string, o *Options) (content, error) {
	atRest, err := peek(path, o, "immutable=1")
	if isCode(err, sqlite3.ErrNotADB) {
		if isUnwritten(path) {
			return content{}, nil
		}
		return content{}, fmt.Errorf("%w: %w", notALog(path, "it is no SQLite database, or its first bytes are damaged"), err)
	}
	seen := err == nil
	if seen && atRest.application != applicationID {
		if err := atRest.refusal(path); err != nil {
			return content{}, err
		}
	}
	found, err := peek(path, o)
	if seen && atRest.isEmpty() && isReadOnlyRollback(err) {
		// A creation was cut short. Whoever opens it for writing finds it empty.
		return content{}, nil
	}
	if isCode(err, sqlite3.ErrReadonly) {
		err = fmt.Errorf("%w; SQLite needs to make files beside the log even to read it: make its directory writable, or read a backup of it, which needs none", err)
	}
	if err != nil {
		return content{}, fmt.Errorf("open log %s: %w", path, explain(err))
	}
	return found, found.refusal(path)
}

// isUnwritten reports whether the file is a log that was being made when the power failed,
// before the beginning of its first page was on the disk: zeros, and the journal beside
// them says that there was nothing before (sqlite.org/fileformat2.html, section 3). Whoever
// opens it for writing finds it empty.
func isUnwritten(path string) bool {
	const (
		magic   = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
		pagesAt = 16 // where the journal's header says how many pages there were
	)
	journal, err := readFirst(path+"-journal", pagesAt+4)
	if err != nil || len(journal) < pagesAt+4 || !bytes.HasPrefix(journal, []byte(magic)) || !bytes.HasSuffix(journal, make([]byte, 4)) {
		return false
	}
	file, err := readFirst(path, pageSize+1)
	return err == nil && len(file) <= pageSize && len(bytes.Trim(file, "\x00")) == 0
}

// readFirst is the first bytes of a file, up to so many.
func readFirst(path string, most int64) (first []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, most))
}

func peek(path string, o *Options, params ...string) (content, error) {
	// One transaction: somebody may be making a log of the file at this moment.
	c, err := connect(o.dial, dsn(path, "ro", o.BusyTimeout, params...), "BEGIN")
	if err != nil {
		return content{}, err
	}
	found, err := inspect(c)
	return found, errors.Join(err, c.Close())
}

// create makes the file and its tables. Two processes may do so at once: the lock of
// the transaction decides who does it.
func create(path string, o *Options) error {
	return retryBusy(o.BusyTimeout, func() error {
		c, err := connect(o.dial, dsn(path, "rwc", o.BusyTimeout, "_synchronous=FULL", "_txlock=immediate"),
			fmt.Sprintf("PRAGMA page_size = %d", pageSize), // has no effect on a file with content
			"PRAGMA journal_mode = WAL",
		)
		if err != nil {
			return err
		}
		if err = verifyWAL(c); err == nil {
			err = createSchema(c, path, o)
		}
		if err := errors.Join(err, c.Close()); err != nil {
			return err
		}
		return syncDir(filepath.Dir(path))
	})
}

// retryBusy repeats what SQLite refuses because another process has a lock. SQLite does
// not wait for every lock: not to change the journal mode. For others, it waits longer and
// longer between two looks, up to 0.1 s: a process that commits all the time takes the
// lock a hundred times meanwhile, and this one hardly ever finds it free.
func retryBusy(timeout time.Duration, try func() error) error {
	const pause = 200 * time.Microsecond
	for deadline := time.Now().Add(timeout); ; time.Sleep(pause) {
		err := try()
		if !isCode(err, sqlite3.ErrBusy) || time.Now().After(deadline) {
			return err
		}
	}
}

// start opens the connections of a log that is there.
func (db *DB) start(ctx context.Context) error {
	// Before the file is opened: what is noticed to differ later is then an error too
	// many and never one too few.
	var err error
	if db.guard, err = newGuard(db.path); err != nil {
		return err
	}
	if !db.options.ReadOnly {
		db.writer = newWriter(db, db.guard)
		if err := retryBusy(db.options.BusyTimeout, db.writer.open); err != nil {
			return err
		}
		if err := db.writer.conn.probe(); err != nil {
			return err
		}
	}
	if err := db.openReaders(ctx); err != nil {
		return err
	}
	if err := db.checkReplica(); err != nil {
		return err
	}
	if db.writer != nil {
		db.writer.start()
	}
	return nil
}

// openReaders opens the connections that read, and reads which log this is.
func (db *DB) openReaders(ctx context.Context) error {
	db.readers = sql.OpenDB(connector{
		dial:  packing(db.options.dial),
		check: db.guard.checkMain,
		dsn:   dsn(db.path, "ro", db.options.BusyTimeout, "_stmt_cache_size=8"),
	})
	db.readers.SetMaxOpenConns(maxReaders)
	db.readers.SetMaxIdleConns(maxReaders)
	if err := db.readers.QueryRowContext(ctx, "SELECT id, created FROM log").Scan(&db.id, microseconds{&db.created}); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return &eventstore.DamageError{Reason: "it does not say which log it is", Err: err}
		}
		return err
	}
	if want := db.options.ID; want != "" && db.id != want {
		return fmt.Errorf("%w: it is log %s, and not %s", eventstore.ErrOtherLog, db.id, want)
	}
	for query, statement := range map[string]**sql.Stmt{
		selectHead:    &db.selectHead,
		selectOutcome: &db.selectOutcome,
	} {
		prepared, err := db.readers.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		*statement = prepared
	}
	return nil
}
