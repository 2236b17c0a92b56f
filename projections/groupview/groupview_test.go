package groupview_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collect reads an iterator to its end.
func collect[T any](t require.TestingT, seq iter.Seq2[T, error]) []T {
	var all []T
	for item, err := range seq {
		require.NoError(t, err)
		all = append(all, item)
	}
	return all
}

func userIDs(members []groupview.Member) []string {
	var ids []string
	for _, m := range members {
		ids = append(ids, m.UserID)
	}
	return ids
}

func TestGroup(t *testing.T) {
	w := newWorld(t.Context())
	w.create(t, "chess", domain.Public, "alice", "bob", "carol")
	w.record(t, "chess", "alice", domain.MemberRoleChanged{UserID: "bob", Role: domain.Admin})
	w.record(t, "chess", "alice", domain.AttributesChanged{Set: map[string]string{"level": "9"}})
	w.apply(t, "chess", "dave", "hello")
	q := w.ask(t)

	g, err := q.Group(w.ctx, "chess")
	require.NoError(t, err)
	require.Equal(t, groupview.RoleCounts{Owner: 1, Admin: 1, Member: 1}, g.Roles)
	text, err := json.Marshal(g)
	require.NoError(t, err)
	require.JSONEq(t, `{"groupID":"chess","incarnation":1,"groupType":"Public","status":"live","name":"group chess",
		"joinOption":"Auth","inviteOption":"Any","owner":"alice","memberCount":3,"roles":{"owner":1,"admin":1,"member":1},
		"pendingApplications":1,"attributes":{"level":"9"},"attributesVersion":1,
		"createdAt":"2024-02-03T04:05:07.000007Z","lastEventAt":"2024-02-03T04:05:10.000007Z","version":4,"position":4}`, string(text))

	_, err = q.Group(w.ctx, "nowhere")
	require.ErrorIs(t, err, groupview.ErrNotFound)
	require.EqualError(t, err, `group: no group has the ID "nowhere": not found`)
}

func TestGroups(t *testing.T) {
	w := newWorld(t.Context())
	for i := range 250 {
		kind := []domain.GroupType{domain.Work, domain.Public}[i%2]
		w.create(t, fmt.Sprintf("g%03d", i), kind, "alice")
		if i%10 == 0 {
			w.record(t, fmt.Sprintf("g%03d", i), "alice", domain.GroupDismissed{Cause: domain.Asked})
		}
	}
	w.create(t, "g000", domain.Work, "bob") // again
	w.create(t, "h", domain.Work, "bob")
	q := w.ask(t)
	count := func(filter groupview.GroupFilter) int {
		seq := q.Groups(w.ctx, filter)
		all := collect(t, seq)
		require.Len(t, collect(t, seq), len(all), "again")
		require.True(t, slices.IsSortedFunc(all, func(a, b groupview.Group) int {
			return cmp.Or(cmp.Compare(a.GroupID, b.GroupID), cmp.Compare(a.Incarnation, b.Incarnation))
		}))
		return len(all)
	}
	require.Equal(t, 227, count(groupview.GroupFilter{}))
	require.Equal(t, 252, count(groupview.GroupFilter{IncludeDismissed: true}))
	require.Equal(t, 125, count(groupview.GroupFilter{Type: domain.Public}))
	require.Equal(t, 91, count(groupview.GroupFilter{Prefix: "g1"})+count(groupview.GroupFilter{Prefix: "h"}))
	require.Equal(t, 2, count(groupview.GroupFilter{Prefix: "g000", IncludeDismissed: true}))
	require.Equal(t, 1, count(groupview.GroupFilter{Prefix: "g000"}))
	require.Zero(t, count(groupview.GroupFilter{Prefix: "i"}))
}

