package sqlite

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/bulk"
)

// pageOf reads one page, packed or row by row.
func pageOf(t testing.TB, db *DB, o order, after uint64) page {
	t.Helper()
	p := db.readPage(t.Context(), o, after, make([]eventstore.Record, 0, fullPage))
	require.NoError(t, p.err)
	return p
}

var everything = order{query: selectAll, packed: packAll, place: func(r *eventstore.Record) uint64 { return uint64(r.Position) }}

// byRow is the same order, read row by row.
func (o order) byRow() order {
	o.packed = ""
	return o
}

func needsPacks(t testing.TB) {
	if !bulk.InC {
		t.Skip("records are read row by row here")
	}
}

// TestPacksHoldWhatTheRowsSay, whatever they say. That records came in a pack is told by
// the end of the log, of which a pack knows nothing.
func TestPacksHoldWhatTheRowsSay(t *testing.T) {
	needsPacks(t)
	texts := rapid.SampledFrom([]string{"", "a", "группа 👩‍👩‍👧", strings.Repeat("long ", 300), `"\/` + "\n\t\x01", "\x7f"})
	db := open(t, nil)
	rapid.Check(t, func(rt *rapid.T) {
		head, err := db.Head(t.Context())
		require.NoError(rt, err)
		var commits []eventstore.Commit
		for i := range rapid.IntRange(1, 20).Draw(rt, "records") {
			commits = append(commits, eventstore.Commit{Stream: fmt.Sprint("s", texts.Draw(rt, "stream"), i%3), Expect: eventstore.Any(), Events: []eventstore.Event{{
				Type: "t" + texts.Draw(rt, "type"), Schema: rapid.IntRange(1, 1<<40).Draw(rt, "schema"),
				Data: fmt.Appendf(nil, `{"a":%q,"b":%d}`, "x", rapid.Int().Draw(rt, "data")), Actor: texts.Draw(rt, "actor"),
				AppAdmin: rapid.Bool().Draw(rt, "admin"), CommandID: texts.Draw(rt, "command"),
				Time: time.UnixMicro(rapid.Int64Range(-1e15, 1e16).Draw(rt, "time")).UTC(),
			}}})
		}
		_, err = db.Append(t.Context(), commits...)
		require.NoError(rt, err)
		for i := range commits {
			after := uint64(head) + uint64(i)
			packed, rows := pageOf(t, db, everything, after), pageOf(t, db, everything.byRow(), after)
			require.Equal(rt, rows.records, packed.records)
			require.True(rt, rows.last)
			require.False(rt, packed.last)
		}
		require.True(rt, pageOf(t, db, everything, uint64(head)+uint64(len(commits))).last)
	})
}

// TestPacksOfAStream: the records of one stream, found by the index over versions.
func TestPacksOfAStream(t *testing.T) {
	needsPacks(t)
	db := open(t, nil)
	for i := range 30 {
		mustAppend(t, db, commit(fmt.Sprint("s", i%3), eventstore.Any(), fmt.Sprint(i)))
	}
	o := order{query: selectStream, packed: packStream, args: []driver.Value{"s1"}, place: func(r *eventstore.Record) uint64 { return uint64(r.Version) }}
	packed, rows := pageOf(t, db, o, 3), pageOf(t, db, o.byRow(), 3)
	require.Len(t, packed.records, 7)
	require.Equal(t, rows.records, packed.records)
	require.False(t, packed.last)
}

// TestRecordsOfAPackAreTheirReaders: to change one, or to add to it, changes no other.
func TestRecordsOfAPackAreTheirReaders(t *testing.T) {
	db := open(t, nil)
	fill(t, db, 3)
	records := pageOf(t, db, everything, 0).records
	_ = append(records[0].Data, make([]byte, 150)...)
	clear(records[1].Data)
	again := pageOf(t, db, everything, 0).records
	require.Equal(t, again[0], records[0])
	require.Equal(t, again[2], records[2])
	require.Equal(t, again[1].Stream, records[1].Stream)
}

