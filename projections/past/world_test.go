package past_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/past"
)

// everybody who may be in a group of a random history, and somebody who never is.
var everybody = append([]string{domaintest.Operator.UserID, "nobody"}, domaintest.Users...)

// copyOf is a log with the first records of a world.
func copyOf(t require.TestingT, records []eventstore.Record) eventstore.Store {
	log := memory.New()
	for _, r := range records {
		results, err := log.Append(context.Background(), eventstore.Commit{Stream: r.Stream, Events: []eventstore.Event{r.Event}})
		require.NoError(t, err)
		require.NoError(t, results[0].Err)
	}
	return log
}

// rowsOf are read models of a whole log.
func rowsOf(t require.TestingT, log eventstore.Store, head eventstore.Position) (*groupview.Queries, func()) {
	ctx := context.Background()
	views, err := projections.Open(ctx, ":memory:", log, &projections.Options{
		Projections: []projections.Projection{groupview.New()}, Manual: true,
	})
	require.NoError(t, err)
	require.NoError(t, views.WaitFor(ctx, head))
	return groupview.NewQueries(views), func() { require.NoError(t, views.Close()) }
}

// sourceOf is what a Past of a whole history reads.
func sourceOf(t require.TestingT, w *domaintest.World) (past.Source, func()) {
	records := w.Records()
	head := eventstore.Position(len(records))
	log := copyOf(t, records)
	rows, done := rowsOf(t, log, head)
	return past.Source{Log: log, Rows: rows, Head: head, Policies: w.Policies, Now: w.Now}, done
}

// TestAsOfIsTheFoldOfThePrefix: for random histories and every position, the answers
// of the past are those of read models made from the events up to there alone.
func TestAsOfIsTheFoldOfThePrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := domaintest.History(t, 40)
		source, done := sourceOf(t, w)
		defer done()
		records := w.Records()
		for n := range len(records) + 1 {
			at := eventstore.Position(n)
			asOf, err := past.New(source, past.AtPosition(at))
			require.NoError(t, err)
			rows, done := rowsOf(t, copyOf(t, records[:n]), at)
			requireSame(t, w, rows, asOf)
			done()
		}
	})
}

// TestAsOfATime: as of a time there is, of each group, the fold of its events up to it,
// also where times go back from group to group.
func TestAsOfATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := domaintest.History(t, 30)
		records := w.Records()
		// A stream of its own time: each group's clock runs behind by another span.
		for i := range records {
			behind := time.Duration(len(records[i].Stream)) * 7 * time.Hour
			records[i].Time = records[i].Time.Add(-behind)
		}
		head := eventstore.Position(len(records))
		log := copyOf(t, records)
		rows, done := rowsOf(t, log, head)
		defer done()
		source := past.Source{Log: log, Rows: rows, Head: head, Policies: w.Policies, Now: w.Now}
		at := w.Now
		if len(records) > 0 {
			at = records[rapid.IntRange(0, len(records)-1).Draw(t, "event")].Time.
				Add(rapid.SampledFrom([]time.Duration{-time.Microsecond, 0, time.Microsecond}).Draw(t, "beside"))
		}
		if at.After(w.Now) {
			at = w.Now
		}
		asOf, err := past.New(source, past.AtTime(at))
		require.NoError(t, err)
		joined := map[string]map[string]domain.Role{}
		for _, id := range w.GroupIDs() {
			want := domain.NewGroup(id)
			for _, r := range records {
				if r.Stream == domain.GroupStream(id) && !r.Time.After(at) {
					event, err := projections.Decode(r)
					require.NoError(t, err)
					want.Apply(event.Fact, event.Meta())
				}
			}
			got, err := asOf.Group(context.Background(), id)
			if want.Incarnation() == 0 {
				require.ErrorIs(t, err, groupview.ErrNotFound)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, want.Version(), got.Version)
			require.Equal(t, want.Count(), got.MemberCount)
			for m := range want.Memberships() {
				if policy := w.Policies[want.Type()]; policy.JoinedList.Shows(want.SupportsTopics()) {
					if joined[m.UserID] == nil {
						joined[m.UserID] = map[string]domain.Role{}
					}
					joined[m.UserID][id] = m.Role
				}
				member, err := asOf.Member(context.Background(), id, m.UserID)
				require.NoError(t, err)
				require.Equal(t, m.Role, member.Role)
			}
		}
		for _, user := range everybody {
			var got map[string]domain.Role
			for g, err := range asOf.JoinedGroups(context.Background(), user) {
				require.NoError(t, err)
				if got == nil {
					got = map[string]domain.Role{}
				}
				got[g.GroupID] = g.Role
			}
			require.Equal(t, joined[user], got)
		}
	})
}

