package audit_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
)

var when = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func by(actor domain.Actor, fact domain.Event) projections.Event {
	record := eventstore.Record{Position: 7, Stream: domain.GroupStream("chess"), Version: 1, Event: eventstore.Event{
		Type: fact.EventName(), Schema: 1, Actor: actor.UserID, AppAdmin: actor.AppAdmin, Time: when,
	}}
	return projections.Event{Record: record, Fact: fact}
}

var (
	alice = domain.Actor{UserID: "alice"}
	bob   = domain.Actor{UserID: "bob"}
	root  = domain.Actor{UserID: "root", AppAdmin: true}
)

func text(s string) *string { return &s }

var sentences = []struct {
	by   domain.Actor
	fact domain.Event
	want string
}{
	{alice, domain.GroupCreated{GroupType: domain.Public, Owner: "alice", Name: "chess"}, `alice created the Public group chess`},
	{alice, domain.GroupCreated{
		GroupType: domain.Work, Owner: "alice", Name: "Chess club",
		Members: []domain.InitialMember{{UserID: "bob", Role: domain.Member}, {UserID: "dave", Role: domain.Admin}},
	}, `alice created the Work group chess, "Chess club", with bob and dave (admin)`},
	{root, domain.GroupImported{GroupCreated: domain.GroupCreated{GroupType: domain.Public, Owner: "alice", Name: "chess"}, CreatedAt: when},
		`root (app admin) imported the Public group chess, owned by alice, created 2026-01-02 03:04:05 UTC`},
	{alice, domain.GroupDismissed{Cause: domain.Asked}, `alice dismissed chess`},
	{alice, domain.GroupDismissed{Cause: domain.Emptied}, `chess was dismissed, because its last member had left`},
	{domain.System, domain.GroupRecycled{IdleSince: when}, `the system recycled chess, idle since 2026-01-02 03:04:05 UTC`},
	{bob, domain.MemberJoined{UserID: "bob"}, `bob joined chess`},
	{alice, domain.MembersInvited{UserIDs: []string{"bob", "carol", "dave"}}, `alice invited bob, carol and dave into chess`},
	{root, domain.MembersInvited{UserIDs: strings.Split("a b c d e f g h", " ")}, `root (app admin) invited a, b, c, d, e and 3 more into chess`},
	{root, domain.MembersInvited{UserIDs: strings.Split("a b c d e f", " ")}, `root (app admin) invited a, b, c, d, e and f into chess`},
	{root, domain.MemberImported{UserID: "bob", Role: domain.Admin, JoinedAt: when}, `root (app admin) imported bob into chess as an admin, who joined 2026-01-02 03:04:05 UTC`},
	{bob, domain.MemberLeft{UserID: "bob"}, `bob left chess`},
	{alice, domain.MembersKicked{UserIDs: []string{"bob"}, Reason: "spam"}, `alice kicked bob from chess: spam`},
	{alice, domain.MembersKicked{UserIDs: []string{"bob", "carol"}, BannedUntil: when}, `alice kicked bob and carol from chess and banned them until 2026-01-02 03:04:05 UTC`},
	{alice, domain.MemberRoleChanged{UserID: "bob", Role: domain.Admin}, `alice made bob an admin of chess`},
	{alice, domain.MemberRoleChanged{UserID: "bob", Role: domain.Member}, `alice made bob a plain member of chess`},
	{alice, domain.OwnerTransferred{From: "alice", To: "bob"}, `alice passed chess on to bob, its new owner`},
	{root, domain.OwnerTransferred{From: "alice", To: "bob"}, `root (app admin) passed chess on from alice to bob, its new owner`},
	{root, domain.OwnerTransferred{To: "bob"}, `root (app admin) made bob the owner of chess`},
	{alice, domain.MemberMuted{UserID: "bob", Until: when}, `alice muted bob in chess until 2026-01-02 03:04:05 UTC`},
	{alice, domain.MemberUnmuted{UserID: "bob"}, `alice unmuted bob in chess`},
	{alice, domain.GroupMuted{Muted: true}, `alice muted all members of chess`},
	{alice, domain.GroupMuted{}, `alice unmuted all members of chess`},
	{alice, domain.GroupProfileChanged{Name: text("Chess"), JoinOption: domain.Any}, `alice changed chess: name "Chess" and join option Any`},
	{alice, domain.GroupProfileChanged{InviteOption: domain.Auth, Custom: map[string]string{"b": "2", "a": ""}},
		`alice changed chess: invite option Auth, custom field a deleted and custom field b "2"`},
	{bob, domain.MemberInfoChanged{UserID: "bob", NameCard: text("Bobby")}, `bob changed their own data in chess: name card "Bobby"`},
	{alice, domain.MemberInfoChanged{UserID: "bob", Custom: map[string]string{"elo": "1600"}}, `alice changed bob's data in chess: custom field elo "1600"`},
	{bob, domain.AttributesChanged{Set: map[string]string{"opening": "e4"}, Deleted: []string{"clock"}},
		`bob changed chess: attribute opening "e4" and attribute clock deleted`},
	{bob, domain.ApplicationSubmitted{ApplicationID: "chess/1/1", From: "bob", UserID: "bob", Message: "it's me!"}, `bob applied to join chess: it's me!`},
	{bob, domain.ApplicationSubmitted{Kind: domain.InvitationForApprover, From: "bob", UserID: "carol"}, `bob asked to have carol in chess`},
	{bob, domain.ApplicationRefreshed{From: "bob", UserID: "bob", Message: "please"}, `bob applied again to join chess: please`},
	{alice, domain.ApplicationAccepted{From: "bob", UserID: "bob", Reason: "welcome"}, `alice accepted bob's application to chess: welcome`},
	{alice, domain.ApplicationAccepted{Kind: domain.InvitationForApprover, From: "bob", UserID: "carol"}, `alice accepted bob's invitation of carol into chess`},
	{root, domain.ApplicationRefused{From: "bob", UserID: "bob", Reason: "full"}, `root (app admin) refused bob's application to chess: full`},
	{alice, domain.ApplicationsRead{UserID: "alice"}, `alice marked all applications as read`},
	{alice, domain.TopicCreated{Topic: domain.Topic{ID: "t1", Name: "Openings"}}, `alice opened the topic t1, "Openings", in chess`},
	{alice, domain.TopicChanged{TopicID: "t1", Name: text("Endgames")}, `alice changed the topic t1 in chess: name "Endgames"`},
	{alice, domain.TopicsDeleted{TopicIDs: []string{"t1", "t2"}}, `alice deleted the topic t1 and the topic t2 of chess`},
	{root, domain.NotificationSent{Data: []byte("hello")}, `root (app admin) sent a notification of 5 bytes to all members of chess`},
	{root, domain.NotificationSent{Data: []byte("!"), UserIDs: []string{"bob"}}, `root (app admin) sent a notification of 1 byte to bob of chess`},
}

