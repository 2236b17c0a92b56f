package audit_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/audit"
)

// TestQueriesAreANaiveScan: every combination of filters, in either order, by pages of any
// size, gives what looking at every entry gives; and so do the counts.
func TestQueriesAreANaiveScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, ":memory:")
		defer w.close(t)
		w.happen(t, rapid.IntRange(1, 60).Draw(t, "commands"))
		for range 10 {
			q := w.drawQuery(t)
			want := w.expected(&q)
			var got []audit.Entry
			for e, err := range w.queries.All(w.ctx, q) {
				require.NoError(t, err)
				got = append(got, e)
			}
			require.Equal(t, want, keysOf(t, got), "%+v", q)

			q.Limit = rapid.IntRange(1, 7).Draw(t, "limit")
			require.Equal(t, want, w.paged(t, q), "%+v", q)
			w.checkFacets(t, q)
		}
	})
}

// paged reads all pages of a query.
func (w *world) paged(t *rapid.T, q audit.Query) []string {
	keys := []string{}
	for {
		page, err := w.queries.Page(w.ctx, q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Entries), q.Limit)
		keys = append(keys, keysOf(t, page.Entries)...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return keys
		}
	}
}

// checkFacets counts entry by entry.
func (w *world) checkFacets(t *rapid.T, q audit.Query) {
	q.Limit = 0
	f, err := w.queries.Facets(w.ctx, q)
	require.NoError(t, err)
	counts := map[string]map[string]int{"actor": {}, "action": {}, "group": {}, "outcome": {}, "day": {}}
	total := 0
	for i := range w.entries {
		e := &w.entries[i]
		if !wants(&q, e) {
			continue
		}
		total++
		counts["actor"][actorOf(e)]++
		counts["action"][e.Action]++
		counts["outcome"][string(e.Outcome)]++
		counts["day"][e.At.Format("2006-01-02")]++
		if e.GroupID != "" {
			counts["group"][e.GroupID]++
		}
	}
	require.Equal(t, total, f.Total)
	for name, list := range map[string][]audit.Count{
		"actor": f.Actors.Top, "action": f.Actions.Top, "group": f.Groups.Top, "outcome": f.Outcomes, "day": f.Days,
	} {
		got := map[string]int{}
		for _, c := range list {
			got[c.Value] = c.Count
		}
		require.Equal(t, counts[name], got, name)
	}
	require.True(t, slices.IsSortedFunc(f.Actors.Top, func(a, b audit.Count) int { return b.Count - a.Count }))
	require.Equal(t, w.attempts, f.Refusals.Kept)
}

// TestPagingWhileEntriesArrive: nothing is lost and nothing comes twice. Of the newest
// first, pages hold what there was at first, and the tail gives the rest; of the oldest
// first, what arrives comes at the end.
func TestPagingWhileEntriesArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, ":memory:")
		defer w.close(t)
		w.happen(t, rapid.IntRange(1, 25).Draw(t, "commands"))
		q := w.drawQuery(t)
		q.Limit = rapid.IntRange(1, 4).Draw(t, "limit")
		atFirst := w.expected(&q)
		page, err := w.queries.Page(w.ctx, q)
		require.NoError(t, err)
		tail, got := page.Tail, keysOf(t, page.Entries)
		for rounds := 0; page.Next != ""; rounds++ {
			if rounds < 8 { // or a reader of the oldest first might never get to the end
				w.happen(t, rapid.IntRange(0, 4).Draw(t, "meanwhile"))
			}
			q.Cursor = page.Next
			page, err = w.queries.Page(w.ctx, q)
			require.NoError(t, err)
			got = append(got, keysOf(t, page.Entries)...)
			if q.Oldest {
				tail = page.Tail
			}
		}
		if !q.Oldest {
			require.Equal(t, atFirst, got)
			slices.Reverse(got)
		}
		w.happen(t, 4)
		q.Oldest = true
		for q.Cursor = tail; ; {
			page, err := w.queries.Page(w.ctx, q)
			require.NoError(t, err)
			got = append(got, keysOf(t, page.Entries)...)
			if len(page.Entries) == 0 {
				require.Equal(t, tail, q.Cursor)
				break
			}
			q.Cursor, tail = page.Tail, page.Tail
		}
		require.Equal(t, w.expected(&q), got)
	})
}

// A beginning that too many words have is refused, and says what to do.
func TestTooManyWordsBeginSo(t *testing.T) {
	w := newWorld(t, ":memory:")
	defer w.close(t)
	for i := range audit.MaxValues + 1 {
		name, schema, data, err := domain.Encode(domain.GroupCreated{GroupType: domain.Public, Owner: "ann", Name: fmt.Sprintf("x%03d", i)})
		require.NoError(t, err)
		_, err = w.log.Append(w.ctx, eventstore.Commit{
			Stream: domain.GroupStream(fmt.Sprint("g", i)),
			Events: []eventstore.Event{{Type: name, Schema: schema, Data: data, Actor: "ann", Time: domaintest.Morning}},
		})
		require.NoError(t, err)
		require.NoError(t, w.views.CatchUp(w.ctx))
		page, err := w.queries.Page(w.ctx, audit.Query{Text: "x*", Limit: 1})
		if i < audit.MaxValues {
			require.NoError(t, err)
			require.Len(t, page.Entries, 1)
			continue
		}
		require.ErrorIs(t, err, audit.ErrQuery)
		require.ErrorContains(t, err, `more than 100 words begin with "x": give more of the word`)
	}
}
