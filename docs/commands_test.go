package docs

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

func ptr[T any](value T) *T { return &value }

// scene is a command that succeeds, with what must have happened before.
type scene struct {
	before []commands.Line
	line   commands.Line
}

func by(user string, c commands.Command) commands.Line {
	return commands.Line{As: domain.Actor{UserID: user}, Command: c}
}

func byAdmin(c commands.Command) commands.Line {
	return commands.Line{As: domain.Actor{UserID: "root", AppAdmin: true}, Command: c}
}

var (
	club = by("alice", commands.CreateGroup{
		GroupType: domain.Public, GroupID: "chess", Name: "Chess club", Members: []domain.InitialMember{{UserID: "carol", Role: domain.Admin}, {UserID: "dave"}},
	})
	asked = by("bob", commands.RequestJoin{GroupID: "chess", Message: "it's me!"})
	hall  = by("alice", commands.CreateGroup{GroupType: domain.Community, GroupID: "@TGS#_go", Name: "Go", SupportTopic: true})
	topic = by("alice", commands.CreateTopic{GroupID: "@TGS#_go", TopicID: "openings", Name: "Openings"})
	past  = noon.AddDate(-8, 0, 0)
)

// scenes hold one of every command.
var scenes = []scene{
	{nil, club},
	{[]commands.Line{club}, asked},
	{
		[]commands.Line{by("alice", commands.CreateGroup{GroupType: domain.Work, GroupID: "team", Name: "The team"})},
		by("alice", commands.InviteUsers{GroupID: "team", UserIDs: []string{"bob", "carol"}}),
	},
	{[]commands.Line{club, asked}, by("carol", commands.AcceptApplication{GroupID: "chess", FromUser: "bob", Reason: "welcome"})},
	{[]commands.Line{club, asked}, by("alice", commands.RefuseApplication{ApplicationID: "chess/1/1", Reason: "not today"})},
	{nil, by("alice", commands.MarkApplicationsRead{})},
	{[]commands.Line{club}, by("alice", commands.SetGroupInfo{GroupID: "chess", Introduction: ptr("Come in"), JoinOption: domain.Any})},
	{[]commands.Line{club}, by("dave", commands.Quit{GroupID: "chess"})},
	{[]commands.Line{club}, by("carol", commands.KickMembers{GroupID: "chess", UserIDs: []string{"dave"}, Reason: "spam", BanTime: 24 * time.Hour})},
	{[]commands.Line{club}, by("alice", commands.SetMemberRole{GroupID: "chess", UserID: "dave", Role: domain.Admin})},
	{[]commands.Line{club}, by("alice", commands.TransferOwner{GroupID: "chess", UserID: "carol"})},
	{[]commands.Line{club}, by("carol", commands.MuteMember{GroupID: "chess", UserID: "dave", Duration: 90 * time.Minute})},
	{[]commands.Line{club}, by("alice", commands.MuteAll{GroupID: "chess", Muted: true})},
	{[]commands.Line{club}, by("dave", commands.SetMemberInfo{GroupID: "chess", NameCard: ptr("Dave, third board")})},
	{[]commands.Line{club}, by("dave", commands.SetAttributes{GroupID: "chess", Attributes: map[string]string{"round": "4"}, Version: ptr(0)})},
	{
		[]commands.Line{club, by("dave", commands.SetAttributes{GroupID: "chess", Attributes: map[string]string{"round": "4"}})},
		by("dave", commands.DeleteAttributes{GroupID: "chess", Keys: []string{"round"}}),
	},
	{[]commands.Line{club}, by("alice", commands.Dismiss{GroupID: "chess"})},
	{[]commands.Line{club}, byAdmin(commands.Recycle{GroupID: "chess"})},
	{[]commands.Line{club}, byAdmin(commands.SendCustomNotification{GroupID: "chess", Data: []byte("maintenance at noon"), UserIDs: []string{"dave"}})},
	{[]commands.Line{hall}, topic},
	{[]commands.Line{hall, topic}, by("alice", commands.SetTopicInfo{GroupID: "@TGS#_go", TopicID: "@TGS#_go@TOPIC#_openings", Name: ptr("Endgames")})},
	{[]commands.Line{hall, topic}, by("alice", commands.DeleteTopics{GroupID: "@TGS#_go", TopicIDs: []string{"@TGS#_go@TOPIC#_openings"}})},
	{nil, byAdmin(commands.ImportGroup{CreatedAt: past, CreateGroup: commands.CreateGroup{
		GroupType: domain.Public, GroupID: "chess", Name: "Chess club", Members: []domain.InitialMember{{UserID: "alice", Role: domain.Owner}},
	}})},
	{[]commands.Line{club}, byAdmin(commands.ImportMember{GroupID: "chess", UserID: "bob", JoinedAt: noon})},
}

