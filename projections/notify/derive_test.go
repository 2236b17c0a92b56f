package notify_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/notify"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// told is one notification and who received it, in the order of the alphabet.
type told struct {
	notify.Notification
	to string
}

// scene is a group and what users have been told of it.
type scene struct {
	policies domain.Policies
	group    *domain.Group
	position eventstore.Position
}

// newScene is a group with owner o, admin a (where the type has admins) and member
// m, of which the telling is over.
func newScene(t *testing.T, policies domain.Policies, kind domain.GroupType) *scene {
	t.Helper()
	s := &scene{policies: policies, group: domain.NewGroup("g")}
	created := domain.GroupCreated{GroupType: kind, Owner: "o", Name: "G", JoinOption: domain.Auth, InviteOption: domain.Auth, SupportTopic: true}
	created.Members = []domain.InitialMember{{UserID: "a", Role: domain.Admin}, {UserID: "m", Role: domain.Member}}
	if !policies[kind].Admins {
		created.Members[0].Role = domain.Member
	}
	s.happens("o", created)
	return s
}

// happens applies an event of an actor and returns what is told.
func (s *scene) happens(actor string, fact domain.Event) []told {
	s.position++
	var all []told
	notify.Derive(s.policies, s.group, projections.Event{
		Record: eventstore.Record{
			Position: s.position, Stream: domain.GroupStream("g"),
			Event: eventstore.Event{Type: fact.EventName(), Actor: actor, Time: noon},
		},
		Fact: fact,
	}, func(n notify.Notification, audience notify.Audience) {
		users := slices.Sorted(audience.Users())
		all = append(all, told{n, strings.Join(users, "")})
	})
	return all
}

// said is what was told in short: "OnMemberEnter→amo".
func said(all []told) []string {
	short := []string{}
	for _, n := range all {
		short = append(short, string(n.Kind)+"→"+n.to)
	}
	return short
}