// TestANewIncarnationInheritsNothing: the ID is the same, and nothing else.
func TestANewIncarnationInheritsNothing(t *testing.T) {
	w := newWorld(t.Context())
	w.create(t, "chess", domain.Public, "alice", "bob")
	old := w.apply(t, "chess", "carol", "hello")
	w.record(t, "chess", "alice", domain.MembersKicked{UserIDs: []string{"bob"}, BannedUntil: w.now.Add(time.Hour)})
	views := w.views(t, ":memory:", projections.Options{})
	q := groupview.NewQueries(views)
	page, err := q.MemberPage(w.ctx, "chess", groupview.MemberFilter{}, "", 1)
	require.NoError(t, err)
	require.Empty(t, page.Next)

	w.record(t, "chess", "alice", domain.GroupDismissed{Cause: domain.Asked})
	require.NoError(t, views.WaitFor(w.ctx, w.head))
	g, err := q.Group(w.ctx, "chess")
	require.NoError(t, err)
	require.Equal(t, "dismissed", g.Status)
	require.Equal(t, "asked", g.Cause)
	require.Empty(t, collect(t, q.Members(w.ctx, "chess", groupview.MemberFilter{})))

	w.create(t, "chess", domain.Public, "dave")
	require.NoError(t, views.WaitFor(w.ctx, w.head))
	g, err = q.Group(w.ctx, "chess")
	require.NoError(t, err)
	require.Equal(t, 2, g.Incarnation)
	require.Empty(t, g.Cause)
	require.Equal(t, []string{"dave"}, userIDs(collect(t, q.Members(w.ctx, "chess", groupview.MemberFilter{}))))
	bans, err := q.Bans(w.ctx, "chess")
	require.NoError(t, err)
	require.Empty(t, bans)
	apps, err := q.Applications(w.ctx, "dave", groupview.ApplicationFilter{})
	require.NoError(t, err)
	require.Empty(t, apps.Applications)
	a, err := q.Application(w.ctx, old)
	require.NoError(t, err)
	require.Equal(t, groupview.VoidDismissed, a.State)
	n, err := q.GroupsOf(w.ctx, "alice")
	require.NoError(t, err)
	require.Zero(t, n)
}

// TestMembersSurviveChanges: whoever neither comes nor goes is listed once, whatever
// the others do between the pages, and a dismissal ends the list.
func TestMembersSurviveChanges(t *testing.T) {
	w := newWorld(t.Context())
	w.create(t, "chess", domain.Public, "owner")
	for i := range 40 {
		w.record(t, "chess", "", domain.MemberJoined{UserID: fmt.Sprintf("u%02d", i)})
	}
	views := w.views(t, ":memory:", projections.Options{})
	q := groupview.NewQueries(views)
	seen := map[string]int{}
	var after string
	for i := 0; ; i++ {
		page, err := q.MemberPage(w.ctx, "chess", groupview.MemberFilter{}, after, 5)
		require.NoError(t, err)
		for _, m := range page.Members {
			seen[m.UserID]++
		}
		if i < 4 { // one who has been listed goes, and so does one who has not
			w.record(t, "chess", "", domain.MemberLeft{UserID: fmt.Sprintf("u%02d", i)})
			w.record(t, "chess", "", domain.MemberLeft{UserID: fmt.Sprintf("u%02d", 39-i)})
			require.NoError(t, views.WaitFor(w.ctx, w.head))
		}
		if after = page.Next; after == "" {
			break
		}
	}
	for i := range 36 {
		require.Equal(t, 1, seen[fmt.Sprintf("u%02d", i)], i)
	}
	page, err := q.MemberPage(w.ctx, "chess", groupview.MemberFilter{}, "", 5)
	require.NoError(t, err)
	w.record(t, "chess", "", domain.GroupDismissed{Cause: domain.Asked})
	w.create(t, "chess", domain.Public, "stranger")
	w.create(t, "go", domain.Public, "stranger")
	require.NoError(t, views.WaitFor(w.ctx, w.head))
	end, err := q.MemberPage(w.ctx, "chess", groupview.MemberFilter{}, page.Next, 5)
	require.NoError(t, err)
	require.Equal(t, groupview.MemberPage{Members: []groupview.Member{}}, end)

	for _, bad := range []string{"x", "!", "bS4xLg", page.Next + "A"} {
		_, err = q.MemberPage(w.ctx, "chess", groupview.MemberFilter{}, bad, 5)
		require.ErrorIs(t, err, groupview.ErrCursor, bad)
		_, err = q.JoinedGroupPage(w.ctx, "u01", nil, bad, 5)
		require.ErrorIs(t, err, groupview.ErrCursor, bad)
		_, err = q.Applications(w.ctx, "owner", groupview.ApplicationFilter{Cursor: bad})
		require.ErrorIs(t, err, groupview.ErrCursor, bad)
	}
	_, err = q.MemberPage(w.ctx, "go", groupview.MemberFilter{}, page.Next, 5)
	require.ErrorIs(t, err, groupview.ErrCursor)
}

