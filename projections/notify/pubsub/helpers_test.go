package pubsub_test

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections/consumers"
	"github.com/grouplog/grouplog/projections/notify/pubsub"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// place is a directory with a log and a registry in it.
type place struct {
	log      *sqlite.DB
	registry *consumers.Registry
}

func newPlace(t *testing.T) place { return openPlace(t, t.TempDir()) }

func openPlace(t testing.TB, dir string) place {
	t.Helper()
	log, err := sqlite.Open(context.Background(), filepath.Join(dir, "groups.db"), nil)
	require.NoError(t, err)
	registry, err := consumers.Open(context.Background(), filepath.Join(dir, "groups.consumers.db"), log)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, registry.Close())
		require.NoError(t, log.Close())
	})
	return place{log, registry}
}

// grouped are options of a group that lose no time.
func (p place) grouped(group string) pubsub.SubscriberOptions {
	return pubsub.SubscriberOptions{Group: group, Consumers: p.registry, NackDelay: time.Millisecond, MaxNackDelay: time.Millisecond}
}

func newSubscriber(t testing.TB, log eventstore.Store, opts pubsub.SubscriberOptions) *pubsub.Subscriber {
	t.Helper()
	s, err := pubsub.NewSubscriber(log, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func subscribe(t testing.TB, s *pubsub.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	messages, err := s.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	return messages
}

// publish publishes numbers on a topic, from..to.
func publish(t testing.TB, log eventstore.Store, topic string, from, to int) {
	t.Helper()
	var messages []*message.Message
	for n := from; n <= to; n++ {
		messages = append(messages, message.NewMessage(strconv.Itoa(n), []byte("payload "+strconv.Itoa(n))))
	}
	require.NoError(t, pubsub.NewPublisher(log, pubsub.PublisherOptions{}).Publish(topic, messages...))
}

// next is the next message.
func next(t testing.TB, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-messages:
		require.True(t, ok, "the channel is closed")
		return m
	case <-time.After(patience):
		require.Fail(t, "no message comes")
		return nil
	}
}

// take acknowledges n messages and gives their UUIDs.
func take(t testing.TB, messages <-chan *message.Message, n int) []string {
	t.Helper()
	var ids []string
	for range n {
		m := next(t, messages)
		ids = append(ids, m.UUID)
		require.True(t, m.Ack())
	}
	return ids
}

func numbers(from, to int) []string {
	var ids []string
	for n := from; n <= to; n++ {
		ids = append(ids, strconv.Itoa(n))
	}
	return ids
}

// closed waits until a channel is closed.
func closed[T any](t testing.TB, c <-chan T) {
	t.Helper()
	select {
	case _, open := <-c:
		require.False(t, open)
	case <-time.After(patience):
		require.Fail(t, "it is not closed")
	}
}

// engineOn is an engine on a log, which it closes.
func engineOn(t testing.TB, log eventstore.Store) *grouplog.Engine {
	t.Helper()
	engine, err := grouplog.Open(context.Background(), grouplog.Memory, &grouplog.Options{Store: log})
	require.NoError(t, err)
	return engine
}

// uncloseable is a log that outlives the engine on it.
type uncloseable struct{ eventstore.Store }

func (uncloseable) Close() error { return nil }
