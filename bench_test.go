package grouplog_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	if _, err := engine.Group(b.Context(), "g0"); err != nil { // the read models are current
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
}

// BenchmarkCold measures the first command after opening, in groups of several
// sizes: it must not cost more in a large one.
func BenchmarkCold(b *testing.B) {
	for _, size := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("members=%d", size), func(b *testing.B) { benchmarkCold(b, size) })
	}
}

func benchmarkCold(b *testing.B, size int) {
	path := filepath.Join(b.TempDir(), "groups.db")
	policies := domain.Classic()
	meeting := policies[domain.Meeting]
	meeting.MemberLimit = 0
	policies[domain.Meeting] = meeting
	engine := openGroup(b, path, policies, size)
	var took []time.Duration
	for i := range b.N {
		if err := engine.Close(); err != nil {
			b.Fatal(err)
		}
		var err error
		if engine, err = grouplog.Open(b.Context(), path, &grouplog.Options{Policies: policies}); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if _, err := engine.As(fmt.Sprintf("late-%d", i)).JoinGroup(b.Context(), "g", ""); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	if err := engine.Close(); err != nil {
		b.Fatal(err)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
}

// openGroup opens an engine on a log with one group of so many members.
func openGroup(b *testing.B, path string, policies domain.Policies, size int) *grouplog.Engine {
	b.Helper()
	engine, err := grouplog.Open(b.Context(), path, &grouplog.Options{Policies: policies})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := engine.As("owner").CreateGroup(b.Context(), domain.Meeting, "g", "G"); err != nil {
		b.Fatal(err)
	}
	futures := make(chan *commands.Future, 1_000)
	var wait sync.WaitGroup
	wait.Go(func() {
		for future := range futures {
			if _, err := future.Wait(b.Context()); err != nil {
				b.Error(err)
			}
		}
	})
	for i := range size - 1 {
		future, err := engine.Submit(b.Context(), domain.Actor{UserID: fmt.Sprintf("user-%d", i)}, commands.RequestJoin{GroupID: "g"})
		if err != nil {
			b.Fatal(err)
		}
		futures <- future
	}
	close(futures)
	wait.Wait()
	if _, err := engine.Group(b.Context(), "g"); err != nil { // the read models are current
		b.Fatal(err)
	}
	return engine
}
