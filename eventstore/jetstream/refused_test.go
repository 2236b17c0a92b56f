package jetstream_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

func requireRefused(t *testing.T, address string, options *jetstream.Options, is error, says ...string) {
	t.Helper()
	store, err := jetstream.Open(t.Context(), address, filepath.Join(t.TempDir(), "replica.db"), options)
	if err == nil {
		require.NoError(t, store.Close())
	}
	require.ErrorIs(t, err, is, "%v", err)
	for _, text := range says {
		require.ErrorContains(t, err, text)
	}
	require.NotContains(t, err.Error(), "secret")
}

func TestAddresses(t *testing.T) {
	for address, says := range map[string]string{
		"http://host/x":                     `"http" is no scheme`,
		"nats:///x":                         "a host is missing",
		"nats://h/a.b":                      "no name of a log",
		"nats://h/a,nats://i/b":             "after the last host",
		"nats://h?sync=never":               "always, lazy or ask",
		"nats://h?replicas=3":               `it knows no "replicas"`,
		"nats://user:secret@h:port":         "port",
		"nats://user:secret@h:1,,j:2":       "a host is missing",
		"nats://h:1/a?sync=%zz":             "",
		"nats://" + strings.Repeat("é", 70): "",
	} {
		_, err := jetstream.Open(t.Context(), address, filepath.Join(t.TempDir(), "r.db"), &jetstream.Options{ReadTimeout: time.Millisecond})
		require.Error(t, err, address)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "secret", address)
	}
	require.True(t, jetstream.IsAddress("nats://h"))
	require.False(t, jetstream.IsAddress("groups.db"))
}

func TestRefused(t *testing.T) {
	c := jetstreamtest.Shared(t)
	name := func() string { return c.URL() + "/" + jetstreamtest.StreamName(t) }

	requireRefused(t, "nats://user:secret@127.0.0.1:1/x?sync=always", nil, jetstream.ErrUnavailable, "servers run")
	requireRefused(t, name(), nil, jetstream.ErrSync, "sync_interval: always", "sync=lazy")
	requireRefused(t, name(), &jetstream.Options{Monitors: []string{"http://127.0.0.1:1"}}, jetstream.ErrUnavailable)
	requireRefused(t, name()+"?sync=always", &jetstream.Options{MustExist: true}, fs.ErrNotExist)
	requireRefused(t, name()+"?sync=always", &jetstream.Options{Replicas: 5, ReadTimeout: time.Second}, jetstream.ErrUnavailable)
	_, err := jetstream.Open(t.Context(), name(), "", &jetstream.Options{Sync: 7, Replicas: -1, Shards: 99, AppendTimeout: -1, Monitors: []string{"host"}})
	for _, mistake := range []string{"Sync", "Replicas", "Shards", "timeout", "monitor"} {
		require.ErrorContains(t, err, mistake)
	}

	address := name()
	store := node(t, address+"?sync=always")
	requireRefused(t, address+"?sync=always", &jetstream.Options{Shards: 2}, jetstream.ErrSettings, "shards")
	requireRefused(t, address+"?sync=always", &jetstream.Options{ID: "another"}, eventstore.ErrOtherLog, "another")
	_, err = jetstream.Open(t.Context(), address+"?sync=always", store.Path(), nil)
	require.ErrorIs(t, err, eventstore.ErrBusy)
	_, err = jetstream.Open(t.Context(), name()+"?sync=always", filepath.Join(t.TempDir(), "no", "such", "directory"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	own, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "own.db"), nil)
	require.NoError(t, err)
	require.NoError(t, own.Close())
	_, err = jetstream.Open(t.Context(), address+"?sync=always", own.Path(), nil)
	require.ErrorIs(t, err, sqlite.ErrReplica, "a log of its own is not overwritten")
}

// The servers say themselves whether they sync always.
func TestMonitors(t *testing.T) {
	t.Parallel()
	for lazy, want := range map[bool]error{false: nil, true: jetstream.ErrSync} {
		c := jetstreamtest.Start(t, &jetstreamtest.Options{Servers: 1, Lazy: lazy})
		store, err := jetstream.Open(t.Context(), c.URL(), filepath.Join(t.TempDir(), "r.db"), &jetstream.Options{Replicas: 1, Monitors: []string{c.Monitor(0)}})
		require.ErrorIs(t, err, want)
		if err == nil {
			require.NoError(t, store.Close())
		}
	}
}

