package jetstream_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

const damagedStream = "GROUPLOG-damage"

// appendAll appends an event a message, each to a stream of its own, of so many bytes that
// cannot be packed much.
func appendAll(t *testing.T, store eventstore.Store, from, to, size int) {
	t.Helper()
	for n := from; n < to; n++ {
		_, err := store.Append(t.Context(), eventstore.Commit{Stream: fmt.Sprint("s", n), Events: []eventstore.Event{{
			Type: "test.happened", Schema: 1, Data: fmt.Appendf(nil, `"%d %s"`, n, noise(size)), Time: time.Unix(1, 0), CommandID: fmt.Sprintf("command-%d.", n),
		}}})
		require.NoError(t, err)
	}
}

// noise is text that cannot be packed much.
func noise(size int) string {
	text := make([]byte, size)
	for i := range text {
		text[i] = byte('a' + rand.IntN(26))
	}
	return string(text)
}

// TestDamage damages what one server keeps. Whoever opens the log gets all of it from
// the others, or is told which server it is, where that one leads; nobody gets less, and
// nobody decides on less. Wiped and filled again, the server is as good as new.
func TestDamage(t *testing.T) {
	const messages = 26
	const block = 700_000 // of these, as they are packed, fill a block and a half
	type damage struct {
		size int // of an event
		do   func(c *jetstreamtest.Cluster)
	}
	damages := map[string]damage{
		"a bit":   {100, func(c *jetstreamtest.Cluster) { c.FlipBit(t, 0, damagedStream, ".s5") }},
		"the end": {100, func(c *jetstreamtest.Cluster) { c.Truncate(t, 0, damagedStream, 1500) }},
	}
	if *allFaults {
		damages["a bit, and the index is lost"] = damage{block, func(c *jetstreamtest.Cluster) {
			c.FlipBit(t, 0, damagedStream, ".s5")
			c.LoseIndex(t, 0, damagedStream)
		}}
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := jetstreamtest.Start(t, nil)
			address := c.URL() + "/damage?sync=always"
			first := node(t, address)
			appendAll(t, first, 0, messages, damage.size)
			want := records(t, first)
			c.Settle(t, damagedStream)
			c.Stop(t, 0)
			damage.do(c)
			c.Start(t, 0)
			c.Settle(t, damagedStream)

			c.Lead(t, damagedStream, 1)
			for range 3 {
				require.Equal(t, want, records(t, node(t, address)), "the others have all of it")
			}
			c.Lead(t, damagedStream, 0)
			store, err := jetstream.Open(t.Context(), address, t.TempDir()+"/replica.db", nil)
			if err == nil {
				require.Equal(t, want, records(t, store), "what the leader lacks is with the others")
				require.NoError(t, store.Close())
			} else {
				require.ErrorIs(t, err, eventstore.ErrDamaged)
				require.ErrorContains(t, err, "wipe")
			}
			t.Logf("opening with the damaged server as the leader: %v", err)

			c.Lead(t, damagedStream, 1)
			c.Stop(t, 0)
			c.Wipe(t, 0)
			c.Start(t, 0)
			c.Settle(t, damagedStream)
			c.Lead(t, damagedStream, 0)
			require.Equal(t, want, records(t, node(t, address)), "the server has got everything from the others")
			appendAll(t, first, messages, messages+3, 100)
			require.Len(t, records(t, node(t, address)), messages+3)
		})
	}
}

