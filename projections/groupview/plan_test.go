package groupview_test

import (
	"context"
	"database/sql"
	"slices"
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
			for _, detail := range steps(t, tx, plan.SQL, plan.Args...) {
				require.NotContains(t, detail, "TEMP B-TREE", name)
				require.NotEqual(t, "MATERIALIZE queue", detail, "%s: the queue must end with the page", name)
				require.NotEqual(t, "MATERIALIZE mine", detail, "%s: a second table in memory", name)
				if strings.HasPrefix(detail, "SCAN") {
					// What another part of the statement gives, row by row.
					require.Contains(t, []string{"SCAN q", "SCAN m", "SCAN mine", "SCAN rest", "SCAN e", "SCAN page", "SCAN CONSTANT ROW"}, detail, name)
				}
			}
			return nil
		})
		require.NoError(t, err)
	}
}

// TestApproversAreFoundByTheirRole: who may approve for a few groups pays for those, whatever
// else they are a member of. SQLite's planner took the index of all memberships.
func TestApproversAreFoundByTheirRole(t *testing.T) {
	w := newWorld(t.Context())
	views := w.views(t, ":memory:", projections.Options{})
	for name, times := range map[string]int{"applications": 3, "unread": 1} { // open, closed, and counted
		plan := groupview.Plans[name]
		require.NoError(t, views.Read(w.ctx, func(tx *sql.Tx) error {
			var of []string
			for _, detail := range steps(t, tx, plan.SQL, plan.Args...) {
				if strings.HasPrefix(detail, "SEARCH m ") {
					of = append(of, detail)
				}
			}
			require.Equal(t, slices.Repeat([]string{"SEARCH m USING COVERING INDEX members_approver (uid=?)"}, times), of, name)
			return nil
		}))
	}
}

// steps are how SQLite carries a statement out, in its words.
func steps(t *testing.T, of interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, query string, args ...any) (details []string) {
	rows, err := of.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
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

// TestChangesNeedNoIndex: while tables are filled, there is none, and whoever applied before
// a mark may apply again after it. To read the table for each took a rebuild of 40 000
// events 16 s instead of 0.4.
func TestChangesNeedNoIndex(t *testing.T) {
	db := sql.OpenDB(connector("file::memory:"))
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err := db.ExecContext(t.Context(), groupview.New().Schema())
	require.NoError(t, err)
	var indexes string
	require.NoError(t, db.QueryRowContext(t.Context(),
		"SELECT group_concat('DROP INDEX ' || name, ';') FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").Scan(&indexes))
	_, err = db.ExecContext(t.Context(), indexes)
	require.NoError(t, err)
	for _, change := range groupview.Changes {
		plan := steps(t, db, strings.ReplaceAll(change, "?", "1"))
		require.Equal(t, []string{"SEARCH applications USING INTEGER PRIMARY KEY (rowid=?)"}, plan, change)
	}
}
