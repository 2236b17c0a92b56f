package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
	"github.com/grouplog/grouplog/projections/consumers"
)

// TestCellsThroughFaults lets the leader of the cells fail while a number is counted up,
// and consumers of one name follow the log, from three nodes. No addition is lost or made
// twice, one consumer follows the other, and none skips anything.
func TestCellsThroughFaults(t *testing.T) {
	onlyWithFaults(t)
	const bucket = "KV_GROUPLOG-faults"
	for _, fault := range []struct {
		name string
		do   func(t *testing.T, c *jetstreamtest.Cluster, leader int) (repair func())
	}{
		{"the leader is killed", func(t *testing.T, c *jetstreamtest.Cluster, leader int) func() {
			c.Kill(t, leader)
			return func() { c.Start(t, leader) }
		}},
		{"the leader is cut off", func(t *testing.T, c *jetstreamtest.Cluster, leader int) func() {
			c.Partition(t, leader)
			return func() { c.Heal(t) }
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := jetstreamtest.StartProcesses(t, nil)
			address := c.URL() + "/faults?sync=always"
			var nodes []*jetstream.Store
			for range 3 {
				nodes = append(nodes, node(t, address))
			}
			count, followed := startCount(t, nodes), startFollowing(t, nodes)
			defer count.end()
			defer followed.end()
			count.until(t, 50)
			followed.until(t, 50)
			repair := fault.do(t, c, c.Leader(t, bucket))
			count.until(t, 50)
			repair()
			count.until(t, 50)
			followed.until(t, 50)
			count.end()
			followed.end()
			count.check(t, node(t, address))
			followed.check(t)
		})
	}
}

// background is something that goes on beside a test, and counts.
type background struct {
	ctx    context.Context
	cancel context.CancelFunc
	all    sync.WaitGroup
	begun  time.Time
	done   atomic.Int64
}

func (b *background) end() {
	b.cancel()
	b.all.Wait()
}

// until waits until so much more was done.
func (b *background) until(t *testing.T, more int64) {
	t.Helper()
	to := b.done.Load() + more
	require.Eventually(t, func() bool { return b.done.Load() >= to }, 5*time.Minute, 10*time.Millisecond, "it goes on")
}

// count is callers who add to one cell.
type count struct {
	background
	unknown atomic.Int64
}

func startCount(t *testing.T, nodes []*jetstream.Store) *count {
	c := &count{}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for _, n := range nodes {
		c.all.Go(func() {
			for c.ctx.Err() == nil {
				c.add(t, n)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	return c
}

func (c *count) add(t *testing.T, n *jetstream.Store) {
	value, revision, err := n.Cell(c.ctx, "count")
	if err != nil {
		return
	}
	number, _ := strconv.ParseInt(string(value), 10, 64)
	switch _, err = n.SetCell(c.ctx, "count", strconv.AppendInt(nil, number+1, 10), revision); {
	case err == nil:
		c.done.Add(1)
	case errors.Is(err, eventstore.ErrUnknown):
		t.Logf("of an addition nobody knows: %v", err)
		c.unknown.Add(1)
	case !errors.Is(err, eventstore.ErrConflict) && !errors.Is(err, jetstream.ErrUnavailable) && c.ctx.Err() == nil:
		t.Errorf("add: %v", err)
	}
}

func (c *count) check(t *testing.T, n *jetstream.Store) {
	t.Helper()
	value, _, err := n.Cell(t.Context(), "count")
	require.NoError(t, err)
	number, err := strconv.ParseInt(string(value), 10, 64)
	require.NoError(t, err)
	t.Logf("%d additions, and %d of which nobody knows: %d", c.done.Load(), c.unknown.Load(), number)
	require.GreaterOrEqual(t, number, c.done.Load(), "what was acknowledged is there")
	require.LessOrEqual(t, number, c.done.Load()+c.unknown.Load(), "once")
}

// following is consumers of one name that follow the log, while somebody appends to it.
type following struct {
	background

	mu      sync.Mutex
	handled []eventstore.Position
	acked   eventstore.Position
}

func startFollowing(t *testing.T, nodes []*jetstream.Store) *following {
	f := &following{background: background{begun: time.Now()}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.all.Go(func() {
		for f.ctx.Err() == nil {
			_, _ = nodes[0].Append(context.Background(), eventstore.Commit{Stream: "s", Events: []eventstore.Event{{
				Type: "test.happened", Schema: 1, Data: []byte("{}"), Time: time.Unix(1, 0),
			}}})
			time.Sleep(5 * time.Millisecond)
		}
	})
	for i, n := range nodes {
		f.all.Go(func() {
			for life := 0; f.ctx.Err() == nil; life++ {
				f.live(t, n, fmt.Sprint(i, "/", life), life)
				time.Sleep(500 * time.Millisecond) // another one's turn
			}
		})
	}
	return f
}

// live is the life of a process: it follows for a while and then is gone, every other
// time without letting go.
func (f *following) live(t *testing.T, n *jetstream.Store, name string, life int) {
	registry, err := consumers.OpenCells(f.ctx, n, n, &consumers.CellOptions{Lease: 2 * time.Second})
	if err != nil {
		return
	}
	defer func() { _ = registry.Close() }()
	c, err := registry.Acquire(f.ctx, "mailer", 0)
	if err != nil {
		return
	}
	t.Logf("%s is active from %d after %s", name, c.Position(), time.Since(f.begun).Round(time.Second/10))
	for range 60 {
		next := c.Position() + 1
		if head, err := n.Head(f.ctx); err != nil || head < next {
			_, _ = c.Refresh(f.ctx)
			continue
		}
		f.mu.Lock()
		f.handled = append(f.handled, next)
		f.mu.Unlock()
		if err := c.Save(f.ctx, next); err != nil {
			t.Logf("%s: %v", name, err)
			break
		}
		f.mu.Lock()
		if next <= f.acked {
			t.Errorf("%s has stored %d after %d", name, next, f.acked)
		}
		f.acked = next
		f.mu.Unlock()
		f.done.Add(1)
	}
	if life%2 == 0 {
		_ = c.Release()
	}
}

func (f *following) check(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[eventstore.Position]bool{}
	for _, p := range f.handled {
		require.True(t, p == 1 || seen[p-1], "%d was handled before what precedes it", p)
		seen[p] = true
	}
	t.Logf("%d records were handled, %d times", len(seen), len(f.handled))
}
