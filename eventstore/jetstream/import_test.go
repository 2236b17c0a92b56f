package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/transfer"
)

// history is a log of commands to a few streams, two thirds of which have an ID.
func history(t testing.TB, commands int) *memory.Store {
	log := memory.New()
	for at := range commands {
		c := eventstore.Commit{Stream: fmt.Sprint("group:", at*at%997)}
		id := ""
		if at%3 > 0 {
			id = fmt.Sprint("command ", at)
			c.Outcome = &eventstore.Outcome{CommandID: id, Fingerprint: []byte{byte(at)}, Answer: []byte("answer")}
		}
		for n := range max(at%4, 1-at%3) {
			c.Events = append(c.Events, eventstore.Event{
				Type: "thing.happened", Schema: 1, Data: fmt.Appendf(nil, `{"at":%d,"n":%d}`, at, n), Actor: "alice",
				Time: time.UnixMicro(int64(1_500_000_000_000_001 + at)), CommandID: id,
			})
		}
		results, err := log.Append(t.Context(), c)
		require.NoError(t, err)
		require.NoError(t, results[0].Err)
	}
	return log
}

// A log that is copied to a cluster, of which the leader is killed again and again
// meanwhile, is the same there.
func TestCopyThroughKills(t *testing.T) {
	onlyWithFaults(t)
	if testing.Short() {
		t.Skip("it takes some elections")
	}
	c := jetstreamtest.StartProcesses(t, nil)
	log := history(t, 30_000)
	store := node(t, c.URL()+"/kills?sync=always", func(o *jetstream.Options) { o.ID = log.ID() })
	ctx, cancel := context.WithCancel(t.Context())
	var copying sync.WaitGroup
	kills := 0
	copying.Go(func() {
		for ctx.Err() == nil && kills < 3 {
			head, err := store.Head(ctx)
			if err != nil || head < eventstore.Position(10_000*(kills+1)) {
				continue
			}
			leader := c.Leader(t, "GROUPLOG-kills")
			c.Kill(t, leader)
			c.Start(t, leader)
			kills++
		}
	})
	var report transfer.Report
	start := time.Now()
	for range 20 { // each time that it cannot be known what became of something
		var err error
		if report, err = transfer.Copy(t.Context(), log, store, nil); err == nil {
			break
		}
		require.NotErrorIs(t, err, transfer.ErrDifferent)
		t.Logf("again: %v", err)
	}
	t.Logf("%d records in %s", report.Records, time.Since(start))
	cancel()
	copying.Wait()
	require.Equal(t, 3, kills)
	again, err := transfer.Copy(t.Context(), store, memory.CopyOf(log.ID()), nil)
	require.NoError(t, err)
	require.Equal(t, report.Digest, again.Digest)
}

// Imports and appends at once, to the same streams: what has come through stands in its
// order, and nothing stands twice.
func TestImportBesideAppends(t *testing.T) {
	address := fmt.Sprintf("%s/%s?sync=always", jetstreamtest.Shared(t).URL(), jetstreamtest.StreamName(t))
	store, other := node(t, address), node(t, address)
	one := func(text string) eventstore.Event {
		return eventstore.Event{Type: "t", Schema: 1, Data: fmt.Appendf(nil, "%q", text), Time: time.Unix(1, 0)}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var (
		appending sync.WaitGroup
		appended  atomic.Int64
	)
	for i := range 2 {
		appending.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				text := fmt.Sprintf("append %d/%d", i, n)
				results, err := other.Append(t.Context(), eventstore.Commit{Stream: fmt.Sprint("s", i*3), Events: []eventstore.Event{one(text)}})
				if err != nil || results[0].Err != nil {
					t.Errorf("Append: %v %v", results, err)
					return
				}
				appended.Add(1)
			}
		})
	}
	through, calls := 0, 0
	for ; calls < 20 || appended.Load() < 200; calls++ {
		var commits []eventstore.Commit
		for i := range 20 {
			commits = append(commits, eventstore.Commit{Stream: fmt.Sprint("s", i%7), Events: []eventstore.Event{one(fmt.Sprintf("import %d/%d", calls, i))}})
		}
		results, err := store.Import(t.Context(), commits...)
		if err != nil {
			require.True(t, errors.Is(err, eventstore.ErrConflict) || errors.Is(err, eventstore.ErrBusy), err)
			continue
		}
		through++
		for i, result := range results {
			require.NoError(t, result.Err)
			if i > 0 {
				require.Greater(t, result.First, results[i-1].Last, "the order is kept")
			}
		}
	}
	cancel()
	appending.Wait()
	t.Logf("%d of %d imports came through, beside %d appends", through, calls, appended.Load())
	seen := map[string]int{}
	for r, err := range store.ReadAll(t.Context(), 0) {
		require.NoError(t, err)
		seen[string(r.Data)]++
		require.Equal(t, 1, seen[string(r.Data)], "%s is stored once", r.Data)
	}
}
