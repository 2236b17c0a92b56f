package groupview_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
)

var (
	someUsers  = []string{"u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7"}
	someGroups = []string{"g0", "g1", "g2"}
	someKinds  = []domain.GroupType{domain.Work, domain.Public, domain.Community, domain.AVChatRoom}
)

// step records one random event, or one command's events, that the state allows.
func (w *world) step(t *rapid.T) {
	actor := rapid.SampledFrom(someUsers).Draw(t, "actor")
	if rapid.IntRange(0, 14).Draw(t, "whose") == 0 {
		w.read(t, actor)
		return
	}
	id := rapid.SampledFrom(someGroups).Draw(t, "group")
	g := w.group(id)
	if g.Status() != domain.Live {
		w.beginAny(t, id, actor)
		return
	}
	members, strangers := w.sides(g)
	someone := func(of []string) string { return rapid.SampledFrom(of).Draw(t, "someone") }
	switch what := rapid.IntRange(0, 24).Draw(t, "what"); {
	case what <= 2 && len(strangers) > 0:
		w.record(t, id, actor, domain.MemberJoined{UserID: someone(strangers)})
	case what == 3 && len(strangers) > 0:
		w.record(t, id, actor, domain.MembersInvited{UserIDs: some(t, strangers)})
	case what == 4 && len(strangers) > 0:
		role := rapid.SampledFrom([]domain.Role{domain.Member, domain.Admin}).Draw(t, "role")
		w.record(t, id, actor, domain.MemberImported{UserID: someone(strangers), Role: role, JoinedAt: g.CreatedAt().Add(time.Minute)})
	case what == 5:
		w.record(t, id, actor, domain.MemberLeft{UserID: someone(members)})
	case what == 6:
		w.kickAny(t, id, actor, members)
	case what <= 8:
		user := someone(members)
		if g.Role(user) == domain.Owner {
			w.record(t, id, actor, domain.OwnerTransferred{From: g.Owner(), To: someone(members)})
		} else {
			role := rapid.SampledFrom([]domain.Role{domain.Member, domain.Admin}).Draw(t, "role")
			w.record(t, id, actor, domain.MemberRoleChanged{UserID: user, Role: role})
		}
	case what == 9:
		w.record(t, id, actor, domain.MemberMuted{UserID: someone(members), Until: w.now.Add(time.Hour)})
	case what == 10:
		w.record(t, id, actor, domain.MemberUnmuted{UserID: someone(members)})
	case what <= 13:
		w.describeAny(t, id, actor, someone(members))
	case what <= 16 && len(strangers) > 0:
		n := domain.ApplicationID(id, g.Incarnation(), g.ApplicationsSubmitted()+1)
		w.record(t, id, actor, domain.ApplicationSubmitted{
			ApplicationID: n, From: actor, UserID: someone(strangers), Kind: domain.InvitationForApprover, Message: "m" + n,
		})
	case what <= 22:
		w.handleAny(t, id, actor)
	case what == 23 && rapid.IntRange(0, 2).Draw(t, "end") == 0:
		w.endAny(t, id, actor)
	default:
		w.topicAny(t, id, actor)
	}
	if g.Status() == domain.Dismissed && g.Count() == 0 && rapid.Bool().Draw(t, "emptied") {
		w.record(t, id, actor, domain.GroupDismissed{Cause: domain.Emptied}) // as the engine does
	}
}

func (w *world) sides(g *domain.Group) (members, strangers []string) {
	for _, user := range someUsers {
		if g.IsMember(user) {
			members = append(members, user)
		} else {
			strangers = append(strangers, user)
		}
	}
	return members, strangers
}

// some is one to three of them, each once.
func some(t *rapid.T, of []string) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 1, min(3, len(of)), rapid.ID).Draw(t, "some")
}

