package groupview_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// TestPlans: no query reads a table from its beginning, or sorts.
func TestPlans(t *testing.T) {
	w := newWorld(t.Context())
	views := w.views(t, ":memory:", projections.Options{})
	for name, plan := range groupview.Plans {
		err := views.Read(w.ctx, func(tx *sql.Tx) error {
			rows, err := tx.Query("EXPLAIN QUERY PLAN "+plan.SQL, plan.Args...)
			require.NoError(t, err)
			defer rows.Close()
			for rows.Next() {
				var id, parent, unused int
				var detail string
				require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
				require.NotContains(t, detail, "TEMP B-TREE", name)
				require.NotEqual(t, "MATERIALIZE queue", detail, "%s: the queue must end with the page", name)
				if strings.HasPrefix(detail, "SCAN") {
					// What another part of the statement gives, row by row.
					require.Contains(t, []string{"SCAN q", "SCAN m", "SCAN mine", "SCAN rest", "SCAN e", "SCAN page", "SCAN CONSTANT ROW"}, detail, name)
				}
			}
			return rows.Err()
		})
		require.NoError(t, err)
	}
}

// TestChangesNeedNoIndex: while tables are filled, there is none, and whoever applied before
// a mark may apply again after it. To read the table for each took a rebuild of 40 000
// events 16 s instead of 0.4.
func TestChangesNeedNoIndex(t *testing.T) {
	db := sql.OpenDB(connector("file::memory:"))
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err := db.ExecContext(t.Context(), groupview.New().Schema())
	require.NoError(t, err)
	ask := func(query string) (details []string) {
		rows, err := db.QueryContext(t.Context(), query)
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
			details = append(details, detail)
		}
		require.NoError(t, rows.Err())
		return details
	}
	for _, index := range ask("SELECT 0, 0, 0, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL") {
		_, err := db.ExecContext(t.Context(), "DROP INDEX "+index)
		require.NoError(t, err)
	}
	for _, change := range groupview.Changes {
		plan := ask("EXPLAIN QUERY PLAN " + strings.ReplaceAll(change, "?", "1"))
		require.Equal(t, []string{"SEARCH applications USING INTEGER PRIMARY KEY (rowid=?)"}, plan, change)
	}
}
