package pubsub_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections/consumers"
	"github.com/grouplog/grouplog/projections/notify/pubsub"
)

// raceDetector is whether the race detector is on.
var raceDetector bool

// TestSuite runs Watermill's conformance suite, for groups and for subscribers that are
// on their own. ExactlyOnceDelivery is not claimed, and claiming it would make the suite
// leave out what it asks of the others.
func TestSuite(t *testing.T) {
	stores := map[string]func(t *testing.T) eventstore.Store{
		"memory": func(*testing.T) eventstore.Store { return memory.New() },
		"sqlite": func(t *testing.T) eventstore.Store {
			db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "groups.db"), nil)
			require.NoError(t, err)
			return db
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			for _, run := range []struct{ name, group string }{{"grouped", "everybody"}, {"ungrouped", ""}} {
				t.Run(run.name, func(t *testing.T) { conform(t, open(t), run.group) })
			}
		})
	}
}

// conform runs the suite on one log. The plain constructor's subscribers are in the given
// group. Without one, each sees everything from the beginning, which members of a group
// cannot.
func conform(t *testing.T, store eventstore.Store, group string) {
	registry, err := consumers.Open(t.Context(), filepath.Join(t.TempDir(), "groups.consumers.db"), store)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, registry.Close())
		require.NoError(t, store.Close())
	})
	grouped := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		opts := pubsub.SubscriberOptions{Group: group, NackDelay: time.Millisecond, MaxNackDelay: time.Millisecond}
		if group != "" {
			opts.Consumers = registry
		}
		subscriber, err := pubsub.NewSubscriber(store, opts)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, subscriber.Close()) }) // the suite forgets some
		return pubsub.NewPublisher(store, pubsub.PublisherOptions{}), subscriber
	}
	features := tests.Features{
		ConsumerGroups:                   true,
		GuaranteedOrder:                  true,
		Persistent:                       true,
		NewSubscriberReceivesOldMessages: group == "",
		// Fifty readers of everything are a quarter of a million messages, which is half a
		// second, and half a minute under the race detector on two busy processors.
		ForceShort: raceDetector && group == "",
	}
	t.Run("suite", func(t *testing.T) { // returns when its parallel tests have
		tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) { return grouped(t, group) }, grouped)
	})
}
