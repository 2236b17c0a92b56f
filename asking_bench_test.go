package grouplog_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
)

// BenchmarkAskingBeside asks for a group ten times a second, while so many callers join and
// leave groups: a question waits for the rows of all that was answered before it.
//
//	go test -run '^$' -bench AskingBeside -benchtime 5x .
func BenchmarkAskingBeside(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			engine, err := grouplog.Open(b.Context(), filepath.Join(b.TempDir(), "groups.db"), nil)
			require.NoError(b, err)
			defer engine.Close()
			for i := range sharedGroups {
				_, err := engine.As("owner").CreateGroup(b.Context(), domain.Meeting, sharedGroup(i), "G")
				require.NoError(b, err)
			}
			var asked, done crowd
			for b.Loop() {
				over := make(chan struct{})
				go func() {
					defer close(over)
					done.add(gather(b, engine, "here", callers, time.Second))
				}()
				asked.add(ask(b, engine, over))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(done.rate(), "commands/s")
			b.ReportMetric(asked.milliseconds(0.5), "p50-ms")
			b.ReportMetric(asked.milliseconds(0.9), "p90-ms")
			b.ReportMetric(asked.milliseconds(0.99), "p99-ms")
		})
	}
}

// ask asks for groups, one after the other, until it is over.
func ask(b *testing.B, engine *grouplog.Engine, over <-chan struct{}) (times []time.Duration) {
	tick := time.NewTicker(97 * time.Millisecond) // in step with nothing
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-over:
			return times
		case <-tick.C:
		}
		start := time.Now()
		_, err := engine.Group(b.Context(), sharedGroup(i*31))
		require.NoError(b, err)
		times = append(times, time.Since(start))
	}
}
