package consumers

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// What marks a SQLite file as one of consumers, and the version of its tables.
const (
	applicationID = 0x676c636e // "glcn"
	fileFormat    = 1
)

//go:embed schema.sql
var schema string

// openFile opens the file of consumers at a path, or makes one, for the log with an ID.
// A file that is something else is refused and left as it is.
func openFile(ctx context.Context, path, logID string) (*sql.DB, error) {
	dsn := "file::memory:?_txlock=immediate"
	if path != memory {
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("its directory: %w", err)
		}
		slashed := filepath.ToSlash(path)
		if slashed[0] != '/' {
			slashed = "/" + slashed // C:/… on Windows
		}
		dsn = "file://" + (&url.URL{Path: slashed}).EscapedPath() + "?_txlock=immediate&_busy_timeout=5000&_synchronous=NORMAL&_stmt_cache_size=16"
	}
	db, err := sql.Open("sqlite3", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // one writes at a time anyhow, and in memory there is one alone
	if err := prepare(ctx, db, logID); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// prepare recognises the file, or makes its tables in an empty one. Another process may
// be doing the same.
func prepare(ctx context.Context, db *sql.DB, logID string) error {
	err := transact(ctx, db, func(tx *sql.Tx) error {
		var id, format, objects int
		err := tx.QueryRowContext(ctx, "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id, pragma_user_version").
			Scan(&id, &format, &objects)
		switch {
		case isSQLite(err, sqlite3.ErrNotADB):
			return fmt.Errorf("%w: it is not a SQLite file; give another path", ErrNotConsumers)
		case err != nil:
			return err
		case id == 0 && objects == 0:
			stamp := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, fileFormat)
			if _, err := tx.ExecContext(ctx, stamp+schema); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "INSERT INTO consumer_file (one, log_id) VALUES (1, ?)", logID)
			return err
		case id != applicationID:
			return fmt.Errorf("%w: it belongs to another program (application ID %#x); give another path", ErrNotConsumers, id)
		case format > fileFormat:
			return fmt.Errorf("%w (format %d, this one knows %d): use that version", ErrNewerFormat, format, fileFormat)
		}
		var stored string
		if err := tx.QueryRowContext(ctx, "SELECT log_id FROM consumer_file").Scan(&stored); err != nil {
			return err
		}
		if stored != logID {
			return fmt.Errorf("%w: its positions are those of log %s, and this is log %s; move the file away or give another path",
				ErrOtherLog, stored, logID)
		}
		return nil
	})
	if isSQLite(err, sqlite3.ErrNotADB) {
		return fmt.Errorf("%w: it is not a SQLite file; give another path", ErrNotConsumers)
	}
	if err != nil {
		return err
	}
	return patiently(ctx, func() error {
		_, err := db.ExecContext(ctx, "PRAGMA journal_mode = WAL")
		return err
	})
}

// patiently tries again while another process has the file locked: to switch to WAL,
// SQLite does not wait by itself.
func patiently(ctx context.Context, try func() error) error {
	for {
		err := try()
		if !isSQLite(err, sqlite3.ErrBusy, sqlite3.ErrLocked) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// durably is transact for what nothing brings back after a loss of power: that there is a
// consumer, from where on, and what an operator has decided. Steps need not be synced: who
// has lost some is told again.
func durably(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "PRAGMA synchronous = FULL"); err != nil {
		return err
	}
	defer func() {
		_, back := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = NORMAL")
		err = errors.Join(err, back)
	}()
	return transact(ctx, conn, f)
}

// beginner is a database, or one connection to it.
type beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

// transact runs f under the file's write lock and commits what it did, or nothing.
func transact(ctx context.Context, db beginner, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone: a context that ended has rolled back already.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

func isSQLite(err error, codes ...sqlite3.ErrNo) bool {
	var failure sqlite3.Error
	if !errors.As(err, &failure) {
		return false
	}
	for _, code := range codes {
		if failure.Code == code {
			return true
		}
	}
	return false
}

// lockDir is where the locks of the consumers in a file are.
func lockDir(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".locks"
}
