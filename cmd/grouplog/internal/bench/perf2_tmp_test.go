package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestTmpCommands: allocations and CPU of commands by PERF_CALLERS callers, PERF_N each.
func TestTmpCommands(t *testing.T) {
	callersN, _ := strconv.Atoi(os.Getenv("PERF_CALLERS"))
	n, _ := strconv.Atoi(os.Getenv("PERF_N"))
	if callersN == 0 {
		t.Skip()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	engine, err := openEngine(ctx, t.TempDir()+"/g.db")
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	if err := createGroups(ctx, engine, 1000); err != nil {
		t.Fatal(err)
	}
	do := throughEngine(ctx, engine)
	round := func(n int) {
		var wg sync.WaitGroup
		for c := range callersN {
			wg.Go(func() {
				for i := range n {
					g := (c*7919 + i*31) % 1000
					if err := do(c, g, false); err != nil {
						t.Error(err)
					}
					if err := do(c, g, true); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if err := current(ctx, engine); err != nil {
			t.Error(err)
		}
	}
	round(n / 4)
	for range 3 {
		runtime.GC()
		var a, b runtime.MemStats
		runtime.ReadMemStats(&a)
		cpu, began := cpuNow(), time.Now()
		round(n)
		total := float64(2 * n * callersN)
		wall := time.Since(began)
		cpu = cpuNow() - cpu
		runtime.ReadMemStats(&b)
		fmt.Printf("%s %d callers: wall %.1f cpu %.1f us/command allocs %.2f bytes %.0f\n", os.Getenv("PERF_TAG"), callersN, float64(wall.Microseconds())/total, float64(cpu.Microseconds())/total, float64(b.Mallocs-a.Mallocs)/total, float64(b.TotalAlloc-a.TotalAlloc)/total)
	}
}