// TestPacksAreBoundedInBytes: long records come a few at a time, and the next page asks
// for no more of them than it will take.
func TestPacksAreBoundedInBytes(t *testing.T) {
	needsPacks(t)
	db := open(t, nil)
	var commits []eventstore.Commit
	for range 30 {
		commits = append(commits, commit("s", eventstore.Any(), strings.Repeat("x", 1<<20)))
	}
	_, err := db.Append(t.Context(), commits...)
	require.NoError(t, err)
	p := pageOf(t, db, everything, 0)
	require.Equal(t, maxPageBytes>>20-1, len(p.records), "and what is around the texts")
	require.Equal(t, len(p.records), p.fitting())
	all, err := drain(t, db)
	require.NoError(t, err)
	require.Equal(t, 30, len(all))

	mustAppend(t, db, commit("s", eventstore.Any(), strings.Repeat("x", 2*maxPageBytes)))
	require.Equal(t, 1, len(pageOf(t, db, everything, 30).records), "one that is too long comes alone")
}

// TestDamageInAPack: what a row is found to be, it is in a pack as well.
func TestDamageInAPack(t *testing.T) {
	const records, at = 3 * fullPage, firstPage + fullPage + 77
	for column, value := range map[string]string{
		"stream": "'t'", "version": "version + 5000", "type": "'thing.Happened'", "schema": "2", "actor": "'mallory'", "app_admin": "1",
		"app_admin ": "app_admin + 256", "time": "time + 1", "command_id": "''", "data": `'{"text":"6"}'`, "checksum": "checksum + 1",
	} {
		t.Run(column, func(t *testing.T) {
			path := closedLog(t, records)
			tamper(t, path, dropTriggers, fmt.Sprintf("UPDATE events SET %s = %s WHERE position = %d", column, value, at))
			db := openAt(t, path, nil)
			all, err := drain(t, db)
			require.ErrorIs(t, err, eventstore.ErrDamaged)
			require.Len(t, all, at-1)
			slow := db.readPage(t.Context(), everything.byRow(), at-1, make([]eventstore.Record, 0, fullPage))
			require.Equal(t, slow.err.Error(), err.Error())
		})
	}
	for _, at := range []eventstore.Position{firstPage + 1, firstPage + fullPage, firstPage + fullPage + 1, records - 1} {
		path := closedLog(t, records)
		tamper(t, path, dropTriggers, fmt.Sprintf("DELETE FROM events WHERE position = %d", at))
		all, err := drain(t, openAt(t, path, nil))
		require.ErrorContains(t, err, "missing")
		require.Len(t, all, int(at)-1)
	}
}

// TestALongRecordThatIsDamaged, or follows one that is missing, fills a pack of which nothing
// can be used. The page must say so: an empty one is followed by another, for ever.
func TestALongRecordThatIsDamaged(t *testing.T) {
	for name, statement := range map[string]string{
		"damaged": "UPDATE events SET checksum = checksum + 1 WHERE position = %d",
		"missing": "DELETE FROM events WHERE position = %d - 1",
	} {
		t.Run(name, func(t *testing.T) {
			const at = firstPage + 2
			path := closedLog(t, at-1)
			db := openAt(t, path, nil)
			mustAppend(t, db, commit("s", eventstore.Any(), strings.Repeat("x", 2*maxPageBytes)))
			tamper(t, path, dropTriggers, fmt.Sprintf(statement, at))
			for _, after := range []uint64{at - 2, at - 1} {
				p := db.readPage(t.Context(), everything, after, make([]eventstore.Record, 0, fullPage))
				require.True(t, p.err != nil || len(p.records) > 0, "a page after %d that says nothing", after)
			}
			_, err := drain(t, db)
			require.ErrorIs(t, err, eventstore.ErrDamaged)
		})
	}
}

// TestUnpackGarbage: nothing that is not a pack is read as a record, nor read at all.
func TestUnpackGarbage(t *testing.T) {
	db := open(t, nil)
	fill(t, db, 1)
	var packed []byte
	err := db.withReader(t.Context(), func(c conn) (err error) {
		packed, err = c.bytes(packAll, int64(maxPageBytes), int64(0), int64(1))
		return err
	})
	if err != nil {
		needsPacks(t)
	}
	require.NoError(t, err)
	var r eventstore.Record
	rest, ok := unpack(packed, &r)
	require.True(t, ok)
	require.Empty(t, rest)
	for n := range packed {
		_, ok := unpack(packed[:n], &r)
		require.False(t, ok, "cut off after %d bytes", n)
		for bit := range 8 {
			flipped := slices.Clone(packed)
			flipped[n] ^= 1 << bit
			_, ok := unpack(flipped, &r)
			require.False(t, ok, "bit %d of byte %d", bit, n)
		}
	}
}
