package docs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/notify"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// Who is who in the samples. A user's ID is their part, so that the receivers of a
// notification can be read off.
const (
	owner, admin, member = "olga", "adam", "mary"
	leaver, stranger     = "lars", "bob"
	inviter              = "ines"
)

var parts = map[string]string{leaver: "who left", stranger: "who asked", inviter: "who invited", member: "the listed members"}

func given(text string) *string { return &text }

// samples hold one of every event.
var samples = []domain.Event{
	domain.GroupCreated{
		GroupType: domain.Public, Owner: owner, Name: "Chess club", Introduction: "Come in", JoinOption: domain.Auth, InviteOption: domain.Forbid,
		Members: []domain.InitialMember{{UserID: admin, Role: domain.Admin}, {UserID: member, Role: domain.Member}},
	},
	domain.GroupImported{CreatedAt: noon.AddDate(-8, 0, 0), GroupCreated: domain.GroupCreated{
		GroupType: domain.Public, Owner: owner, Name: "Chess club", JoinOption: domain.Auth, InviteOption: domain.Forbid,
	}},
	domain.GroupDismissed{Cause: domain.Asked},
	domain.GroupRecycled{IdleSince: noon.AddDate(0, -3, 0)},
	domain.MemberJoined{UserID: stranger},
	domain.MembersInvited{UserIDs: []string{stranger, "carol"}},
	domain.MemberImported{UserID: stranger, Role: domain.Member, JoinedAt: noon.AddDate(-7, 0, 0)},
	domain.MemberLeft{UserID: leaver},
	domain.MembersKicked{UserIDs: []string{leaver}, Reason: "spam", BannedUntil: noon.Add(24 * time.Hour)},
	domain.MemberRoleChanged{UserID: member, Role: domain.Admin},
	domain.OwnerTransferred{From: owner, To: admin},
	domain.MemberMuted{UserID: member, Until: noon.Add(time.Hour)},
	domain.MemberUnmuted{UserID: member},
	domain.GroupMuted{Muted: true},
	domain.GroupProfileChanged{Name: given("Chess"), JoinOption: domain.Any, Custom: map[string]string{"city": "Riga"}},
	domain.MemberInfoChanged{UserID: member, NameCard: given("Mary from accounting")},
	domain.AttributesChanged{Set: map[string]string{"round": "4"}, Deleted: []string{"table"}},
	domain.ApplicationSubmitted{ApplicationID: "chess/1/1", Kind: domain.JoinRequest, From: stranger, UserID: stranger, Message: "it's me!"},
	domain.ApplicationRefreshed{ApplicationID: "chess/1/1", Kind: domain.JoinRequest, From: stranger, UserID: stranger, Message: "please"},
	domain.ApplicationAccepted{ApplicationID: "chess/1/1", Kind: domain.JoinRequest, From: stranger, UserID: stranger, Reason: "welcome"},
	domain.ApplicationRefused{ApplicationID: "chess/1/1", Kind: domain.JoinRequest, From: stranger, UserID: stranger, Reason: "full"},
	domain.ApplicationsRead{UserID: owner},
	domain.TopicCreated{Topic: domain.Topic{ID: "@TGS#_go@TOPIC#_@TGS#_2", Name: "Openings"}},
	domain.TopicChanged{TopicID: "@TGS#_go@TOPIC#_@TGS#_2", Name: given("Endgames")},
	domain.TopicsDeleted{TopicIDs: []string{"@TGS#_go@TOPIC#_@TGS#_2"}},
	domain.NotificationSent{Data: []byte("maintenance at noon")},
}

// variants are samples of which users are told something else.
var variants = map[string]struct {
	when   string
	sample domain.Event
}{
	"group.dismissed":      {"`cause` is `emptied`", domain.GroupDismissed{Cause: domain.Emptied}},
	"member.role_changed":  {"`role` is `member`", domain.MemberRoleChanged{UserID: admin, Role: domain.Member}},
	"application.accepted": {"`kind` is 2", domain.ApplicationAccepted{ApplicationID: "chess/1/1", Kind: domain.InvitationForApprover, From: inviter, UserID: stranger}},
	"application.refused":  {"`kind` is 2 and who invited has left", domain.ApplicationRefused{ApplicationID: "chess/1/1", Kind: domain.InvitationForApprover, From: "gone", UserID: stranger}},
	"notification.sent":    {"`userIDs` is given", domain.NotificationSent{Data: []byte("x"), UserIDs: []string{member}}},
}

// told is what one event has users hear, and which cell of the policy silences it.
type told struct{ kind, to, unless string }