// With the configuration that is there to be copied, the servers say so through the
// connection, and nothing else has to be said.
func TestConfigs(t *testing.T) {
	files, err := filepath.Glob("../../docs/cluster/n*.conf")
	require.NoError(t, err)
	c := jetstreamtest.Start(t, &jetstreamtest.Options{
		Files: files, App: url.UserPassword("grouplog", "change-me"), System: url.UserPassword("sys", "change-me-as-well"),
	})
	store := node(t, c.URL())
	appendAll(t, store, 0, 3, 100)
	var status jetstream.Status
	require.Eventually(t, func() bool { // most of the servers are enough for an answer
		status, err = store.Status(t.Context())
		return err != nil || len(status.Syncing) == 3
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"n1": true, "n2": true, "n3": true}, status.Syncing)
	require.Len(t, status.Streams, 1)
	require.Len(t, status.Streams[0].Replicas, 2)
	require.EqualValues(t, 3, status.Streams[0].Messages)
	require.Zero(t, status.Behind)

	c.Stop(t, (c.Leader(t, status.Streams[0].Name)+1)%3)
	require.Len(t, records(t, node(t, c.URL())), 3, "a server that is down says nothing, and is not needed")
}

// Servers that are slow to say so are asked again.
func TestServersThatAreSlowToSay(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.Start(t, &jetstreamtest.Options{Servers: 1})
	servers := c.Connect(t)
	asked := 0
	_, err := servers.Subscribe("$SYS.REQ.SERVER.PING.JSZ", func(m *nats.Msg) {
		asked++
		for n := range min(asked, 3) {
			assert.NoError(t, m.Respond(fmt.Appendf(nil, `{"server":{"name":"n%d"},"data":{"config":{"sync_always":true}}}`, n)))
		}
	})
	require.NoError(t, err)
	require.NoError(t, servers.Flush())
	requireRefused(t, c.URL()+"/x", &jetstream.Options{MustExist: true}, fs.ErrNotExist) // which comes after that
}

func TestCredentials(t *testing.T) {
	c := jetstreamtest.Start(t, &jetstreamtest.Options{Servers: 1, App: url.UserPassword("app", "right")})
	requireRefused(t, strings.Replace(c.URL(), "right", "secret", 1)+"/x?sync=always", &jetstream.Options{Replicas: 1}, jetstream.ErrDenied, "password")
	store, err := jetstream.Open(t.Context(), c.URL()+"/x?sync=always", filepath.Join(t.TempDir(), "r.db"), &jetstream.Options{Replicas: 1})
	require.NoError(t, err)
	require.NoError(t, store.Close())
}

// A stream that forgets, or could be made to, is no log.
func TestSettings(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.Start(t, &jetstreamtest.Options{Servers: 1})
	js, err := c.Connect(t).JetStream(nats.MaxWait(time.Minute))
	require.NoError(t, err)
	for what, change := range map[string]func(*nats.StreamConfig){
		"no log of grouplog": func(s *nats.StreamConfig) { s.Metadata = nil },
		"memory":             func(s *nats.StreamConfig) { s.Storage = nats.MemoryStorage },
		"subjects":           func(s *nats.StreamConfig) { s.Subjects[0] += ".*" },
		"limit":              func(s *nats.StreamConfig) { s.MaxAge = time.Hour },
		"discards old":       func(s *nats.StreamConfig) { s.Discard = nats.DiscardOld },
		"deleted or purged":  func(s *nats.StreamConfig) { s.DenyPurge = false },
		"direct reading":     func(s *nats.StreamConfig) { s.AllowDirect = false },
		"republish":          func(s *nats.StreamConfig) { s.RePublish = nil },
		"format": func(s *nats.StreamConfig) {
			s.Metadata = map[string]string{"grouplog.id": "x", "grouplog.shards": "1", "grouplog.format": "2"}
		},
		"retention": func(s *nats.StreamConfig) { s.Retention = nats.InterestPolicy },
	} {
		t.Run(what, func(t *testing.T) {
			log := jetstreamtest.StreamName(t) // one each: a server may still be deleting the last one when it makes the next
			config := nats.StreamConfig{
				Name: "GROUPLOG-" + log, Subjects: []string{"grouplog." + log + ".log.0.*"}, Storage: nats.FileStorage, Replicas: 1, Discard: nats.DiscardNew,
				DenyDelete: true, DenyPurge: true, AllowDirect: true,
				RePublish: &nats.RePublish{Source: "grouplog." + log + ".log.>", Destination: "grouplog." + log + ".bell.>", HeadersOnly: true},
				Metadata:  map[string]string{"grouplog.id": "x", "grouplog.shards": "1", "grouplog.format": "1"},
			}
			change(&config)
			_, err := js.AddStream(&config)
			require.NoError(t, err)
			requireRefused(t, c.URL()+"/"+log+"?sync=always", &jetstream.Options{Replicas: 1}, jetstream.ErrSettings, what)
		})
	}
}

