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
