package pubsub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/consumers"
	"github.com/grouplog/grouplog/projections/notify/pubsub"
)

// history is two groups, a read mark and messages in between.
func history(t *testing.T, log eventstore.Store) {
	engine := engineOn(t, log)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	_, err := engine.As("alice").CreateGroup(t.Context(), domain.Public, "chess", "Chess")
	require.NoError(t, err)
	publish(t, log, "events.too", 1, 3)
	_, err = engine.As("bob").CreateGroup(t.Context(), domain.Meeting, "@go *>", "Go")
	require.NoError(t, err)
	require.NoError(t, engine.As("alice").MarkApplicationsRead(t.Context()))
	publish(t, log, "events.too", 4, 4)
	_, err = engine.Do(t.Context(), domain.Actor{UserID: "root", AppAdmin: true}, commands.InviteUsers{GroupID: "chess", UserIDs: []string{"carol"}})
	require.NoError(t, err)
}

// Every event is a message, and every message says what its event says.
func TestEventsAsMessages(t *testing.T) {
	log := memory.New()
	history(t, log)
	var records []eventstore.Record
	for r, err := range log.ReadAll(t.Context(), 0) {
		require.NoError(t, err)
		if _, ok := projections.TopicOf(r.Stream); !ok {
			records = append(records, r)
		}
	}
	require.Len(t, records, 4)
	messages := subscribe(t, newSubscriber(t, log, pubsub.SubscriberOptions{}), pubsub.Events)
	seen := map[string]bool{}
	for _, r := range records {
		m := next(t, messages)
		require.JSONEq(t, string(r.Data), string(m.Payload))
		require.Len(t, m.UUID, 36)
		require.False(t, seen[m.UUID])
		seen[m.UUID] = true
		want := message.Metadata{
			"kind": r.Type, "schema": "1", "position": fmt.Sprint(r.Position), "version": fmt.Sprint(r.Version),
			"time": r.Time.Format(time.RFC3339Nano), "actor": r.Actor,
		}
		if group, ok := domain.GroupOf(r.Stream); ok {
			want["group"] = group
		}
		if r.AppAdmin {
			want["appAdmin"] = "true"
		}
		require.Equal(t, want, m.Metadata)
		_, err := domain.Decode(m.Metadata.Get(pubsub.KindKey), 1, m.Payload)
		require.NoError(t, err)
		source, ok := pubsub.SourceOf(m)
		require.True(t, ok)
		require.Equal(t, pubsub.Source{Record: r, Attempt: 1}, source)
		m.Payload[0] = '#' // the next attempt does not notice
		m.Nack()
		m = next(t, messages)
		require.JSONEq(t, string(r.Data), string(m.Payload))
		m.Ack()
	}
	again := subscribe(t, newSubscriber(t, log, pubsub.SubscriberOptions{}), pubsub.Events)
	for range records {
		m := next(t, again)
		require.True(t, seen[m.UUID], "the same UUIDs every time")
		require.True(t, json.Valid(m.Payload))
		m.Ack()
	}
}

func TestTopics(t *testing.T) {
	log := memory.New()
	history(t, log)
	s := newSubscriber(t, log, pubsub.SubscriberOptions{})
	require.Equal(t, numbers(1, 4), take(t, subscribe(t, s, "events.too"), 4))
	chess := subscribe(t, s, pubsub.GroupTopic("chess"))
	for _, kind := range []string{"group.created", "members.invited"} {
		m := next(t, chess)
		require.Equal(t, kind, m.Metadata.Get(pubsub.KindKey))
		require.Equal(t, "chess", m.Metadata.Get(pubsub.GroupKey))
		m.Ack()
	}
	require.Equal(t, "@go *>", next(t, subscribe(t, s, pubsub.GroupTopic("@go *>"))).Metadata.Get(pubsub.GroupKey))
	for _, topic := range []string{"", pubsub.GroupTopic("")} {
		_, err := s.Subscribe(t.Context(), topic)
		require.ErrorContains(t, err, `a topic is "events"`)
	}
	publisher := pubsub.NewPublisher(log, pubsub.PublisherOptions{})
	for _, topic := range []string{"", pubsub.Events, pubsub.GroupTopic("chess")} {
		require.ErrorContains(t, publisher.Publish(topic, message.NewMessage("1", nil)), "publish")
	}
}

