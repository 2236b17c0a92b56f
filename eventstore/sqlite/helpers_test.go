package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

var noon = time.Date(2018, 8, 23, 12, 0, 0, 123456000, time.UTC)

func event(text string) eventstore.Event {
	return eventstore.Event{
		Type: "thing.happened", Schema: 1, Data: fmt.Appendf(nil, `{"text":%q}`, text), Actor: "alice", Time: noon, CommandID: "c",
	}
}

func commit(stream string, expect eventstore.Expectation, texts ...string) eventstore.Commit {
	c := eventstore.Commit{Stream: stream, Expect: expect}
	for _, text := range texts {
		c.Events = append(c.Events, event(text))
	}
	return c
}

func withOutcome(c eventstore.Commit, id string) eventstore.Commit {
	c.Outcome = &eventstore.Outcome{CommandID: id, Fingerprint: []byte{1}, Answer: []byte("answer to " + id)}
	return c
}

// open opens a log in a new directory.
func open(t testing.TB, opts *Options) *DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "groups.db"), opts)
}

func openAt(t testing.TB, path string, opts *Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func mustAppend(t testing.TB, db *DB, c eventstore.Commit) eventstore.Result {
	t.Helper()
	results, err := db.Append(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	return results[0]
}

// fill appends records "1" to "n" to stream "s", each with an outcome.
func fill(t testing.TB, db *DB, n int) {
	t.Helper()
	var commits []eventstore.Commit
	for i := range n {
		text := fmt.Sprint(i + 1)
		commits = append(commits, withOutcome(commit("s", eventstore.Exactly(eventstore.Version(i)), text), "command "+text))
	}
	results, err := db.Append(t.Context(), commits...)
	require.NoError(t, err)
	for _, result := range results {
		require.NoError(t, result.Err)
	}
}

// drain reads the log to its end or first error.
func drain(t testing.TB, db *DB) ([]eventstore.Record, error) {
	t.Helper()
	var all []eventstore.Record
	for r, err := range db.ReadAll(t.Context(), 0) {
		if err != nil {
			return all, err
		}
		require.EqualValues(t, len(all)+1, r.Position)
		all = append(all, r)
	}
	return all, nil
}

// tamper changes a file behind the back of the log.
func tamper(t testing.TB, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", uri(path)+"?_busy_timeout=2000")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// snapshot is the content of every file in a directory.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	files := make(map[string]string)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = string(content)
	}
	return files
}

// hooks stand between the log and its connections.
type hooks struct {
	dsn  func(dsn string) string
	exec func(query string, do func() (driver.Result, error)) (driver.Result, error)
}

func (h *hooks) dial(dsn string) (driver.Conn, error) {
	if h.dsn != nil {
		dsn = h.dsn(dsn)
	}
	c, err := dial(dsn)
	if err != nil {
		return nil, err
	}
	return &hookedConn{SQLiteConn: c.(*sqlite3.SQLiteConn), hooks: h}, nil
}

type hookedConn struct {
	*sqlite3.SQLiteConn
	hooks *hooks
}

func (c *hookedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.SQLiteConn.PrepareContext(ctx, query)
	if err != nil || c.hooks.exec == nil {
		return s, err
	}
	return &hookedStmt{SQLiteStmt: s.(*sqlite3.SQLiteStmt), hooks: c.hooks, query: query}, nil
}

type hookedStmt struct {
	*sqlite3.SQLiteStmt
	hooks *hooks
	query string
}

func (s *hookedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.hooks.exec(s.query, func() (driver.Result, error) { return s.SQLiteStmt.ExecContext(ctx, args) })
}

// QueryContext is how events are inserted: see stmt.run.
func (s *hookedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	if !strings.HasPrefix(s.query, "INSERT") {
		return s.SQLiteStmt.QueryContext(ctx, args)
	}
	_, err = s.hooks.exec(s.query, func() (_ driver.Result, err error) {
		rows, err = s.SQLiteStmt.QueryContext(ctx, args)
		return nil, err
	})
	if err != nil && rows != nil {
		return nil, errors.Join(err, rows.Close())
	}
	return rows, err
}
