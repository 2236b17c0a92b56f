package powercut

import (
	_ "embed"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// source is the library that is loaded into the child.
//
//go:embed shim/powercut.c
var source []byte

// What the library is told by the environment.
const (
	envJournal = "POWERCUT_JOURNAL"
	envDir     = "POWERCUT_DIR"
	envOrders  = "POWERCUT_ORDERS"
	envPreload = "LD_PRELOAD"
)

// Disk is a directory that is watched while a child process works in it.
type Disk struct {
	dir     string
	journal string
	orders  string
	library string
	before  map[string][]byte // the files as they were: on the disk for good
}

// Watch prepares to watch a directory, whose files are durable as they are. It skips the
// test where that cannot be done.
func Watch(t testing.TB, dir string) *Disk {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	tools := t.TempDir()
	d := &Disk{
		dir: dir, journal: filepath.Join(tools, "journal"), orders: filepath.Join(tools, "orders"),
		library: compile(t, tools), before: contents(t, dir),
	}
	require.NoError(t, os.WriteFile(d.journal, nil, 0o600))
	require.NoError(t, os.WriteFile(d.orders, make([]byte, ordersSize), 0o600))
	return d
}

// compile makes the library.
func compile(t testing.TB, dir string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skipf("the power cannot be cut on %s: it needs LD_PRELOAD, as on Linux", runtime.GOOS)
	}
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skipf("the power cannot be cut without a C compiler: %v", err)
	}
	in, out := filepath.Join(dir, "powercut.c"), filepath.Join(dir, "powercut.so")
	require.NoError(t, os.WriteFile(in, source, 0o600))
	talk, err := exec.CommandContext(t.Context(), compiler, "-shared", "-fPIC", "-O1", "-o", out, in, "-ldl", "-lpthread").CombinedOutput()
	if err != nil {
		t.Skipf("the power cannot be cut here: the library is for glibc, and does not compile: %v\n%s", err, talk)
	}
	return out
}

// contents are the files of a directory, but for what SQLite keeps in shared memory.
func contents(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, e := range entries {
		if !e.Type().IsRegular() || filepath.Ext(e.Name()) == ".db-shm" {
			continue
		}
		files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
	}
	return files
}

// Dir is the directory, as the child must name it: symbolic links are followed.
func (d *Disk) Dir() string { return d.dir }

// Env is what the environment of the child must hold.
func (d *Disk) Env() []string {
	return []string{envPreload + "=" + d.library, envDir + "=" + d.dir, envJournal + "=" + d.journal, envOrders + "=" + d.orders}
}

// Moment is a place in the journal: what was done to the disk up to some time.
type Moment int64

// Written is the moment that it is now, for a child process: everything that has
// returned is before it. It is zero in a process that is not watched.
func Written() Moment {
	info, err := os.Stat(os.Getenv(envJournal))
	if err != nil {
		return 0
	}
	return Moment(info.Size())
}

// Moments draws so many moments out of all that there were, in their order, the last one
// among them. The child must have ended.
func (d *Disk) Moments(t testing.TB, random *rand.Rand, n int) []Moment {
	t.Helper()
	var all []Moment
	for _, r := range d.read(t) {
		all = append(all, r.end)
	}
	if len(all) == 0 {
		return nil
	}
	drawn := []Moment{all[len(all)-1]}
	for range n - 1 {
		drawn = append(drawn, all[random.IntN(len(all))])
	}
	slices.Sort(drawn)
	return drawn
}

// Fault is what goes wrong with a call that changes the disk.
type Fault int64

// The faults.
const (
	None       Fault = iota
	Refused          // an I/O error, and nothing is done
	Done             // an I/O error, though it is done
	Full             // there is no space; a sync fails with an I/O error
	HalfWrites       // half of it is written, and there is no space for the rest
)

// ordersSize is that of the page that the child shares: countdown, fault, forever, calls.
const ordersSize = 4 * 8

// Order lets the n-th call from now that changes the disk fail in a process that is
// watched, be it this one, and with forever all after it. It returns how many such calls
// there have been since the last order. No call may be under way.
func Order(t testing.TB, n int, fault Fault, forever bool) (calls int) {
	t.Helper()
	f, err := os.OpenFile(os.Getenv(envOrders), os.O_RDWR, 0)
	require.NoError(t, err, "the process is not watched")
	defer func() { require.NoError(t, f.Close()) }()
	page := make([]byte, ordersSize)
	_, err = f.ReadAt(page, 0)
	require.NoError(t, err)
	calls = int(binary.LittleEndian.Uint64(page[24:]))
	clear(page)
	binary.LittleEndian.PutUint64(page, uint64(n))
	binary.LittleEndian.PutUint64(page[8:], uint64(fault))
	if forever {
		page[16] = 1
	}
	_, err = f.WriteAt(page, 0)
	require.NoError(t, err)
	return calls
}
