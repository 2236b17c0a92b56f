package jetstream

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// headerSource says of a message that was sourced where it came from: the name of the
// stream, the sequence number there, and more, with spaces between.
const headerSource = "Nats-Stream-Source"

// shards are the streams that messages are published to. Where there is one, it is the
// log itself; where there are several, the stream of the log sources from all of them,
// and so decides their order.
type shards struct {
	address *address
	n       int
}

// of is the shard of a stream of the log.
func (s shards) of(stream string) int {
	h := fnv.New32a()
	h.Write([]byte(stream))
	return int(h.Sum32() % uint32(s.n))
}

// name is that of a shard's stream in the cluster.
func (s shards) name(shard int) string {
	if s.n == 1 {
		return s.address.stream()
	}
	return fmt.Sprintf("%s-%d", s.address.stream(), shard)
}

// subjects match everything in a shard.
func (s shards) subjects(shard int) string {
	return s.address.prefix("log") + strconv.Itoa(shard) + ".*"
}

// subject is that of the messages to one stream of the log.
func (s shards) subject(stream string) string {
	return s.address.prefix("log") + strconv.Itoa(s.of(stream)) + "." + escape(stream)
}

// sequence is the number of a message in its shard.
func (s shards) sequence(e *entry, shard int) (uint64, error) {
	if s.n == 1 {
		return e.sequence, nil
	}
	fields := strings.Fields(e.header.Get(headerSource))
	if len(fields) < 2 || fields[0] != s.name(shard) {
		return 0, fmt.Errorf("it comes from %q, and not from the stream %s", e.header.Get(headerSource), s.name(shard))
	}
	return strconv.ParseUint(fields[1], 10, 64)
}

// frontier is how far the shards go, each by its own count.
type frontier []uint64

// note is the frontier as a replica keeps it. The only shard's count is that of the log.
func (f frontier) note() []byte {
	var note []byte
	if len(f) == 1 {
		return nil
	}
	for _, n := range f {
		note = binary.AppendUvarint(note, n)
	}
	return note
}

// parseFrontier reads what a replica keeps beside its mark.
func parseFrontier(mark uint64, note []byte, shards int) (frontier, error) {
	f := make(frontier, shards)
	if shards == 1 {
		f[0] = mark
	}
	if shards == 1 || mark == 0 {
		return f, nil
	}
	for i := range f {
		n, size := binary.Uvarint(note)
		if size <= 0 {
			return nil, fmt.Errorf("the replica does not say how far it goes in shard %d", i)
		}
		f[i], note = n, note[size:]
	}
	return f, nil
}

// covers reports whether everything up to another frontier is behind this one.
func (f frontier) covers(other frontier) bool {
	for i, n := range other {
		if f[i] < n {
			return false
		}
	}
	return true
}

// only is the frontier that has come somewhere in one shard.
func (s shards) only(shard int, sequence uint64) frontier {
	f := make(frontier, s.n)
	f[shard] = sequence
	return f
}
