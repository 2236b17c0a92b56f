package bulk

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// opened is a connection in C, if there is such a thing here, or one of the driver's.
func opened(t testing.TB, inC bool) *Conn {
	t.Helper()
	if inC && !InC {
		t.Skip("rows are moved by the driver here")
	}
	c, err := open(filepath.Join(t.TempDir(), "rows.db")+"?_synchronous=OFF", inC)
	require.NoError(t, err)
	require.Equal(t, inC, !c.native.none())
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// bothWays runs a test in C and by the driver.
func bothWays(t *testing.T, test func(t *testing.T, c *Conn)) {
	for _, inC := range []bool{true, false} {
		t.Run(fmt.Sprint("in C ", inC), func(t *testing.T) { test(t, opened(t, inC)) })
	}
}

func (c *Conn) must(t testing.TB, query string, values ...driver.Value) {
	t.Helper()
	_, err := c.Exec(query, values)
	require.NoError(t, err)
}

// stored are the rows of a query as the driver reads them.
func (c *Conn) stored(t require.TestingT, query string) (rows [][]driver.Value) {
	result, err := c.Query(query, nil)
	require.NoError(t, err)
	defer result.Close()
	for {
		row := make([]driver.Value, len(result.Columns()))
		if result.Next(row) != nil {
			return rows
		}
		rows = append(rows, row)
	}
}

// unpacked are the values of packs.
func unpacked(t require.TestingT, columns int, packs ...string) (rows [][]driver.Value) {
	for _, pack := range packs {
		r := Read(pack)
		for r.Next() {
			row := make([]driver.Value, columns)
			for i := range row {
				row[i] = r.Value()
			}
			rows = append(rows, row)
		}
		require.NoError(t, r.Err())
	}
	return rows
}

func (c *Conn) packs(t require.TestingT, query string, limit int) (packs []string) {
	s, err := c.Statement(query)
	require.NoError(t, err)
	for rows, err := range s.Packs(limit) {
		require.NoError(t, err)
		packs = append(packs, strings.Clone(rows.rest))
	}
	require.NoError(t, s.Close())
	return packs
}

func (c *Conn) aggregate(t require.TestingT, query string) string {
	rows := c.stored(t, query)
	require.Len(t, rows, 1)
	return fmt.Sprintf("%s", rows[0][0])
}

// value draws any value that a column may have.
var value = rapid.Custom(func(t *rapid.T) driver.Value {
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Int64().Draw(t, "integer")
	case 2:
		return rapid.Float64().Draw(t, "real")
	case 3:
		return rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes")
	case 4:
		return strings.Repeat("0123456789", rapid.SampledFrom([]int{0, 1, 12, 13, 400, 820, 10_000}).Draw(t, "long"))
	case 5:
		return rapid.SampledFrom([]driver.Value{"", []byte{}, "\x00", "n", "+", int64(0), 0.0, int64(math.MinInt64), math.Inf(-1)}).Draw(t, "edge")
	default:
		return rapid.String().Draw(t, "text")
	}
})

// TestRowsCrossBothWays: what a list brings in is what the driver reads, and so is what
// comes out in packs of any size and by the aggregate function.
func TestRowsCrossBothWays(t *testing.T) {
	bothWays(t, func(t *testing.T, c *Conn) {
		c.must(t, "CREATE TABLE rows (n INTEGER PRIMARY KEY, a, b, c)")
		rapid.Check(t, func(rt *rapid.T) {
			c.must(t, "DELETE FROM rows")
			var list List
			var want [][]driver.Value
			for n := range rapid.IntRange(0, 30).Draw(rt, "rows") {
				row := []driver.Value{int64(n), value.Draw(rt, "a"), value.Draw(rt, "b"), value.Draw(rt, "c")}
				for _, v := range row {
					require.NoError(rt, list.Add(v))
				}
				want = append(want, row)
			}
			insert, err := c.Statement("INSERT INTO rows VALUES (?, ?, ?, ?)")
			require.NoError(rt, err)
			require.NoError(rt, insert.Run(&list, len(want)))
			require.NoError(rt, insert.Close())
			require.Equal(rt, want, c.stored(rt, "SELECT * FROM rows ORDER BY n"))

			limit := rapid.IntRange(1, 3000).Draw(rt, "limit")
			packs := c.packs(rt, "SELECT * FROM rows ORDER BY n", limit)
			require.Equal(rt, want, unpacked(rt, 4, packs...))
			require.Equal(rt, string(list.bytes), strings.Join(packs, ""), "one encoding both ways")
			whole := c.aggregate(rt, "SELECT grouplog_rows(1 << 30, n, a, b, c) FROM (SELECT * FROM rows ORDER BY n LIMIT -1)")
			require.Equal(rt, string(list.bytes), whole)
		})
	})
}

