package jetstreamtest

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

var shared struct {
	sync.Mutex
	cluster *Cluster
	dir     string
}

// Shared is a cluster for all tests of a package that leave it as it is, each with
// streams of its own. The first one starts it; it stops when the tests have run.
// TestMain must call Main.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	requireMain(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		dir, err := os.MkdirTemp("", "jetstreamtest") //nolint:usetesting // it outlives the test
		require.NoError(t, err)
		shared.dir = dir
		shared.cluster = newCluster(t, dir, nil, runEmbedded)
		shared.cluster.Start(t, shared.cluster.all()...)
	}
	return shared.cluster
}

func stopShared() {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		shared.cluster.close()
		os.RemoveAll(shared.dir)
	}
}

var names atomic.Int64

// StreamName is a name for a stream that no other call has returned, by which the test
// can be told.
func StreamName(t testing.TB) string {
	letters := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}
	return fmt.Sprint(strings.Map(letters, t.Name()), "_", names.Add(1))
}
