package pubsub_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections/notify"
	"github.com/grouplog/grouplog/projections/notify/pubsub"
)

// listen is a durable listener from the start of the log.
func (p place) listen(t testing.TB, name string, handler notify.Handler, opts ...notify.ListenOption) *notify.Listening {
	t.Helper()
	source := notify.Source{Log: p.log, Policies: domain.Classic(), Consumers: p.registry}
	opts = append([]notify.ListenOption{notify.FromStart(), notify.Backoff(time.Millisecond, time.Millisecond)}, opts...)
	l, err := notify.Listen(context.Background(), source, name, handler, opts...)
	require.NoError(t, err)
	t.Cleanup(l.Stop)
	return l
}

// told waits until a listener has told everything.
func (p place) told(t testing.TB, l *notify.Listening) {
	t.Helper()
	head, err := p.log.Head(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, l.WaitFor(ctx, head))
}

// collector is a publisher that keeps what is published, unless it fails.
type collector struct {
	fail func(m *message.Message) error

	mu     sync.Mutex
	topics []string
	all    []*message.Message
}

func (c *collector) Publish(topic string, messages ...*message.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range messages {
		if c.fail != nil {
			if err := c.fail(m); err != nil {
				return err
			}
		}
		c.topics = append(c.topics, topic)
		c.all = append(c.all, m)
	}
	return nil
}

func (*collector) Close() error { return nil }

// bustle is a few groups in which much happens.
func (p place) bustle(t *testing.T, rounds int) {
	t.Helper()
	engine := engineOn(t, uncloseable{p.log})
	defer func() { require.NoError(t, engine.Close()) }()
	for g := range 4 {
		_, err := engine.As("alice").CreateGroup(t.Context(), domain.Meeting, fmt.Sprintf("@g *%d", g), "G")
		require.NoError(t, err)
	}
	for n := range rounds {
		user := engine.As(fmt.Sprintf("u%d", n/8))
		group := fmt.Sprintf("@g *%d", n%4)
		if n%8 < 4 {
			_, err := user.JoinGroup(t.Context(), group, "")
			require.NoError(t, err)
		} else {
			require.NoError(t, user.Quit(t.Context(), group))
		}
	}
}

// Everything that users are told reaches a JetStream stream, once where it is given the
// IDs, and says what it is.
func TestForwardToJetStream(t *testing.T) {
	p := newPlace(t)
	p.bustle(t, 16)
	js := connect(t, broker(t).ClientURL())
	s := stream(t, js)
	publisher := natsPublisher{js, true}
	p.told(t, p.listen(t, "to-broker", pubsub.Forward(publisher, pubsub.ForwardOptions{Receivers: 1})))
	p.told(t, p.listen(t, "again", pubsub.Forward(publisher, pubsub.ForwardOptions{Receivers: 1})))

	var derived []notify.Delivery
	var receivers []int
	p.told(t, p.listen(t, "derived", func(_ context.Context, d notify.Delivery) error {
		derived = append(derived, d)
		n := 0
		for range d.Receivers() {
			n++
		}
		receivers = append(receivers, n)
		return nil
	}))
	all := stored(t, s)
	require.Len(t, all, len(derived), "JetStream has left out what came again")
	uuids := map[string]bool{}
	for i, m := range all {
		d := derived[i]
		require.Equal(t, pubsub.Notifications, m.Subject)
		var n pubsub.Notified
		require.NoError(t, json.Unmarshal(m.Data, &n))
		require.Equal(t, d.ID, n.ID)
		require.Equal(t, d.Kind, n.Kind)
		require.Equal(t, receivers[i] > 1, n.MoreReceivers)
		if !n.MoreReceivers {
			require.Len(t, n.Receivers, receivers[i])
		}
		for key, want := range map[string]string{
			pubsub.IDKey: d.ID, pubsub.KindKey: string(d.Kind), pubsub.GroupKey: d.GroupID, pubsub.OccasionKey: "first",
			pubsub.PositionKey: fmt.Sprint(d.Position), pubsub.TimeKey: d.At.Format(time.RFC3339Nano),
		} {
			require.Equal(t, want, m.Header.Get(key))
		}
		if d.By != nil {
			require.Equal(t, d.By.UserID, m.Header.Get(pubsub.ActorKey))
		}
		require.Len(t, m.Header.Get(uuidHeader), 36)
		uuids[m.Header.Get(uuidHeader)] = true
	}
	require.Len(t, uuids, len(all))
	require.Greater(t, slices.Max(receivers), 1)
}

// Messages of one group have one topic, which every broker takes.
func TestTopicByGroup(t *testing.T) {
	topic := pubsub.TopicByGroup("grouplog.notifications")
	for id, want := range map[string]string{
		"chess":  "grouplog.notifications.chess",
		"@TGS#1": "grouplog.notifications._40TGS_231",
		"a_2a":   "grouplog.notifications.a_5f2a",
		"a*":     "grouplog.notifications.a_2a",
	} {
		require.Equal(t, want, topic(notify.Notification{GroupID: id}))
	}
	p := newPlace(t)
	p.bustle(t, 0)
	js := connect(t, broker(t).ClientURL())
	s := stream(t, js)
	p.told(t, p.listen(t, "to-broker", pubsub.Forward(natsPublisher{js, false}, pubsub.ForwardOptions{Topic: topic})))
	for g, m := range stored(t, s) {
		require.Equal(t, fmt.Sprintf("grouplog.notifications._40g_20_2a%d", g), m.Subject)
	}
}

