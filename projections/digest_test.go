package projections_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/projections"
)

// motley makes rows of every kind of value: in tables whose rows are summed up in packs,
// and in those whose values the driver makes others of.
type motley struct{}

func (motley) Name() string { return "motley" }

func (motley) Version() int { return 1 }

func (motley) Schema() string {
	return `CREATE TABLE anything (a, b, c);
		CREATE TABLE keyed (stream TEXT, position INTEGER, data BLOB, PRIMARY KEY (stream, position)) STRICT, WITHOUT ROWID;
		CREATE TABLE declared (day DATE, at TIMESTAMP, flag BOOLEAN, rest TEXT);
		CREATE TABLE empty (n INTEGER PRIMARY KEY) STRICT;`
}

func (motley) Apply(_ context.Context, tx *projections.Tx, events []projections.Event) error {
	for _, e := range events {
		n := int64(e.Position)
		values := []any{nil, n, -n, math.MinInt64, float64(n) / 3, math.Inf(1), "", "группа", strings.Repeat("long ", int(n)*100), []byte{}, []byte{0, 'n'}, "\x00"}
		value := func(i int64) any { return values[(n+i)%int64(len(values))] }
		if err := tx.Exec("INSERT INTO anything VALUES (?, ?, ?)", value(0), value(1), value(5)); err != nil {
			return err
		}
		if err := tx.Exec("INSERT INTO keyed VALUES (?, ?, ?)", e.Stream, n, []byte(e.Type)); err != nil {
			return err
		}
		if err := tx.Exec("INSERT INTO declared VALUES (?, ?, ?, ?)", e.Time, n, n%3 == 0, "x"); err != nil {
			return err
		}
	}
	return nil
}

// TestDigestsAreOfRowAfterRow: they are what they were before rows were read in packs.
func TestDigestsAreOfRowAfterRow(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		views := opened(t, path, grown(t, 300), options(motley{}))
		want := map[string]string{}
		require.NoError(t, views.Read(t.Context(), func(tx *sql.Tx) error {
			for _, table := range []string{"anything", "keyed", "declared", "empty"} {
				rows, err := tx.Query("SELECT * FROM " + table)
				require.NoError(t, err)
				want["motley."+table] = rowByRow(t, rows)
			}
			return nil
		}))
		require.Equal(t, want, digestOf(t, views).Tables)

		found, err := views.RebuildReport(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, found.Projections, 1, found.Unknown)
		require.False(t, found.Differs())
		require.Equal(t, want, digestOf(t, views).Tables)
	})
}

// rowByRow sums rows up as the driver reads them.
func rowByRow(t *testing.T, rows *sql.Rows) string {
	t.Helper()
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	n, sums := 0, [4]uint64{}
	for ; rows.Next(); n++ {
		require.NoError(t, rows.Scan(into...))
		var row []byte
		sized := func(kind byte, data string) {
			row = append(binary.BigEndian.AppendUint64(append(row, kind), uint64(len(data))), data...)
		}
		for _, value := range values {
			switch v := value.(type) {
			case nil:
				row = append(row, 'n')
			case int64:
				row = binary.BigEndian.AppendUint64(append(row, 'i'), uint64(v))
			case float64:
				row = binary.BigEndian.AppendUint64(append(row, 'f'), math.Float64bits(v))
			case string:
				sized('t', v)
			case []byte:
				sized('b', string(v))
			case bool:
				row = append(row, 'B', map[bool]byte{true: 1}[v])
			case time.Time:
				row = binary.BigEndian.AppendUint64(append(row, 'T'), uint64(v.UnixNano()))
			default:
				require.Fail(t, "a value of another type", "%T", v)
			}
		}
		hash := sha256.Sum256(row)
		for i := range sums {
			sums[i] += binary.BigEndian.Uint64(hash[8*i:])
		}
	}
	require.NoError(t, rows.Err())
	return fmt.Sprintf("%d:%016x%016x%016x%016x", n, sums[0], sums[1], sums[2], sums[3])
}

// careless runs statements with too few arguments and too many, which together are enough.
type careless struct {
	hoarder
	errs *[]error
}

func (c careless) Apply(_ context.Context, tx *projections.Tx, _ []projections.Event) error {
	const insert = "INSERT INTO hoard VALUES (?, ?, ?)"
	*c.errs = append(*c.errs, tx.Exec(insert, "a", 1), tx.Exec(insert, "b", 2, "kind", "too many"), tx.Exec(insert, "c", 3, struct{}{}))
	return tx.Exec(insert, "d", 4, "kind")
}

func (careless) Flush(context.Context, *projections.Tx) error { return nil }

// TestArgumentsAreCounted for each row: those of one do not make up for another's.
func TestArgumentsAreCounted(t *testing.T) {
	var errs []error
	opts := options(careless{errs: &errs})
	opts.Manual = true
	views, err := projections.Open(t.Context(), filepath.Join(t.TempDir(), "v.db"), grown(t, 1), opts)
	require.NoError(t, err)
	defer views.Close()
	require.NoError(t, views.CatchUp(t.Context()))
	require.Len(t, errs, 3)
	require.ErrorContains(t, errs[0], "3 parameters, and there are 2 arguments")
	require.ErrorContains(t, errs[1], "3 parameters, and there are 4 arguments")
	require.ErrorContains(t, errs[2], "argument 3: unsupported type")

	require.ErrorContains(t, views.Rebuild(t.Context(), nil), "3 parameters, and there are 2 arguments", "where they run later")
	require.ErrorContains(t, errs[5], "argument 3: unsupported type", "it is known at once")
}
