package grouplog_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
	"github.com/grouplog/grouplog/projections/groupview"
)

// openCluster opens three engines on one log in a cluster, each with a replica and read
// models of its own.
func openCluster(t testing.TB, address string) []*grouplog.Engine {
	var engines []*grouplog.Engine
	for range 3 {
		path := filepath.Join(t.TempDir(), "groups.db")
		store, err := jetstream.Open(t.Context(), address, path, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		engine, err := grouplog.Open(t.Context(), path, &grouplog.Options{Store: store})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, engine.Close()) })
		engines = append(engines, engine)
	}
	return engines
}

// A group in which all nodes are busy: each shows its callers what they have done, and
// what is left is what they were told.
func TestAHotGroupInACluster(t *testing.T) {
	engines := openCluster(t, jetstreamtest.Start(t, nil).URL()+"/hot?sync=always")
	_, err := engines[0].As("olga").CreateGroup(t.Context(), domain.Meeting, "hot", "Hot")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for caller := range 12 {
		user := engines[caller%3].As(fmt.Sprint("user-", caller))
		wg.Go(func() {
			for k := range 15 {
				var cmd commands.Command = commands.RequestJoin{GroupID: "hot"}
				if k%2 == 1 {
					cmd = commands.Quit{GroupID: "hot"}
				}
				_, err := user.Do(t.Context(), cmd)
				if !assert.NoError(t, err) {
					return
				}
				_, err = engines[caller%3].Member(t.Context(), "hot", fmt.Sprint("user-", caller))
				assert.Equal(t, k%2 == 1, errors.Is(err, groupview.ErrNotFound), "%v", err)
			}
		})
	}
	wg.Wait()
	for _, e := range engines {
		head, err := e.Log().Head(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 1+12*15, head)
	}
}

// BenchmarkHotGroup compares commands about one group, given through all three nodes of a
// cluster, with as many about a group for each caller.
func BenchmarkHotGroup(b *testing.B) {
	engines := openCluster(b, jetstreamtest.Start(b, nil).URL()+"/hot?sync=always")
	const callers = 64
	for i := range callers {
		_, err := engines[i%3].As("olga").CreateGroup(b.Context(), domain.Meeting, fmt.Sprint("g", i), "G")
		require.NoError(b, err)
	}
	var quotients, hot, spread []float64
	rate := func(group func(caller int) string) float64 {
		var done atomic.Int64
		var wg sync.WaitGroup
		start := time.Now()
		for caller := range callers {
			user := engines[caller%3].As(fmt.Sprint("user-", caller))
			wg.Go(func() {
				for time.Since(start) < 2*time.Second {
					for _, cmd := range []commands.Command{commands.RequestJoin{GroupID: group(caller)}, commands.Quit{GroupID: group(caller)}} {
						if _, err := user.Do(context.Background(), cmd); err != nil {
							b.Error(err)
							return
						}
						done.Add(1)
					}
				}
			})
		}
		wg.Wait()
		return float64(done.Load()) / time.Since(start).Seconds()
	}
	for b.Loop() {
		many := rate(func(caller int) string { return fmt.Sprint("g", caller) })
		one := rate(func(int) string { return "g0" })
		quotients, hot, spread = append(quotients, one/many), append(hot, one), append(spread, many)
	}
	b.ReportMetric(median(quotients), "hot/spread")
	b.ReportMetric(median(hot), "hot-commands/s")
	b.ReportMetric(median(spread), "spread-commands/s")
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}