func TestMember(t *testing.T) {
	w := newWorld(t.Context())
	w.create(t, "chess", domain.Public, "alice", "bob")
	q := w.ask(t)
	m, err := q.Member(w.ctx, "chess", "bob")
	require.NoError(t, err)
	text, err := json.Marshal(m)
	require.NoError(t, err)
	require.JSONEq(t, `{"userID":"bob","role":"member","joinedAt":"2024-02-03T04:05:07.000007Z"}`, string(text))
	for _, who := range [][2]string{{"chess", "carol"}, {"go", "bob"}} {
		_, err = q.Member(w.ctx, who[0], who[1])
		require.ErrorIs(t, err, groupview.ErrNotFound)
	}
	for _, err := range q.Members(w.ctx, "go", groupview.MemberFilter{}) {
		require.ErrorIs(t, err, groupview.ErrNotFound)
	}
}

func TestJoinedGroupsShowWhatThePolicyLists(t *testing.T) {
	w := newWorld(t.Context())
	w.create(t, "room", domain.AVChatRoom, "alice")
	w.create(t, "chess", domain.Public, "bob", "alice")
	w.record(t, "@TGS#_c", "alice", domain.GroupCreated{GroupType: domain.Community, Owner: "alice", SupportTopic: true})
	w.create(t, "clan", "Clan", "alice")
	w.create(t, "work", domain.Work, "alice")
	q := w.ask(t)
	names := func(policies domain.Policies) (ids []string) {
		for _, g := range collect(t, q.JoinedGroups(w.ctx, "alice", policies)) {
			ids = append(ids, g.GroupID)
		}
		return ids
	}
	require.Equal(t, []string{"chess", "work"}, names(domain.Classic()))
	policies := domain.Classic()
	policies["Clan"] = policies[domain.Public]
	require.Equal(t, []string{"chess", "clan", "work"}, names(policies))
	n, err := q.GroupsOf(w.ctx, "alice")
	require.NoError(t, err)
	require.Equal(t, 5, n)
	require.Empty(t, collect(t, q.JoinedGroups(w.ctx, "nobody", policies)))
}

// TestJoinedGroupPages: pages of any size make up the list, however many groups lie between
// that are not listed, and the last one says that it is.
func TestJoinedGroupPages(t *testing.T) {
	w := newWorld(t.Context())
	var want []string
	for i, kind := range "wwwrrrrrrrrwrrwwwrrrrrr" {
		id, of := fmt.Sprint("g", i), domain.AVChatRoom
		if kind == 'w' {
			of, want = domain.Work, append(want, id)
		}
		w.create(t, id, of, "alice")
	}
	w.create(t, "left", domain.Work, "bob", "alice")
	w.record(t, "left", "bob", domain.MemberLeft{UserID: "bob"}) // and nobody follows
	want = append(want, "left")
	q := w.ask(t)
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []string
		for after := ""; ; {
			page, err := q.JoinedGroupPage(w.ctx, "alice", domain.Classic(), after, limit)
			require.NoError(t, err)
			for _, g := range page.Groups {
				got = append(got, g.GroupID)
				require.Equal(t, w.group(g.GroupID).Owner(), g.Owner)
				require.Equal(t, 1, g.Incarnation)
				require.Equal(t, w.group(g.GroupID).Count(), g.MemberCount)
			}
			if after = page.Next; after == "" {
				break
			}
			require.Len(t, page.Groups, limit)
		}
		require.Equal(t, want, got, "pages of %d", limit)
	}
}