// What is damaged everywhere is not skipped: the log opens no more, and says where it ends.
func TestDamageEverywhere(t *testing.T) {
	c := jetstreamtest.Start(t, &jetstreamtest.Options{Servers: 1})
	address := c.URL() + "/damage?sync=always"
	alone := func(o *jetstream.Options) { o.Replicas = 1 }
	first := node(t, address, alone)
	appendAll(t, first, 0, 10, 100)
	c.Stop(t, 0)
	c.FlipBit(t, 0, damagedStream, ".s5")
	c.Start(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := jetstream.Open(ctx, address, t.TempDir()+"/replica.db", &jetstream.Options{Replicas: 1})
	require.ErrorIs(t, err, eventstore.ErrDamaged)
	require.ErrorContains(t, err, "message 6")
	require.Len(t, records(t, first), 10, "a replica that has it is a copy")
}

// A stream that lost its end, or has another one than the replica, is not followed.
func TestRestoredStream(t *testing.T) {
	c := jetstreamtest.Start(t, &jetstreamtest.Options{Servers: 1})
	address := c.URL() + "/damage?sync=always"
	replica := t.TempDir() + "/replica.db"
	open := func() (*jetstream.Store, error) {
		return jetstream.Open(t.Context(), address, replica, &jetstream.Options{Replicas: 1, ID: "the-log"})
	}
	store, err := open()
	require.NoError(t, err)
	appendAll(t, store, 0, 5, 100)
	require.NoError(t, store.Close())

	js, err := c.Connect(t).JetStream(nats.MaxWait(time.Minute))
	require.NoError(t, err)
	_, err = js.AddStream(&nats.StreamConfig{Name: "another"}) // a server that deletes its last stream is not ready for the next at once
	require.NoError(t, err)
	restore := func(from, to int) {
		require.NoError(t, js.DeleteStream(damagedStream))
		other := node(t, address, func(o *jetstream.Options) { o.Replicas, o.ID = 1, "the-log" })
		appendAll(t, other, from, to, 100)
	}
	restore(0, 3)
	_, err = open()
	require.ErrorIs(t, err, eventstore.ErrDamaged, "the stream is shorter")
	require.ErrorContains(t, err, "delete the replica")
	restore(10, 15)
	_, err = open()
	require.ErrorIs(t, err, eventstore.ErrDamaged, "the stream went another way")
	require.ErrorContains(t, err, "delete the replica")
}

// What somebody else, or another version, has written to the log's subjects is not
// passed over, and not believed: no node goes on behind it.
func TestForeignMessages(t *testing.T) {
	c := jetstreamtest.Shared(t)
	conn := c.Connect(t)
	for name, test := range map[string]struct {
		change func(m *nats.Msg)
		want   error
		says   string
	}{
		"no body":      {func(m *nats.Msg) { m.Data = nil }, eventstore.ErrDamaged, "checksum"},
		"no header":    {func(m *nats.Msg) { m.Header = nil }, eventstore.ErrDamaged, "checksum"},
		"another body": {func(m *nats.Msg) { m.Data[len(m.Data)/2] ^= 1 }, eventstore.ErrDamaged, "checksum"},
		"another stream's subject": {func(m *nats.Msg) { m.Subject = strings.TrimSuffix(m.Subject, "s0") + "s1" },
			eventstore.ErrDamaged, "on the subject"},
		"what does not follow": {func(*nats.Msg) {}, eventstore.ErrDamaged, "s0"},
		"an encoding":          {func(m *nats.Msg) { m.Header.Set("Content-Encoding", "br") }, eventstore.ErrNewerSchema, "br"},
		"no gzip":              {func(m *nats.Msg) { m.Header.Set("Content-Encoding", "gzip") }, eventstore.ErrDamaged, "unpacked"},
		"no JSON":              {func(m *nats.Msg) { sum(m, []byte("hello")) }, eventstore.ErrDamaged, "not of a grouplog log"},
		"a format": {func(m *nats.Msg) { sum(m, bytes.Replace(m.Data, []byte(`"format":1`), []byte(`"format":2`), 1)) },
			eventstore.ErrNewerSchema, "format"},
		"no event": {body(`{"events":[{}]}`), eventstore.ErrDamaged, "type"},
		"an event without data": {body(`{"events":[{"type":"t","schema":1,"time":"2026-01-01T00:00:00Z"}]}`),
			eventstore.ErrDamaged, "JSON"},
		"an outcome of nothing": {body(`{"outcome":{}}`), eventstore.ErrDamaged, "command"},
		"commits of nothing":    {body(`{}`), eventstore.ErrDamaged, "neither events nor an outcome"},
		"no commits":            {body(``), eventstore.ErrDamaged, "no commit"},
		"no commits, elsewhere": {func(m *nats.Msg) { sum(m, []byte(`{"format":1,"stream":"s0","after":7,"commits":[]}`)) }, eventstore.ErrDamaged, "no commit"},
	} {
		t.Run(name, func(t *testing.T) {
			log := jetstreamtest.StreamName(t)
			address := c.URL() + "/" + log + "?sync=always"
			first := node(t, address)
			appendAll(t, first, 0, 2, 10)
			js, err := conn.JetStream(nats.MaxWait(time.Minute))
			require.NoError(t, err)
			stored, err := js.GetMsg("GROUPLOG-"+log, 1)
			require.NoError(t, err)
			m := &nats.Msg{Subject: stored.Subject, Header: nats.Header{}, Data: stored.Data}
			for _, header := range []string{"Grouplog-Checksum", "Content-Encoding"} {
				if value := stored.Header.Get(header); value != "" {
					m.Header.Set(header, value)
				}
			}
			test.change(m)
			_, err = js.PublishMsg(m)
			require.NoError(t, err)

			_, err = first.Append(t.Context(), eventstore.Commit{Stream: "s2", Outcome: &eventstore.Outcome{CommandID: "after"}})
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, "message 3")
			info, err := js.StreamInfo("GROUPLOG-" + log)
			require.NoError(t, err)
			_, err = first.Append(t.Context(), eventstore.Commit{Stream: "s3", Outcome: &eventstore.Outcome{CommandID: "later"}})
			require.ErrorIs(t, err, test.want)
			require.NotErrorIs(t, err, eventstore.ErrUnknown)
			_, err = eventstore.Import(t.Context(), first, eventstore.Commit{Stream: "s3", Outcome: &eventstore.Outcome{CommandID: "later"}})
			require.ErrorIs(t, err, test.want)
			require.NotErrorIs(t, err, eventstore.ErrUnknown)
			now, err := js.StreamInfo("GROUPLOG-" + log)
			require.NoError(t, err)
			require.Equal(t, info.State.LastSeq, now.State.LastSeq, "a node that has stopped stores nothing")
			_, err = jetstream.Open(t.Context(), address, t.TempDir()+"/replica.db", nil)
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.says)
		})
	}
}

// sum gives a message a body, and the checksum of it.
func sum(m *nats.Msg, body []byte) {
	m.Data = body
	m.Header.Set("Grouplog-Checksum", fmt.Sprintf("%08x", crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))))
}

// body makes a message continue s0 as its writers do, by one commit of other content.
func body(commit string) func(*nats.Msg) {
	return func(m *nats.Msg) {
		sum(m, fmt.Appendf(nil, `{"format":1,"stream":"s0","after":1,"commits":[%s]}`, commit))
	}
}
