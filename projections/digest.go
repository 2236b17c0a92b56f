package projections

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/bulk"
)

// Digest sums up the rows of views: two files with the same rows have the same one,
// in whatever order the rows were written.
type Digest struct {
	Position eventstore.Position `json:"position"` // that all projections have reached
	Tables   map[string]string   `json:"tables"`   // by "projection.table": the number of rows, and a sum over them
}

// Digest sums up all rows of the projections. It reads every row: half a second for
// a million of them.
func (v *Views) Digest(ctx context.Context) (Digest, error) {
	d := Digest{Tables: map[string]string{}}
	err := v.scan(ctx, func(tx *sql.Tx, c *bulk.Conn) error {
		for i, p := range v.opts.Projections {
			var at eventstore.Position
			err := tx.QueryRowContext(ctx, "SELECT position FROM projection_checkpoints WHERE name = ?", p.Name()).Scan(&at)
			if err != nil {
				return err
			}
			if i == 0 || at < d.Position {
				d.Position = at
			}
			rows, err := tx.QueryContext(ctx, "SELECT name FROM projection_tables WHERE projection = ? ORDER BY name", p.Name())
			if err != nil {
				return err
			}
			tables, err := texts(rows)
			if err != nil {
				return err
			}
			for _, table := range tables {
				if d.Tables[p.Name()+"."+table], err = sum(ctx, c, quote(table)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return Digest{}, fmt.Errorf("digest of views: %w", err)
	}
	return d, nil
}

// total adds up the SHA-256 of every row, as four numbers, so that the order does not
// matter and a row that is there twice does not cancel itself.
type total struct {
	count int
	sums  [4]uint64
}

func (t *total) add(row []byte) {
	hash := sha256.Sum256(row)
	for i := range t.sums {
		t.sums[i] += binary.BigEndian.Uint64(hash[8*i:])
	}
	t.count++
}

func (t *total) String() string {
	return fmt.Sprintf("%d:%016x%016x%016x%016x", t.count, t.sums[0], t.sums[1], t.sums[2], t.sums[3])
}

// sum sums up the rows of a table. They come in packs, whose encoding is appendValue's,
// unless the driver makes other values of some: then each is as the driver has it.
func sum(ctx context.Context, c *bulk.Conn, table string) (string, error) {
	query := "SELECT * FROM " + table
	// The driver would look after a context that can end at every row.
	rows, err := c.QueryContext(context.WithoutCancel(ctx), query, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close() //nolint:errcheck // Next has said it
	types := rows.(*sqlite3.SQLiteRows).DeclTypes()
	if slices.ContainsFunc(types, converted) {
		return sumOneByOne(ctx, rows)
	}
	statement, err := c.Statement(query)
	if err != nil {
		return "", err
	}
	defer statement.Close() //nolint:errcheck // it was read from
	var t total
	for rows, err := range statement.Packs(packSize) {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return "", err
		}
		for rows.Next() {
			t.add(rows.Raw(len(types)))
		}
		if rows.Err() != nil {
			return "", rows.Err()
		}
	}
	return t.String(), nil
}

// packSize is how many bytes of rows are summed up at once: they are in the processor's
// cache then.
const packSize = 64 << 10

// converted reports whether the driver makes other values of a column's, by its type.
func converted(declared string) bool {
	return slices.Contains([]string{"boolean", "date", "datetime", "timestamp"}, declared)
}

func sumOneByOne(ctx context.Context, rows driver.Rows) (string, error) {
	var (
		t      total
		buf    []byte
		values = make([]driver.Value, len(rows.Columns()))
	)
	for {
		switch err := cmp.Or(ctx.Err(), rows.Next(values)); {
		case errors.Is(err, io.EOF):
			return t.String(), nil
		case err != nil:
			return "", err
		}
		buf = buf[:0]
		for _, value := range values {
			buf = appendValue(buf, value)
		}
		t.add(buf)
	}
}

// appendValue writes a value so that no two rows have the same bytes: its kind, its
// length, and itself.
func appendValue(buf []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(buf, 'n')
	case int64:
		return binary.BigEndian.AppendUint64(append(buf, 'i'), uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(buf, 'f'), math.Float64bits(v))
	case string:
		return append(binary.BigEndian.AppendUint64(append(buf, 't'), uint64(len(v))), v...)
	case []byte:
		return append(binary.BigEndian.AppendUint64(append(buf, 'b'), uint64(len(v))), v...)
	case bool: // what the driver makes of columns declared boolean
		if v {
			return append(buf, 'B', 1)
		}
		return append(buf, 'B', 0)
	case time.Time: // … or timestamp
		return binary.BigEndian.AppendUint64(append(buf, 'T'), uint64(v.UnixNano()))
	default:
		text := fmt.Sprint(v)
		return append(binary.BigEndian.AppendUint64(append(buf, '?'), uint64(len(text))), text...)
	}
}
