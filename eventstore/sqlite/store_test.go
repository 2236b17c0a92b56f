package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
)

// TestMain runs the tests, or, in a process that a test has started, what that test
// wants a process of its own for.
func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		os.Exit(runChild(role, os.Getenv(childPath)))
	}
	goleak.VerifyTestMain(m)
}

func TestStore(t *testing.T) {
	eventstoretest.Run(t, eventstoretest.Features{Persistent: true, MultiProcess: true},
		func(t testing.TB, dir string) eventstore.Store {
			db, err := Open(t.Context(), filepath.Join(dir, "groups.db"), nil)
			require.NoError(t, err)
			return db
		})
}
