package commands_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// lines are one command of each kind, with every field set.
var lines = []commands.Line{
	{At: Noon, As: User(Olga), ID: "client-1", Command: commands.CreateGroup{
		GroupType: domain.Community, GroupID: "@TGS#_chess", Name: "囲碁", Introduction: "i", Notification: "n", FaceURL: "f",
		JoinOption: domain.Auth, InviteOption: domain.Any, Custom: map[string]string{"k": "v"}, SupportTopic: true,
		Members: []domain.InitialMember{{UserID: Adam, Role: domain.Admin}, {UserID: Mary}},
	}},
	{As: User(Sven), Command: commands.RequestJoin{GroupID: "chess", Message: "it's me!\n\"<&>\u2028"}},
	{As: AppAdmin(Root), Command: commands.InviteUsers{GroupID: "chess", UserIDs: []string{Sven, Sara}}},
	{As: User(Adam), Command: commands.AcceptApplication{ApplicationID: "chess/1/1", GroupID: "chess", FromUser: Sven, Reason: "r"}},
	{As: User(Adam), Command: commands.RefuseApplication{ApplicationID: "chess/1/1", GroupID: "chess", FromUser: Sven, Reason: "r"}},
	{As: User(Adam), Command: commands.MarkApplicationsRead{}},
	{As: User(Olga), Command: commands.SetGroupInfo{
		GroupID: "chess", Name: ptr("n"), Introduction: ptr(""), Notification: ptr("x"), FaceURL: ptr("f"),
		JoinOption: domain.Forbid, InviteOption: domain.Auth, Custom: map[string]string{"k": ""},
	}},
	{As: User(Mary), Command: commands.Quit{GroupID: "chess"}},
	{As: User(Olga), Command: commands.KickMembers{GroupID: "chess", UserIDs: []string{Mary}, Reason: "r", BanTime: 36 * time.Hour}},
	{As: User(Olga), Command: commands.SetMemberRole{GroupID: "chess", UserID: Mary, Role: domain.Admin}},
	{As: User(Olga), Command: commands.TransferOwner{GroupID: "chess", UserID: Mary}},
	{As: User(Olga), Command: commands.MuteMember{GroupID: "chess", UserID: Mary, Duration: 90 * time.Second}},
	{As: User(Olga), Command: commands.MuteAll{GroupID: "chess", Muted: true}},
	{As: User(Olga), Command: commands.SetMemberInfo{GroupID: "chess", UserID: Mary, NameCard: ptr(""), Custom: map[string]string{"k": "v"}}},
	{As: User(Mary), Command: commands.SetAttributes{GroupID: "chess", Attributes: map[string]string{"a": "", "b": "1"}, Version: ptr(0)}},
	{As: User(Mary), Command: commands.DeleteAttributes{GroupID: "chess", Keys: []string{"a"}, Version: ptr(3)}},
	{As: User(Olga), Command: commands.Dismiss{GroupID: "chess"}},
	{As: domain.System, Command: commands.Recycle{GroupID: "chess"}},
	{As: AppAdmin(Root), Command: commands.SendCustomNotification{GroupID: "chess", Data: []byte{0, 255, '<'}, UserIDs: []string{Mary}}},
	{As: User(Olga), Command: commands.CreateTopic{GroupID: "chess", TopicID: "t", Name: "n", Introduction: "i", Notification: "x", FaceURL: "f"}},
	{As: User(Olga), Command: commands.SetTopicInfo{GroupID: "chess", TopicID: "t", Name: ptr("n"), Introduction: ptr("i"), Notification: ptr(""), FaceURL: ptr("f")}},
	{As: User(Olga), Command: commands.DeleteTopics{GroupID: "chess", TopicIDs: []string{"t"}}},
	{At: Noon, As: AppAdmin(Root), Command: commands.ImportGroup{CreateGroup: commands.CreateGroup{
		GroupType: domain.Public, GroupID: "chess", Name: "n", Members: []domain.InitialMember{{UserID: Olga, Role: domain.Owner}},
	}, CreatedAt: Morning}},
	{As: AppAdmin(Root), Command: commands.ImportMember{GroupID: "chess", UserID: Mary, Role: domain.Admin, JoinedAt: Morning}},
}

func TestEveryCommandHasALine(t *testing.T) {
	var names []string
	for _, line := range lines {
		names = append(names, line.Command.CommandName())
		value := reflect.ValueOf(line.Command)
		for _, f := range reflect.VisibleFields(value.Type()) {
			imported := line.Command.CommandName() == "ImportGroup" && len(f.Index) > 1 // as CreateGroup
			if f.IsExported() && !imported {
				assert.False(t, value.FieldByIndex(f.Index).IsZero(), "the example of %s sets %s", names[len(names)-1], f.Name)
			}
		}
	}
	assert.Equal(t, commands.Names(), names)
}

