package sqlite

import (
	"database/sql/driver"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

// TestPreparedOnce: what is asked again is not compiled again. SQLite does so where its
// plan could depend on the value of a parameter, and the compilation costs more than the
// answer: a parameter that is compared by "=" beside ORDER BY or max, or that limits, is
// written "+?".
func TestPreparedOnce(t *testing.T) {
	var compiled atomic.Int64 // what compilers have asked leave for
	db := open(t, &Options{dial: func(dsn string) (driver.Conn, error) {
		c, err := dial(dsn)
		if err == nil {
			c.(*sqlite3.SQLiteConn).RegisterAuthorizer(func(int, string, string, string) int {
				compiled.Add(1)
				return sqlite3.SQLITE_OK
			})
		}
		return c, err
	}})
	use := func(i int) {
		stream := fmt.Sprint("s", i)
		mustAppend(t, db, withOutcome(commit(stream, eventstore.Exactly(0), "a", "b"), stream))
		_, found, err := db.Outcome(t.Context(), stream)
		require.NoError(t, err)
		require.True(t, found)
		for _, err := range db.ReadStream(t.Context(), stream, 1) {
			require.NoError(t, err)
		}
		for _, err := range db.ReadAll(t.Context(), eventstore.Position(i)) {
			require.NoError(t, err)
		}
		_, err = db.Head(t.Context())
		require.NoError(t, err)
	}
	use(0)
	require.NotZero(t, compiled.Swap(0))
	for i := range 3 {
		use(i + 1)
	}
	require.Zero(t, compiled.Load())
}