// The table of rules.md, section 4, event by event: o is the owner, a an admin, m a
// member, x a stranger.
func TestWhoIsToldWhat(t *testing.T) {
	submitted := domain.ApplicationSubmitted{ApplicationID: "g/1/1", Kind: domain.JoinRequest, From: "x", UserID: "x", Message: "hi"}
	invitation := domain.ApplicationSubmitted{ApplicationID: "g/1/1", Kind: domain.InvitationForApprover, From: "m", UserID: "x"}
	for _, test := range []struct {
		name   string
		before []domain.Event
		actor  string
		fact   domain.Event
		said   []string
	}{
		{name: "joined freely", actor: "x", fact: domain.MemberJoined{UserID: "x"}, said: []string{"OnMemberEnter→amox"}},
		{name: "invited", actor: "m", fact: domain.MembersInvited{UserIDs: []string{"x", "y"}}, said: []string{"OnMemberInvited→amoxy"}},
		{name: "imported", actor: "x", fact: domain.MemberImported{UserID: "x", Role: domain.Member, JoinedAt: noon}, said: []string{}},
		{name: "quit", actor: "m", fact: domain.MemberLeft{UserID: "m"}, said: []string{"OnMemberLeave→ao", "OnQuitFromGroup→m"}},
		{name: "kicked", actor: "o", fact: domain.MembersKicked{UserIDs: []string{"a", "m"}}, said: []string{"OnMemberKicked→amo"}},
		{name: "muted", actor: "o", fact: domain.MemberMuted{UserID: "m", Until: noon.Add(time.Hour)}, said: []string{"OnMemberInfoChanged→amo"}},
		{name: "unmuted", actor: "o", fact: domain.MemberUnmuted{UserID: "m"}, said: []string{"OnMemberInfoChanged→amo"}},
		{name: "all muted", actor: "o", fact: domain.GroupMuted{Muted: true}, said: []string{"OnAllMembersMuted→amo"}},
		{name: "granted", actor: "o", fact: domain.MemberRoleChanged{UserID: "m", Role: domain.Admin}, said: []string{"OnGrantAdministrator→amo"}},
		{name: "revoked", actor: "o", fact: domain.MemberRoleChanged{UserID: "a", Role: domain.Member}, said: []string{"OnRevokeAdministrator→amo"}},
		{name: "profile", actor: "o", fact: domain.GroupProfileChanged{Name: new("N")}, said: []string{"OnGroupInfoChanged→amo"}},
		{name: "owner", actor: "o", fact: domain.OwnerTransferred{From: "o", To: "m"}, said: []string{"OnGroupInfoChanged→amo"}},
		{name: "attributes", actor: "m", fact: domain.AttributesChanged{Set: map[string]string{"k": "v"}}, said: []string{"OnGroupAttributeChanged→amo"}},
		{name: "own data", actor: "m", fact: domain.MemberInfoChanged{UserID: "m", NameCard: new("M")}, said: []string{}},
		{name: "applied", actor: "x", fact: submitted, said: []string{"OnReceiveJoinApplication→ao"}},
		{name: "applied again", before: []domain.Event{submitted}, actor: "x",
			fact: domain.ApplicationRefreshed{ApplicationID: "g/1/1", From: "x", UserID: "x"}, said: []string{"OnReceiveJoinApplication→ao"}},
		{name: "invitation to be approved", actor: "m", fact: invitation, said: []string{"OnReceiveJoinApplication→ao"}},
		{name: "accepted", before: []domain.Event{submitted}, actor: "a",
			fact: domain.ApplicationAccepted{ApplicationID: "g/1/1", Kind: domain.JoinRequest, From: "x", UserID: "x"},
			said: []string{"OnApplicationProcessed→x", "OnMemberEnter→amox"}},
		{name: "refused", before: []domain.Event{submitted}, actor: "a",
			fact: domain.ApplicationRefused{ApplicationID: "g/1/1", Kind: domain.JoinRequest, From: "x", UserID: "x"},
			said: []string{"OnApplicationProcessed→x"}},
		{name: "invitation accepted", before: []domain.Event{invitation}, actor: "a",
			fact: domain.ApplicationAccepted{ApplicationID: "g/1/1", Kind: domain.InvitationForApprover, From: "m", UserID: "x"},
			said: []string{"OnApplicationProcessed→m", "OnMemberInvited→amox"}},
		{name: "invitation of somebody who has left", before: []domain.Event{invitation, domain.MemberLeft{UserID: "m"}}, actor: "a",
			fact: domain.ApplicationRefused{ApplicationID: "g/1/1", Kind: domain.InvitationForApprover, From: "m", UserID: "x"}, said: []string{}},
		{name: "dismissed", actor: "o", fact: domain.GroupDismissed{Cause: domain.Asked}, said: []string{"OnGroupDismissed→amo"}},
		{name: "dismissed by the system", actor: "o", fact: domain.GroupDismissed{Cause: domain.Emptied}, said: []string{}},
		{name: "recycled", actor: "@system", fact: domain.GroupRecycled{IdleSince: noon}, said: []string{"OnGroupRecycled→amo"}},
		{name: "custom, to all", actor: "x", fact: domain.NotificationSent{Data: []byte("d")}, said: []string{"OnReceiveCustomNotification→amo"}},
		{name: "custom, to some", actor: "x", fact: domain.NotificationSent{Data: []byte("d"), UserIDs: []string{"m"}}, said: []string{"OnReceiveCustomNotification→m"}},
		{name: "topic created", actor: "o", fact: domain.TopicCreated{Topic: domain.Topic{ID: "t", Name: "T"}}, said: []string{"OnTopicCreated→amo"}},
		{name: "topic changed", before: []domain.Event{domain.TopicCreated{Topic: domain.Topic{ID: "t", Name: "T"}}}, actor: "o",
			fact: domain.TopicChanged{TopicID: "t", Name: new("U")}, said: []string{"OnTopicInfoChanged→amo"}},
		{name: "topics deleted", actor: "o", fact: domain.TopicsDeleted{TopicIDs: []string{"t"}}, said: []string{"OnTopicDeleted→amo"}},
		{name: "applications read", actor: "m", fact: domain.ApplicationsRead{UserID: "m"}, said: []string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, domain.Classic(), domain.Public)
			for _, e := range test.before {
				s.happens("x", e)
			}
			all := s.happens(test.actor, test.fact)
			require.Equal(t, test.said, said(all))
			for i, n := range all {
				require.Equal(t, "g", n.GroupID)
				require.Equal(t, noon, n.At)
				require.Equal(t, s.position, n.Position)
				require.NotEmpty(t, n.ID)
				for _, other := range all[:i] {
					require.NotEqual(t, other.ID, n.ID, "IDs tell the notifications of one event apart")
				}
			}
		})
	}
}

