package jetstream_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/jetstream"
)

func TestStore(t *testing.T) {
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	require.NoError(t, err)
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	for _, shards := range []int{1, 3} {
		t.Run(fmt.Sprint(shards), func(t *testing.T) {
			var n atomic.Int64
			eventstoretest.Run(t, eventstoretest.Features{Persistent: true, MultiProcess: true}, func(t testing.TB, dir string) eventstore.Store {
				name := strings.Map(func(r rune) rune {
					if r == '/' || r == '.' {
						return '_'
					}
					return r
				}, dir)
				name = name[max(0, len(name)-60):]
				s, err := jetstream.Open(t.Context(), srv.ClientURL()+"/"+name+"?sync=lazy", filepath.Join(t.TempDir(), fmt.Sprint(n.Add(1), ".db")), &jetstream.Options{Replicas: 1, Shards: shards})
				require.NoError(t, err)
				return s
			})
		})
	}
}
