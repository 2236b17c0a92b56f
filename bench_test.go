package grouplog_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// BenchmarkDo measures whole commands on the SQLite log (WAL, synchronous=FULL):
// decided, durable, and answered. Half are joins, half are leaves.
func BenchmarkDo(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		for _, groups := range []int{1, 1_000} {
			b.Run(fmt.Sprintf("callers=%d/groups=%d", callers, groups), func(b *testing.B) { benchmarkDo(b, callers, groups) })
		}
	}
}

func benchmarkDo(b *testing.B, callers, groups int) {
	engine, err := grouplog.Open(b.Context(), filepath.Join(b.TempDir(), "groups.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	for i := range groups {
		if _, err := engine.As("owner").CreateGroup(b.Context(), domain.Meeting, fmt.Sprintf("g%d", i), "G"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	var done atomic.Int64
	var wait sync.WaitGroup
	for caller := range callers {
		wait.Go(func() {
			user := engine.As(fmt.Sprintf("user-%d", caller))
			for i := done.Add(2); i <= int64(b.N+1); i = done.Add(2) {
				group := fmt.Sprintf("g%d", int(i/2)%groups)
				if _, err := user.Do(b.Context(), commands.RequestJoin{GroupID: group}); err != nil {
					b.Error(err)
				}
				if _, err := user.Do(b.Context(), commands.Quit{GroupID: group}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wait.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
}
