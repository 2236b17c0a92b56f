package notify

import (
	"maps"
	"slices"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// Derive applies an event to its group, which must be at the version before it,
// and calls tell for everything that users are told because of it, in order. What
// the policy of the group's type switches off is not told. Derive is a function of
// the event, the group and the policies: the same every time.
func Derive(policies domain.Policies, g *domain.Group, e projections.Event, tell func(Notification, Audience)) {
	t := teller{event: e, group: g, tell: tell}
	apply := g.Apply
	for _, fact := range domain.Facts(e.Fact) {
		switch fact := fact.(type) {
		case domain.GroupDismissed, domain.GroupRecycled:
			// Those are told who are members just before.
			t.policy = policies[g.Type()]
			t.ending(fact)
			apply(fact, e.Meta())
		default:
			apply(fact, e.Meta())
			t.policy = policies[g.Type()]
			t.happening(fact)
		}
		apply = g.Also // a record is one version, whatever it says
	}
}

// teller makes the notifications of one event.
type teller struct {
	event  projections.Event
	group  *domain.Group
	policy domain.Policy
	tell   func(Notification, Audience)
	index  int
}

// sendIf sends where the policy has it on. Where it does not, the place is left out,
// so that the IDs of the others do not depend on the policy.
func (t *teller) sendIf(on bool, kind Kind, to Audience, n Notification) {
	if !on {
		t.index++
		return
	}
	t.send(kind, to, n)
}

func (t *teller) send(kind Kind, to Audience, n Notification) {
	n.ID, n.Kind, n.index = notificationID(t.event.Position, t.index), kind, t.index
	n.GroupID, n.Incarnation = t.group.ID(), t.group.Incarnation()
	n.Position, n.At = t.event.Position, t.event.Time
	t.index++
	t.tell(n, to)
}

// by is who recorded the event.
func (t *teller) by() *domain.Actor {
	return &domain.Actor{UserID: t.event.Actor, AppAdmin: t.event.AppAdmin}
}

func (t *teller) members(ids ...string) []Member {
	members := make([]Member, len(ids))
	for i, id := range ids {
		members[i] = Member{UserID: id}
		if m, ok := t.group.Membership(id); ok {
			members[i].Role, members[i].NameCard, members[i].MutedUntil = m.Role, m.NameCard, m.MutedUntil
		}
	}
	return members
}

func (t *teller) ending(fact domain.Event) {
	switch fact := fact.(type) {
	case domain.GroupDismissed:
		if fact.Cause == domain.Asked {
			t.send(OnGroupDismissed, everyone(t.group), Notification{By: t.by()})
		}
	case domain.GroupRecycled:
		t.send(OnGroupRecycled, everyone(t.group), Notification{By: t.by()})
	}
}

// happening is the table of what users are told, event by event. Events that are
// not in it are told to nobody.
func (t *teller) happening(fact domain.Event) {
	switch fact := fact.(type) {
	case domain.GroupCreated:
		t.created(fact)
	case domain.MemberJoined:
		t.entered(fact.UserID)
	case domain.MembersInvited:
		t.invited(t.by(), fact.UserIDs)
	case domain.MemberLeft:
		t.left(fact.UserID)
	case domain.MembersKicked:
		t.kicked(fact)
	case domain.MemberRoleChanged:
		t.ranked(fact)
	case domain.OwnerTransferred:
		t.changed([]Change{{"owner", fact.To}})
	case domain.MemberMuted:
		t.muted(fact.UserID)
	case domain.MemberUnmuted:
		t.muted(fact.UserID)
	case domain.GroupMuted:
		t.sendIf(t.policy.AnnounceModeration, OnAllMembersMuted, everyone(t.group), Notification{By: t.by(), Muted: &fact.Muted})
	case domain.GroupProfileChanged:
		t.changed(changesOf(fact))
	case domain.AttributesChanged:
		t.send(OnGroupAttributeChanged, everyone(t.group), Notification{By: t.by(), Attributes: t.group.Attributes()})
	case domain.ApplicationSubmitted:
		t.applied(fact.ApplicationID, fact.From, fact.Message)
	case domain.ApplicationRefreshed:
		t.applied(fact.ApplicationID, fact.From, fact.Message)
	case domain.ApplicationAccepted:
		t.accepted(fact)
	case domain.ApplicationRefused:
		t.processed(fact.ApplicationID, fact.Kind, fact.From, false, fact.Reason)
	case domain.NotificationSent:
		t.custom(fact)
	default:
		t.topics(fact)
	}
}

func (t *teller) created(fact domain.GroupCreated) {
	t.send(OnGroupCreated, just(fact.Owner), Notification{By: t.by()})
	if len(fact.Members) == 0 {
		return
	}
	initial := make([]string, len(fact.Members))
	for i, m := range fact.Members {
		initial[i] = m.UserID
	}
	t.invited(t.by(), initial)
}

func (t *teller) entered(userID string) {
	t.sendIf(t.policy.AnnounceMembership, OnMemberEnter, everyone(t.group), Notification{Members: t.members(userID)})
}

func (t *teller) invited(by *domain.Actor, userIDs []string) {
	t.sendIf(t.policy.AnnounceMembership, OnMemberInvited, everyone(t.group), Notification{By: by, Members: t.members(userIDs...)})
}

func (t *teller) left(userID string) {
	t.sendIf(t.policy.AnnounceMembership, OnMemberLeave, everyone(t.group), Notification{Members: t.members(userID)})
	t.send(OnQuitFromGroup, just(userID), Notification{})
}

// kicked tells all who remain, and the kicked.
func (t *teller) kicked(fact domain.MembersKicked) {
	to := everyone(t.group)
	to.plus = fact.UserIDs
	t.sendIf(t.policy.AnnounceMembership, OnMemberKicked, to, Notification{By: t.by(), Members: t.members(fact.UserIDs...), Reason: fact.Reason})
}

func (t *teller) ranked(fact domain.MemberRoleChanged) {
	kind := OnRevokeAdministrator
	if fact.Role == domain.Admin {
		kind = OnGrantAdministrator
	}
	t.sendIf(t.policy.AnnounceModeration, kind, everyone(t.group), Notification{By: t.by(), Members: t.members(fact.UserID)})
}

func (t *teller) muted(userID string) {
	t.sendIf(t.policy.AnnounceModeration, OnMemberInfoChanged, everyone(t.group), Notification{By: t.by(), Members: t.members(userID)})
}

func (t *teller) changed(changes []Change) {
	t.send(OnGroupInfoChanged, everyone(t.group), Notification{By: t.by(), Changes: changes})
}

func changesOf(fact domain.GroupProfileChanged) []Change {
	var changes []Change
	for _, field := range []struct {
		name  string
		value *string
	}{
		{"name", fact.Name}, {"introduction", fact.Introduction}, {"notification", fact.Notification}, {"faceURL", fact.FaceURL},
	} {
		if field.value != nil {
			changes = append(changes, Change{field.name, *field.value})
		}
	}
	if fact.JoinOption != 0 {
		changes = append(changes, Change{"joinOption", fact.JoinOption.String()})
	}
	if fact.InviteOption != 0 {
		changes = append(changes, Change{"inviteOption", fact.InviteOption.String()})
	}
	for _, key := range slices.Sorted(maps.Keys(fact.Custom)) {
		changes = append(changes, Change{"custom." + key, fact.Custom[key]})
	}
	return changes
}

func (t *teller) applied(applicationID, from, message string) {
	t.send(OnReceiveJoinApplication, approversOf(t.group),
		Notification{Application: applicationID, Members: t.members(from), Message: message})
}

// accepted tells who asked of the decision first, and then everybody of the new
// member.
func (t *teller) accepted(fact domain.ApplicationAccepted) {
	t.processed(fact.ApplicationID, fact.Kind, fact.From, true, fact.Reason)
	if fact.Kind == domain.JoinRequest {
		t.entered(fact.UserID)
		return
	}
	t.invited(&domain.Actor{UserID: fact.From}, []string{fact.UserID})
}

// processed tells who asked. An inviter who has left the group since gets nothing
// more of it.
func (t *teller) processed(applicationID string, kind domain.ApplicationKind, from string, agreed bool, reason string) {
	t.sendIf(kind == domain.JoinRequest || t.group.IsMember(from), OnApplicationProcessed, just(from), Notification{By: t.by(), Application: applicationID, Agreed: &agreed, Reason: reason})
}

func (t *teller) custom(fact domain.NotificationSent) {
	to := everyone(t.group)
	if len(fact.UserIDs) > 0 {
		to = just(fact.UserIDs...)
	}
	t.send(OnReceiveCustomNotification, to, Notification{By: t.by(), Data: fact.Data})
}

func (t *teller) topics(fact domain.Event) {
	n := Notification{By: t.by()}
	switch fact := fact.(type) {
	case domain.TopicCreated:
		n.Topics = []domain.Topic{fact.Topic}
		t.send(OnTopicCreated, everyone(t.group), n)
	case domain.TopicChanged:
		topic, _ := t.group.Topic(fact.TopicID)
		n.Topics = []domain.Topic{topic}
		t.send(OnTopicInfoChanged, everyone(t.group), n)
	case domain.TopicsDeleted:
		for _, id := range fact.TopicIDs {
			n.Topics = append(n.Topics, domain.Topic{ID: id})
		}
		t.send(OnTopicDeleted, everyone(t.group), n)
	}
}
