package powercut

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// journal writes down what happens, as the library does.
type journal struct {
	t    *testing.T
	disk *Disk
}

func (j journal) note(k kind, name string, file uint64, offset int, data string) Moment {
	j.t.Helper()
	var r []byte
	r = binary.LittleEndian.AppendUint32(r, uint32(k))
	r = binary.LittleEndian.AppendUint32(r, uint32(len(name)))
	r = binary.LittleEndian.AppendUint64(r, file)
	r = binary.LittleEndian.AppendUint64(r, uint64(offset))
	r = binary.LittleEndian.AppendUint64(r, uint64(len(data)))
	f, err := os.OpenFile(j.disk.journal, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(j.t, err)
	_, err = f.WriteString(string(r) + name + data)
	require.NoError(j.t, err)
	require.NoError(j.t, f.Close())
	info, err := os.Stat(j.disk.journal)
	require.NoError(j.t, err)
	return Moment(info.Size())
}

// after is what the disk holds when the power is back.
func (j journal) after(at Moment, luck Luck) map[string]string {
	j.t.Helper()
	to := j.t.TempDir()
	j.disk.Restore(j.t, to, at, luck)
	files := map[string]string{}
	for name, content := range contents(j.t, to) {
		files[name] = string(content)
	}
	return files
}

func TestRestore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	j := journal{t, &Disk{journal: path, before: map[string][]byte{"old": []byte("as it was")}}}
	j.note(opened, "/d/old", 1, 0, "")
	j.note(written, "", 1, 3, "IT")
	j.note(created, "/d/new", 2, 0, "")
	j.note(written, "", 2, 0, strings.Repeat("a", sector)+strings.Repeat("b", sector))
	unsynced := j.note(written, "", 2, 2*sector, "c")
	noName := j.note(synced, "", 2, 0, "")
	named := j.note(namesSynced, "", 9, 0, "")
	j.note(unlinked, "/d/old", 0, 0, "")
	cutOff := j.note(cut, "", 2, 1, "")
	all := j.note(synced, "", 2, 0, "")
	gone := j.note(namesSynced, "", 9, 0, "")

	whole := strings.Repeat("a", sector) + strings.Repeat("b", sector) + "c"
	for at, want := range map[Moment]map[string]string{
		0:        {"old": "as it was"},
		unsynced: {"old": "as it was"},
		noName:   {"old": "as it was"}, // its content is there, and nothing leads to it
		named:    {"old": "as it was", "new": whole},
		cutOff:   {"old": "as it was", "new": whole},
		all:      {"old": "as it was", "new": "a"},
		gone:     {"new": "a"},
	} {
		require.Equal(t, want, j.after(at, NothingOfIt()), "at %d", at)
	}
	require.Equal(t, []byte("as it was"), j.disk.before["old"], "what was before is as it was, for the next time")

	// With luck, any of it is there, down to a sector, and nothing else ever is.
	random, seen := rand.New(rand.NewPCG(1, 1)), map[string]bool{}
	for range 300 {
		files := j.after(unsynced, SomeOfIt(random))
		require.Contains(t, []string{"as it was", "as IT was"}, files["old"])
		content, there := files["new"]
		for i, letter := range []string{"a", "b"} {
			if part := content[min(len(content), i*sector):min(len(content), (i+1)*sector)]; part != "" {
				require.Contains(t, []string{strings.Repeat(letter, sector), strings.Repeat("\x00", sector)}, part)
			}
		}
		seen[content] = there
	}
	require.Len(t, seen, 8, "each of its three parts may be there or not")
}
