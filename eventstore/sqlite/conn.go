package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// dialer opens one connection.
type dialer func(dsn string) (driver.Conn, error)

func dial(dsn string) (driver.Conn, error) { return (&sqlite3.SQLiteDriver{}).Open(dsn) }

// connector opens connections that are set up alike, for database/sql.
type connector struct {
	dial  dialer
	dsn   string
	setup []string
	check func() error // whether the file is the one that is meant; may be nil
}

func (c connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	if err := c.meant(); err != nil { // before SQLite pairs the file with a -wal of another
		return nil, err
	}
	conn, err := connect(c.dial, c.dsn, c.setup...)
	if err != nil {
		return nil, err
	}
	if err := c.meant(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn.Conn, nil
}

// meant is nil if the file at the path is the one that is meant.
func (c connector) meant() error {
	if c.check == nil {
		return nil
	}
	return c.check()
}

// uri is the name of the file at the absolute path as SQLite takes it, with whatever
// means something in a URI escaped.
func uri(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath()
}

// dsn is the address of the file at the absolute path, as the driver wants it. Without
// "file:", the driver would cut it at the first "?" and ignore the mode.
func dsn(path, mode string, busy time.Duration, params ...string) string {
	params = append(slices.Clip(params),
		"mode="+mode,
		"_busy_timeout="+strconv.FormatInt(busy.Milliseconds(), 10),
		"_foreign_keys=1",
	)
	return uri(path) + "?" + strings.Join(params, "&")
}

// conn is a connection used without database/sql, by one goroutine at a time. It
// spares the writer the pool, its locks and a fifth of the time of an insert.
type conn struct{ driver.Conn }

func connect(dial dialer, dsn string, setup ...string) (conn, error) {
	raw, err := dial(dsn)
	if err != nil {
		return conn{}, err
	}
	c := conn{raw}
	for _, statement := range setup {
		if err := c.exec(statement); err != nil {
			return conn{}, errors.Join(fmt.Errorf("%s: %w", statement, err), c.Close())
		}
	}
	return c, nil
}

// exec runs statements without arguments.
func (c conn) exec(statements string) error {
	_, err := c.Conn.(driver.ExecerContext).ExecContext(context.Background(), statements, nil)
	return err
}

// query runs a statement for several rows. A connection with a cache of statements keeps
// it compiled, which it does not for prepare.
func (c conn) query(statement string, values ...driver.Value) (driver.Rows, error) {
	args := make([]driver.NamedValue, len(values))
	for i, value := range values {
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: value}
	}
	return c.Conn.(driver.QueryerContext).QueryContext(context.Background(), statement, args)
}

// value is the one value that a statement answers.
func (c conn) value(statement string) (driver.Value, error) {
	s, err := c.prepare(statement)
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // the answer is there
	var row [1]driver.Value
	found, err := s.row(row[:])
	if err == nil && !found {
		err = fmt.Errorf("%s: no answer", statement)
	}
	return row[0], err
}

// integer is the one number that a statement answers.
func (c conn) integer(statement string) (int64, error) {
	v, err := c.value(statement)
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("%s: answer is %v, not a number", statement, v)
	}
	return n, nil
}

// stmt is a prepared statement. Its arguments are bound anew at each use.
type stmt struct {
	driver.Stmt
	args []driver.NamedValue
}

func (c conn) prepare(statement string) (*stmt, error) {
	s, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), statement)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", statement, err)
	}
	args := make([]driver.NamedValue, s.NumInput())
	for i := range args {
		args[i].Ordinal = i + 1
	}
	return &stmt{Stmt: s, args: args}, nil
}

// exec runs the statement and returns how many rows it changed. The context is the
// background's on purpose: with one that can be cancelled, the driver starts a
// goroutine for every call, which costs two fifths of the throughput.
func (s *stmt) exec(values ...driver.Value) (int64, error) {
	s.bind(values)
	result, err := s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), s.args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// run is exec for who does not ask how many rows it changed. As a query without rows, the
// driver hands SQLite all arguments at once, and those of an exec one by one.
func (s *stmt) run(values ...driver.Value) error {
	rows, err := s.rows(values...)
	if err != nil {
		return err
	}
	return rows.Close()
}

// row runs the statement, copies its first row and reports whether there was one.
func (s *stmt) row(dest []driver.Value, values ...driver.Value) (found bool, err error) {
	rows, err := s.rows(values...)
	if err != nil {
		return false, err
	}
	err = rows.Next(dest)
	closeErr := rows.Close()
	if errors.Is(err, io.EOF) {
		return false, closeErr
	}
	return err == nil, errors.Join(err, closeErr)
}

// rows runs the statement, for several rows.
func (s *stmt) rows(values ...driver.Value) (driver.Rows, error) {
	s.bind(values)
	return s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
}

func (s *stmt) bind(values []driver.Value) {
	for i := range values {
		s.args[i].Value = values[i]
	}
}