func TestCreation(t *testing.T) {
	s := &scene{policies: domain.Classic(), group: domain.NewGroup("g")}
	require.Equal(t, []string{"OnGroupCreated→o"}, said(s.happens("o", domain.GroupCreated{GroupType: domain.Work, Owner: "o", Name: "G"})))

	s = &scene{policies: domain.Classic(), group: domain.NewGroup("g")}
	all := s.happens("o", domain.GroupCreated{GroupType: domain.Work, Owner: "o", Name: "G", Members: []domain.InitialMember{{UserID: "m", Role: domain.Member}}})
	require.Equal(t, []string{"OnGroupCreated→o", "OnMemberInvited→mo"}, said(all))
	require.Equal(t, "o", all[1].By.UserID)
	require.Equal(t, []notify.Member{{UserID: "m", Role: domain.Member}}, all[1].Members)

	s = &scene{policies: domain.Classic(), group: domain.NewGroup("g")}
	require.Empty(t, s.happens("o", domain.GroupImported{GroupCreated: domain.GroupCreated{GroupType: domain.Work, Owner: "o", Name: "G"}}), "nobody is told of an import")
}

// What a policy switches off is not sent, type by type, in both tables.
func TestPolicySwitches(t *testing.T) {
	membership := map[string]domain.Event{
		"OnMemberEnter":   domain.MemberJoined{UserID: "x"},
		"OnMemberInvited": domain.MembersInvited{UserIDs: []string{"x"}},
		"OnMemberLeave":   domain.MemberLeft{UserID: "m"},
		"OnMemberKicked":  domain.MembersKicked{UserIDs: []string{"m"}},
	}
	moderation := map[string]domain.Event{
		"OnMemberInfoChanged":   domain.MemberMuted{UserID: "m", Until: noon.Add(time.Hour)},
		"OnAllMembersMuted":     domain.GroupMuted{Muted: true},
		"OnGrantAdministrator":  domain.MemberRoleChanged{UserID: "m", Role: domain.Admin},
		"OnRevokeAdministrator": domain.MemberRoleChanged{UserID: "m", Role: domain.Member},
	}
	type cells map[domain.GroupType]bool
	for name, table := range map[string]struct {
		policies               domain.Policies
		membership, moderation cells
	}{
		"Classic": {domain.Classic(),
			cells{domain.Work: true, domain.Public: true, domain.Meeting: true, domain.Community: true, domain.AVChatRoom: true},
			cells{domain.Work: true, domain.Public: true, domain.Meeting: false, domain.Community: true, domain.AVChatRoom: false}},
		"Current": {domain.Current(),
			cells{domain.Work: true, domain.Public: true, domain.Meeting: false, domain.Community: true, domain.AVChatRoom: true},
			cells{domain.Work: true, domain.Public: true, domain.Meeting: false, domain.Community: true, domain.AVChatRoom: false}},
	} {
		for kind := range table.membership {
			check := func(kindOf string, fact domain.Event, expected bool) {
				s := newScene(t, table.policies, kind)
				told := slices.ContainsFunc(s.happens("o", fact), func(n told) bool { return string(n.Kind) == kindOf })
				require.Equal(t, expected, told, "%s: %s in %s", name, kindOf, kind)
			}
			for callback, fact := range membership {
				check(callback, fact, table.membership[kind])
			}
			for callback, fact := range moderation {
				check(callback, fact, table.moderation[kind])
			}
			s := newScene(t, table.policies, kind)
			require.Contains(t, said(s.happens("m", domain.MemberLeft{UserID: "m"})), "OnQuitFromGroup→m", "who quits is told whatever the policy")
		}
	}
}

