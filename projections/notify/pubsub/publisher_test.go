package pubsub_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/notify"
	"github.com/grouplog/grouplog/projections/notify/pubsub"
)

// A message comes back as it was given, with nothing added.
func TestPublishedMessagesComeBack(t *testing.T) {
	text := rapid.String()
	rapid.Check(t, func(rt *rapid.T) {
		var given []*message.Message
		for range rapid.IntRange(1, 5).Draw(rt, "n") {
			m := message.NewMessage(text.Draw(rt, "uuid"), rapid.SliceOf(rapid.Byte()).Draw(rt, "payload"))
			for key, value := range rapid.MapOf(text, text).Draw(rt, "metadata") {
				m.Metadata.Set(key, value)
			}
			given = append(given, m)
		}
		log := memory.New()
		require.NoError(rt, pubsub.NewPublisher(log, pubsub.PublisherOptions{}).Publish("t", given...))
		s, err := pubsub.NewSubscriber(log, pubsub.SubscriberOptions{})
		require.NoError(rt, err)
		messages := subscribe(t, s, "t")
		for _, m := range given {
			got := next(t, messages)
			require.True(rt, m.Equals(got), "%v %v", m, got)
			got.Ack()
		}
		require.NoError(rt, s.Close())
	})
}

// The messages of one call stand next to each other, whoever else publishes.
func TestPublishIsAtomic(t *testing.T) {
	log := newPlace(t).log
	var all sync.WaitGroup
	for p := range 8 {
		all.Go(func() {
			publisher := pubsub.NewPublisher(log, pubsub.PublisherOptions{Actor: fmt.Sprint(p)})
			for range 20 {
				m := message.NewMessage("1", nil)
				require.NoError(t, publisher.Publish("t", m, m, m))
			}
		})
	}
	all.Wait()
	n, actor := 0, ""
	for r, err := range log.ReadAll(t.Context(), 0) {
		require.NoError(t, err)
		if n%3 != 0 {
			require.Equal(t, actor, r.Actor)
		}
		actor = r.Actor
		n++
	}
	require.Equal(t, 8*20*3, n)

	faulty := eventstoretest.Faulty(log)
	faulty.FailAppend(1, eventstore.ErrFull)
	err := pubsub.NewPublisher(faulty, pubsub.PublisherOptions{}).Publish("t", message.NewMessage("1", nil), message.NewMessage("2", nil))
	require.ErrorIs(t, err, eventstore.ErrFull)
	head, err := log.Head(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, n, head)
}

func TestWhatCannotBePublished(t *testing.T) {
	log := memory.New()
	publisher := pubsub.NewPublisher(log, pubsub.PublisherOptions{})
	good, bad := message.NewMessage("1", nil), message.NewMessage("2", nil)
	bad.Metadata.Set("key", "\xff")
	require.ErrorContains(t, publisher.Publish("t", good, bad), "message 2 of 2")
	require.ErrorContains(t, publisher.Publish("t", message.NewMessage("\xff", nil)), "UUID")
	require.ErrorContains(t, publisher.Publish("t", good, nil), "nil")
	require.ErrorIs(t, publisher.Publish("\x00", good), eventstore.ErrInvalid)
	require.NoError(t, publisher.Publish("t"))
	head, err := log.Head(t.Context())
	require.NoError(t, err)
	require.Zero(t, head, "all of a call or nothing")
}

// Close leaves the log alone, and the publisher works on.
func TestPublisherClose(t *testing.T) {
	log := memory.New()
	publisher := pubsub.NewPublisher(log, pubsub.PublisherOptions{})
	require.NoError(t, publisher.Close())
	require.NoError(t, publisher.Publish("t", message.NewMessage("1", nil)))
}

// Messages are nothing to groups: commands, queries, a rebuild and listeners go on beside
// them.
func TestMessagesBesideGroups(t *testing.T) {
	log := newPlace(t).log
	engine, err := grouplog.Open(t.Context(), filepath.Join(t.TempDir(), "groups.db"), &grouplog.Options{Store: uncloseable{log}})
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Close()) }()
	alice := engine.As("alice")
	var told []notify.Kind
	defer alice.AddGroupListener(grouplog.Listener{OnAny: func(n notify.Notification) { told = append(told, n.Kind) }})()

	publish(t, log, "before", 1, 3)
	_, err = alice.CreateGroup(t.Context(), domain.Meeting, "chess", "Chess")
	require.NoError(t, err)
	publish(t, log, "chess", 1, 2_000) // more than a page
	_, err = engine.As("bob").JoinGroup(t.Context(), "chess", "")
	require.NoError(t, err)
	publish(t, log, "chess", 2_001, 2_001)

	require.NoError(t, engine.Rebuild(t.Context(), nil))
	group, err := engine.Group(t.Context(), "chess")
	require.NoError(t, err)
	require.Equal(t, 2, group.MemberCount)
	require.NoError(t, engine.WaitForListeners(t.Context()))
	require.Equal(t, []notify.Kind{notify.OnGroupCreated, notify.OnMemberEnter}, told)
	summary, err := eventstore.Verify(t.Context(), log, func(r eventstore.Record) error {
		_, err := projections.Decode(r)
		return err
	}, nil)
	require.NoError(t, err)
	require.Equal(t, eventstore.Summary{Records: 2_006, Streams: 3}, summary)
}

func TestSentenceOfAMessage(t *testing.T) {
	log := memory.New()
	clock := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	require.NoError(t, pubsub.NewPublisher(log, pubsub.PublisherOptions{Actor: "bob", Clock: clock}).Publish("orders\n", message.NewMessage("1", nil)))
	for r, err := range log.ReadAll(t.Context(), 0) {
		require.NoError(t, err)
		require.Equal(t, clock(), r.Time)
		event, err := projections.Decode(r)
		require.NoError(t, err)
		require.Equal(t, `bob published a message on "orders "`, audit.Sentence(event))
		require.Empty(t, audit.Subjects(event))

		r.Type = "group.created"
		_, err = projections.Decode(r)
		require.ErrorContains(t, err, "is no message", "what stands in a topic's stream is a message")
		r.Type, r.Schema = "message.published", 2
		_, err = projections.Decode(r)
		require.ErrorContains(t, err, "schema 2")
		r.Schema, r.Data = 1, []byte(`{"payload":3}`)
		_, err = projections.Decode(r)
		require.ErrorContains(t, err, "position 1")
	}
}
