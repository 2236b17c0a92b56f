package bulk

import (
	"context"
	"database/sql/driver"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkRows compares the ways of rows of eight columns in and out, in turn: by the
// driver, by lists of a row and of many, and in packs.
//
//	go test ./internal/bulk -run '^$' -bench Rows
func BenchmarkRows(b *testing.B) {
	const rows = 64
	c := opened(b, InC)
	c.must(b, "CREATE TABLE rows (n INTEGER, a INTEGER, b INTEGER, c INTEGER, d INTEGER, e INTEGER, f TEXT, g TEXT)")
	const insert = "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	row := []driver.Value{int64(1 << 40), int64(2), int64(3), int64(4), int64(5), int64(6), "a text of some length", ""}
	again := func(b *testing.B, do func()) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			c.must(b, "DELETE FROM rows")
			c.must(b, "BEGIN")
			b.StartTimer()
			do()
			b.StopTimer()
			c.must(b, "COMMIT")
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
	}
	b.Run("in/driver", func(b *testing.B) {
		s, err := c.PrepareContext(b.Context(), insert)
		require.NoError(b, err)
		defer s.Close()
		args := make([]driver.NamedValue, len(row))
		again(b, func() {
			for range rows {
				for i := range row {
					args[i] = driver.NamedValue{Ordinal: i + 1, Value: row[i]}
				}
				result, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), args)
				require.NoError(b, err)
				require.NoError(b, result.Close())
			}
		})
	})
	for _, together := range []int{1, rows} {
		b.Run(fmt.Sprint("in/list of ", together), func(b *testing.B) {
			s, err := c.Statement(insert)
			require.NoError(b, err)
			var list List
			again(b, func() {
				for n := range rows {
					for _, v := range row {
						_ = list.Add(v)
					}
					if (n+1)%together == 0 {
						require.NoError(b, s.Run(&list, together))
						list.Clear()
					}
				}
			})
		})
	}
	c.must(b, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 64) INSERT INTO rows SELECT i << 40, 2, 3, 4, 5, 6, 'a text of some length', '' FROM n")
	b.Run("out/driver", func(b *testing.B) {
		b.ReportAllocs()
		values := make([]driver.Value, len(row))
		for b.Loop() {
			result, err := c.QueryContext(context.Background(), "SELECT * FROM rows", nil)
			require.NoError(b, err)
			for result.Next(values) == nil {
			}
			require.NoError(b, result.Close())
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
	})
	b.Run("out/packs", func(b *testing.B) {
		b.ReportAllocs()
		s, err := c.Statement("SELECT * FROM rows")
		require.NoError(b, err)
		for b.Loop() {
			for r, err := range s.Packs(1 << 16) {
				require.NoError(b, err)
				for r.Next() {
					for range 6 {
						r.Int()
					}
					_, _ = r.Text(), r.Text()
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
	})
}