// Payloads show the state after their own event.
func TestPayloads(t *testing.T) {
	s := newScene(t, domain.Classic(), domain.Public)
	custom := domain.GroupProfileChanged{
		Name: new("N"), Introduction: new("I"), Notification: new("X"), FaceURL: new("F"),
		JoinOption: domain.Any, InviteOption: domain.Forbid, Custom: map[string]string{"b": "2", "a": ""},
	}
	require.Equal(t, []notify.Change{
		{Field: "name", Value: "N"}, {Field: "introduction", Value: "I"}, {Field: "notification", Value: "X"}, {Field: "faceURL", Value: "F"},
		{Field: "joinOption", Value: "Any"}, {Field: "inviteOption", Value: "Forbid"}, {Field: "custom.a", Value: ""}, {Field: "custom.b", Value: "2"},
	}, s.happens("o", custom)[0].Changes, "one entry for each field")
	require.Equal(t, []notify.Change{{Field: "owner", Value: "m"}}, s.happens("o", domain.OwnerTransferred{From: "o", To: "m"})[0].Changes)

	s.happens("o", domain.AttributesChanged{Set: map[string]string{"a": "1"}})
	n := s.happens("o", domain.AttributesChanged{Set: map[string]string{"b": "2"}})[0]
	s.happens("o", domain.AttributesChanged{Deleted: []string{"a"}})
	require.Equal(t, map[string]string{"a": "1", "b": "2"}, maps.Clone(n.Attributes), "all attributes, and not those of later")

	until := noon.Add(time.Hour)
	require.Equal(t, until, s.happens("o", domain.MemberMuted{UserID: "a", Until: until})[0].Members[0].MutedUntil)
	require.Equal(t, []notify.Member{{UserID: "a"}}, s.happens("m", domain.MembersKicked{UserIDs: []string{"a"}})[0].Members, "one who has left has an ID alone")

	s.happens("x", domain.ApplicationSubmitted{ApplicationID: "g/1/1", From: "x", UserID: "x"})
	processed := s.happens("m", domain.ApplicationRefused{ApplicationID: "g/1/1", From: "x", UserID: "x", Reason: "no"})[0]
	require.False(t, *processed.Agreed)
	require.Equal(t, "no", processed.Reason)
	require.Equal(t, "g/1/1", processed.Application)
	require.Equal(t, &domain.Actor{UserID: "m"}, processed.By)
}

// TestASplitEventIsOneVersion: all that it says is told and folded, and its group is one
// version further, as every other reader of the log takes it to be.
func TestASplitEventIsOneVersion(t *testing.T) {
	s := newScene(t, domain.Current(), domain.Public)
	version := s.group.Version()
	all := s.happens("a", domain.Several{Stored: "members.exchanged", Facts: []domain.Event{
		domain.MemberLeft{UserID: "m"}, domain.MemberJoined{UserID: "n"}, domain.MemberJoined{UserID: "p"},
	}})
	require.Equal(t, version+1, s.group.Version())
	require.True(t, s.group.IsMember("n") && s.group.IsMember("p"))
	require.False(t, s.group.IsMember("m"))
	require.Equal(t, []string{"OnMemberLeave→ao", "OnQuitFromGroup→m", "OnMemberEnter→ano", "OnMemberEnter→anop"}, said(all))

	created := domain.GroupCreated{GroupType: domain.Meeting, Owner: "o", Name: "G"}
	s = &scene{policies: domain.Current(), group: domain.NewGroup("g")}
	s.happens("o", domain.Several{Stored: "group.made", Facts: []domain.Event{created, domain.MemberJoined{UserID: "n"}, domain.GroupDismissed{}}})
	require.Equal(t, 1, s.group.Version(), "an end is no exception")
}