// hearings derives what users are told of a sample, as the engine does.
func hearings(e domain.Event) []told {
	if e == nil {
		return nil
	}
	derive := func(change func(*domain.Policy)) (all []told) {
		policies := domain.Classic()
		policy := policies[domain.Public]
		change(&policy)
		policies[domain.Public] = policy
		g := domain.NewGroup("chess")
		if _, begins := e.(domain.GroupCreated); !begins {
			g.Apply(domain.GroupCreated{GroupType: domain.Public, Owner: owner, Name: "Chess", Members: []domain.InitialMember{
				{UserID: admin, Role: domain.Admin}, {UserID: member, Role: domain.Member}, {UserID: leaver, Role: domain.Member}, {UserID: inviter, Role: domain.Member},
			}}, domain.Meta{At: noon})
		}
		event := projections.Event{Record: eventstore.Record{Stream: "group:chess", Event: eventstore.Event{Actor: owner, Time: noon}}, Fact: e}
		notify.Derive(policies, g, event, func(n notify.Notification, a notify.Audience) {
			all = append(all, told{kind: string(n.Kind), to: inWords(a)})
		})
		return all
	}
	all := derive(func(*domain.Policy) {})
	quiet := map[string][]told{
		"AnnounceMembership": derive(func(p *domain.Policy) { p.AnnounceMembership = false }),
		"AnnounceModeration": derive(func(p *domain.Policy) { p.AnnounceModeration = false }),
	}
	for i := range all {
		for cell, left := range quiet {
			if !slices.ContainsFunc(left, func(h told) bool { return h.kind == all[i].kind }) {
				all[i].unless = cell
			}
		}
	}
	return all
}

// inWords says who hears.
func inWords(a notify.Audience) string {
	switch {
	case a.Has(owner) && a.Has(admin) && a.Has(member):
		if a.Has("carol") || a.Has(stranger) {
			return "all members, the new ones too"
		}
		return "all members"
	case a.Has(owner) && a.Has(admin):
		return "owner and admins"
	case a.Has(owner):
		return "the creator"
	}
	var named []string
	for user := range a.Users() {
		named = append(named, parts[user])
	}
	return strings.Join(named, ", ")
}

// The events: what stands on disk, and who is told.
func TestEvents(t *testing.T) {
	docs := comments(t, "domain")
	var b strings.Builder
	b.WriteString("# Events\n\n" + notice)
	b.WriteString("Everything that can stand in the log. An event has a name, the version of its JSON (the schema), the JSON, and what the log\n" +
		"keeps beside every event: position, stream, version, actor, app admin, time, command ID\n" +
		"([log.md](log.md#what-a-record-holds)). Names, fields and meanings never change; fields may be added. A new shape gets a new\n" +
		"schema version, and the old one is read for ever.\n\n" +
		"Streams: `group:ID` holds the events of a group ID, over all of its incarnations; `user:ID` holds `applications.read`.\n\n" +
		"*Told* says who hears what of it, from running `notify.Derive` with the policy table Classic on a Public group; \"not with\"\n" +
		"names the cell of the policy that switches it off. *Sentence* is what `audit.Sentence` makes of the example.\n\n")
	b.WriteString("| event | told |\n|---|---|\n")
	for _, e := range domain.Events() {
		var kinds []string
		for _, h := range append(hearings(sampleOf(t, e)), hearings(variants[e.EventName()].sample)...) {
			if kind := "`" + h.kind + "`"; !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
		if kinds == nil {
			kinds = []string{"nobody"}
		}
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", e.EventName(), slug(e.EventName()), strings.Join(kinds, ", "))
	}
	for _, e := range domain.Events() {
		sample := sampleOf(t, e)
		name, schema, data, err := domain.Encode(sample)
		require.NoError(t, err)
		typ := reflect.TypeOf(e)
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n`domain.%s`, schema %d.\n\n", name, wrap(sentence(typ.Name(), docs[typ.Name()])), typ.Name(), schema)
		writeFields(&b, fieldsOf(typ, docs))
		fmt.Fprintf(&b, "```json\n%s\n```\n\n", data)
		said := "Told: " + inSentence(hearings(sample)) + "."
		if other, ok := variants[name]; ok {
			said += " Where " + other.when + ": " + inSentence(hearings(other.sample)) + "."
		}
		b.WriteString(wrap(said) + "\n\n")
		fmt.Fprintf(&b, "Sentence: %s\n", audit.Sentence(recorded(sample)))
	}
	generated(t, "events.md", b.String())
}

// recorded is a sample as the log would hold it.
func recorded(e domain.Event) projections.Event {
	record := eventstore.Record{Position: 57, Stream: "group:chess", Event: eventstore.Event{Type: e.EventName(), Actor: owner, Time: noon}}
	switch e := e.(type) {
	case domain.ApplicationsRead:
		record.Stream = domain.UserStream(e.UserID)
	case domain.MemberJoined, domain.ApplicationSubmitted, domain.ApplicationRefreshed:
		record.Actor = stranger
	case domain.MemberLeft:
		record.Actor = leaver
	case domain.GroupRecycled:
		record.Actor, record.AppAdmin = domain.System.UserID, true
	case domain.GroupImported, domain.MemberImported, domain.NotificationSent:
		record.Actor, record.AppAdmin = "root", true
	case domain.TopicCreated, domain.TopicChanged, domain.TopicsDeleted:
		record.Stream = "group:@TGS#_go"
	}
	return projections.Event{Record: record, Fact: e}
}

func inSentence(all []told) string {
	if len(all) == 0 {
		return "nobody"
	}
	var words []string
	for _, h := range all {
		text := fmt.Sprintf("`%s` to %s", h.kind, h.to)
		if h.unless != "" {
			text += " (not with `" + h.unless + "` off)"
		}
		words = append(words, text)
	}
	return strings.Join(words, "; then ")
}

func sampleOf(t *testing.T, e domain.Event) domain.Event {
	t.Helper()
	i := slices.IndexFunc(samples, func(s domain.Event) bool { return s.EventName() == e.EventName() })
	require.GreaterOrEqual(t, i, 0, "give a sample of %s", e.EventName())
	return samples[i]
}
