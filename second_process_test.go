package grouplog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// BenchmarkSecondProcess measures what it costs the callers of a process that another
// one writes to the same log, in the same groups, and holds afterwards that neither has
// lost a command or carried one out twice. A caller's round is a second long; those
// alone and those beside the other process take turns.
//
//	go test -run '^$' -bench SecondProcess -benchtime 5x .
func BenchmarkSecondProcess(b *testing.B) {
	for _, callers := range []int{1, 64} {
		for _, others := range []int{1, 64} {
			b.Run(fmt.Sprintf("callers=%d/others=%d", callers, others), func(b *testing.B) { benchmarkSecondProcess(b, callers, others) })
		}
	}
}

const sharedGroups = 1_000

func benchmarkSecondProcess(b *testing.B, callers, others int) {
	path := filepath.Join(b.TempDir(), "groups.db")
	engine, err := grouplog.Open(b.Context(), path, nil)
	require.NoError(b, err)
	defer engine.Close()
	for i := range sharedGroups {
		_, err := engine.As("owner").CreateGroup(b.Context(), domain.Meeting, sharedGroup(i), "G")
		require.NoError(b, err)
	}
	var alone, beside, theirs crowd
	for b.Loop() {
		alone.add(gather(b, engine, "here", callers, time.Second))
		stop := startCrowd(b, path, others)
		beside.add(gather(b, engine, "here", callers, time.Second))
		theirs.rates = append(theirs.rates, float64(stop()))
	}
	checkShared(b, engine)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(alone.rate(), "alone/s")
	b.ReportMetric(beside.rate(), "beside/s")
	b.ReportMetric(theirs.rate(), "others/s")
	b.ReportMetric(alone.milliseconds(0.5), "p50-alone-ms")
	b.ReportMetric(beside.milliseconds(0.5), "p50-beside-ms")
	b.ReportMetric(alone.milliseconds(0.99), "p99-alone-ms")
	b.ReportMetric(beside.milliseconds(0.99), "p99-beside-ms")
}

func sharedGroup(i int) string { return fmt.Sprintf("group-%d", i%sharedGroups) }

// crowd is what callers have come to, round by round.
type crowd struct {
	rates []float64 // commands a second
	times []time.Duration
}

func (c *crowd) add(times []time.Duration) {
	c.rates = append(c.rates, float64(len(times)))
	c.times = append(c.times, times...)
}

// rate is the median.
func (c *crowd) rate() float64 {
	slices.Sort(c.rates)
	return c.rates[len(c.rates)/2]
}

func (c *crowd) milliseconds(quantile float64) float64 {
	slices.Sort(c.times)
	return float64(c.times[int(quantile*float64(len(c.times)-1))].Microseconds()) / 1000
}

// gather has so many callers join and leave groups for a while.
func gather(tb testing.TB, engine *grouplog.Engine, where string, callers int, during time.Duration) []time.Duration {
	var times = make([][]time.Duration, callers)
	var wait sync.WaitGroup
	end := time.Now().Add(during)
	for caller := range callers {
		wait.Go(func() {
			user := engine.As(fmt.Sprintf("%s-%d", where, caller))
			for i := 0; time.Now().Before(end); i++ {
				group := sharedGroup(caller*7919 + i)
				for _, command := range []commands.Command{commands.RequestJoin{GroupID: group}, commands.Quit{GroupID: group}} {
					start := time.Now()
					if _, err := user.Do(tb.Context(), command); err != nil {
						tb.Errorf("%T in %s: %v", command, group, err)
						return
					}
					times[caller] = append(times[caller], time.Since(start))
				}
			}
		})
	}
	wait.Wait()
	return slices.Concat(times...)
}

// startCrowd starts a process with callers of its own, and returns when they are at it.
// stop ends it and tells how many commands a second it has carried out.
func startCrowd(tb testing.TB, path string, callers int) (stop func() int) {
	cmd := exec.CommandContext(tb.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+roleCrowd, childPath+"="+path, fmt.Sprintf("%s=%d", childRound, callers))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(tb, err)
	out, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	var ready string
	_, err = fmt.Fscanln(out, &ready)
	require.NoError(tb, err)
	return func() int {
		var done int
		require.NoError(tb, in.Close())
		_, err := fmt.Fscanln(out, &done)
		require.NoError(tb, errors.Join(err, cmd.Wait()))
		return done
	}
}

// childCrowd is the process that startCrowd starts.
func childCrowd(ctx context.Context, engine *grouplog.Engine) error {
	var callers int
	if _, err := fmt.Sscan(os.Getenv(childRound), &callers); err != nil {
		return err
	}
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	var (
		errs = make([]error, callers)
		done = make([]int, callers)
		wait sync.WaitGroup
	)
	start := time.Now()
	for caller := range callers {
		wait.Go(func() {
			user := engine.As(fmt.Sprintf("there-%d", caller))
			for i := 0; errs[caller] == nil; i++ {
				select {
				case <-over:
					return
				default:
				}
				group := sharedGroup(caller*6007 + i)
				for _, command := range []commands.Command{commands.RequestJoin{GroupID: group}, commands.Quit{GroupID: group}} {
					_, err := user.Do(ctx, command)
					errs[caller] = errors.Join(errs[caller], err)
					done[caller]++
				}
			}
		})
	}
	fmt.Println("ready")
	wait.Wait()
	total := 0
	for _, n := range done {
		total += n
	}
	fmt.Println(int(float64(total) / time.Since(start).Seconds()))
	return errors.Join(errs...)
}

// checkShared holds that everybody has left each group as often as they have joined it,
// by turns, and that the rows say the same.
func checkShared(b *testing.B, engine *grouplog.Engine) {
	in := map[string]bool{}
	for r, err := range engine.Log().ReadAll(b.Context(), sharedGroups) {
		require.NoError(b, err)
		key := r.Stream + " " + r.Actor
		require.Equal(b, r.Type == "member.joined", !in[key], "position %d", r.Position)
		in[key] = !in[key]
	}
	for key, still := range in {
		require.False(b, still, key)
	}
	head, err := engine.Log().Head(b.Context())
	require.NoError(b, err)
	require.NoError(b, engine.WaitFor(b.Context(), head))
	for i := range sharedGroups {
		g, err := engine.Group(b.Context(), sharedGroup(i))
		require.NoError(b, err)
		require.Equal(b, 1, g.MemberCount, g.GroupID)
	}
}
