package jetstream_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsjetstream "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

// Cells on a cluster of three servers keep their contract, for any number of processes.
func TestCells(t *testing.T) {
	var logs atomic.Int64
	name := jetstreamtest.StreamName(t)
	eventstoretest.RunCells(t, func(t testing.TB) func() eventstore.Cells {
		address := fmt.Sprintf("%s/%s-%d?sync=always", jetstreamtest.Shared(t).URL(), name, logs.Add(1))
		open := func() eventstore.Cells { return node(t, address) }
		nodes := [2]eventstore.Cells{open(), open()}
		var connected atomic.Int64
		return func() eventstore.Cells { return nodes[connected.Add(1)%2] }
	})
}

// A bucket is not made by looking, shows itself as one of NATS, and belongs to one log.
func TestBucket(t *testing.T) {
	server := jetstreamtest.Start(t, &jetstreamtest.Options{Servers: 1})
	js, err := natsjetstream.New(server.Connect(t), natsjetstream.WithDefaultTimeout(time.Minute))
	require.NoError(t, err)
	address := server.URL() + "/chess?sync=always"
	alone := func(o *jetstream.Options) { o.Replicas = 1 }
	store := node(t, address, alone)
	_, revision, err := store.Cell(t.Context(), "a.b")
	require.NoError(t, err)
	require.Zero(t, revision)
	names, err := store.CellNames(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, names)
	_, err = js.KeyValue(t.Context(), "GROUPLOG-chess")
	require.ErrorIs(t, err, natsjetstream.ErrBucketNotFound)

	revision, err = store.SetCell(t.Context(), "a.b", []byte("value"), 0)
	require.NoError(t, err)
	bucket, err := js.KeyValue(t.Context(), "GROUPLOG-chess")
	require.NoError(t, err)
	entry, err := bucket.Get(t.Context(), "a=2Eb")
	require.NoError(t, err)
	require.Equal(t, "value", string(entry.Value()))
	require.Equal(t, revision, entry.Revision())

	// What somebody else puts there is a conflict, and not mistaken for a cell.
	_, err = bucket.Put(t.Context(), "a=2Eb", []byte("by hand"))
	require.NoError(t, err)
	_, err = bucket.Put(t.Context(), "no.cell", nil)
	require.NoError(t, err)
	_, err = store.SetCell(t.Context(), "a.b", nil, revision)
	require.ErrorIs(t, err, eventstore.ErrConflict)
	names, err = store.CellNames(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []string{"a.b"}, names)

	// That of another log, or of other settings, is refused.
	foreign, err := js.CreateKeyValue(t.Context(), natsjetstream.KeyValueConfig{Bucket: "GROUPLOG-go"})
	require.NoError(t, err)
	_, err = foreign.PutString(t.Context(), "a", "theirs")
	require.NoError(t, err)
	other := node(t, strings.Replace(address, "chess", "go", 1), alone)
	_, err = other.SetCell(t.Context(), "a", nil, 0)
	require.ErrorIs(t, err, jetstream.ErrSettings)
	require.ErrorContains(t, err, "it belongs to log")
	require.NoError(t, other.Close())
	_, _, err = other.Cell(t.Context(), "a")
	require.ErrorIs(t, err, eventstore.ErrClosed)
}
