package bench

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"
)

// What the floors of commands write is as durable as what the store writes.
func TestFloorsAreDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "each.db")
	each, err := openTransactions(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, each.close()) }()
	for setting, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "fullfsync": "1", "checkpoint_fullfsync": "1", "page_size": "8192"} {
		var got string
		require.NoError(t, each.db.QueryRow("PRAGMA "+setting).Scan(&got))
		require.Equal(t, want, got, setting)
	}

	address, err := durable(path)
	require.NoError(t, err)
	loose, err := (&sqlite3.SQLiteDriver{}).Open(strings.Replace(address, "synchronous=FULL", "synchronous=NORMAL", 1))
	require.NoError(t, err)
	require.EqualError(t, settle(loose), "PRAGMA synchronous is 1, not 2")
	require.NoError(t, loose.Close())
}
