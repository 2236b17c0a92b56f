package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// Sentence is an event in plain English, on one line, without a full stop. Who
// acted as an app admin is marked. Free text is repeated without what a terminal
// would take for a command, and cut where it is long.
func Sentence(e projections.Event) string {
	if several, ok := e.Fact.(domain.Several); ok {
		sentences := make([]string, 0, len(several.Facts))
		for part := range e.Parts() {
			sentences = append(sentences, Sentence(part))
		}
		return strings.Join(sentences, "; ")
	}
	s := sentence{who: who(domain.Actor{UserID: e.Actor, AppAdmin: e.AppAdmin}), by: e.Actor, group: "?"}
	if id, ok := domain.GroupOf(e.Stream); ok {
		s.group = plain(id)
	}
	for _, tell := range []func(domain.Event) string{s.life, s.membership, s.moderation, s.profile, s.application, s.topic} {
		if text := tell(e.Fact); text != "" {
			return text
		}
	}
	if topic, ok := projections.TopicOf(e.Stream); ok {
		return fmt.Sprintf("%s published a message on %s", s.who, quoted(topic))
	}
	return fmt.Sprintf("%s recorded %s in %s", s.who, plain(e.Type), plain(e.Stream))
}

// sentence is what all sentences about an event may need beside its fact.
type sentence struct {
	who   string // who acted, in words
	by    string // who acted, as recorded
	group string
}

// who is the actor of an event: what is recorded without one, nobody asked for.
func who(actor domain.Actor) string {
	switch {
	case actor.UserID == "", actor.UserID == domain.System.UserID:
		return "the system"
	case actor.AppAdmin:
		return plain(actor.UserID) + " (app admin)"
	default:
		return plain(actor.UserID)
	}
}

// life tells how groups begin and end.
func (s *sentence) life(fact domain.Event) string {
	switch fact := fact.(type) {
	case domain.GroupCreated:
		return s.who + " created the " + s.founded(fact)
	case domain.GroupImported:
		return fmt.Sprintf("%s imported the %s, owned by %s, created %s", s.who, s.founded(fact.GroupCreated), plain(fact.Owner), moment(fact.CreatedAt))
	case domain.GroupDismissed:
		if fact.Cause == domain.Emptied {
			return s.group + " was dismissed, because its last member had left"
		}
		return s.who + " dismissed " + s.group
	case domain.GroupRecycled:
		return fmt.Sprintf("%s recycled %s, idle since %s", s.who, s.group, moment(fact.IdleSince))
	default:
		return ""
	}
}

func (s *sentence) founded(fact domain.GroupCreated) string {
	text := fmt.Sprintf("%s group %s", plain(string(fact.GroupType)), s.group)
	if fact.Name != "" && plain(fact.Name) != s.group {
		text += ", " + quoted(fact.Name)
	}
	if fact.SupportTopic {
		text += ", with topics"
	}
	if len(fact.Members) > 0 {
		names := make([]string, len(fact.Members))
		for i, m := range fact.Members {
			names[i] = plain(m.UserID)
			if m.Role != domain.Member {
				names[i] += " (" + m.Role.String() + ")"
			}
		}
		text += ", with " + list(names)
	}
	return text
}

// membership tells how members come, go and rise.
func (s *sentence) membership(fact domain.Event) string {
	switch fact := fact.(type) {
	case domain.MemberJoined:
		return plain(fact.UserID) + " joined " + s.group
	case domain.MembersInvited:
		return fmt.Sprintf("%s invited %s into %s", s.who, users(fact.UserIDs), s.group)
	case domain.MemberImported:
		return fmt.Sprintf("%s imported %s into %s as %s, who joined %s", s.who, plain(fact.UserID), s.group, position(fact.Role), moment(fact.JoinedAt))
	case domain.MemberLeft:
		return plain(fact.UserID) + " left " + s.group
	case domain.MembersKicked:
		text := fmt.Sprintf("%s kicked %s from %s", s.who, users(fact.UserIDs), s.group)
		if !fact.BannedUntil.IsZero() {
			text += " and banned them until " + moment(fact.BannedUntil)
		}
		return text + because(fact.Reason)
	case domain.MemberRoleChanged:
		return fmt.Sprintf("%s made %s %s of %s", s.who, plain(fact.UserID), position(fact.Role), s.group)
	case domain.OwnerTransferred:
		return s.transferred(fact)
	default:
		return ""
	}
}

func (s *sentence) transferred(fact domain.OwnerTransferred) string {
	switch fact.From {
	case "":
		return fmt.Sprintf("%s made %s the owner of %s", s.who, plain(fact.To), s.group)
	case s.by:
		return fmt.Sprintf("%s passed %s on to %s, its new owner", s.who, s.group, plain(fact.To))
	default:
		return fmt.Sprintf("%s passed %s on from %s to %s, its new owner", s.who, s.group, plain(fact.From), plain(fact.To))
	}
}

