package jetstream_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

// openNodes opens a log several times, each as a process of its own.
func openNodes(t *testing.T, n int) []*jetstream.Store {
	t.Helper()
	address := jetstreamtest.Shared(t).URL() + "/" + jetstreamtest.StreamName(t) + "?sync=always"
	var stores []*jetstream.Store
	for i := range n {
		s, err := jetstream.Open(t.Context(), address, filepath.Join(t.TempDir(), fmt.Sprint(i, ".db")), nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		stores = append(stores, s)
	}
	return stores
}

func echo(_ context.Context, request []byte) []byte { return append([]byte("not "), request...) }

var streams = func() (all []string) {
	for i := range 300 {
		all = append(all, fmt.Sprint("group:", i))
	}
	return all
}()

// owners are the nodes that own each stream; ok is false while the stores do not agree,
// as where one has not heard another for a second.
func owners(stores []*jetstream.Store) (owner map[string]string, ok bool) {
	owner = map[string]string{}
	for _, stream := range streams {
		here := 0
		for _, s := range stores {
			node, own := s.Owner(stream)
			if owner[stream] != "" && owner[stream] != node {
				return nil, false
			}
			owner[stream] = node
			if own {
				here++
			}
		}
		if here != 1 {
			return nil, false
		}
	}
	return owner, true
}

func agree(t *testing.T, stores []*jetstream.Store) (owner map[string]string) {
	t.Helper()
	require.Eventually(t, func() (ok bool) { owner, ok = owners(stores); return ok }, time.Minute, 10*time.Millisecond)
	return owner
}

// Nodes that answer own about as many streams each, agree whose each is, and a node that
// leaves, or dies, leaves its share to the others and theirs to them.
func TestOwners(t *testing.T) {
	stores := openNodes(t, 4)
	_, here := stores[0].Owner("group:1")
	require.True(t, here, "nobody answers")
	var stops []func()
	for _, s := range stores[:3] {
		stops = append(stops, s.Answer(echo))
	}
	before := agree(t, stores[:3])
	owned := map[string]int{}
	for _, node := range before {
		owned[node]++
	}
	for _, s := range stores[:3] {
		assert.Greater(t, owned[nodeID(t, s)], len(streams)/6)
	}
	_, here = stores[3].Owner("group:1")
	require.True(t, here, "one that does not answer itself decides for itself")

	last := nodeID(t, stores[2])
	stops[2]()
	_, here = stores[2].Owner("group:1")
	require.True(t, here)
	for stream, now := range agree(t, stores[:2]) {
		if before[stream] != last {
			require.Equal(t, before[stream], now)
		}
	}
	require.NoError(t, stores[1].Close()) // without a word
	agree(t, stores[:1])
	stops[1]()
	stops[0]()
	stops[0]()
}

// A node that has stopped is not taken for one that answers by those who come later.
func TestOwnersAfterAStop(t *testing.T) {
	log := jetstreamtest.StreamName(t)
	address := jetstreamtest.Shared(t).URL() + "/" + log + "?sync=always"
	gone, late := node(t, address), node(t, address)
	gone.Answer(echo)()
	require.NoError(t, gone.Conn().Flush())
	beats, err := late.Conn().SubscribeSync("grouplog." + log + ".node.beat")
	require.NoError(t, err)
	defer late.Answer(echo)()
	first, err := beats.NextMsg(time.Minute)
	require.NoError(t, err)
	for range 3 { // what the first was answered with has come long ago
		next, err := beats.NextMsg(time.Minute)
		require.NoError(t, err)
		require.Equal(t, string(first.Data), string(next.Data))
	}
}

// nodeID is what the others know a store as.
func nodeID(t *testing.T, s *jetstream.Store) string {
	t.Helper()
	for _, stream := range streams {
		if node, here := s.Owner(stream); here {
			return node
		}
	}
	require.FailNow(t, "it owns nothing")
	return ""
}

// A request comes to its node, and all of the answer back, however long it is.
func TestAsk(t *testing.T) {
	stores := openNodes(t, 2)
	long := bytes.Repeat([]byte("0123456789abcdef"), 200<<10)
	defer stores[0].Answer(echo)()
	stop := stores[1].Answer(func(ctx context.Context, request []byte) []byte {
		if string(request) == "long" {
			return long
		}
		return echo(ctx, request)
	})
	agree(t, stores)
	other := nodeID(t, stores[1])
	answer, err := stores[0].Ask(t.Context(), other, []byte("yet"))
	require.NoError(t, err)
	assert.Equal(t, "not yet", string(answer))
	answer, err = stores[0].Ask(t.Context(), other, []byte("long"))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(long, answer))

	_, err = stores[0].Ask(t.Context(), other, make([]byte, 2<<20))
	require.ErrorIs(t, err, eventstore.ErrNoPeer, "the servers do not take it")
	_, err = stores[0].Ask(t.Context(), "nobody", nil)
	require.ErrorIs(t, err, eventstore.ErrNoPeer)
	stop()
	agree(t, stores[:1]) // it has heard so, and does not ask by way of a server that has not
	_, err = stores[0].Ask(t.Context(), other, nil)
	require.ErrorIs(t, err, eventstore.ErrNoPeer)
	_, err = openNodes(t, 1)[0].Ask(t.Context(), other, nil)
	require.ErrorIs(t, err, eventstore.ErrNoPeer, "who does not answer does not ask")
}

// What was asked may have been received where the answer does not come: the context ends,
// or the node dies. One that leaves answers first.
func TestAskWithoutAnAnswer(t *testing.T) {
	stores := openNodes(t, 2)
	entered, open := make(chan struct{}), make(chan struct{})
	defer stores[0].Answer(echo)()
	stop := stores[1].Answer(func(_ context.Context, request []byte) []byte {
		entered <- struct{}{}
		<-open
		return request
	})
	agree(t, stores)
	other := nodeID(t, stores[1])
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 2)
	go func() {
		_, err := stores[0].Ask(ctx, other, nil)
		failed <- err
	}()
	<-entered
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	go func() {
		answer, err := stores[0].Ask(t.Context(), other, []byte("last"))
		assert.Equal(t, "last", string(answer))
		failed <- err
	}()
	<-entered
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	require.Eventually(t, func() bool { _, here := stores[0].Owner("group:1"); return here }, time.Minute, 10*time.Millisecond)
	close(open)
	require.NoError(t, <-failed)
	<-stopped
}

// A node that has died is not waited for.
func TestAskADeadNode(t *testing.T) {
	stores := openNodes(t, 2)
	entered, open := make(chan struct{}), make(chan struct{})
	defer stores[0].Answer(echo)()
	stop := stores[1].Answer(func(context.Context, []byte) []byte { close(entered); <-open; return nil })
	agree(t, stores)
	other := nodeID(t, stores[1])
	failed := make(chan error)
	go func() {
		_, err := stores[0].Ask(t.Context(), other, nil)
		failed <- err
	}()
	<-entered
	require.NoError(t, stores[1].Close())
	err := <-failed
	require.ErrorContains(t, err, "has not been heard of")
	require.NotErrorIs(t, err, eventstore.ErrNoPeer)
	close(open)
	stop()
}
