package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/projections/notify/pubsub"
)

// router is Watermill's router, running.
func router(t *testing.T, add func(*message.Router)) *message.Router {
	t.Helper()
	r, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(t, err)
	add(r)
	ended := make(chan error)
	go func() { ended <- r.Run(context.Background()) }()
	<-r.Running()
	t.Cleanup(func() {
		require.NoError(t, r.Close())
		require.NoError(t, <-ended)
	})
	return r
}

// Watermill's router reads from the log and writes to it, in order, although the handler
// fails now and then; and what it writes can be subscribed to.
func TestRouter(t *testing.T) {
	p := newPlace(t)
	const last = 300
	publish(t, p.log, "in", 1, last)
	calls := 0
	router(t, func(r *message.Router) {
		r.AddHandler("copy", "in", newSubscriber(t, p.log, p.grouped("copy")), "out", pubsub.NewPublisher(p.log, pubsub.PublisherOptions{}),
			func(m *message.Message) ([]*message.Message, error) {
				if calls++; calls%5 == 0 {
					return nil, errors.New("not now")
				}
				source, ok := pubsub.SourceOf(m)
				if !ok || source.Record.Position == 0 {
					return nil, errors.New("no source")
				}
				return []*message.Message{message.NewMessage(m.UUID, m.Payload)}, nil
			})
	})
	require.Equal(t, numbers(1, last), take(t, subscribe(t, newSubscriber(t, p.log, pubsub.SubscriberOptions{}), "out"), last))
	require.Greater(t, calls, last)
}

// The router closes the publisher of a handler that is stopped. The other handlers that
// share it go on.
func TestStoppedHandlerLeavesThePublisherAlone(t *testing.T) {
	p := newPlace(t)
	publisher := pubsub.NewPublisher(p.log, pubsub.PublisherOptions{})
	var handlers []*message.Handler
	pass := func(m *message.Message) ([]*message.Message, error) {
		return []*message.Message{message.NewMessage(m.UUID, m.Payload)}, nil
	}
	router(t, func(r *message.Router) {
		for i := range 2 {
			topic := fmt.Sprint(i)
			handlers = append(handlers, r.AddHandler(topic, "in "+topic, newSubscriber(t, p.log, p.grouped("g")), "out "+topic, publisher, pass))
		}
	})
	handlers[0].Stop()
	<-handlers[0].Stopped()
	publish(t, p.log, "in 1", 1, 3)
	require.Equal(t, numbers(1, 3), take(t, subscribe(t, newSubscriber(t, p.log, pubsub.SubscriberOptions{}), "out 1"), 3))
}

// A router that is closed in the midst of its work loses nothing.
func TestRouterThatIsClosed(t *testing.T) {
	p := newPlace(t)
	const last = 200
	publish(t, p.log, "t", 1, last)
	var (
		mu   sync.Mutex
		seen []string
	)
	for range 5 {
		enough := make(chan struct{})
		t.Run("round", func(t *testing.T) {
			n := 0
			router(t, func(r *message.Router) {
				r.AddConsumerHandler("all", "t", newSubscriber(t, p.log, p.grouped("g")), func(m *message.Message) error {
					mu.Lock()
					defer mu.Unlock()
					if len(seen) == 0 || seen[len(seen)-1] != m.UUID {
						seen = append(seen, m.UUID)
					}
					if n++; n < 20 {
						return nil
					}
					if n == 20 {
						close(enough)
					}
					<-m.Context().Done() // the router is closing
					return m.Context().Err()
				})
			})
			<-enough
		})
	}
	require.Equal(t, numbers(1, 5*19+1), seen)
}