func TestSentence(t *testing.T) {
	for _, test := range sentences {
		require.Equal(t, test.want, audit.Sentence(by(test.by, test.fact)))
	}
}

// Every event has a sentence of its own, in words and not by its name on disk.
func TestEveryEventHasASentence(t *testing.T) {
	covered := map[reflect.Type]bool{}
	for _, test := range sentences {
		covered[reflect.TypeOf(test.fact)] = true
	}
	for _, fact := range domain.Events() {
		require.True(t, covered[reflect.TypeOf(fact)], "%s is not in the table of this test", fact.EventName())
		require.NotContains(t, audit.Sentence(by(alice, fact)), " recorded ", "%s has no sentence", fact.EventName())
	}
}

func TestSentenceIsOneSafeLine(t *testing.T) {
	got := audit.Sentence(by(bob, domain.ApplicationSubmitted{From: "bob", UserID: "bob", Message: "hi\nthere\x1b[31m" + strings.Repeat("é", 200)}))
	require.NotContains(t, got, "\n")
	require.NotContains(t, got, "\x1b")
	require.True(t, strings.HasSuffix(got, "é…"), got)
	require.Less(t, len([]rune(got)), 160)
}

func TestSubjects(t *testing.T) {
	for _, test := range []struct {
		fact domain.Event
		want []string
	}{
		{domain.GroupCreated{Owner: "alice", Members: []domain.InitialMember{{UserID: "bob"}}}, []string{"alice", "bob"}},
		{domain.ApplicationSubmitted{From: "bob", UserID: "bob"}, []string{"bob"}},
		{domain.ApplicationAccepted{From: "bob", UserID: "carol"}, []string{"bob", "carol"}},
		{domain.MembersKicked{UserIDs: []string{"bob", "carol"}}, []string{"bob", "carol"}},
		{domain.OwnerTransferred{To: "bob"}, []string{"bob"}},
	} {
		require.Equal(t, test.want, audit.Subjects(by(alice, test.fact)), test.fact.EventName())
	}
}

// Every event that names a user is about that user: whoever adds an event with a
// user in it finds out here.
func TestSubjectsAreComplete(t *testing.T) {
	for _, fact := range domain.Events() {
		value := reflect.New(reflect.TypeOf(fact)).Elem()
		var named []string
		for _, field := range reflect.VisibleFields(value.Type()) {
			switch field.Name {
			case "UserID", "From", "To", "Owner":
				value.FieldByIndex(field.Index).SetString("u-" + field.Name)
				named = append(named, "u-"+field.Name)
			case "UserIDs":
				value.FieldByIndex(field.Index).Set(reflect.ValueOf([]string{"u-1", "u-2"}))
				named = append(named, "u-1", "u-2")
			}
		}
		require.ElementsMatch(t, named, audit.Subjects(by(alice, value.Interface().(domain.Event))), fact.EventName())
	}
}
