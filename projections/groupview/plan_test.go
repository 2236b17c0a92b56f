package groupview_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/projections/groupview"
)

// TestPlans: no query reads a table from its beginning, or sorts.
func TestPlans(t *testing.T) {
	db := arranged(t, "rowid")
	for name, plan := range groupview.Plans {
		for _, detail := range steps(t, db, plan.SQL, plan.Args...) {
			require.NotContains(t, detail, "TEMP B-TREE", name)
			require.NotEqual(t, "MATERIALIZE queue", detail, "%s: the queue must end with the page", name)
			if strings.HasPrefix(detail, "SCAN") {
				// What another part of the statement gives, row by row.
				require.Contains(t, []string{"SCAN q", "SCAN m", "SCAN mine", "SCAN rest", "SCAN e", "SCAN page", "SCAN CONSTANT ROW"}, detail, name)
			}
		}
	}
}

// TestPlansFindOnlyWhatIsAskedFor: who may approve for a few groups pays for those, whatever
// else they are a member of, and what is open of somebody is found without what was closed.
func TestPlansFindOnlyWhatIsAskedFor(t *testing.T) {
	db := arranged(t, "rowid")
	found := func(query, prefix string, arguments ...any) (of []string) {
		for _, detail := range steps(t, db, query, arguments...) {
			if strings.HasPrefix(detail, prefix) {
				of = append(of, detail)
			}
		}
		return of
	}
	for name, times := range map[string]int{"applications": 3, "unread": 1} { // open, closed, and counted
		plan := groupview.Plans[name]
		require.Equal(t, slices.Repeat([]string{"SEARCH m USING COVERING INDEX members_approver (uid=?)"}, times),
			found(plan.SQL, "SEARCH m ", plan.Args...), name)
	}
	for query, want := range groupview.LookUps {
		require.Equal(t, want, found(strings.ReplaceAll(query, "?", "1"), "SEARCH a"), query)
	}
	for _, name := range []string{"applications", "unread", "unread since"} {
		plan := groupview.Plans[name]
		require.Contains(t, found(plan.SQL, "CO-ROUTINE", plan.Args...), "CO-ROUTINE mine", "%s: where counting begins is looked for once", name)
	}
}

// TestPlansDoNotDependOnTheOrderOfIndexes: of two indexes that cost the same, SQLite takes
// the one that was made last.
func TestPlansDoNotDependOnTheOrderOfIndexes(t *testing.T) {
	plans := func(order string) map[string][]string {
		db, plans := arranged(t, order), map[string][]string{}
		for name, plan := range groupview.Plans {
			plans[name] = steps(t, db, plan.SQL, plan.Args...)
		}
		for query := range groupview.LookUps {
			plans[query] = steps(t, db, strings.ReplaceAll(query, "?", "1"))
		}
		return plans
	}
	want := plans("rowid")
	for _, order := range []string{"rowid DESC", "name", "name DESC"} {
		require.Equal(t, want, plans(order), order)
	}
}

// TestTablesHaveAVersion: rows of other tables would be taken for this version's, and not
// made anew.
func TestTablesHaveAVersion(t *testing.T) {
	schema := regexp.MustCompile(`--[^\n]*|\s+`).ReplaceAllString(groupview.New().Schema(), "")
	require.Equal(t, "version 7 is dbf30f31b4ec", fmt.Sprintf("version %d is %.6x", groupview.New().Version(), sha256.Sum256([]byte(schema))),
		"the tables have changed: they need a new Version, and then a new sum here")
}

// arranged is a file whose indexes were made in an order.
func arranged(t *testing.T, order string) *sql.DB {
	db := sql.OpenDB(connector("file::memory:"))
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1)
	_, err := db.ExecContext(t.Context(), groupview.New().Schema())
	require.NoError(t, err)
	var drop, create string
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT group_concat('DROP INDEX ' || name, ';' ORDER BY `+order+`), group_concat(sql, ';' ORDER BY `+order+`)
		FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`).Scan(&drop, &create))
	_, err = db.ExecContext(t.Context(), drop+";"+create)
	require.NoError(t, err)
	return db
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
