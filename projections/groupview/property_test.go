package groupview_test

import (
	"cmp"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

func options(pageSize int) *projections.Options {
	return &projections.Options{
		Projections: []projections.Projection{groupview.New()}, PageSize: pageSize, RebuildPageSize: pageSize, Manual: true,
	}
}

// TestRowsAreTheFold: whatever happens, in pages of whatever size, by one process or
// by two that take turns, the rows say what folding the events says.
func TestRowsAreTheFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		w := newWorld(ctx)
		dir, err := os.MkdirTemp("", "groupview")
		require.NoError(t, err)
		defer os.RemoveAll(dir)

		// Two on one file: each finds rows that the other has changed, so what it remembers
		// is never good for long.
		var turns []*projections.Views
		for range 2 {
			views, err := projections.Open(ctx, filepath.Join(dir, "views.db"), w.log, options(7))
			require.NoError(t, err)
			defer views.Close()
			turns = append(turns, views)
		}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			w.step(t)
			if turn := rapid.IntRange(0, 5).Draw(t, "turn"); turn < 2 {
				require.NoError(t, turns[turn].WaitFor(ctx, w.head))
			}
		}
		for _, views := range turns {
			require.NoError(t, views.WaitFor(ctx, w.head))
		}
		w.check(t, turns[0])
		digest, err := turns[0].Digest(ctx)
		require.NoError(t, err)
		require.Equal(t, w.head, digest.Position)

		// With room in memory for few rows or many; TestProjection does the rest.
		opts := options(rapid.SampledFrom([]int{1, 7, 1000}).Draw(t, "page"))
		opts.Projections[0] = groupview.NewKeeping(rapid.SampledFrom([]int{0, 5, 20, 1000}).Draw(t, "keep"))
		views, err := projections.Open(ctx, ":memory:", w.log, opts)
		require.NoError(t, err)
		defer views.Close()
		require.NoError(t, views.WaitFor(ctx, w.head))
		require.NoError(t, views.Rebuild(ctx, nil))
		again, err := views.Digest(ctx)
		require.NoError(t, err)
		require.Equal(t, digest, again, "a rebuild")
	})
}

// check holds the answers to queries against the fold.
func (w *world) check(t require.TestingT, views *projections.Views) {
	q := groupview.NewQueries(views)
	for _, id := range slices.Sorted(maps.Keys(w.groups)) {
		if g := w.groups[id]; g.Version() > 0 {
			w.checkGroup(t, q, g)
		}
	}
	for _, user := range someUsers {
		w.checkJoined(t, q, user)
		w.checkApplications(t, q, user)
	}
	for _, id := range w.made {
		a, err := q.Application(w.ctx, id)
		require.NoError(t, err)
		require.Equal(t, w.closed[id], a.State, id)
		require.Equal(t, w.asked[id], a.Position, id)
	}
}

func (w *world) checkGroup(t require.TestingT, q *groupview.Queries, g *domain.Group) {
	got, err := q.Group(w.ctx, g.ID())
	require.NoError(t, err)
	require.Equal(t, g.Incarnation(), got.Incarnation)
	require.Equal(t, g.Status().String(), got.Status)
	require.Equal(t, g.Type(), got.GroupType)
	require.Equal(t, g.SupportsTopics(), got.SupportTopic)
	require.Equal(t, g.Profile(), got.Profile)
	require.Equal(t, g.Owner(), got.Owner)
	require.Equal(t, g.Count(), got.MemberCount)
	require.Equal(t, g.AdminCount(), got.Roles.Admin)
	require.Equal(t, len(slices.Collect(g.OpenApplications())), got.Pending)
	require.Equal(t, g.Version(), got.Version)
	require.Equal(t, g.AllMuted(), got.AllMuted)
	require.True(t, g.CreatedAt().Equal(got.CreatedAt) && g.EndedAt().Equal(got.EndedAt) && g.LastEventAt().Equal(got.LastEventAt))
	require.Equal(t, g.AttributesVersion(), got.AttributesVersion)
	require.Equal(t, len(g.Attributes()), len(got.Attributes))
	for key, value := range g.Attributes() {
		require.Equal(t, value, got.Attributes[key])
	}
	if g.SupportsTopics() {
		require.Equal(t, len(g.Topics()), len(got.Topics))
		for _, topic := range got.Topics {
			require.Equal(t, g.Topics()[topic.ID], topic)
		}
	}
	bans, err := q.Bans(w.ctx, g.ID())
	require.NoError(t, err)
	for _, user := range someUsers {
		at := slices.IndexFunc(bans, func(b groupview.Ban) bool { return b.UserID == user })
		require.Equal(t, g.BannedUntil(user).IsZero(), at < 0)
		require.True(t, at < 0 || bans[at].Until.Equal(g.BannedUntil(user)))
	}
	w.checkMembers(t, q, g)
}

