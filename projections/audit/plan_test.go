package audit_test

import (
	"database/sql"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/audit"
)

// TestPlans: no page reads a table from its beginning, and none sorts, but where few
// events lie between two times: those are sorted.
func TestPlans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, ":memory:")
		defer w.close(t)
		w.happen(t, 30)
		for range 10 {
			q := w.drawQuery(t)
			var plan []string
			err := w.views.Read(w.ctx, func(tx *sql.Tx) error {
				statement, args, soon, err := audit.PageStatement(w.ctx, tx, &q)
				if err != nil || statement == "" {
					return err
				}
				plan = append(planOf(t, tx, statement, args), fmt.Sprint("soon ", soon))
				return nil
			})
			require.NoError(t, err)
			sorted := strings.Contains(strings.Join(plan, "\n"), "TEMP B-TREE")
			soon := strings.Contains(strings.Join(plan, "\n"), "soon true")
			require.False(t, sorted && !soon, "%+v\n%s", q, strings.Join(plan, "\n"))
			for _, step := range plan {
				require.False(t, strings.HasPrefix(step, "SCAN"), "%+v\n%s", q, strings.Join(plan, "\n"))
			}
		}
	})
}

func planOf(t require.TestingT, tx *sql.Tx, statement string, args []any) (plan []string) {
	rows, err := tx.Query("EXPLAIN QUERY PLAN "+statement, args...)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	return plan
}

// Cursors are refused where they are no good, and say why.
func TestCursors(t *testing.T) {
	w := newWorld(t, ":memory:")
	defer w.close(t)
	for range 3 {
		tries(w.refusals, "ann", "{}")
	}
	q := audit.Query{Actors: []string{"ann"}, Limit: 1}
	page, err := w.queries.Page(w.ctx, q)
	require.NoError(t, err)
	require.NotEmpty(t, page.Next)
	refused := func(q audit.Query, why string) {
		t.Helper()
		_, err := w.queries.Page(w.ctx, q)
		require.ErrorIs(t, err, audit.ErrCursor)
		require.ErrorContains(t, err, why)
	}
	refused(audit.Query{Actors: []string{"bob"}, Cursor: page.Next}, "of another query")
	refused(audit.Query{Actors: []string{"ann"}, Oldest: true, Cursor: page.Next}, "of the other order")
	refused(audit.Query{Cursor: "Mi5uLjAuMC4w"}, "of another version")
	refused(audit.Query{Cursor: "hello, world"}, "pass what a page gave")
	refused(audit.Query{Cursor: "MS5u"}, "damaged")
	other := newWorld(t, ":memory:")
	defer other.close(t)
	tries(other.refusals, "ann", "{}")
	_, err = other.queries.Page(w.ctx, audit.Query{Actors: q.Actors, Cursor: page.Next})
	require.ErrorIs(t, err, audit.ErrCursor)
	require.ErrorContains(t, err, "of another log")
	refused(audit.Query{Actors: q.Actors, Cursor: moved(t, page.Next, "2.1")}, "beyond the end of the log")
	refused(audit.Query{Actors: q.Actors, Cursor: moved(t, page.Next, "1.5")}, "beyond the end of the log")
	refused(audit.Query{Actors: q.Actors, Cursor: moved(t, page.Tail, "1.0"), Oldest: true}, "beyond the end of the log")
	refused(audit.Query{Actors: q.Actors, Cursor: moved(t, page.Tail, "0.4"), Oldest: true}, "beyond the end of the log")
	q.Limit, q.Cursor = 7, page.Next
	page, err = w.queries.Page(w.ctx, q)
	require.NoError(t, err, "another limit is no other query")
	require.Len(t, page.Entries, 2)
	require.Empty(t, page.Next)
}

// moved is a cursor that was made to name another place.
func moved(t require.TestingT, cursor, place string) string {
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	require.NoError(t, err)
	parts := append(strings.Split(string(data), ".")[:3], place)
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, ".")))
}

// What cannot match has an empty answer.
func TestNothingThere(t *testing.T) {
	w := newWorld(t, ":memory:")
	defer w.close(t)
	tries(w.refusals, "ann", "{}")
	for _, q := range []audit.Query{
		{Actors: []string{"nobody"}}, {Persons: []string{"nobody"}}, {Groups: []string{"nothing"}}, {Text: "unheard"}, {CommandID: "none"},
		{Until: domaintest.Morning.Add(-time.Hour)}, {Since: domaintest.Morning.Add(time.Hour)}, {From: 1 << 63}, {From: 9, To: eventstore.Position(1<<64 - 1)},
		{Actions: []string{"member.joined"}}, {Outcome: audit.Done},
	} {
		for _, q.Oldest = range []bool{true, false} {
			page, err := w.queries.Page(w.ctx, q)
			require.NoError(t, err)
			require.Empty(t, page.Entries, "%+v", q)
			require.Empty(t, page.Next)
			f, err := w.queries.Facets(w.ctx, q)
			require.NoError(t, err)
			require.Zero(t, f.Total)
		}
	}
}
