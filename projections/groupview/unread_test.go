package groupview_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// crowd is two groups with thousands of applications, open, made again and decided.
func crowd(t *testing.T, applications int) *world {
	t.Helper()
	w := newWorld(t.Context())
	random := rand.New(rand.NewPCG(1, 2))
	ids := []string{"big", "small"}
	for _, id := range ids {
		w.create(t, id, domain.Public, "owner")
	}
	open := map[string][]string{}
	for i := range applications {
		group := ids[min(random.IntN(12), 1)^1] // eleven of twelve to the big one
		switch what := random.IntN(10); {
		case what < 2 && len(open[group]) > 0:
			at := random.IntN(len(open[group]))
			id := open[group][at]
			a, _ := w.group(group).Application(id)
			w.record(t, group, "owner", domain.ApplicationRefused{ApplicationID: id, From: a.From, UserID: a.Candidate})
			open[group] = slices.Delete(open[group], at, at+1)
		case what < 4 && len(open[group]) > 0:
			id := open[group][random.IntN(len(open[group]))]
			a, _ := w.group(group).Application(id)
			w.record(t, group, a.From, domain.ApplicationRefreshed{ApplicationID: id, From: a.From, UserID: a.Candidate, Message: "again"})
		default:
			open[group] = append(open[group], w.apply(t, group, fmt.Sprint("user", i), "hello"))
		}
	}
	return w
}

// TestUnreadCountsEveryMark: the count is right wherever the mark is, also where the
// counters of several levels are needed.
func TestUnreadCountsEveryMark(t *testing.T) {
	w := crowd(t, 6_000) // more than 16³ ords, so three levels
	path := filepath.Join(t.TempDir(), "views.db")
	views := w.views(t, path, projections.Options{})
	q := groupview.NewQueries(views)
	other, err := sql.Open("sqlite3", path)
	require.NoError(t, err)
	defer other.Close()
	before := w.head
	for mark := eventstore.Position(0); mark < before; mark += 97 {
		// Marks in the middle of the past: what a read mark set then would be.
		want := 0
		for id, at := range w.asked {
			if w.closed[id] == groupview.Pending && at > mark {
				want++
			}
		}
		_, err := other.ExecContext(w.ctx, "UPDATE users SET read_position = ? WHERE id = 'owner'", int64(mark))
		require.NoError(t, err)
		got, err := q.UnreadCount(w.ctx, "owner")
		require.NoError(t, err)
		require.Equal(t, want, got, "mark %d", mark)
	}

	w.read(t, "owner")
	require.NoError(t, views.WaitFor(w.ctx, w.head))
	unread, err := q.UnreadCount(w.ctx, "owner")
	require.NoError(t, err)
	require.Zero(t, unread)

	// In the end nothing is open, and nothing is counted.
	for _, id := range w.made {
		groupID, _, _, _ := domain.ParseApplicationID(id)
		if a, open := w.group(groupID).Application(id); open {
			w.record(t, groupID, "owner", domain.ApplicationRefused{ApplicationID: id, From: a.From, UserID: a.Candidate})
		}
	}
	require.NoError(t, views.WaitFor(w.ctx, w.head))
	require.NoError(t, views.Read(w.ctx, func(tx *sql.Tx) error {
		var counts int
		require.NoError(t, tx.QueryRow("SELECT count(*) FROM buckets").Scan(&counts))
		require.Zero(t, counts)
		return nil
	}))
	again, err := projections.Open(w.ctx, ":memory:", w.log, options(1))
	require.NoError(t, err)
	defer again.Close()
	require.NoError(t, again.WaitFor(w.ctx, w.head))
	want, err := views.Digest(w.ctx)
	require.NoError(t, err)
	got, err := again.Digest(w.ctx)
	require.NoError(t, err)
	require.Equal(t, want, got, "counters do not depend on the pages")
}

// TestUnreadOfMillions: the count is right on every level. The ords have gaps here, for a
// group with so many applications takes long to make.
func TestUnreadOfMillions(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 4))
	ords := map[int]bool{}
	for ord := range 600 {
		ords[4_000+ord] = true // whole buckets of them
	}
	for len(ords) < 2_600 {
		ord := 1 + random.IntN(1<<(1+random.IntN(26))) // as many below 16 as among the millions
		ords[ord] = len(ords)%3 > 0                    // open
	}
	db, err := sql.Open("sqlite3", ":memory:")
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	exec := func(query string, args ...any) {
		_, err := db.ExecContext(t.Context(), query, args...)
		require.NoError(t, err)
	}
	exec(groupview.New().Schema())
	var open []int
	for ord, isOpen := range ords {
		if isOpen {
			open = append(open, ord)
		}
		exec("INSERT INTO applications VALUES (1, ?1, 0, 1, 1, ?2, '', 0, 0, ?1 * 3, ?1, 0, 0, 0, 0, '')", ord, !isOpen)
	}
	for _, c := range groupview.Counts(open) {
		exec("INSERT INTO buckets VALUES (1, ?, ?, ?)", c[0], c[1], c[2])
	}
	exec("INSERT INTO groups SELECT 1, 'g', 1, '', 0, 1, '', '', '', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, max(position), sum(state = 0), 0, 0, 0, 0, 0, 0 FROM applications")
	for ord := range ords {
		for _, mark := range []int{ord*3 - 1, ord * 3} {
			want := 0
			for _, o := range open {
				if o*3 > mark {
					want++
				}
			}
			var got int
			require.NoError(t, db.QueryRowContext(t.Context(), groupview.Plans["unread since"].SQL, 1, mark).Scan(&got))
			require.Equal(t, want, got, "mark %d", mark)
		}
	}
}

// TestApplicationsAreMergedNewestFirst: pages of any size make up the same list.
func TestApplicationsAreMergedNewestFirst(t *testing.T) {
	w := crowd(t, 1_500)
	w.record(t, "small", "owner", domain.MemberJoined{UserID: "admin"})
	w.record(t, "small", "owner", domain.MemberRoleChanged{UserID: "admin", Role: domain.Admin})
	q := w.ask(t)
	for _, user := range []string{"owner", "admin"} {
		for _, limit := range []int{1, 15, 16, 17, 1000} {
			for _, selection := range []groupview.Selection{groupview.AllApplications, groupview.PendingApplications, groupview.HandledApplications} {
				var want, got []eventstore.Position
				for id, at := range w.asked {
					groupID, _, _, _ := domain.ParseApplicationID(id)
					pending := w.closed[id] == groupview.Pending
					if w.group(groupID).Role(user) >= domain.Admin && (selection == groupview.AllApplications || pending == (selection == groupview.PendingApplications)) {
						want = append(want, at)
					}
				}
				slices.Sort(want)
				slices.Reverse(want)
				filter := groupview.ApplicationFilter{Select: selection, Limit: limit}
				for {
					page, err := q.Applications(w.ctx, user, filter)
					require.NoError(t, err)
					for _, a := range page.Applications {
						got = append(got, a.Position)
					}
					if filter.Cursor = page.Next; filter.Cursor == "" {
						break
					}
					require.Len(t, page.Applications, limit)
				}
				require.Equal(t, want, got)
			}
			if limit == 1 && testing.Short() {
				break
			}
		}
	}
	require.Len(t, collect(t, q.GroupApplications(w.ctx, "big", groupview.ApplicationFilter{})), w.group("big").ApplicationsSubmitted())
	page, err := q.Applications(w.ctx, "owner", groupview.ApplicationFilter{GroupID: "small", Limit: groupview.MaxLimit})
	require.NoError(t, err)
	require.Len(t, page.Applications, w.group("small").ApplicationsSubmitted())
}
