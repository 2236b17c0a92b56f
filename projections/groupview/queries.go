package groupview

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/grouplog/grouplog/internal/bulk"
	"github.com/grouplog/grouplog/projections"
)

// Errors of queries.
var (
	// ErrNotFound: there is no such group, member or application.
	ErrNotFound = errors.New("not found")
	// ErrCursor: a page's cursor is none, or another list's.
	ErrCursor = errors.New("unknown cursor")
)

// Limits of pages.
const (
	DefaultLimit = 50
	MaxLimit     = 1_000
)

// Queries answer questions from the rows. A query sees one state of all rows, which
// may be behind the log: wait with projections.Views.WaitFor first, to see one's own
// writes. Queries may be asked from any number of goroutines.
//
// A list is an iterator, which reads page by page and holds nothing in between, or a
// page with a cursor to the next. Either way, what does not change meanwhile is listed
// exactly once. An iterator ends after the first error.
//
// The texts of a page share one piece of memory, which lives as long as any of them:
// clone what is kept for long.
type Queries struct {
	views *projections.Views
}

// NewQueries returns the questions to a views file that View is kept in.
func NewQueries(views *projections.Views) *Queries { return &Queries{views: views} }

// read answers from one state of the rows. The statements have a context that does not
// end, for the driver looks after one that may at every row, which took a fifth of the
// time of a page. The transaction ends with the caller's, and its rows do.
func (q *Queries) read(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	return q.views.Read(ctx, func(tx *sql.Tx) error { return fn(context.WithoutCancel(ctx), tx) })
}

// ask is read for a statement that needs no other, or goes on where another one ended.
func (q *Queries) ask(ctx context.Context, fn func(ctx context.Context, conn *sql.Conn) error) error {
	return q.views.ReadOne(ctx, func(conn *sql.Conn) error { return fn(context.WithoutCancel(ctx), conn) })
}

// asked is what answers a statement: a transaction, or a connection.
type asked interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// notFound is an error that says what was looked for.
func notFound(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrNotFound)
}

// limited is a page's size: as asked for, the default for zero, at most MaxLimit.
func limited(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return min(limit, MaxLimit)
}

// paper is an empty page, with room for a page of the usual size. To let it grow from
// nothing would take twice as much memory as the rows of it do.
func paper[T any](limit int) []T { return make([]T, 0, min(limit, DefaultLimit)) }

// cursor encodes a place in a list: the list's letter, and numbers.
func cursor(list byte, numbers ...int64) string {
	text := []byte{list}
	for _, n := range numbers {
		text = strconv.AppendInt(append(text, '.'), n, 10)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// parseCursor reads what cursor wrote, into as many numbers.
func parseCursor(list byte, text string, numbers ...*int64) error {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	parts := strings.Split(string(data), ".")
	if err != nil || len(parts) != len(numbers)+1 || parts[0] != string(list) {
		return fmt.Errorf("%w %q: pass what the page before gave as its next one, or nothing for the first page", ErrCursor, text)
	}
	for i, part := range parts[1:] {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("%w %q: it is damaged", ErrCursor, text)
		}
		*numbers[i] = n
	}
	return nil
}

// packBytes is more than SQLite lets a value have (1 000 000 000): a pack has all rows, or
// the query fails.
const packBytes = 1 << 30

// packed is a query whose rows come as one value (see internal/bulk): these columns, in the
// query's order. The query has a LIMIT, without which SQLite need not keep the order. The
// value is a text, for the driver and database/sql each copy bytes.
func packed(columns, query string) string {
	return fmt.Sprintf("SELECT CAST(grouplog_rows(%d, %s) AS TEXT) FROM (%s) page", packBytes, columns, query)
}

// unpack reads the rows of a query that is packed.
func unpack(ctx context.Context, of asked, query string, args ...any) (*bulk.Rows, error) {
	var pack string
	err := of.QueryRowContext(ctx, query, args...).Scan(&pack)
	return bulk.Read(pack), err
}

// textOr takes a text; the other one where there is NULL.
func textOr(rows *bulk.Rows, other string) string {
	if rows.Null() {
		return other
	}
	return rows.Text()
}

// intOr takes an integer; the other one where there is NULL.
func intOr(rows *bulk.Rows, other int64) int64 {
	if rows.Null() {
		return other
	}
	return rows.Int()
}

// paged makes an iterator of pages.
func paged[T any](page func(after string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for after := ""; ; {
			items, next, err := page(after)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			after = next
		}
	}
}

// scanAll reads rows with scan, and closes them.
func scanAll(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
