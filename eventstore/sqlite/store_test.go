package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	eventstoretest.Run(t, eventstoretest.Features{Persistent: true, MultiProcess: true},
		func(t testing.TB, dir string) eventstore.Store {
			db, err := Open(t.Context(), filepath.Join(dir, "groups.db"), nil)
			require.NoError(t, err)
			return db
		})
}
