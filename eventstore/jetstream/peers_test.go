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

// shares counts the streams that each store owns; ok is false while they do not agree.
func shares(stores []*jetstream.Store) (owned []int, ok bool) {
	owned = make([]int, len(stores))
	for _, stream := range streams {
		owners := map[string]bool{}
		here := 0
		for i, s := range stores {
			owner, own := s.Owner(stream)
			owners[owner] = true
			if own {
				owned[i]++
				here++
			}
		}
		if len(owners) != 1 || here != 1 {
			return nil, false
		}
	}
	return owned, true
}

func agree(t *testing.T, stores []*jetstream.Store) (owned []int) {
	t.Helper()
	require.Eventually(t, func() (ok bool) { owned, ok = shares(stores); return ok }, time.Minute, 10*time.Millisecond)
	return owned
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
	owned := agree(t, stores[:3])
	for _, n := range owned {
		assert.Greater(t, n, len(streams)/6)
	}
	_, here = stores[3].Owner("group:1")
	require.True(t, here, "one that does not answer itself decides for itself")

	before := map[string]string{}
	for _, stream := range streams {
		before[stream], _ = stores[0].Owner(stream)
	}
	last, _ := stores[2].Owner(ownStream(t, stores[2]))
	stops[2]()
	_, here = stores[2].Owner("group:1")
	require.True(t, here)
	agree(t, stores[:2])
	for _, stream := range streams {
		if now, _ := stores[0].Owner(stream); before[stream] != last {
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

func ownStream(t *testing.T, s *jetstream.Store) string {
	for _, stream := range streams {
		if _, here := s.Owner(stream); here {
			return stream
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
	other, _ := stores[0].Owner(ownStream(t, stores[1]))
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
	other, _ := stores[0].Owner(ownStream(t, stores[1]))
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
	other, _ := stores[0].Owner(ownStream(t, stores[1]))
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