func (w *world) checkMembers(t require.TestingT, q *groupview.Queries, g *domain.Group) {
	for _, filter := range []domain.Role{domain.NotMember, domain.Member, domain.Admin, domain.Owner} {
		var want, got []string
		for m := range g.Memberships() {
			if filter == domain.NotMember || m.Role == filter {
				want = append(want, m.UserID)
			}
		}
		for after := ""; ; {
			page, err := q.MemberPage(w.ctx, g.ID(), groupview.MemberFilter{Role: filter}, after, 2)
			require.NoError(t, err)
			got = append(got, userIDs(page.Members)...)
			if after = page.Next; after == "" {
				break
			}
		}
		require.Equal(t, want, got, "%s %v", g.ID(), filter)
	}
	for m := range g.Memberships() {
		got, err := q.Member(w.ctx, g.ID(), m.UserID)
		require.NoError(t, err)
		require.Equal(t, m.Role, got.Role)
		require.True(t, m.JoinedAt.Equal(got.JoinedAt) && m.MutedUntil.Equal(got.MutedUntil))
		require.Equal(t, m.NameCard, got.NameCard)
		require.Equal(t, m.Custom, got.Custom)
	}
}

func (w *world) checkJoined(t require.TestingT, q *groupview.Queries, user string) {
	policies := domain.Classic()
	var want []string
	all := 0
	for id, g := range w.groups {
		if !g.IsMember(user) {
			continue
		}
		all++
		if policy := policies[g.Type()]; policy.JoinedList.Shows(g.SupportsTopics()) {
			want = append(want, id)
		}
	}
	slices.SortFunc(want, func(a, b string) int { return cmp.Compare(w.born[a], w.born[b]) })
	var got []string
	for after := ""; ; {
		page, err := q.JoinedGroupPage(w.ctx, user, policies, after, 1)
		require.NoError(t, err)
		for _, g := range page.Groups {
			got = append(got, g.GroupID)
			require.Equal(t, w.groups[g.GroupID].Role(user), g.Role)
			require.Equal(t, w.groups[g.GroupID].Count(), g.MemberCount)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	require.Equal(t, want, got)
	ever, err := q.EverIn(w.ctx, user, w.head)
	require.NoError(t, err)
	var ids []string
	for _, standing := range ever {
		ids = append(ids, standing.GroupID)
		require.Equal(t, w.groups[standing.GroupID].Role(user), standing.Role)
	}
	require.ElementsMatch(t, w.ever[user], ids)
	n, err := q.GroupsOf(w.ctx, user)
	require.NoError(t, err)
	require.Equal(t, all, n)
}

func (w *world) checkApplications(t require.TestingT, q *groupview.Queries, user string) {
	for selection, shows := range map[groupview.Selection]func(groupview.ApplicationState) bool{
		groupview.AllApplications:     func(groupview.ApplicationState) bool { return true },
		groupview.PendingApplications: func(s groupview.ApplicationState) bool { return s == groupview.Pending },
		groupview.HandledApplications: func(s groupview.ApplicationState) bool { return s != groupview.Pending },
	} {
		var want, got []string
		unread := 0
		for _, id := range w.made {
			groupID, incarnation, _, _ := domain.ParseApplicationID(id)
			g := w.groups[groupID]
			if g.Role(user) < domain.Admin || g.Incarnation() != incarnation {
				continue
			}
			if w.closed[id] == groupview.Pending && w.asked[id] > w.marks[user] {
				unread++
			}
			if shows(w.closed[id]) {
				want = append(want, id)
			}
		}
		slices.SortFunc(want, func(a, b string) int { return cmp.Compare(w.asked[b], w.asked[a]) })
		for after := ""; ; {
			page, err := q.Applications(w.ctx, user, groupview.ApplicationFilter{Select: selection, Limit: 3, Cursor: after})
			require.NoError(t, err)
			require.Equal(t, unread, page.UnreadCount)
			for _, a := range page.Applications {
				got = append(got, a.ApplicationID)
				require.Equal(t, w.closed[a.ApplicationID], a.State)
				require.Equal(t, a.State == groupview.Pending, a.HandleStatus == groupview.Unhandled)
				require.Equal(t, a.HandledBy == user, a.HandleStatus == groupview.HandledByMe)
			}
			if after = page.Next; after == "" {
				break
			}
		}
		require.Equal(t, want, got)
	}
}
