package sqlite

import (
	"bytes"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"
	"unsafe"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/bulk"
)

// To hand over a row, the driver takes three times as long as SQLite takes to find it:
// eleven values, each in an allocation of its own. So where many records are read, an
// aggregate function in C packs them into one value, in the very encoding of which the
// checksums are: a checksum of eight bytes, and what it is of, for each record.
//
// A pack is a faster way to what the rows say and nothing else. Where it has not the
// next record as it should be, for whatever reason, rows are read one by one, and say
// why: because the log ends, because the connection has no such function, or because
// the record is damaged.
const (
	packRecords = `SELECT grouplog_pack(?, checksum, position, version, schema, time, app_admin, stream, type, actor, command_id, data) FROM events `
	packAll     = packRecords + `WHERE position > ? AND position <= ?`
	packStream  = packRecords + `WHERE stream = ? AND version > ? AND version <= ?`
)

// smallRecord is up to how many bytes the texts of a record and its data share one
// allocation. Who keeps one of the texts keeps them all: that may not be much.
const smallRecord = 512

// packing opens connections that have the function, where there is one.
func packing(dial dialer) dialer {
	return func(dsn string) (driver.Conn, error) {
		return bulk.Dial(func() (driver.Conn, error) { return dial(dsn) })
	}
}

// fillPacked keeps the records that follow a place, up to the first that is not as it
// should be.
func (p *page) fillPacked(c conn, o order, after uint64) {
	n := uint64(cap(p.records))
	if after > math.MaxInt64-n {
		return
	}
	args := append([]driver.Value{int64(maxPageBytes)}, o.args...)
	packed, err := c.bytes(o.packed, append(args, int64(after), int64(after+n))...)
	if err != nil {
		return
	}
	for i, rest := 0, packed; len(rest) > 0 && i < cap(p.records); i++ {
		r := p.records[:i+1]
		var ok bool
		if rest, ok = unpack(rest, &r[i]); !ok || o.place(&r[i]) != after+uint64(i)+1 {
			return
		}
		p.records, p.size = r, len(packed)-len(rest) // what is not kept takes no room from fill
	}
}

// unpack takes the first record of a pack; ok is false if it does not match its checksum.
func unpack(packed []byte, r *eventstore.Record) (rest []byte, ok bool) {
	const fixed = 8 + 1 + 4*8 + 1
	if len(packed) < fixed {
		return nil, false
	}
	integer := func(i int) int64 { return int64(binary.BigEndian.Uint64(packed[9+8*i:])) }
	checksum := binary.BigEndian.Uint64(packed)
	r.Position, r.Version, r.Schema = eventstore.Position(integer(0)), eventstore.Version(integer(1)), int(integer(2))
	r.Time, r.AppAdmin = time.UnixMicro(integer(3)).UTC(), packed[fixed-1] == 1
	// Where each text ends, and the data.
	var ends [5]int
	at, from := fixed, [5]int{}
	for i := range ends {
		size, n := binary.Uvarint(packed[at:])
		if n <= 0 || size > uint64(len(packed)-at-n) {
			return nil, false
		}
		from[i] = at + n
		at = from[i] + int(size)
		ends[i] = at
	}
	if uint64(crc32.Checksum(packed[8:at], castagnoli)) != checksum {
		return nil, false
	}
	var texts string
	if at-from[0] <= smallRecord {
		own := bytes.Clone(packed[from[0]:at])
		texts = unsafe.String(unsafe.SliceData(own), ends[3]-from[0])
		r.Data = own[from[4]-from[0]:]
	} else {
		texts, r.Data = string(packed[from[0]:ends[3]]), bytes.Clone(packed[from[4]:at])
	}
	text := func(i int) string { return texts[from[i]-from[0] : ends[i]-from[0]] }
	r.Stream, r.Type, r.Actor, r.CommandID = text(0), text(1), text(2), text(3)
	return packed[at:], true
}

// bytes is the one value that a query answers, where it is some bytes.
func (c conn) bytes(query string, args ...driver.Value) (value []byte, err error) {
	rows, err := c.query(query, args...)
	if err != nil {
		return nil, err
	}
	var row [1]driver.Value
	err = rows.Next(row[:])
	take(row[0], &value)
	return value, errors.Join(err, rows.Close())
}
