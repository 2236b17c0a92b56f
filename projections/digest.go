package projections

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// Digest sums up the rows of views: two files with the same rows have the same one,
// in whatever order the rows were written.
type Digest struct {
	Position eventstore.Position `json:"position"` // that all projections have reached
	Tables   map[string]string   `json:"tables"`   // by "projection.table": the number of rows, and a sum over them
}

// Digest sums up all rows of the projections. It reads every row: about a second for
// a million of them.
func (v *Views) Digest(ctx context.Context) (Digest, error) {
	d := Digest{Tables: map[string]string{}}
	err := v.Read(ctx, func(tx *sql.Tx) error {
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
				rows, err := tx.QueryContext(ctx, "SELECT * FROM "+quote(table))
				if err != nil {
					return err
				}
				if d.Tables[p.Name()+"."+table], err = sum(rows); err != nil {
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

// sum adds up the SHA-256 of every row, as four numbers, so that the order does not
// matter and a row that is there twice does not cancel itself. It closes the rows.
func sum(rows *sql.Rows) (string, error) {
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var (
		count int
		total [4]uint64
		buf   []byte
	)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		buf = buf[:0]
		for _, value := range values {
			buf = appendValue(buf, value)
		}
		hash := sha256.Sum256(buf)
		for i := range total {
			total[i] += binary.BigEndian.Uint64(hash[8*i:])
		}
		count++
	}
	return fmt.Sprintf("%d:%016x%016x%016x%016x", count, total[0], total[1], total[2], total[3]), rows.Err()
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