// Without a quorum, nothing is acknowledged, and whoever appends or reads is told so.
func TestNoQuorum(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.Start(t, nil)
	address := c.URL() + "/quorum?sync=always"
	store := node(t, address)
	hasty := node(t, address, func(o *jetstream.Options) { o.AppendTimeout, o.ReadTimeout = 5*time.Second, 5*time.Second })
	appendAll(t, store, 0, 3, 100)
	c.Stop(t, 0, 1)
	_, err := hasty.Append(t.Context(), eventstore.Commit{Stream: "s", Outcome: &eventstore.Outcome{CommandID: "c"}})
	require.True(t, errors.Is(err, jetstream.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknown), "%v", err)
	head, err := hasty.Head(t.Context())
	require.True(t, errors.Is(err, jetstream.ErrUnavailable) || head == 3, "%v", err)
	require.Eventually(t, func() bool { // the leader does not notice at once that it is alone
		other, err := jetstream.Open(t.Context(), address, filepath.Join(t.TempDir(), "r.db"), &jetstream.Options{ReadTimeout: time.Second})
		if err == nil {
			return other.Close() != nil
		}
		return errors.Is(err, jetstream.ErrUnavailable) && strings.Contains(err.Error(), "most of its servers run")
	}, time.Minute, 10*time.Millisecond)
	c.Start(t, 0, 1)
	require.Eventually(t, func() bool { head, err := store.Head(t.Context()); return err == nil && head == 3 }, 2*time.Minute, 10*time.Millisecond)
	appendAll(t, store, 3, 6, 100)
}

// A server that cannot make a stream at first, as where it is removing the directory of an
// account whose last stream was deleted, is asked again.
func TestStreamCannotBeMadeAtFirst(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.Start(t, &jetstreamtest.Options{Servers: 1})
	obstacle := filepath.Join(c.StoreDir(0), "jetstream", "APP", "streams", "GROUPLOG-log")
	require.EventuallyWithT(t, func(t *assert.CollectT) { // the directory may be going right now
		require.NoError(t, os.MkdirAll(filepath.Dir(obstacle), 0o700))
		require.NoError(t, os.WriteFile(obstacle, nil, 0o600))
	}, time.Minute, time.Millisecond)
	connection := c.Connect(t)
	asked, err := connection.SubscribeSync("$JS.API.STREAM.CREATE.>")
	require.NoError(t, err)
	require.NoError(t, connection.Flush())
	store := node(t, c.URL()+"/log?sync=always", func(o *jetstream.Options) { o.Replicas = 1 })
	for range 2 { // the first time in vain, after which the server clears the way
		_, err := asked.NextMsg(time.Minute)
		require.NoError(t, err)
	}
	require.Empty(t, records(t, store))
}

// Where the account has no more room, appends are refused, and everything that was
// acknowledged is there. The configuration is the one to copy, with less room.
func TestFull(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../../docs/cluster/n*.conf")
	require.NoError(t, err)
	for i, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		paths[i] = filepath.Join(t.TempDir(), filepath.Base(path))
		small := strings.Replace(string(text), "max_file: 27GB", "max_file: 6MB", 1)
		require.NotEqual(t, string(text), small)
		require.NoError(t, os.WriteFile(paths[i], []byte(small), 0o600))
	}
	c := jetstreamtest.Start(t, &jetstreamtest.Options{
		Files: paths, App: url.UserPassword("grouplog", "change-me"), System: url.UserPassword("sys", "change-me-as-well"),
	})
	store := node(t, c.URL()+"/full")
	stored := 0
	for ; err == nil && stored < 100; stored++ {
		_, err = store.Append(t.Context(), eventstore.Commit{Stream: fmt.Sprint("s", stored), Events: []eventstore.Event{{
			Type: "test.happened", Schema: 1, Data: fmt.Appendf(nil, "%q", noise(200_000)), Time: time.Unix(1, 0),
		}}})
	}
	require.ErrorIs(t, err, eventstore.ErrFull, "%v", err)
	require.ErrorContains(t, err, "max_file")
	require.NotErrorIs(t, err, eventstore.ErrUnknown)
	require.Len(t, records(t, store), stored-1, "what was acknowledged can be read, and nothing else is there")
	require.Len(t, records(t, node(t, c.URL()+"/full")), stored-1)
}

// A commit that no server takes says so, and does not stand in the way of others.
func TestTooLarge(t *testing.T) {
	store := node(t, jetstreamtest.Shared(t).URL()+"/"+jetstreamtest.StreamName(t)+"?sync=always")
	small := eventstore.Commit{Stream: "small", Events: []eventstore.Event{{Type: "t", Schema: 1, Data: []byte("1"), Time: time.Unix(1, 0)}}}
	large := eventstore.Commit{Stream: "large", Events: []eventstore.Event{{Type: "t", Schema: 1, Data: fmt.Appendf(nil, "%q", noise(4<<20)), Time: time.Unix(1, 0)}}}
	results, err := store.Append(t.Context(), small, large)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	require.ErrorIs(t, results[1].Err, eventstore.ErrInvalid)
	require.ErrorContains(t, results[1].Err, "max_payload")
	_, err = store.Append(t.Context(), large)
	require.ErrorIs(t, err, eventstore.ErrInvalid)
}