// play carries out a scene and says what its last command came to.
func (s *scene) play(t *testing.T) commands.Receipt {
	t.Helper()
	now := noon
	policies := domain.Classic()
	public := policies[domain.Public]
	public.RecycleAfter = time.Hour
	policies[domain.Public] = public
	engine, err := grouplog.Open(t.Context(), grouplog.Memory, &grouplog.Options{Policies: policies, Clock: func() time.Time { return now }})
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Close()) }()
	for _, line := range s.before {
		_, err := engine.Do(t.Context(), line.As, line.Command)
		require.NoError(t, err)
	}
	now = now.Add(2 * time.Hour)
	receipt, err := engine.Do(t.Context(), s.line.As, s.line.Command)
	require.NoError(t, err, s.line.Command.CommandName())
	return receipt
}

// The commands: their fields, a line of the wire form, and what comes of it.
func TestCommands(t *testing.T) {
	docs := comments(t, "commands")
	for name, text := range comments(t, "domain") {
		if _, ours := docs[name]; !ours {
			docs[name] = text
		}
	}
	var b strings.Builder
	b.WriteString("# Commands\n\n" + notice)
	b.WriteString("Every wish that the engine knows. In Go it is a struct of package `commands`, given to `grouplog.Engine.Do`. On the wire it is\n" +
		"one JSON object on one line, which also has the keys\n\n" +
		"| key | |\n|---|---|\n" +
		"| `as` | who acts; required |\n" +
		"| `appAdmin` | `true`: as the operator of the application |\n" +
		"| `command` | the command's name; required |\n" +
		"| `id` | the command ID, an idempotency key: [commands-and-idempotency.md](commands-and-idempotency.md) |\n" +
		"| `at` | when it happened, for imports: [rules.md](rules.md#import) |\n\n" +
		"A key that the command does not have is an error, and so is a key that is there twice. Times are RFC 3339, durations are as in\n" +
		"`24h`, `90m` or `30s`, base64 is standard with padding. A line has at most 1 MiB. What may be refused is in\n" +
		"[refusals.md](refusals.md); what the recorded events hold is in [events.md](events.md).\n\n" +
		"| command | records |\n|---|---|\n")
	receipts := map[string]commands.Receipt{}
	lines := map[string]commands.Line{}
	for i := range scenes {
		name := scenes[i].line.Command.CommandName()
		receipts[name], lines[name] = scenes[i].play(t), scenes[i].line
	}
	for _, c := range commands.All() {
		require.Contains(t, lines, c.CommandName(), "give a scene of the command")
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", c.CommandName(), slug(c.CommandName()), eventLinks(receipts[c.CommandName()].Events))
	}
	b.WriteString("\nThe second column is what the example below records. A wish that already holds records nothing.\n")
	for _, c := range commands.All() {
		typ := reflect.TypeOf(c)
		line, err := json.Marshal(lines[c.CommandName()])
		require.NoError(t, err)
		parsed, err := commands.ParseLine(line)
		require.NoError(t, err)
		require.Equal(t, lines[c.CommandName()], parsed, "the example is read as it was meant")
		answer, err := json.Marshal(receipts[c.CommandName()])
		require.NoError(t, err)
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", c.CommandName(), wrap(sentence(typ.Name(), docs[typ.Name()])))
		writeFields(&b, fieldsOf(typ, docs))
		fmt.Fprintf(&b, "```json\n%s\n```\n\n`commands.Receipt`:\n\n```json\n%s\n```\n", line, answer)
	}
	generated(t, "commands.md", b.String())
}

func eventLinks(names []string) string {
	links := make([]string, len(names))
	for i, name := range names {
		links[i] = fmt.Sprintf("[`%s`](events.md#%s)", name, slug(name))
	}
	return strings.Join(links, ", ")
}
