package domain_test

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

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/internal/upcast"
)

var update = flag.Bool("update", false, "write golden files that are missing; those that are there stay")

func text(s string) *string { return &s }

var then = time.Date(2024, time.May, 1, 12, 0, 0, 123456000, time.UTC)

// samples are one event of each kind, with every field set.
var samples = []domain.Event{
	founded,
	domain.GroupImported{GroupCreated: founded, CreatedAt: then},
	domain.GroupDismissed{Cause: domain.Emptied},
	domain.GroupRecycled{IdleSince: then},
	domain.MemberJoined{UserID: "sven"},
	domain.MembersInvited{UserIDs: []string{"sven", "sara"}},
	domain.MemberImported{UserID: "sven", Role: domain.Admin, JoinedAt: then},
	domain.MemberLeft{UserID: "mary"},
	domain.MembersKicked{UserIDs: []string{"mary", "max"}, Reason: "spam", BannedUntil: then},
	domain.MemberRoleChanged{UserID: "mary", Role: domain.Admin},
	domain.OwnerTransferred{From: "olga", To: "adam"},
	domain.MemberMuted{UserID: "mary", Until: then},
	domain.MemberUnmuted{UserID: "mary"},
	domain.GroupMuted{Muted: true},
	domain.GroupProfileChanged{
		Name: text("囲碁"), Introduction: text(""), Notification: text("tonight"), FaceURL: text("https://example.org/?a=1&b=2"),
		JoinOption: domain.Any, InviteOption: domain.Forbid, Custom: map[string]string{"elo": "1800", "side": ""},
	},
	domain.MemberInfoChanged{UserID: "mary", NameCard: text("the great"), Custom: map[string]string{"elo": "1800"}},
	domain.AttributesChanged{Set: map[string]string{"board": "1", "clock": ""}, Deleted: []string{"round"}},
	domain.ApplicationSubmitted{ApplicationID: "chess/1/1", Kind: domain.InvitationForApprover, From: "mary", UserID: "sven", Message: "hello"},
	domain.ApplicationRefreshed{ApplicationID: "chess/1/1", Kind: domain.InvitationForApprover, From: "mary", UserID: "sven", Message: "hello?"},
	domain.ApplicationAccepted{ApplicationID: "chess/1/1", Kind: domain.InvitationForApprover, From: "mary", UserID: "sven", Reason: "welcome"},
	domain.ApplicationRefused{ApplicationID: "chess/1/1", Kind: domain.InvitationForApprover, From: "mary", UserID: "sven", Reason: "no"},
	domain.ApplicationsRead{UserID: "adam"},
	domain.TopicCreated{Topic: domain.Topic{ID: "chess@TOPIC#_openings", Name: "Openings", Introduction: "e4", Notification: "n", FaceURL: "f"}},
	domain.TopicChanged{TopicID: "chess@TOPIC#_openings", Name: text("Opening"), Introduction: text("d4"), Notification: text("n"), FaceURL: text("")},
	domain.TopicsDeleted{TopicIDs: []string{"chess@TOPIC#_openings"}},
	domain.NotificationSent{Data: []byte{0, 255, '<'}, UserIDs: []string{"mary"}},
}

var founded = domain.GroupCreated{
	GroupType: domain.Community, Owner: "olga", Name: "Chess", Introduction: "for all", Notification: "tonight", FaceURL: "f",
	JoinOption: domain.Auth, InviteOption: domain.Any, Custom: map[string]string{"elo": "1800"}, SupportTopic: true,
	Members: []domain.InitialMember{{UserID: "adam", Role: domain.Admin}, {UserID: "mary", Role: domain.Member}},
}

func TestSamplesAreWhole(t *testing.T) {
	require.Len(t, samples, len(domain.Events()))
	for i, e := range domain.Events() {
		require.IsType(t, e, samples[i], "the order of the registry")
		value := reflect.ValueOf(samples[i])
		for _, f := range reflect.VisibleFields(value.Type()) {
			assert.False(t, value.FieldByIndex(f.Index).IsZero(), "the sample of %s sets %s", e.EventName(), f.Name)
		}
	}
}

// The golden files are what is on users' disks. They are never changed: an event
// whose JSON must change gets a new schema and a new golden file, and the old file
// stays, to be read for ever.
func TestGoldenEvents(t *testing.T) {
	for _, e := range samples {
		name, schema, data, err := domain.Encode(e)
		require.NoError(t, err)
		path := filepath.Join("testdata", "events", fmt.Sprintf("%s.v%d.json", name, schema))
		var pretty bytes.Buffer
		require.NoError(t, json.Indent(&pretty, data, "", "\t"))
		pretty.WriteByte('\n')
		if _, err := os.Stat(path); *update && os.IsNotExist(err) {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, pretty.Bytes(), 0o644))
		}
		golden, err := os.ReadFile(path)
		require.NoError(t, err, "go test -update writes the golden file of a new event")
		assert.Equal(t, string(golden), pretty.String(), "%s is on users' disks: its JSON must not change without a new schema", name)
	}
}

