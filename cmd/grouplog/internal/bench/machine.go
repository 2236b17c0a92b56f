package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// Machine is what was measured on.
type Machine struct {
	FileSystem string  `json:"fileSystem"` // of the directory
	Kernel     string  `json:"kernel"`
	CPUs       int     `json:"cpus"`
	CPU        string  `json:"cpu,omitempty"`
	Go         string  `json:"go"`
	SQLite     string  `json:"sqlite"`
	FsyncP50   float64 `json:"fsyncP50Milliseconds"` // of 4 KiB that are overwritten in the directory
	FsyncP99   float64 `json:"fsyncP99Milliseconds"`
	Durability string  `json:"durability"`
	Sizes      string  `json:"sizes"`
	Largest    int     `json:"largest"` // members of the largest group, and rows of the longest list
}

// Machine describes what is measured on. It takes a second or two for the disk.
func (b *Bench) Machine(ctx context.Context) (Machine, error) {
	b.progress("fsync")
	version, _, _ := sqlite3.Version()
	m := Machine{
		FileSystem: fileSystem(b.options.Dir), Kernel: kernel(), CPUs: runtime.NumCPU(), CPU: field("/proc/cpuinfo", "model name"),
		Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, SQLite: version,
		Durability: "WAL, synchronous=FULL", Sizes: b.options.Sizes.Name, Largest: max(b.options.Sizes.Large, b.options.Sizes.Rows),
	}
	times, err := fsyncs(ctx, b.options.Dir, b.options.Sizes.Fsyncs)
	if err != nil {
		return Machine{}, fmt.Errorf("fsync: %w", err)
	}
	m.FsyncP50, m.FsyncP99 = milliseconds(quantile(times, 0.5)), milliseconds(quantile(times, 0.99))
	return m, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// fsyncs overwrites pages of a file and syncs each.
func fsyncs(ctx context.Context, dir string, n int) (times []time.Duration, err error) {
	file, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	const page, pages = 4 << 10, 256
	if _, err := file.Write(make([]byte, page*pages)); err != nil {
		return nil, err
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	for i := range n {
		start := time.Now()
		if _, err := file.WriteAt(bytes.Repeat([]byte{byte(i)}, page), int64(i%pages*page)); err != nil {
			return nil, err
		}
		if err := file.Sync(); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// What a machine does not tell is unknown: the figures are right without.
const unknown = "unknown"

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(release))
}

// fileSystem is the type of the file system of a directory.
func fileSystem(dir string) string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return unknown
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return unknown
	}
	best, found := "", unknown
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 {
			point := strings.TrimSuffix(fields[1], "/") + "/"
			if strings.HasPrefix(dir+"/", point) && len(point) >= len(best) {
				best, found = point, fields[2]
			}
		}
	}
	return found
}

// field is what a file of the kernel's says after a name and a colon; empty if nothing.
func field(path, name string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// resident is how much memory the process holds, now or at most since forgetPeak, in
// MiB. Where the kernel does not tell, it is what Go has taken from it.
func resident(name string) float64 {
	kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(field("/proc/self/status", name), " kB"), 64)
	if err != nil {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return mebibytes(stats.Sys)
	}
	return kilobytes / 1024
}

const (
	residentNow  = "VmRSS"
	residentPeak = "VmHWM"
)

// forgetPeak begins anew with the peak of the resident memory. Where that cannot be,
// the peak is that of the process.
func forgetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

func mebibytes(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// restingMemory is how much memory the process holds when garbage is collected and
// given back. The peak begins anew.
func restingMemory() float64 {
	debug.FreeOSMemory()
	forgetPeak()
	return resident(residentNow)
}