// A subscription begins where it is told to.
func TestAfter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		log := memory.New()
		topics := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 300).Draw(rt, "topics")
		after := rapid.IntRange(0, len(topics)).Draw(rt, "after")
		var want []string
		for i, topic := range topics {
			publish(t, log, topic, i, i)
			if topic == "a" && i >= after {
				want = append(want, fmt.Sprint(i))
			}
		}
		s, err := pubsub.NewSubscriber(log, pubsub.SubscriberOptions{After: eventstore.Position(after)})
		require.NoError(rt, err)
		require.Equal(rt, want, take(t, subscribe(t, s, "a"), len(want)))
		require.NoError(rt, s.Close())
	})
}

// A message that is refused comes again, as another object, less and less often, and
// nothing overtakes it.
func TestNack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		publish(t, log, "t", 1, 2)
		s, err := pubsub.NewSubscriber(log, pubsub.SubscriberOptions{NackDelay: time.Second, MaxNackDelay: 5 * time.Second})
		require.NoError(t, err)
		messages := subscribe(t, s, "t")
		begin, last := time.Now(), (*message.Message)(nil)
		for attempt, at := range []int{0, 1, 3, 7, 12, 17} {
			m := <-messages
			require.Equal(t, "1", m.UUID)
			require.NotSame(t, last, m)
			require.Equal(t, time.Duration(at)*time.Second, time.Since(begin))
			source, _ := pubsub.SourceOf(m)
			require.Equal(t, attempt+1, source.Attempt)
			m.Nack()
			synctest.Wait()
			require.ErrorIs(t, m.Context().Err(), context.Canceled)
			last = m
		}
		require.Equal(t, []string{"1", "2"}, []string{ack(<-messages), ack(<-messages)})
		require.NoError(t, s.Close())
	})
}

func ack(m *message.Message) string {
	m.Ack()
	return m.UUID
}

// Close returns when every channel is closed, whatever their readers do.
func TestClose(t *testing.T) {
	p := newPlace(t)
	publish(t, p.log, "t", 1, 2)
	s := newSubscriber(t, p.log, p.grouped("g"))
	held := subscribe(t, s, "t")
	m := next(t, held)
	waiting := subscribe(t, s, "t")                                      // stands by
	idle := subscribe(t, s, "nothing")                                   // has nothing to deliver
	unread := subscribe(t, newSubscriber(t, p.log, p.grouped("h")), "t") // of another subscriber
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { require.NoError(t, s.Close()) })
	}
	group.Wait()
	for _, c := range []<-chan *message.Message{held, waiting, idle} {
		select {
		case _, open := <-c:
			require.False(t, open)
		default:
			require.Fail(t, "it is open after Close")
		}
	}
	require.ErrorIs(t, m.Context().Err(), context.Canceled)
	m.Ack() // too late, and harmless
	_, err := s.Subscribe(t.Context(), "t")
	require.ErrorIs(t, err, pubsub.ErrClosed)
	require.Equal(t, numbers(1, 2), take(t, unread, 2))
	require.Equal(t, numbers(1, 2), take(t, subscribe(t, newSubscriber(t, p.log, p.grouped("g")), "t"), 2),
		"what was not acknowledged in time comes again")
}

func TestSubscriptionEndsWithItsContext(t *testing.T) {
	log := memory.New()
	publish(t, log, "t", 1, 1)
	s := newSubscriber(t, log, pubsub.SubscriberOptions{})
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	messages, err := s.Subscribe(ctx, "t")
	require.NoError(t, err)
	m := next(t, messages)
	require.Equal(t, "value", m.Context().Value(key{}))
	cancel()
	closed(t, messages)
	require.Equal(t, numbers(1, 1), take(t, subscribe(t, s, "t"), 1), "the others go on")
}

// A group goes on where it was, and each group is at a place of its own.
func TestGroups(t *testing.T) {
	dir := t.TempDir()
	at := map[string]int{"g": 1, "h": 1}
	for round := range 4 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			p := openPlace(t, dir)
			publish(t, p.log, "t", 100*round+1, 100*round+100)
			publish(t, p.log, "other", 1, 10)
			for group, n := range map[string]int{"g": 70, "h": 100} {
				s := newSubscriber(t, p.log, p.grouped(group))
				require.Equal(t, numbers(at[group], at[group]+n-1), take(t, subscribe(t, s, "t"), n))
				at[group] += n
				require.NoError(t, s.Close())
			}
		})
	}
}

