package audit

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// memory, as a path, keeps refused attempts in memory.
const memory = ":memory:"

// What marks a SQLite file as one of refused attempts, and the version of its tables.
const (
	refusalsID     = 0x676c7266 // "glrf"
	refusalsFormat = 1
)

//go:embed refusals.sql
var refusalsSchema string

// Errors of the file of refused attempts.
var (
	// ErrRefusals: the file cannot be read, for whatever reason. The index is not affected.
	ErrRefusals = errors.New("refused attempts")
	// ErrNotRefusals: the file is something else, or of a newer version of the program.
	ErrNotRefusals = errors.New("not a file of refused attempts that this version can read")
	// ErrOtherLog: the attempts in the file are those on another log.
	ErrOtherLog = errors.New("refused attempts of another log")
)

// open opens the file, or makes it. The caller holds writing.
func (r *Refusals) open(ctx context.Context) error {
	if r.db != nil {
		return nil
	}
	dsn := "file::memory:?_txlock=immediate"
	if r.path != memory {
		abs, err := filepath.Abs(r.path)
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(abs)
		if slashed[0] != '/' {
			slashed = "/" + slashed // C:/… on Windows
		}
		dsn = "file://" + (&url.URL{Path: slashed}).EscapedPath() + "?_txlock=immediate&_busy_timeout=5000&_synchronous=NORMAL&_stmt_cache_size=16"
	}
	db, err := sql.Open("sqlite3", dsn)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if err := r.prepare(ctx, db); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", r.path, err), db.Close())
	}
	r.db = db
	return nil
}

// prepare recognises the file, or makes its tables in an empty one. Another process may
// be doing the same.
func (r *Refusals) prepare(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return foreign(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing, once it is committed
	var id, format, objects int
	err = tx.QueryRowContext(ctx, "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id, pragma_user_version").
		Scan(&id, &format, &objects)
	switch {
	case err != nil:
		return foreign(err)
	case id == 0 && objects == 0:
		stamp := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", refusalsID, refusalsFormat)
		if _, err := tx.ExecContext(ctx, stamp+refusalsSchema); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO refusal_file (one, log_id, unkept, forgotten) VALUES (1, ?, 0, 0)", r.logID); err != nil {
			return err
		}
	case id != refusalsID:
		return fmt.Errorf("%w: it belongs to another program (application ID %#x); give another path", ErrNotRefusals, id)
	case format > refusalsFormat:
		return fmt.Errorf("%w: it has format %d, and this version knows %d", ErrNotRefusals, format, refusalsFormat)
	}
	var stored string
	if err := tx.QueryRowContext(ctx, "SELECT log_id FROM refusal_file").Scan(&stored); err != nil {
		return err
	}
	if stored != r.logID {
		return fmt.Errorf("%w: it is of log %s, and this is log %s; move the file away or give another path", ErrOtherLog, stored, r.logID)
	}
	if err := tx.Commit(); err != nil {
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
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func isSQLite(err error, codes ...sqlite3.ErrNo) bool {
	var failure sqlite3.Error
	return errors.As(err, &failure) && slices.Contains(codes, failure.Code)
}

func foreign(err error) error {
	if isSQLite(err, sqlite3.ErrNotADB) {
		return fmt.Errorf("%w: it is not a SQLite file; give another path", ErrNotRefusals)
	}
	return err
}

// triedBy is who tried, as facets name them and Query.Actors asks for them.
const triedBy = `CASE WHEN actor = '' OR actor = '@system' AND NOT app_admin THEN '"' || actor || '"` + notTheSystem + `' ELSE actor END`

// ofAttempts are the conditions on refused attempts beyond a place.
func (q *Query) ofAttempts(t *text, at place) {
	if q.Oldest {
		t.add("n > ?", at.attempt)
	} else {
		t.add("n < ?", at.attempt)
	}
	t.any(triedBy+" = ?", q.Actors)
	if !slices.ContainsFunc(q.Actors, func(name string) bool { return strings.HasSuffix(name, notTheSystem) }) {
		t.any("actor = ?", q.Actors) // there is an index of those
	}
	t.any("grp = ?", q.Groups)
	t.any("command GLOB ?", globs(q.Actions))
	t.any("instr(persons, char(10) || ? || char(10))", q.Persons)
	for _, word := range soughtIn(q.Text) {
		if word.begins {
			t.any("instr(words, char(10) || ?)", []string{word.text})
		} else {
			t.any("instr(words, char(10) || ? || char(10))", []string{word.text})
		}
	}
	if q.CommandID != "" {
		t.add(" AND command_id = ?", q.CommandID)
	}
	if !q.Since.IsZero() {
		t.add(" AND at >= ?", microsUp(q.Since))
	}
	if !q.Until.IsZero() {
		t.add(" AND at < ?", microsUp(q.Until))
	}
	if q.From > 0 {
		t.add(" AND position >= ?", int64(min(q.From, maxPosition)))
	}
	if q.To > 0 {
		t.add(" AND position <= ?", int64(min(q.To, maxPosition)))
	}
}

// any asks for one of the values, if there are any.
func (t *text) any(condition string, values []string) {
	for i, value := range values {
		if i == 0 {
			t.add(" AND (")
		} else {
			t.add(" OR ")
		}
		t.add(condition, value)
	}
	if len(values) > 0 {
		t.add(")")
	}
}

// globs are patterns as SQLite has them, in which more characters mean something.
func globs(patterns []string) []string {
	escaped := make([]string, len(patterns))
	for i, pattern := range patterns {
		escaped[i] = strings.NewReplacer("[", "[[]", "?", "[?]").Replace(pattern)
	}
	return escaped
}