// Every golden file there ever was can be read, and those of the newest schema are
// the samples.
func TestGoldenEventsAreReadForEver(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "events", "*.json"))
	require.NoError(t, err)
	read := map[string]bool{}
	for _, path := range paths {
		var schema int
		if strings.HasSuffix(path, readAs) {
			continue
		}
		name, version, found := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".json"), ".v")
		require.True(t, found, path)
		_, err := fmt.Sscanf(version, "%d", &schema)
		require.NoError(t, err, path)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		e, err := domain.Decode(name, schema, data)
		require.NoError(t, err, path)
		if schema == domain.SchemaOf(name) {
			i := slices.IndexFunc(samples, func(s domain.Event) bool { return s.EventName() == name })
			assert.Equal(t, samples[i], e)
			var compact bytes.Buffer
			require.NoError(t, json.Compact(&compact, data))
			e, err = domain.Decode(name, schema, compact.Bytes())
			require.NoError(t, err)
			assert.Equal(t, samples[i], e, "as Encode writes it")
		}
		read[fmt.Sprintf("%s.v%d", name, schema)] = true
	}
	for form := range upcast.Old {
		assert.True(t, read[form.String()], "the golden file of %s is missing", form)
	}
	for _, e := range domain.Events() {
		for schema := 1; schema <= domain.SchemaOf(e.EventName()); schema++ {
			assert.True(t, read[fmt.Sprintf("%s.v%d", e.EventName(), schema)], "the golden file of %s, schema %d, is missing", e.EventName(), schema)
		}
	}
}

func TestDecodeDoesNotGuess(t *testing.T) {
	for _, test := range []struct {
		name   string
		schema int
		data   string
	}{
		{"group.painted", 1, "{}"}, {"", 1, "{}"}, {"member.joined", 0, "{}"}, {"member.joined", 2, "{}"}, {"member.joined", -1, "{}"},
		{"member.joined", 1, ""}, {"member.joined", 1, "[]"}, {"member.joined", 1, `{"userID":3}`}, {"member.joined", 1, `{"userID":"a"}{}`},
		{"member.role_changed", 1, `{"userID":"a","role":"king"}`}, {"group.profile_changed", 1, `{"joinOption":"Maybe"}`},
		{"member.muted", 1, `{"userID":"a","until":"soon"}`},
	} {
		_, err := domain.Decode(test.name, test.schema, []byte(test.data))
		assert.Error(t, err, "%s %d %s", test.name, test.schema, test.data)
	}
	e, err := domain.Decode("member.joined", 1, []byte(`{"userID":"a","since":"a newer version"}`))
	require.NoError(t, err)
	assert.Equal(t, domain.MemberJoined{UserID: "a"}, e, "the same schema may gain fields")
	_, _, _, err = domain.Encode(domain.MemberRoleChanged{Role: 250})
	assert.Error(t, err)
	_, _, _, err = domain.Encode(domain.GroupProfileChanged{JoinOption: 9})
	assert.Error(t, err)
}

// Every type of this package that is an event is in the registry.
func TestRegistryIsWhole(t *testing.T) {
	var registered []string
	names := map[string]bool{}
	for _, e := range domain.Events() {
		registered = append(registered, reflect.TypeOf(e).Name())
		assert.False(t, names[e.EventName()], e.EventName())
		names[e.EventName()] = true
		assert.Regexp(t, `^[a-z]+s?\.[a-z_]+$`, e.EventName())
	}
	slices.Sort(registered)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var types []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Recv != nil && f.Name.Name == "EventName" && f.Recv.List[0].Type.(*ast.Ident).Name != "Several" { // which is never stored
				types = append(types, f.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	slices.Sort(types)
	assert.Equal(t, types, registered)
}

func TestStreams(t *testing.T) {
	id, ok := domain.GroupOf(domain.GroupStream("a:b"))
	assert.True(t, ok)
	assert.Equal(t, "a:b", id)
	user, ok := domain.UserOf(domain.UserStream("a:b"))
	assert.True(t, ok)
	assert.Equal(t, "a:b", user)
	_, ok = domain.GroupOf(domain.UserStream("a"))
	assert.False(t, ok)
	_, ok = domain.UserOf(domain.GroupStream("a"))
	assert.False(t, ok)
	assert.Equal(t, "group:a", domain.GroupStream("a"), "on users' disks")
	assert.Equal(t, "user:a", domain.UserStream("a"), "on users' disks")
}
