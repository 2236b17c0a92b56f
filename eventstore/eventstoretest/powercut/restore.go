package powercut

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Luck decides what reached the disk of what was never synced.
type Luck struct{ random *rand.Rand }

// NothingOfIt is the disk that writes only when it must.
func NothingOfIt() Luck { return Luck{} }

// SomeOfIt is a disk that has written some of it: any, in any order, down to a sector.
func SomeOfIt(random *rand.Rand) Luck { return Luck{random} }

// sector is what a disk writes whole, in bytes.
const sector = 512

// kind is what a record of the journal is about; powercut.c writes the same numbers.
type kind uint32

const (
	created kind = iota + 1
	opened
	written
	cut
	synced
	namesSynced
	unlinked
)

// headerSize is that of a record: kind, length of the name, file, offset, length of the data.
const headerSize = 4 + 4 + 8 + 8 + 8

// entry is a record of the journal.
type entry struct {
	kind   kind
	name   string
	file   uint64 // inode
	offset int
	data   []byte
	end    Moment
}

// read reads the journal. The last record may be cut short: its process was killed.
func (d *Disk) read(t testing.TB) []entry {
	t.Helper()
	all, err := os.ReadFile(d.journal)
	require.NoError(t, err)
	var entries []entry
	for at := 0; at+headerSize <= len(all); {
		h := all[at : at+headerSize]
		name, data := int(binary.LittleEndian.Uint32(h[4:])), int(binary.LittleEndian.Uint64(h[24:]))
		body := at + headerSize
		if at = body + name + data; at > len(all) {
			break
		}
		entries = append(entries, entry{
			kind: kind(binary.LittleEndian.Uint32(h)), name: filepath.Base(string(all[body : body+name])),
			file: binary.LittleEndian.Uint64(h[8:]), offset: int(binary.LittleEndian.Uint64(h[16:])),
			data: all[body+name : at], end: Moment(at),
		})
	}
	return entries
}

// file is what a file holds for good, and what was done to it since.
type file struct {
	durable []byte
	pending []entry
}

// disk is the state of the watched directory at some moment.
type disk struct {
	files   map[uint64]*file // by inode
	names   map[string]*file // as they are in memory
	durable map[string]*file // as they are on the disk
	pending []func(names map[string]*file)
}

// Restore fills an empty directory with the files that there would be had the power
// failed at a moment.
func (d *Disk) Restore(t testing.TB, to string, at Moment, luck Luck) {
	t.Helper()
	s := &disk{files: map[uint64]*file{}, names: map[string]*file{}, durable: map[string]*file{}}
	for name, content := range d.before {
		f := &file{durable: bytes.Clone(content)}
		s.names[name], s.durable[name] = f, f
	}
	for _, e := range d.read(t) {
		if e.end > at {
			break
		}
		s.do(e)
	}
	for _, change := range s.pending[:luck.upTo(len(s.pending))] {
		change(s.durable)
	}
	for name, f := range s.durable {
		require.NoError(t, os.WriteFile(filepath.Join(to, name), f.afterwards(luck), 0o600))
	}
}

// do does to the disk what a record says.
func (s *disk) do(e entry) {
	switch e.kind {
	case created:
		f := &file{}
		s.files[e.file] = f
		s.rename(func(names map[string]*file) { names[e.name] = f })
	case opened:
		if f := s.names[e.name]; f != nil {
			s.files[e.file] = f
			return
		}
		// Made by a call that was not seen.
		f := &file{}
		s.files[e.file] = f
		s.rename(func(names map[string]*file) { names[e.name] = f })
	case unlinked:
		s.rename(func(names map[string]*file) { delete(names, e.name) })
	case namesSynced:
		for _, change := range s.pending {
			change(s.durable)
		}
		s.pending = nil
	case written, cut:
		f := s.files[e.file]
		f.pending = append(f.pending, e)
	case synced:
		f := s.files[e.file]
		for _, p := range f.pending {
			f.durable = p.apply(f.durable)
		}
		f.pending = nil
	}
}

// rename changes names, at once in memory and later on the disk.
func (s *disk) rename(change func(names map[string]*file)) {
	change(s.names)
	s.pending = append(s.pending, change)
}

// apply is the content of a file after a write or a truncation.
func (e entry) apply(content []byte) []byte {
	size := e.offset
	if e.kind == written {
		size = max(len(content), e.offset+len(e.data))
	}
	if grow := size - len(content); grow > 0 {
		content = append(content, make([]byte, grow)...)
	}
	content = content[:size]
	copy(content[min(e.offset, size):], e.data)
	return content
}

// afterwards is what the file holds when the power is back.
func (f *file) afterwards(luck Luck) []byte {
	content := bytes.Clone(f.durable)
	if luck.random == nil {
		return content
	}
	// A mood for the file, so that it is not always about half that is there.
	mood := luck.random.Float64()
	for _, p := range f.pending {
		if p.kind == cut {
			if luck.random.Float64() < mood {
				content = p.apply(content)
			}
			continue
		}
		for from := 0; from < len(p.data); {
			to := min(len(p.data), (p.offset+from)/sector*sector+sector-p.offset)
			if luck.random.Float64() < mood {
				content = entry{kind: written, offset: p.offset + from, data: p.data[from:to]}.apply(content)
			}
			from = to
		}
	}
	return content
}

// upTo draws how many of n changes of names reached the disk. File systems keep their
// order.
func (l Luck) upTo(n int) int {
	if l.random == nil || n == 0 {
		return 0
	}
	return l.random.IntN(n + 1)
}
