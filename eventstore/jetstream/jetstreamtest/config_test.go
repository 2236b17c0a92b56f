package jetstreamtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

// configs are the files of docs/cluster, which users copy.
func configs(t testing.TB) (paths []string) {
	t.Helper()
	for n := range 3 {
		path, err := filepath.Abs(fmt.Sprintf("../../../docs/cluster/n%d.conf", n+1))
		require.NoError(t, err)
		paths = append(paths, path)
	}
	return paths
}

// The files make one cluster as they stand: they are the same but for what is each
// server's own, and each looks for the others where they listen.
func TestConfigsBelongTogether(t *testing.T) {
	paths := configs(t)
	first, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	var routes []string
	for i, path := range paths {
		n := i + 1
		own := strings.NewReplacer("Server 1", fmt.Sprint("Server ", n), "-t -c n1", fmt.Sprint("-t -c n", n),
			"name: n1", fmt.Sprint("name: n", n), "az:1", fmt.Sprint("az:", n), "data/n1", fmt.Sprint("data/n", n),
			`listen: "127.0.0.1:4222`, fmt.Sprint(`listen: "127.0.0.1:`, 4221+n), `http: "127.0.0.1:8222`, fmt.Sprint(`http: "127.0.0.1:`, 8221+n),
			`listen: "127.0.0.1:6222`, fmt.Sprint(`listen: "127.0.0.1:`, 6221+n)).Replace(string(first))
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, own, string(text))

		o, err := server.ProcessConfigFile(path)
		require.NoError(t, err)
		routes = append(routes, fmt.Sprintf("nats://%s:%s@%s:%d", o.Cluster.Username, o.Cluster.Password, o.Cluster.Host, o.Cluster.Port))
	}
	for _, path := range paths {
		o, err := server.ProcessConfigFile(path)
		require.NoError(t, err)
		var finds []string
		for _, route := range o.Routes {
			finds = append(finds, route.String())
		}
		require.Equal(t, routes, finds)
	}
}

// Servers of these files sync always, as who uses them can ask, keep a log three times,
// and let nobody who uses it delete it.
func TestConfigs(t *testing.T) {
	c := jetstreamtest.Start(t, &jetstreamtest.Options{
		Files: configs(t), App: url.UserPassword("grouplog", "change-me"), System: url.UserPassword("sys", "change-me-as-well"),
	})
	for i := range c.N() {
		require.Equal(t, fmt.Sprint("n", i+1), c.Name(i))
		var v varz
		get(t, c.Monitor(i)+"/varz", &v)
		require.True(t, v.JetStream.Config.SyncAlways)
	}
	require.Equal(t, map[string]bool{"n1": true, "n2": true, "n3": true}, syncs(t, c.Connect(t), c.N()))
	require.Equal(t, map[string]bool{"n1": true, "n2": true, "n3": true}, syncs(t, c.ConnectSystem(t), c.N()))
	requireStranger(t, c, nil)
	requireStranger(t, c, url.UserPassword("grouplog", "guess"))

	j := newJournal(t, c)
	j.fill(t, 3)
	c.Settle(t, j.name)
	for i := range c.N() {
		require.EqualValues(t, 3, c.State(t, i, j.name).Msgs)
	}
	s, err := j.Stream(t.Context(), j.name)
	require.NoError(t, err)
	for what, remove := range map[string]func(context.Context) error{
		"STREAM.DELETE":     func(ctx context.Context) error { return j.DeleteStream(ctx, j.name) },
		"STREAM.PURGE":      func(ctx context.Context) error { return s.Purge(ctx) },
		"STREAM.MSG.DELETE": func(ctx context.Context) error { return s.DeleteMsg(ctx, 1) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var refused error
		j.Conn().SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			refused = err
			cancel()
		})
		require.ErrorIs(t, remove(ctx), context.Canceled)
		require.ErrorIs(t, refused, nats.ErrPermissionViolation)
		require.ErrorContains(t, refused, what)
	}
	require.Len(t, j.texts(t), 3)
}

// syncs asks so many servers whether they sync always, by name. An answer may be lost where
// routes have just been made.
func syncs(t testing.TB, connection *nats.Conn, servers int) map[string]bool {
	t.Helper()
	answers, err := connection.SubscribeSync(nats.NewInbox())
	require.NoError(t, err)
	always := map[string]bool{}
	for begun := time.Now(); len(always) < servers; {
		require.Less(t, time.Since(begun), time.Minute, "%v", always)
		require.NoError(t, connection.PublishRequest("$SYS.REQ.SERVER.PING.JSZ", answers.Subject, nil))
		m, err := answers.NextMsg(time.Second)
		if errors.Is(err, nats.ErrTimeout) {
			continue
		}
		require.NoError(t, err)
		var answer struct {
			Server struct {
				Name string `json:"name"`
			} `json:"server"`
			Data struct {
				Config struct {
					SyncAlways bool `json:"sync_always"`
				} `json:"config"`
			} `json:"data"`
		}
		require.NoError(t, json.Unmarshal(m.Data, &answer))
		always[answer.Server.Name] = answer.Data.Config.SyncAlways
	}
	return always
}
