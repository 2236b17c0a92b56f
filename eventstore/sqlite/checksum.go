package sqlite

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/grouplog/grouplog/eventstore"
)

// SQLite keeps no checksum of what it stores: a flipped byte in a text is read
// back without a word. So every row carries the CRC-32C of all its other columns,
// each with its length before it, so that no two rows have the same encoding.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// What a checksum is of. An event's bytes are never an outcome's.
const (
	tagEvent   = 'E'
	tagOutcome = 'O'
)

// hasher computes checksums in a buffer that it uses again. Not for concurrent use.
type hasher struct{ buf []byte }

func (h *hasher) event(r *eventstore.Record) int64 {
	b := append(h.buf[:0], tagEvent)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Position))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Version))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Schema))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time.UnixMicro()))
	if r.AppAdmin {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = appendText(b, r.Stream)
	b = appendText(b, r.Type)
	b = appendText(b, r.Actor)
	b = appendText(b, r.CommandID)
	b = binary.AppendUvarint(b, uint64(len(r.Data)))
	h.buf = b
	return int64(crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, r.Data))
}

func (h *hasher) outcome(o *eventstore.Outcome) int64 {
	b := append(h.buf[:0], tagOutcome)
	b = appendText(b, o.CommandID)
	b = binary.AppendUvarint(b, uint64(len(o.Fingerprint)))
	b = append(b, o.Fingerprint...)
	b = binary.AppendUvarint(b, uint64(o.First))
	b = binary.AppendUvarint(b, uint64(o.Last))
	b = binary.AppendUvarint(b, uint64(len(o.Answer)))
	h.buf = b
	return int64(crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, o.Answer))
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
