package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
)

// touch has the engine load a group, for the rule that looks at most of it: the one for an
// owner who quits looks for the member who has been in for longest.
func touch(ctx context.Context, engine *grouplog.Engine, groupID string) error {
	group, err := engine.Group(ctx, groupID)
	if err != nil {
		return err
	}
	return engine.As(group.Owner).Quit(ctx, groupID)
}

// openWarm opens the trial of commands in groups of several sizes, in one log.
func openWarm(ctx context.Context, s *Session) error {
	path, err := s.bench.groups(ctx)
	if err != nil {
		return err
	}
	engine, err := s.engine(ctx, path)
	if err != nil {
		return err
	}
	var sizes []int
	for _, size := range s.sizes.WarmGroups {
		if size == s.sizes.WarmGroups[0] || s.wants(warmRow(size), warmRow(size)+allocations) {
			sizes = append(sizes, size)
			if err := touch(ctx, engine, sizedGroup(size)); err != nil {
				return err
			}
		}
	}
	s.round = func(ctx context.Context) error {
		costs := make(map[int]cost, len(sizes))
		var turns []func() error
		for _, size := range sizes {
			turns = append(turns, func() (err error) {
				costs[size], err = costOf(s.sizes.WarmCommands, func() error { return s.comeAndGo(ctx, engine, size) })
				return err
			})
		}
		if err := s.inTurn(turns...); err != nil {
			return err
		}
		small := costs[s.sizes.WarmGroups[0]]
		for _, size := range sizes {
			s.add(warmRow(size), costs[size].cpu, small.cpu)
			s.add(warmRow(size)+allocations, costs[size].allocations, small.allocations)
		}
		return nil
	}
	return nil
}

// comeAndGo has users join a group and leave it again, so that it stays as large as it
// is, and waits until the read models show it. It submits without waiting, so that
// many commands share a commit.
func (s *Session) comeAndGo(ctx context.Context, engine *grouplog.Engine, size int) error {
	line := newPipeline(ctx, engine)
	for i := range s.sizes.WarmCommands / 2 {
		user := fmt.Sprintf("guest-%d", i%500)
		line.submit(user, commands.RequestJoin{GroupID: sizedGroup(size)})
		line.submit(user, commands.Quit{GroupID: sizedGroup(size)})
	}
	return line.end()
}

// cost is what a command costs.
type cost struct {
	cpu         float64 // in microseconds
	allocations float64
}

// costOf measures what n commands cost the whole process.
func costOf(n int, do func() error) (cost, error) {
	runtime.GC()
	before := allocated()
	used, err := cpuTime()
	if err != nil {
		return cost{}, err
	}
	if err := do(); err != nil {
		return cost{}, err
	}
	now, err := cpuTime()
	return cost{
		cpu:         float64(now-used) / float64(time.Microsecond) / float64(n),
		allocations: float64(allocatedSince(before).objects) / float64(n),
	}, err
}

// heap is what has been allocated so far.
type heap struct{ objects, bytes uint64 }

// allocated reads the statistics that are exact: those of runtime/metrics leave out what
// each processor has not reported yet.
func allocated() heap {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return heap{stats.Mallocs, stats.TotalAlloc}
}

func allocatedSince(before heap) heap {
	now := allocated()
	return heap{now.objects - before.objects, now.bytes - before.bytes}
}

// openCold opens the trial of the first command after opening.
func openCold(ctx context.Context, s *Session) error {
	path, err := s.bench.groups(ctx)
	if err != nil {
		return err
	}
	var opened []time.Duration
	var bytes []float64
	s.round = func(ctx context.Context) error {
		var small, large time.Duration
		first := func(size int, took *time.Duration) func() error {
			return func() (err error) {
				start := time.Now()
				engine, err := openEngine(ctx, path)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, engine.Close()) }()
				opened = append(opened, time.Since(start))
				late := engine.As(s.bench.stranger())
				runtime.GC()
				before := allocated()
				start = time.Now()
				_, err = late.JoinGroup(ctx, sizedGroup(size), "")
				*took = time.Since(start)
				if size != few {
					bytes = append(bytes, float64(allocatedSince(before).bytes))
				}
				return err
			}
		}
		if err := s.inTurn(first(few, &small), first(s.sizes.Large, &large)); err != nil {
			return err
		}
		s.add("cold-first", milliseconds(large), milliseconds(small))
		s.note("cold-first", "opening takes %.1f ms; the command in the large group allocates %.0f KiB",
			milliseconds(quantile(slices.Clone(opened), 0.5)), median(slices.Clone(bytes))/1024)
		return nil
	}
	return nil
}

// openMemory opens the trial of memory.
func openMemory(ctx context.Context, s *Session) error {
	path, err := s.bench.groups(ctx)
	if err != nil {
		return err
	}
	s.round = func(ctx context.Context) (err error) {
		before := restingMemory()
		engine, err := openEngine(ctx, path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, engine.Close()) }()
		if err := touch(ctx, engine, sizedGroup(s.sizes.Large)); err != nil {
			return err
		}
		line := newPipeline(ctx, engine)
		guest := s.bench.stranger()
		for i := range s.sizes.Small {
			line.submit(guest, commands.RequestJoin{GroupID: smallGroup(i)})
		}
		if err := line.end(); err != nil {
			return err
		}
		peak := resident(residentPeak)
		after := restingMemory()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		s.add("memory", peak, 0)
		s.note("memory", "%.0f MiB resident before; after it, %.0f MiB, of which %.0f MiB are Go's heap", before, after, mebibytes(stats.HeapAlloc))
		return nil
	}
	return nil
}