// While the broker is away nothing is parked, and afterwards nothing is missing.
func TestBrokerThatIsAway(t *testing.T) {
	p := newPlace(t)
	p.bustle(t, 16)
	var calm, shaken collector
	p.told(t, p.listen(t, "calm", pubsub.Forward(&calm, pubsub.ForwardOptions{})))
	away := 0
	shaken.fail = func(*message.Message) error {
		if away++; away%5 != 0 {
			return errors.New("connection refused")
		}
		return nil
	}
	p.told(t, p.listen(t, "shaken", pubsub.Forward(&shaken, pubsub.ForwardOptions{}), notify.Attempts(2)))
	require.Equal(t, uuidsOf(calm.all), uuidsOf(shaken.all))
}

// What the broker will not have is parked, and the other groups go on.
func TestMessageThatTheBrokerRefuses(t *testing.T) {
	p := newPlace(t)
	engine := engineOn(t, uncloseable{p.log})
	for _, id := range []string{"a", "b"} {
		_, err := engine.As("alice").CreateGroup(t.Context(), domain.Meeting, id, id)
		require.NoError(t, err)
	}
	_, err := engine.Do(t.Context(), domain.Actor{UserID: "root", AppAdmin: true},
		commands.SendCustomNotification{GroupID: "a", Data: make([]byte, 8_000)})
	require.NoError(t, err)
	require.NoError(t, engine.As("alice").Dismiss(t.Context(), "a"))
	require.NoError(t, engine.As("alice").Dismiss(t.Context(), "b"))
	require.NoError(t, engine.Close())

	js := connect(t, broker(t).ClientURL())
	s := stream(t, js)
	p.told(t, p.listen(t, "to-broker", pubsub.Forward(natsPublisher{js, false}, pubsub.ForwardOptions{Permanent: refused}), notify.Attempts(2)))
	kinds := map[string][]string{}
	for _, m := range stored(t, s) {
		kinds[m.Header.Get(pubsub.GroupKey)] = append(kinds[m.Header.Get(pubsub.GroupKey)], m.Header.Get(pubsub.KindKey))
	}
	require.Equal(t, map[string][]string{"a": {"OnGroupCreated"}, "b": {"OnGroupCreated", "OnGroupDismissed"}}, kinds)
}

// A log that was restored and has gone another way has other notifications at the same
// positions, and they have other UUIDs.
func TestUUIDsOfAnotherHistory(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		p := newPlace(t)
		p.bustle(t, 0)
		var c collector
		p.told(t, p.listen(t, "to-broker", pubsub.Forward(&c, pubsub.ForwardOptions{})))
		for _, id := range uuidsOf(c.all) {
			require.False(t, seen[id])
			seen[id] = true
		}
	}
}

func uuidsOf(messages []*message.Message) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.UUID)
	}
	return ids
}

// childForward forwards to the broker and says so.
func childForward(t testing.TB, dir string) {
	p := openPlace(t, dir)
	forward := pubsub.Forward(natsPublisher{connect(t, brokerURL()), false}, pubsub.ForwardOptions{})
	p.listen(t, "to-broker", func(ctx context.Context, d notify.Delivery) error {
		err := forward(ctx, d)
		fmt.Println(d.ID, err)
		return err
	})
	select {}
}

// TestKillForwarding kills the process that forwards, again and again. Every message
// arrives; those that come again are the same; and each group's are in order.
func TestKillForwarding(t *testing.T) {
	dir := t.TempDir()
	p := openPlace(t, dir)
	p.bustle(t, 200)
	var want collector
	p.told(t, p.listen(t, "calm", pubsub.Forward(&want, pubsub.ForwardOptions{})))
	last := want.all[len(want.all)-1].Metadata.Get(pubsub.IDKey)

	server := broker(t)
	s := stream(t, connect(t, server.ClientURL()))
	t.Setenv(childBroker, server.ClientURL())
	out, in, err := os.Pipe()
	require.NoError(t, err)
	defer out.Close()
	defer in.Close()
	child := startChild(t, "forward", dir, in)
	kills := 0
	lines := bufio.NewScanner(out)
	for until := 20; lines.Scan() && !strings.HasPrefix(lines.Text(), last+" "); until-- {
		require.True(t, strings.HasSuffix(lines.Text(), " <nil>"), lines.Text())
		if until == 0 {
			kill(t, child)
			kills++
			child = startChild(t, "forward", dir, in)
			until = 10 + rand.IntN(60)
		}
	}
	kill(t, child)
	require.Greater(t, kills, 3)

	content := map[string]string{}
	groups := map[string][]string{}
	for _, m := range want.all {
		content[m.UUID] = string(m.Payload)
		groups[m.Metadata.Get(pubsub.GroupKey)] = append(groups[m.Metadata.Get(pubsub.GroupKey)], m.UUID)
	}
	arrived := map[string][]string{} // first arrivals
	newest := map[string]string{}
	seen := map[string]bool{}
	for _, m := range stored(t, s) {
		id, group := m.Header.Get(uuidHeader), m.Header.Get(pubsub.GroupKey)
		require.Equal(t, content[id], string(m.Data))
		if seen[id] {
			require.Equal(t, newest[group], id, "only the newest of a group comes again")
			continue
		}
		seen[id] = true
		newest[group] = id
		arrived[group] = append(arrived[group], id)
	}
	require.Equal(t, groups, arrived)
}