func (w *world) beginAny(t *rapid.T, id, owner string) {
	e := domain.GroupCreated{
		GroupType: rapid.SampledFrom(someKinds).Draw(t, "kind"), Owner: owner, Name: fmt.Sprint("name", w.head),
		JoinOption: domain.Auth, InviteOption: domain.Any, SupportTopic: rapid.Bool().Draw(t, "topics"),
		Introduction: "intro", Custom: map[string]string{"k": "v", "a": "b"},
	}
	for _, user := range some(t, someUsers) {
		if user != owner {
			e.Members = append(e.Members, domain.InitialMember{UserID: user, Role: domain.Admin})
		}
	}
	if rapid.Bool().Draw(t, "imported") {
		w.record(t, id, owner, domain.GroupImported{GroupCreated: e, CreatedAt: w.now.Add(-time.Hour)})
		return
	}
	w.record(t, id, owner, e)
}

func (w *world) kickAny(t *rapid.T, id, actor string, members []string) {
	e := domain.MembersKicked{UserIDs: some(t, members)}
	if rapid.Bool().Draw(t, "ban") {
		e.BannedUntil = w.now.Add(time.Hour)
		e.UserIDs = some(t, someUsers) // strangers too
	}
	if rapid.IntRange(0, 9).Draw(t, "everybody") == 0 {
		e.UserIDs = members
	}
	w.record(t, id, actor, e)
}

func (w *world) describeAny(t *rapid.T, id, actor, member string) {
	text := fmt.Sprint("t", w.head)
	switch rapid.IntRange(0, 3).Draw(t, "describe") {
	case 0:
		w.record(t, id, actor, domain.GroupProfileChanged{Name: &text, Custom: map[string]string{"k": "", "x": text}, JoinOption: domain.Any})
	case 1:
		w.record(t, id, actor, domain.GroupProfileChanged{Notification: &text, FaceURL: &text})
	case 2:
		w.record(t, id, actor, domain.MemberInfoChanged{UserID: member, NameCard: &text, Custom: map[string]string{text: "1"}})
	default:
		w.record(t, id, actor, domain.AttributesChanged{Set: map[string]string{text: "", "last": text}, Deleted: []string{"t1"}})
	}
}

// handleAny does something to an open application.
func (w *world) handleAny(t *rapid.T, id, actor string) {
	var open []domain.Application
	for a := range w.group(id).OpenApplications() {
		open = append(open, a)
	}
	if len(open) == 0 {
		w.record(t, id, actor, domain.GroupMuted{Muted: rapid.Bool().Draw(t, "muted")})
		return
	}
	a := rapid.SampledFrom(open).Draw(t, "application")
	switch rapid.IntRange(0, 3).Draw(t, "handle") {
	case 0:
		w.record(t, id, actor, domain.ApplicationAccepted{ApplicationID: a.ID, Kind: a.Kind, From: a.From, UserID: a.Candidate, Reason: "yes"})
	case 1:
		w.record(t, id, actor, domain.ApplicationRefused{ApplicationID: a.ID, Kind: a.Kind, From: a.From, UserID: a.Candidate, Reason: "no"})
	default:
		w.record(t, id, actor, domain.ApplicationRefreshed{ApplicationID: a.ID, Kind: a.Kind, From: a.From, UserID: a.Candidate, Message: fmt.Sprint("again", w.head)})
	}
}

func (w *world) endAny(t *rapid.T, id, actor string) {
	if rapid.Bool().Draw(t, "recycle") {
		w.record(t, id, actor, domain.GroupRecycled{IdleSince: w.now})
		return
	}
	w.record(t, id, actor, domain.GroupDismissed{Cause: domain.Asked})
}

func (w *world) topicAny(t *rapid.T, id, actor string) {
	topic := rapid.SampledFrom([]string{"t0", "t1"}).Draw(t, "topic")
	name := fmt.Sprint("topic", w.head)
	switch rapid.IntRange(0, 3).Draw(t, "topics") {
	case 0, 1:
		if _, ok := w.group(id).Topic(topic); !ok {
			w.record(t, id, actor, domain.TopicCreated{Topic: domain.Topic{ID: topic, Name: name}})
			return
		}
		w.record(t, id, actor, domain.TopicChanged{TopicID: topic, Name: &name})
	case 2:
		w.record(t, id, actor, domain.TopicsDeleted{TopicIDs: []string{topic}})
	default:
		w.record(t, id, actor, domain.NotificationSent{Data: []byte(name)})
	}
}
