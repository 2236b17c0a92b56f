package groupview_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/internal/bulk"
	"github.com/grouplog/grouplog/projections/groupview"
)

// connector opens connections as a views file does.
type connector string

func (c connector) Connect(context.Context) (driver.Conn, error) { return bulk.Open(string(c)) }
func (connector) Driver() driver.Driver                          { return nil }

// TestPreparedOnce: a statement that is run again is not compiled again. SQLite does so
// where its plan could depend on the value of a parameter, and it costs more than to
// run it: a parameter that is compared by "=", or limits, is written "+?".
func TestPreparedOnce(t *testing.T) {
	db := sql.OpenDB(connector("file::memory:?_stmt_cache_size=64"))
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err := db.ExecContext(t.Context(), groupview.New().Schema())
	require.NoError(t, err)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()

	compiled := 0 // what the compiler has asked leave for
	require.NoError(t, conn.Raw(func(c any) error {
		c.(*bulk.Conn).RegisterAuthorizer(func(int, string, string, string) int { compiled++; return sqlite3.SQLITE_OK })
		return nil
	}))
	for name, plan := range groupview.Plans {
		for run := range 3 {
			compiled = 0
			rows, err := conn.QueryContext(t.Context(), plan.SQL, plan.Args...)
			require.NoError(t, err)
			for rows.Next() { //nolint:revive // to the end
			}
			require.NoError(t, rows.Err())
			require.NoError(t, rows.Close())
			if run == 0 {
				require.NotZero(t, compiled, name)
			} else if compiled != 0 {
				t.Errorf("%s: compiled again", name)
			}
		}
	}
}