func TestApplicationsAsEachSeesThem(t *testing.T) {
	w := newWorld(t.Context())
	w.create(t, "chess", domain.Public, "alice", "bob")
	w.record(t, "chess", "alice", domain.MemberRoleChanged{UserID: "bob", Role: domain.Admin})
	yes, no, open := w.apply(t, "chess", "u1", "one"), w.apply(t, "chess", "u2", "two"), w.apply(t, "chess", "u3", "three")
	w.record(t, "chess", "alice", domain.ApplicationAccepted{ApplicationID: yes, From: "u1", UserID: "u1", Reason: "welcome"})
	w.record(t, "chess", "bob", domain.ApplicationRefused{ApplicationID: no, From: "u2", UserID: "u2"})
	views := w.views(t, ":memory:", projections.Options{})
	q := groupview.NewQueries(views)

	look := func(user string) (statuses []groupview.HandleStatus, unread int) {
		page, err := q.Applications(w.ctx, user, groupview.ApplicationFilter{})
		require.NoError(t, err)
		for _, a := range page.Applications {
			statuses = append(statuses, a.HandleStatus)
		}
		return statuses, page.UnreadCount
	}
	statuses, unread := look("alice")
	require.Equal(t, []groupview.HandleStatus{groupview.Unhandled, groupview.HandledByOther, groupview.HandledByMe}, statuses)
	require.Equal(t, 1, unread)
	statuses, _ = look("bob")
	require.Equal(t, []groupview.HandleStatus{groupview.Unhandled, groupview.HandledByMe, groupview.HandledByOther}, statuses)
	statuses, unread = look("u1")
	require.Empty(t, statuses)
	require.Zero(t, unread)

	w.read(t, "alice")
	w.record(t, "chess", "u3", domain.ApplicationRefreshed{ApplicationID: open, From: "u3", UserID: "u3", Message: "please"})
	w.read(t, "bob")
	w.record(t, "chess", "alice", domain.MemberRoleChanged{UserID: "u1", Role: domain.Admin})
	require.NoError(t, views.WaitFor(w.ctx, w.head))
	for user, want := range map[string]int{"alice": 1, "bob": 0, "u1": 1} {
		statuses, unread = look(user)
		require.Len(t, statuses, 3)
		require.Equal(t, want, unread, user)
	}
	a, err := q.Application(w.ctx, yes)
	require.NoError(t, err)
	text, err := json.Marshal(a)
	require.NoError(t, err)
	require.JSONEq(t, `{"applicationID":"chess/1/1","groupID":"chess","kind":0,"from":"u1","userID":"u1","message":"one",
		"state":"accepted","handleStatus":1,"handleResult":1,"handledBy":"alice","reason":"welcome",
		"submittedAt":"2024-02-03T04:05:09.000007Z","at":"2024-02-03T04:05:09.000007Z","handledAt":"2024-02-03T04:05:12.000007Z","position":3}`, string(text))
	again, err := q.Application(w.ctx, open)
	require.NoError(t, err)
	require.Equal(t, "please", again.Message)
	require.Equal(t, 4*time.Second, again.At.Sub(again.SubmittedAt), "four events after it was first made")
	require.Zero(t, again.HandledAt)
	all := collect(t, q.GroupApplications(w.ctx, "chess", groupview.ApplicationFilter{}))
	require.Equal(t, []groupview.Application{again, a}, []groupview.Application{all[0], all[2]}, "a list has what is shown of one")
	for _, id := range []string{"chess/1/9", "chess/2/1", "go/1/1", "nonsense"} {
		_, err = q.Application(w.ctx, id)
		require.ErrorIs(t, err, groupview.ErrNotFound)
	}
	for _, err := range q.GroupApplications(w.ctx, "go", groupview.ApplicationFilter{}) {
		require.ErrorIs(t, err, groupview.ErrNotFound)
	}
}

func TestStatesHaveNames(t *testing.T) {
	for s := groupview.Pending; s <= groupview.VoidBanned; s++ {
		text, err := s.MarshalText()
		require.NoError(t, err)
		var back groupview.ApplicationState
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, s, back)
	}
	var s groupview.ApplicationState
	require.Error(t, s.UnmarshalText([]byte("lost")))
}

// TestEveryEventIsKnown: an event that domain has and the rows do not know would stop
// the runner. None is: each is refused for another reason, or taken.
func TestEveryEventIsKnown(t *testing.T) {
	for _, e := range domain.Events() {
		w := newWorld(t.Context())
		w.create(t, "chess", domain.Public, "alice")
		stream := domain.GroupStream("chess")
		if _, ok := e.(domain.ApplicationsRead); ok {
			stream = domain.UserStream("alice")
		}
		w.append(t, stream, "alice", e)
		views, err := projections.Open(w.ctx, ":memory:", w.log, options(10))
		require.NoError(t, err)
		if err := views.WaitFor(w.ctx, w.head); err != nil {
			require.NotContains(t, err.Error(), "does not know", e.EventName())
		}
		require.NoError(t, views.Close())
	}
}
