package jetstream_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

// A store on a cluster of three servers keeps the contract.
func TestStore(t *testing.T) { conformance(t, jetstreamtest.Shared(t).URL(), jetstream.Options{}) }

// One whose messages are spread over several streams does so too; here on one server, as
// what is new is the order that they are brought into.
func TestStoreOfShards(t *testing.T) {
	server := jetstreamtest.Start(t, &jetstreamtest.Options{Servers: 1})
	conformance(t, server.URL(), jetstream.Options{Shards: 3, Replicas: 1})
}

// conformance runs the suite. Every store has a replica of its own, as on a machine of
// its own.
func conformance(t *testing.T, servers string, options jetstream.Options) {
	var mu sync.Mutex
	name, addresses := jetstreamtest.StreamName(t), map[string]string{} // by directory
	features := eventstoretest.Features{Persistent: true, MultiProcess: true, Unordered: true}
	eventstoretest.Run(t, features, func(t testing.TB, dir string) eventstore.Store {
		mu.Lock()
		address := addresses[dir]
		if address == "" {
			address = fmt.Sprintf("%s/%s-%d?sync=always", servers, name, len(addresses))
			addresses[dir] = address
		}
		mu.Unlock()
		store, err := jetstream.Open(t.Context(), address, filepath.Join(t.TempDir(), "replica.db"), &options)
		require.NoError(t, err)
		return store
	})
}
