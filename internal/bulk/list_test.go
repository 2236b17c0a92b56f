package bulk

import (
	"database/sql"
	"database/sql/driver"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestListsBindAsTheDriverDoes, whatever type a value has.
func TestListsBindAsTheDriverDoes(t *testing.T) {
	type named int
	whole, wide, position, text, at := -7, int64(1)<<40, uint64(9), "a text", time.Date(2024, 2, 29, 12, 30, 0, 5000, time.FixedZone("", 3600))
	bothWays(t, func(t *testing.T, c *Conn) {
		c.must(t, "CREATE TABLE rows (a)")
		insert, err := c.Statement("INSERT INTO rows VALUES (?)")
		require.NoError(t, err)
		for _, v := range []any{
			1, int8(-1), uint64(1 << 40), named(3), true, false, 1.5, float32(0.25), "", "x", []byte(nil), []byte{}, []byte("b"),
			nil, &text, (*string)(nil), &whole, &wide, &position, (*int64)(nil), (*int)(nil), at, sql.NullString{}, sql.NullInt64{Int64: 9, Valid: true}, math.NaN(),
		} {
			c.must(t, "DELETE FROM rows")
			var list List
			require.NoError(t, list.Add(v))
			require.NoError(t, insert.Run(&list, 1))
			got := c.stored(t, "SELECT typeof(a), a FROM rows")
			c.must(t, "DELETE FROM rows")
			converted, err := driver.DefaultParameterConverter.ConvertValue(v)
			require.NoError(t, err)
			c.must(t, "INSERT INTO rows VALUES (?)", converted)
			require.Equal(t, c.stored(t, "SELECT typeof(a), a FROM rows"), got, "%T %v", v, v)
		}
	})
}

// TestGettersAreStrict: a value of another kind is an error, and then nothing is there.
func TestGettersAreStrict(t *testing.T) {
	var l List
	l.Text("x")
	l.Int(1)
	r := Read(string(l.bytes))
	require.Zero(t, r.Int())
	require.ErrorContains(t, r.Err(), `kind 't' where 'i' is wanted`)
	require.False(t, r.Next())
	require.Empty(t, r.Text())
	require.ErrorContains(t, r.Err(), "wanted", "the first error stays")

	l.Clear()
	l.Null()
	l.Real(0.5)
	l.Bytes([]byte("b"))
	l.Bool(true)
	r = Read(string(l.bytes))
	require.True(t, r.Null())
	require.False(t, r.Null())
	require.InDelta(t, 0.5, r.Real(), 0)
	require.Equal(t, []byte("b"), r.Bytes())
	require.True(t, r.Bool())
	require.NoError(t, r.Err())
	require.Zero(t, r.Int())
	require.ErrorContains(t, r.Err(), "cut off")
}

// TestPacksThatAreCutOff are refused wherever it was.
func TestPacksThatAreCutOff(t *testing.T) {
	var l List
	l.Int(1)
	l.Text("some text")
	l.Bytes([]byte{1, 2, 3})
	pack := string(l.bytes)
	for n := range len(pack) {
		r := Read(pack[:n])
		r.Int()
		_ = r.Text()
		r.Bytes()
		require.ErrorContains(t, r.Err(), "cut off", "after %d bytes", n)
		r = Read(pack[:n])
		require.Empty(t, r.Raw(3))
		require.Error(t, r.Err())
	}
	require.Equal(t, pack, string(Read(pack).Raw(3)))
	r := Read(pack + "+x")
	r.Raw(3)
	require.False(t, r.Next())
	require.Error(t, r.Err())
}

// TestListsThatAreCutOff are run as far as they are whole, and never beyond their end.
func TestListsThatAreCutOff(t *testing.T) {
	c := opened(t, true)
	c.must(t, "CREATE TABLE rows (a, b)")
	insert, err := c.Statement("INSERT INTO rows VALUES (?, ?)")
	require.NoError(t, err)
	var whole List
	require.NoError(t, whole.AddRow(7, "some text"))
	for n := range whole.Size() {
		cut := List{bytes: whole.bytes[:n:n], values: 2}
		require.ErrorContains(t, insert.Run(&cut, 1), "not of the form", "after %d bytes", n)
	}
	require.Empty(t, c.stored(t, "SELECT * FROM rows"))
	require.NoError(t, insert.Run(&whole, 1))
}
