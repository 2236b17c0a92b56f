package eventstore

import (
	"crypto/sha256"
	"encoding/binary"
)

// Fingerprint tells one record from another: SHA-256 over all of its fields, each with
// its length, so that no two records share the bytes. Whoever keeps a position keeps
// the fingerprint of the record there beside it, and so notices a log that was restored
// or has gone another way. It stands on disk and does not change.
func (r *Record) Fingerprint() []byte {
	buf := make([]byte, 0, 256+len(r.Data))
	number := func(n uint64) { buf = binary.BigEndian.AppendUint64(buf, n) }
	text := func(s string) { number(uint64(len(s))); buf = append(buf, s...) }
	number(uint64(r.Position))
	number(uint64(r.Version))
	number(uint64(r.Schema))
	number(uint64(r.Time.UnixMicro()))
	if r.AppAdmin {
		number(1)
	} else {
		number(0)
	}
	text(r.Stream)
	text(r.Type)
	text(r.Actor)
	text(r.CommandID)
	text(string(r.Data))
	sum := sha256.Sum256(buf)
	return sum[:]
}