// A line that is written is read as what it was, and written the same again. The
// golden file holds the wire form that others have come to rely on.
func TestLinesRoundTrip(t *testing.T) {
	var written bytes.Buffer
	for _, line := range lines {
		data, err := json.Marshal(line)
		require.NoError(t, err)
		back, err := commands.ParseLine(data)
		require.NoError(t, err, "%s", data)
		assert.Equal(t, line, back)
		var unmarshalled commands.Line
		require.NoError(t, json.Unmarshal(data, &unmarshalled))
		assert.Equal(t, line, unmarshalled)
		written.Write(append(data, '\n'))
	}
	golden(t, "lines.golden", written.String())
}

func TestRandomLinesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, wishes := Commands(t, 10)
		for _, w := range wishes {
			line := commands.Line{As: w.Actor, Command: w.Command}
			data, err := json.Marshal(line)
			require.NoError(t, err)
			back, err := commands.ParseLine(data)
			require.NoError(t, err, "%s", data)
			again, err := json.Marshal(back)
			require.NoError(t, err)
			require.Equal(t, string(data), string(again))
		}
	})
}

// Commands that bring a past take the line's time for it.
func TestTheTimeOfAnImport(t *testing.T) {
	for text, want := range map[string]commands.Command{
		`{"as":"root","at":"2024-05-01T14:00:00+02:00","command":"ImportMember","groupID":"a","userID":"b"}`:                                     commands.ImportMember{GroupID: "a", UserID: "b", JoinedAt: Noon},
		`{"as":"root","at":"2024-05-01T12:00:00Z","command":"ImportMember","groupID":"a","userID":"b","joinedAt":"2024-05-01T08:00:00Z"}`:        commands.ImportMember{GroupID: "a", UserID: "b", JoinedAt: Morning},
		`{"as":"root","at":"2024-05-01T12:00:00Z","command":"ImportGroup","groupType":"Work","name":"n"}`:                                        commands.ImportGroup{CreateGroup: commands.CreateGroup{GroupType: "Work", Name: "n"}, CreatedAt: Noon},
		`{"as":"root","at":"2024-05-01T12:00:00Z","command":"ImportGroup","groupType":"Work","name":"n","createdAt":"2024-05-01T08:00:00.000Z"}`: commands.ImportGroup{CreateGroup: commands.CreateGroup{GroupType: "Work", Name: "n"}, CreatedAt: Morning},
		`{"as":"root","command":"ImportMember","groupID":"a","userID":"b"}`:                                                                      commands.ImportMember{GroupID: "a", UserID: "b"},
	} {
		line, err := commands.ParseLine([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, want, line.Command)
	}
}

// Every message of a line that cannot be read, in a golden file: they are for
// people to read, so read them.
func TestMalformedLines(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "malformed.jsonl"))
	require.NoError(t, err)
	var answers strings.Builder
	for text := range strings.Lines(string(data)) {
		text = strings.TrimSuffix(text, "\n")
		line, err := commands.ParseLine([]byte(text))
		require.ErrorIs(t, err, commands.ErrMalformed, text)
		require.Empty(t, line)
		fmt.Fprintf(&answers, "%s\n\t%s\n", text, strings.TrimPrefix(err.Error(), "malformed command: "))
	}
	golden(t, "malformed.golden", answers.String())

	for text, words := range map[string]string{
		"{\"as\":\"\xff\"}":                                         "not valid UTF-8",
		strings.Repeat(" ", commands.MaxLine+1):                     "at most 1048576 are read",
		`{"as":"a","command":"` + strings.Repeat("x", 1<<19) + `"}`: "the commands are CreateGroup",
	} {
		_, err := commands.ParseLine([]byte(text))
		require.ErrorContains(t, err, words)
	}
	fits := `{"as":"a","command":"Quit","groupID":"x"}`
	_, err = commands.ParseLine([]byte(fits + strings.Repeat(" ", commands.MaxLine-len(fits))))
	require.NoError(t, err)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "go test -update writes it")
	assert.Equal(t, string(want), got)
}

// Every type of this package that is a command is in the registry.
func TestRegistryIsWhole(t *testing.T) {
	var registered []string
	seen := map[string]bool{}
	for _, c := range commands.All() {
		registered = append(registered, reflect.TypeOf(c).Name())
		assert.Equal(t, reflect.TypeOf(c).Name(), c.CommandName(), "a command is named as its type is")
		assert.False(t, seen[c.CommandName()])
		seen[c.CommandName()] = true
	}
	slices.Sort(registered)
	assert.Equal(t, receiversOf(t, "CommandName"), registered)
}

// receiversOf lists the types in this directory's source that have a method.
func receiversOf(t *testing.T, method string) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var types []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == method {
				types = append(types, f.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	slices.Sort(types)
	return types
}