// Any number of competing subscribers, some of which end or refuse, see one order.
func TestCompetition(t *testing.T) {
	p := newPlace(t)
	const last = 500
	publish(t, p.log, "t", 1, last)
	var (
		mu    sync.Mutex
		acked []string
		all   sync.WaitGroup
	)
	done := make(chan struct{})
	for worker := range 6 {
		s := newSubscriber(t, p.log, p.grouped("g"))
		all.Go(func() {
			for stints := 0; ; stints++ {
				ctx, cancel := context.WithCancel(t.Context())
				messages, err := s.Subscribe(ctx, "t")
				require.NoError(t, err)
				for n := 0; n < 30+10*worker; n++ {
					select {
					case <-done:
						cancel()
						return
					case m := <-messages:
						if (n+worker)%7 == 3 {
							m.Nack()
							continue
						}
						mu.Lock()
						acked = append(acked, m.UUID)
						if len(acked) == last {
							close(done)
						}
						mu.Unlock()
						m.Ack()
					}
				}
				cancel()
				for range messages { // what is on its way is not acknowledged
				}
			}
		})
	}
	all.Wait()
	require.Equal(t, numbers(1, last), slices.Compact(acked))
}

// What the log cannot do at the moment is tried again, and nothing is passed over.
func TestFailuresPass(t *testing.T) {
	log := eventstoretest.Faulty(memory.New())
	publish(t, log, "t", 1, 200)
	log.FailRead(1, 0, nil)
	log.FailRead(2, 20, nil)
	log.FailHead(3, nil)
	var said strings.Builder
	s := newSubscriber(t, log, pubsub.SubscriberOptions{Logger: slog.New(slog.NewTextHandler(&said, nil))})
	messages := subscribe(t, s, "t")
	require.Equal(t, numbers(1, 200), take(t, messages, 200))
	require.NoError(t, s.Close())
	require.Equal(t, 3, strings.Count(said.String(), "held up"))
	require.Contains(t, said.String(), "injected fault")
}

// A log that is closed ends the subscriptions.
func TestClosedLog(t *testing.T) {
	log := memory.New()
	messages := subscribe(t, newSubscriber(t, log, pubsub.SubscriberOptions{}), "t")
	require.NoError(t, log.Close())
	closed(t, messages)
}

// Somebody may say where a group is to go on, while it is at work or at rest.
func TestReset(t *testing.T) {
	p := newPlace(t)
	publish(t, p.log, "t", 1, 10)
	messages := subscribe(t, newSubscriber(t, p.log, p.grouped("g")), "t")
	require.Equal(t, numbers(1, 5), take(t, messages, 5))
	held := next(t, messages)
	name := pubsub.ConsumerName("g", "t")
	_, err := p.registry.Reset(t.Context(), name, 2)
	require.NoError(t, err)
	held.Ack()
	var got []string // up to 10 until that is noticed, and then from 3 on
	for !slices.Equal(got[max(0, len(got)-8):], numbers(3, 10)) {
		got = append(got, take(t, messages, 1)...)
	}

	for { // until it is at rest
		status, err := p.registry.Status(t.Context(), name)
		require.NoError(t, err)
		if status.Position == 10 {
			break
		}
	}
	_, err = p.registry.Reset(t.Context(), name, 7)
	require.NoError(t, err)
	require.Equal(t, numbers(8, 10), take(t, messages, 3))
}

// What was acknowledged after the group was sent elsewhere does not bring it back.
func TestResetBeforeClose(t *testing.T) {
	p := newPlace(t)
	publish(t, p.log, "t", 1, 10)
	s := newSubscriber(t, p.log, p.grouped("g"))
	messages := subscribe(t, s, "t")
	require.Equal(t, numbers(1, 5), take(t, messages, 5))
	held := next(t, messages)
	_, err := p.registry.Reset(t.Context(), pubsub.ConsumerName("g", "t"), 2)
	require.NoError(t, err)
	held.Ack()
	require.NoError(t, s.Close())
	require.Equal(t, numbers(3, 10), take(t, subscribe(t, newSubscriber(t, p.log, p.grouped("g")), "t"), 8))
}

// during is a log in which something happens as soon as it has answered.
type during struct {
	eventstore.Store
	head, read func()
}

func (d during) Head(ctx context.Context) (eventstore.Position, error) {
	defer d.head()
	return d.Store.Head(ctx)
}

func (d during) ReadStream(ctx context.Context, stream string, after eventstore.Version) seq {
	return func(yield func(eventstore.Record, error) bool) {
		defer d.read()
		d.Store.ReadStream(ctx, stream, after)(yield)
	}
}