// all is a list, or the error that ended it.
func all[T any](seq func(func(T, error) bool)) ([]T, error) {
	var items []T
	for item, err := range seq {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// requireSame holds every answer of a past against that of rows.
func requireSame(t *rapid.T, w *domaintest.World, rows *groupview.Queries, asOf *past.Past) {
	ctx := context.Background()
	same := func(want any, wantErr error, got any, gotErr error) {
		t.Helper()
		if wantErr != nil {
			require.ErrorIs(t, wantErr, groupview.ErrNotFound)
			require.ErrorIs(t, gotErr, groupview.ErrNotFound, "%v", asOf.Moment())
			return
		}
		require.NoError(t, gotErr)
		require.Equal(t, want, got, "as of %v", asOf.Moment())
	}
	for _, filter := range []groupview.GroupFilter{{}, {IncludeDismissed: true}, {Type: domain.Work, Prefix: "a"}} {
		want, wantErr := all(rows.Groups(ctx, filter))
		got, gotErr := all(asOf.Groups(ctx, filter))
		same(want, wantErr, got, gotErr)
	}
	for _, id := range domaintest.Groups {
		want, wantErr := rows.Group(ctx, id)
		got, gotErr := asOf.Group(ctx, id)
		same(want, wantErr, got, gotErr)
		for _, role := range []domain.Role{domain.NotMember, domain.Member, domain.Owner} {
			want, wantErr := all(rows.Members(ctx, id, groupview.MemberFilter{Role: role}))
			got, gotErr := all(asOf.Members(ctx, id, groupview.MemberFilter{Role: role}))
			same(want, wantErr, got, gotErr)
		}
		for _, selection := range []groupview.Selection{groupview.AllApplications, groupview.PendingApplications, groupview.HandledApplications} {
			want, wantErr := all(rows.GroupApplications(ctx, id, groupview.ApplicationFilter{Select: selection}))
			got, gotErr := all(asOf.GroupApplications(ctx, id, groupview.ApplicationFilter{Select: selection, Limit: 2}))
			same(want, wantErr, got, gotErr)
			for i := range want {
				one, err := asOf.Application(ctx, want[i].ApplicationID)
				same(want[i], nil, one, err)
			}
		}
	}
	for _, user := range everybody {
		requireSameUser(t, rows, asOf, user, w.Policies, same)
	}
}

func requireSameUser(t *rapid.T, rows *groupview.Queries, asOf *past.Past, user string, policies domain.Policies, same func(any, error, any, error)) {
	ctx := context.Background()
	want, wantErr := all(rows.JoinedGroups(ctx, user, policies))
	got, gotErr := all(asOf.JoinedGroups(ctx, user))
	same(want, wantErr, got, gotErr)
	for _, id := range domaintest.Groups {
		want, wantErr := rows.Member(ctx, id, user)
		got, gotErr := asOf.Member(ctx, id, user)
		same(want, wantErr, got, gotErr)
	}
	filter := groupview.ApplicationFilter{Limit: 2}
	for {
		want, err := rows.Applications(ctx, user, filter)
		require.NoError(t, err)
		got, err := asOf.Applications(ctx, user, filter)
		require.NoError(t, err)
		require.Equal(t, want, got, "%s as of %v", user, asOf.Moment())
		if filter.Cursor = want.Next; filter.Cursor == "" {
			return
		}
	}
}
