package jetstream_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
	"github.com/grouplog/grouplog/projections/consumers"
)

// pausing is a way to the servers on which nothing goes out or in while it is paused, and
// everything after: what a process sends that is stopped in the middle of it, and goes on
// later.
type pausing struct{ sync.RWMutex }

func (p *pausing) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	return pausingConn{conn, p}, err
}

type pausingConn struct {
	net.Conn
	pausing *pausing
}

func (c pausingConn) Write(b []byte) (int, error) {
	c.pausing.RLock()
	defer c.pausing.RUnlock()
	return c.Conn.Write(b)
}

func (c pausingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.pausing.RLock()
	defer c.pausing.RUnlock()
	return n, err
}

// slow is a way to the servers on which whatever comes takes so long.
type slow struct{ atomic.Int64 }

func (s *slow) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	return slowConn{conn, s}, err
}

type slowConn struct {
	net.Conn
	slow *slow
}

func (c slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	<-time.After(time.Duration(c.slow.Load()))
	return n, err
}

// An answer that takes longer than it is waited for at first is waited for.
func TestCellOverASlowWay(t *testing.T) {
	t.Parallel()
	way := &slow{}
	store := node(t, jetstreamtest.Shared(t).URL()+"/"+jetstreamtest.StreamName(t)+"?sync=always", func(o *jetstream.Options) {
		o.ReadTimeout, o.NATS = time.Minute, append(o.NATS, nats.SetCustomDialer(way))
	})
	at, err := store.SetCell(t.Context(), "a", []byte("value"), 0)
	require.NoError(t, err)
	way.Store(int64(1200 * time.Millisecond))
	value, revision, err := store.Cell(t.Context(), "a")
	way.Store(0)
	require.NoError(t, err)
	require.Equal(t, "value", string(value))
	require.Equal(t, at, revision)
}

// A node that is paused for longer than its lease loses it. What it had begun arrives when
// it goes on, too late: its progress overwrites nothing, and its append, decided on what
// was, is a conflict.
func TestPausedBeyondTheLease(t *testing.T) {
	address := jetstreamtest.Shared(t).URL() + "/" + jetstreamtest.StreamName(t) + "?sync=always"
	way := &pausing{}
	paused := node(t, address, func(o *jetstream.Options) { o.NATS = append(o.NATS, nats.SetCustomDialer(way)) })
	other := node(t, address)
	appendAll(t, paused, 0, 5, 100)
	follow := func(store *jetstream.Store) *consumers.Consumer {
		r, err := consumers.OpenCells(t.Context(), store, store, &consumers.CellOptions{Lease: time.Second})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		c, err := r.Acquire(t.Context(), "mailer", 0)
		require.NoError(t, err)
		return c
	}
	first := follow(paused)
	require.NoError(t, first.Save(t.Context(), 2))

	way.Lock()
	late := make(chan error, 1)
	go func() { late <- first.Save(t.Context(), 3) }()
	type answer struct {
		results []eventstore.Result
		err     error
	}
	appended := make(chan answer, 1)
	commit := eventstore.Commit{Stream: "s0", Expect: eventstore.Exactly(1), Events: []eventstore.Event{{
		Type: "test.happened", Schema: 1, Data: []byte(`1`), Time: time.Unix(1, 0),
	}}}
	go func() {
		results, err := paused.Append(t.Context(), commit)
		appended <- answer{results, err}
	}()
	second := follow(other)
	require.Equal(t, eventstore.Position(2), second.Position(), "it goes on where the other one was")
	require.NoError(t, second.Save(t.Context(), 4))
	results, err := other.Append(t.Context(), commit)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	way.Unlock()

	require.ErrorIs(t, <-late, consumers.ErrReleased)
	got := <-appended
	require.NoError(t, got.err)
	require.ErrorIs(t, got.results[0].Err, eventstore.ErrConflict)
	require.NoError(t, second.Save(t.Context(), 5), "nothing was written over")
	require.Len(t, records(t, other), 6)
	require.NoError(t, second.Release())
}