// What is appended while a subscription looks is noticed, although nobody looks again by
// the clock, and is not passed over by the next member of the group either.
func TestAppendedMeanwhile(t *testing.T) {
	for _, when := range []string{"head", "read"} {
		t.Run(when, func(t *testing.T) {
			p := newPlace(t)
			publish(t, p.log, "t", 1, 1)
			appended := 1
			log := during{p.log, func() {}, func() {}}
			*map[string]*func(){"head": &log.head, "read": &log.read}[when] = func() {
				if appended < 20 {
					appended++
					publish(t, p.log, "t", appended, appended)
				}
			}
			opts := p.grouped("g")
			opts.Poll = time.Hour
			var got []string
			for range 4 {
				s, err := pubsub.NewSubscriber(log, opts)
				require.NoError(t, err)
				got = append(got, take(t, subscribe(t, s, "t"), 5)...)
				require.NoError(t, s.Close())
			}
			require.Equal(t, numbers(1, 20), got)
		})
	}
}

// What was acknowledged before Close does not come again.
func TestAcknowledgedBeforeClose(t *testing.T) {
	p := newPlace(t)
	publish(t, p.log, "t", 1, 100)
	for n := range 100 {
		s, err := pubsub.NewSubscriber(p.log, p.grouped("g"))
		require.NoError(t, err)
		require.Equal(t, numbers(n+1, n+1), take(t, subscribe(t, s, "t"), 1))
		require.NoError(t, s.Close())
	}
}

// A group that has seen more than the log holds waits until somebody says where to go on.
func TestRestoredLog(t *testing.T) {
	dir := t.TempDir()
	p := openPlace(t, dir)
	publish(t, p.log, "t", 1, 10)
	s := newSubscriber(t, p.log, p.grouped("g"))
	require.Equal(t, numbers(1, 10), take(t, subscribe(t, s, "t"), 10))
	require.NoError(t, s.Close())

	shorter := eventstore.Store(&cut{Store: p.log, head: 8})
	registry, err := consumers.Open(t.Context(), dir+"/groups.consumers.db", shorter)
	require.NoError(t, err)
	defer func() { require.NoError(t, registry.Close()) }()
	said := make(lines, 100)
	s = newSubscriber(t, shorter, pubsub.SubscriberOptions{Group: "g", Consumers: registry, Logger: slog.New(slog.NewTextHandler(said, nil))})
	messages := subscribe(t, s, "t")
	require.Contains(t, <-said, "restored")
	_, err = registry.Reset(t.Context(), pubsub.ConsumerName("g", "t"), 6)
	require.NoError(t, err)
	require.Equal(t, numbers(7, 8), take(t, messages, 2))
	require.NoError(t, s.Close())
}

// lines is a writer that hands on what is written.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// cut is a log that ends earlier.
type cut struct {
	eventstore.Store
	head eventstore.Position
}

func (c *cut) Head(context.Context) (eventstore.Position, error) { return c.head, nil }

func (c *cut) ReadAll(ctx context.Context, after eventstore.Position) seq {
	return c.until(c.Store.ReadAll(ctx, after))
}

func (c *cut) ReadStream(ctx context.Context, stream string, after eventstore.Version) seq {
	return c.until(c.Store.ReadStream(ctx, stream, after))
}

type seq = iter.Seq2[eventstore.Record, error]

func (c *cut) until(all seq) seq {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range all {
			if r.Position > c.head || !yield(r, err) {
				return
			}
		}
	}
}

func TestOptions(t *testing.T) {
	_, err := pubsub.NewSubscriber(memory.New(), pubsub.SubscriberOptions{Group: "g", NackDelay: -1, Poll: -1})
	for _, mistake := range []string{"Consumers", "NackDelay", "Poll"} {
		require.ErrorContains(t, err, mistake)
	}
}

func TestConsumerName(t *testing.T) {
	names := map[string]bool{}
	for _, pair := range [][2]string{{"a", "b"}, {"a.b", ""}, {"ab", ""}, {"", "ab"}, {"a", "b."}, {"é/ ", "*>"}, {strings.Repeat("x", 300), "t"}} {
		name := pubsub.ConsumerName(pair[0], pair[1])
		require.Regexp(t, `^[A-Za-z0-9._-]{1,64}$`, name)
		require.False(t, names[name], name)
		names[name] = true
	}
}