// moderation tells of silence and of the operator's own notifications.
func (s *sentence) moderation(fact domain.Event) string {
	switch fact := fact.(type) {
	case domain.MemberMuted:
		return fmt.Sprintf("%s muted %s in %s until %s", s.who, plain(fact.UserID), s.group, moment(fact.Until))
	case domain.MemberUnmuted:
		return fmt.Sprintf("%s unmuted %s in %s", s.who, plain(fact.UserID), s.group)
	case domain.GroupMuted:
		if fact.Muted {
			return fmt.Sprintf("%s muted all members of %s", s.who, s.group)
		}
		return fmt.Sprintf("%s unmuted all members of %s", s.who, s.group)
	case domain.NotificationSent:
		to := "all members"
		if len(fact.UserIDs) > 0 {
			to = users(fact.UserIDs)
		}
		return fmt.Sprintf("%s sent a notification of %s to %s of %s", s.who, count(len(fact.Data), "byte"), to, s.group)
	default:
		return ""
	}
}

// profile tells what groups and members say of themselves.
func (s *sentence) profile(fact domain.Event) string {
	switch fact := fact.(type) {
	case domain.GroupProfileChanged:
		return s.changed(s.group, profileFields(fact))
	case domain.MemberInfoChanged:
		whose := plain(fact.UserID) + "'s"
		if fact.UserID == s.by {
			whose = "their own"
		}
		return s.changed(whose+" data in "+s.group, append(field("name card", fact.NameCard), customFields(fact.Custom)...))
	case domain.AttributesChanged:
		fields := assignments("attribute ", fact.Set)
		for _, key := range fact.Deleted {
			fields = append(fields, "attribute "+plain(key)+" deleted")
		}
		return s.changed(s.group, fields)
	default:
		return ""
	}
}

// changed tells what was set to what.
func (s *sentence) changed(what string, fields []string) string {
	return fmt.Sprintf("%s changed %s: %s", s.who, what, list(fields))
}

func profileFields(fact domain.GroupProfileChanged) []string {
	fields := slices.Concat(field("name", fact.Name), field("introduction", fact.Introduction),
		field("notification", fact.Notification), field("face URL", fact.FaceURL))
	if fact.JoinOption != 0 {
		fields = append(fields, "join option "+fact.JoinOption.String())
	}
	if fact.InviteOption != 0 {
		fields = append(fields, "invite option "+fact.InviteOption.String())
	}
	return append(fields, customFields(fact.Custom)...)
}

func field(name string, value *string) []string {
	if value == nil {
		return nil
	}
	return []string{name + " " + quoted(*value)}
}

// customFields are custom fields with their values; an empty value deletes.
func customFields(fields map[string]string) []string {
	all := assignments("custom field ", fields)
	for i, text := range all {
		if name, deleted := strings.CutSuffix(text, ` ""`); deleted {
			all[i] = name + " deleted"
		}
	}
	return all
}

func assignments(what string, values map[string]string) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		all = append(all, what+plain(key)+" "+quoted(values[key]))
	}
	return all
}

// application tells how users ask to come in, or to have others come in.
func (s *sentence) application(fact domain.Event) string {
	switch fact := fact.(type) {
	case domain.ApplicationSubmitted:
		return s.asked(fact.Kind, fact.From, fact.UserID, "") + because(fact.Message)
	case domain.ApplicationRefreshed:
		return s.asked(fact.Kind, fact.From, fact.UserID, " again") + because(fact.Message)
	case domain.ApplicationAccepted:
		return s.decided("accepted", fact.Kind, fact.From, fact.UserID) + because(fact.Reason)
	case domain.ApplicationRefused:
		return s.decided("refused", fact.Kind, fact.From, fact.UserID) + because(fact.Reason)
	case domain.ApplicationsRead:
		return s.who + " marked all applications as read"
	default:
		return ""
	}
}

func (s *sentence) asked(kind domain.ApplicationKind, from, candidate, again string) string {
	if kind == domain.JoinRequest {
		return fmt.Sprintf("%s applied%s to join %s", plain(from), again, s.group)
	}
	return fmt.Sprintf("%s asked%s to have %s in %s", plain(from), again, plain(candidate), s.group)
}

func (s *sentence) decided(verb string, kind domain.ApplicationKind, from, candidate string) string {
	if kind == domain.JoinRequest {
		return fmt.Sprintf("%s %s %s's application to %s", s.who, verb, plain(from), s.group)
	}
	return fmt.Sprintf("%s %s %s's invitation of %s into %s", s.who, verb, plain(from), plain(candidate), s.group)
}

func (s *sentence) topic(fact domain.Event) string {
	switch fact := fact.(type) {
	case domain.TopicCreated:
		return fmt.Sprintf("%s opened the topic %s, %s, in %s", s.who, plain(fact.ID), quoted(fact.Name), s.group)
	case domain.TopicChanged:
		return s.changed("the topic "+plain(fact.TopicID)+" in "+s.group, slices.Concat(field("name", fact.Name),
			field("introduction", fact.Introduction), field("notification", fact.Notification), field("face URL", fact.FaceURL)))
	case domain.TopicsDeleted:
		return fmt.Sprintf("%s deleted %s of %s", s.who, list(named("the topic ", fact.TopicIDs)), s.group)
	default:
		return ""
	}
}