// TestBothWaysAreTheSame: the driver's packs are those of C, byte for byte, full or not.
func TestBothWaysAreTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit, rows := rapid.IntRange(0, 200).Draw(rt, "limit"), rapid.IntRange(0, 20).Draw(rt, "rows")
		query := fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 WHERE %d > 0 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
			SELECT %%s FROM (SELECT i, substr('a text of some size', 1, i) AS text, i / 2.0 AS real FROM n)`, rows)
		var got [2]string
		for i := range got {
			c, err := open(":memory:", i == 0)
			require.NoError(rt, err)
			got[i] = c.aggregate(rt, fmt.Sprintf(query, fmt.Sprintf("grouplog_rows(%d, i, text, real, NULL)", limit))) +
				strings.Join(c.packs(rt, fmt.Sprintf(query, "*"), limit), "|")
			require.NoError(rt, c.Close())
		}
		require.Equal(rt, got[0], got[1])
	})
}

// TestPacksAreBounded: the aggregate takes one row at least, and says that there are more.
func TestPacksAreBounded(t *testing.T) {
	bothWays(t, func(t *testing.T, c *Conn) {
		c.must(t, "CREATE TABLE texts (text)")
		for range 10 {
			c.must(t, "INSERT INTO texts VALUES (?)", strings.Repeat("x", 91)) // 100 bytes in a pack
		}
		for limit, want := range map[int]int{0: 1, 99: 1, 199: 1, 200: 2, 999: 9, 1000: 10, 5000: 10} {
			pack := c.aggregate(t, fmt.Sprintf("SELECT grouplog_rows(%d, text) FROM texts", limit))
			rows, got := Read(pack), 0
			for ; rows.Next(); got++ {
				rows.Text()
			}
			require.NoError(t, rows.Err())
			require.Equal(t, want, got, "limit %d", limit)
			require.Equal(t, want < 10, rows.More(), "limit %d", limit)
		}
		require.Empty(t, c.aggregate(t, "SELECT grouplog_rows(100, text) FROM texts WHERE 0"))
		require.Len(t, c.packs(t, "SELECT text FROM texts", 250), 4, "three rows each")
	})
}

// TestAFailingRow: what a statement did for the rows before the one that fails stays, and
// the error says which it was and why.
func TestAFailingRow(t *testing.T) {
	bothWays(t, func(t *testing.T, c *Conn) {
		c.must(t, "CREATE TABLE once (n INTEGER PRIMARY KEY)")
		insert, err := c.Statement("INSERT INTO once VALUES (?)")
		require.NoError(t, err)
		var list List
		for _, n := range []int64{1, 2, 3, 2, 4} {
			list.Int(n)
		}
		err = insert.Run(&list, 5)
		require.ErrorContains(t, err, "row 4 of 5")
		require.ErrorContains(t, err, "UNIQUE constraint failed: once.n")
		var failure sqlite3.Error
		require.ErrorAs(t, err, &failure)
		require.Equal(t, sqlite3.ErrConstraint, failure.Code)
		require.Equal(t, sqlite3.ErrConstraintPrimaryKey, failure.ExtendedCode)
		require.Len(t, c.stored(t, "SELECT n FROM once"), 3)

		list.Clear()
		list.Int(5)
		require.NoError(t, insert.Run(&list, 1), "the statement can be run again")
		list.Clear()
		require.NoError(t, insert.Run(&list, 0), "for nothing")
		require.Len(t, c.stored(t, "SELECT n FROM once"), 4)
	})
}

func TestRefused(t *testing.T) {
	bothWays(t, func(t *testing.T, c *Conn) {
		_, err := c.Statement("INSERT INTO nowhere VALUES (?)")
		require.ErrorContains(t, err, "no such table: nowhere")
		require.ErrorContains(t, err, "INSERT INTO nowhere")
		c.must(t, "CREATE TABLE pairs (a, b)")
		insert, err := c.Statement("INSERT INTO pairs VALUES (?, ?)")
		require.NoError(t, err)
		var list List
		for range 6 {
			list.Text("x")
		}
		require.ErrorContains(t, insert.Run(&list, 2), "2 parameters, and there are 6 arguments for 2 rows")
		require.Empty(t, c.stored(t, "SELECT * FROM pairs"))
		large := uint64(1 << 63)
		require.ErrorContains(t, list.Add(&large), "high bit")
		size := list.Size()
		require.ErrorContains(t, list.AddRow(1, "x", struct{}{}), "argument 3: unsupported type")
		require.Equal(t, size, list.Size(), "all of a row or nothing")
		require.ErrorContains(t, insert.Run(&list, 2), "6 arguments for 2 rows")

		read, err := c.Statement("SELECT abs(-9223372036854775807 - 1)")
		require.NoError(t, err)
		for _, err := range read.Packs(100) {
			require.ErrorContains(t, err, "integer overflow")
		}
	})
}

// TestOneStatement: what follows it may be blank, as where SQL stands on lines of its own.
func TestOneStatement(t *testing.T) {
	bothWays(t, func(t *testing.T, c *Conn) {
		c.must(t, "CREATE TABLE rows (a)")
		for _, after := range []string{"", ";", " ", "\n", ";\n\t", ";; ;", " -- why", "; -- why\n", "; /* why */ ;"} {
			insert, err := c.Statement("INSERT INTO rows VALUES (1)" + after)
			require.NoError(t, err, "%q", after)
			require.NoError(t, insert.Run(new(List), 1))
		}
		require.Len(t, c.stored(t, "SELECT * FROM rows"), 9)
		if c.native.none() {
			return // the driver passes over what follows
		}
		for _, after := range []string{"; SELECT 1", ";; SELECT", "; nonsense", ";\x00"} {
			_, err := c.Statement("INSERT INTO rows VALUES (1)" + after)
			require.Error(t, err, "%q", after)
		}
	})
}

// TestBusy: a caller that waits for locks knows them by their code.
func TestBusy(t *testing.T) {
	bothWays(t, func(t *testing.T, c *Conn) {
		c.must(t, "CREATE TABLE rows (a)")
		other, err := Open(c.GetFilename("main") + "?_busy_timeout=1")
		require.NoError(t, err)
		defer other.Close()
		begin, err := other.Statement("BEGIN IMMEDIATE")
		require.NoError(t, err)
		c.must(t, "BEGIN IMMEDIATE")
		var failure sqlite3.Error
		err = begin.Run(new(List), 1)
		require.ErrorAs(t, err, &failure)
		require.Equal(t, sqlite3.ErrBusy, failure.Code)
		require.Equal(t, 1, strings.Count(err.Error(), "database is locked"), err)
		c.must(t, "COMMIT")
		require.NoError(t, begin.Run(new(List), 1))
	})
}

// TestClosingFreesTheFile: SQLite would keep it for a statement that is left open.
func TestClosingFreesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	c, err := Open(path)
	require.NoError(t, err)
	c.must(t, "CREATE TABLE rows (a); INSERT INTO rows VALUES (1), (2), (3)")
	s, err := c.Statement("SELECT a FROM rows")
	require.NoError(t, err)
	for range s.Packs(1) { // in the middle of reading
		break
	}
	_, err = c.Statement("DELETE FROM rows WHERE a = ?")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, s.Close(), "it is closed already")
	if runtime.GOOS != "linux" {
		return
	}
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, file := range files {
		if name, err := os.Readlink("/proc/self/fd/" + file.Name()); err == nil {
			require.NotEqual(t, path, name)
		}
	}
}

// TestOthersConnections are left as they are, also those that are opened meanwhile.
func TestOthersConnections(t *testing.T) {
	ours, err := open(":memory:", true)
	require.NoError(t, err)
	defer ours.Close()
	c, err := (&sqlite3.SQLiteDriver{}).Open(":memory:")
	require.NoError(t, err)
	defer c.Close()
	_, err = c.(*sqlite3.SQLiteConn).Query("SELECT grouplog_rows(1, 1)", nil)
	require.ErrorContains(t, err, "no such function")
}

// TestDatabaseSQL: through the pool, rows come by the aggregate, and connections by Raw.
func TestDatabaseSQL(t *testing.T) {
	db := sql.OpenDB(connector{})
	defer db.Close()
	var pack string
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT grouplog_rows(100, ?, ?)", 7, "seven").Scan(&pack))
	rows := Read(pack)
	require.True(t, rows.Next())
	require.Equal(t, int64(7), rows.Int())
	require.Equal(t, "seven", rows.Text())
	require.False(t, rows.Next())
	require.NoError(t, rows.Err())
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Raw(func(c any) error {
		if _, ok := c.(*Conn); !ok {
			return errors.New("it is not ours")
		}
		return nil
	}))
}

type connector struct{}

func (connector) Connect(context.Context) (driver.Conn, error) { return Open(":memory:") }

func (connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// TestSchemasDoNotUseIt: what is in a file cannot call the function, as it may be
// somebody else's.
func TestSchemasDoNotUseIt(t *testing.T) {
	c := opened(t, true)
	c.must(t, "CREATE TABLE rows (a); CREATE VIEW packed AS SELECT grouplog_rows(100, a) FROM rows")
	s, err := c.PrepareContext(t.Context(), "SELECT * FROM packed")
	if err == nil {
		require.NoError(t, s.Close())
	}
	require.ErrorContains(t, err, "unsafe use of grouplog_rows")
}

// FuzzRead: whatever bytes there are, they are read to an end, and what was read without
// an error is written with the same bytes.
func FuzzRead(f *testing.F) {
	var l List
	l.Int(1)
	l.Text("x")
	l.Null()
	l.Real(2)
	l.Bytes([]byte("y"))
	f.Add(string(l.bytes))
	f.Add(string(l.bytes) + "+")
	f.Add("t\xff\xff\xff\xff\xff\xff\xff\xff")
	f.Fuzz(func(t *testing.T, pack string) {
		r := Read(pack)
		var again List
		for r.Next() {
			require.NoError(t, again.Add(r.Value()))
		}
		if r.Err() == nil {
			if r.More() {
				again.bytes = append(again.bytes, isMore)
			}
			require.Equal(t, pack, string(again.bytes))
		}
		s := Read(pack)
		for s.Next() {
			s.Raw(1)
		}
		require.Equal(t, r.Err() == nil, s.Err() == nil)
		if !InC {
			return
		}
		c, err := open(":memory:", true)
		require.NoError(t, err)
		defer c.Close()
		check, err := c.Statement("SELECT ?")
		require.NoError(t, err)
		broken := List{bytes: []byte(pack), values: max(again.values, 1)}
		if err := check.Run(&broken, broken.values); r.Err() != nil || r.More() || again.values == 0 {
			require.Error(t, err, "in C")
		} else {
			require.NoError(t, err)
		}
	})
}
