package export_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/export"
)

// What the SDK of CloudEvents reads is valid, and says what the record does.
func TestCloudEventsAreValid(t *testing.T) {
	check := func(t require.TestingT, records []eventstore.Record) {
		text, _ := write(t, export.CloudEvents{LogID: logID}, records)
		seen := map[string]bool{}
		for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n")[:len(records)] {
			want := records[i]
			var got cloudevents.Event
			require.NoError(t, json.Unmarshal([]byte(line), &got), line)
			require.NoError(t, got.Validate(), line)
			require.Equal(t, "1.0", got.SpecVersion())
			require.False(t, seen[got.Source()+got.ID()], "source and ID are one event's")
			seen[got.Source()+got.ID()] = true
			require.Equal(t, "urn:uuid:"+logID, got.Source())
			require.Equal(t, "io.github.grouplog."+want.Type+".v"+strconv.Itoa(want.Schema), got.Type())
			if group, ok := domain.GroupOf(want.Stream); ok {
				require.Equal(t, group, got.Subject())
			} else {
				require.Empty(t, got.Subject())
			}
			require.True(t, want.Time.Equal(got.Time()))
			require.Equal(t, "application/json", got.DataContentType())
			require.JSONEq(t, string(want.Data), string(got.Data()))
			require.Equal(t, strings.ReplaceAll(want.Stream, "\r\n", "%0D%0A"), got.Extensions()["stream"])
			who := "app_user"
			switch {
			case want.Actor == "" || want.Actor == "@system":
				who = "system"
			case want.AppAdmin:
				who = "user"
			}
			require.Equal(t, who, got.Extensions()["authtype"])
			if want.Actor != "" {
				require.Equal(t, want.Actor, got.Extensions()["authid"])
			}
		}
	}
	check(t, registry(t))
	rapid.Check(t, func(t *rapid.T) {
		if records := histories(t); len(records) > 0 {
			check(t, records)
		}
	})
}

// The sequence is in order as text, however large positions become.
func TestSequenceIsOrdered(t *testing.T) {
	last := ""
	for _, position := range []eventstore.Position{1, 9, 10, 99, 100, 1<<32 + 1, 1 << 62} {
		r := record("member.joined", []byte(`{"userID":"bob"}`))
		r.Position = position
		text, _ := write(t, export.CloudEvents{LogID: logID}, []eventstore.Record{r})
		var got struct{ Sequence string }
		require.NoError(t, json.Unmarshal([]byte(text), &got))
		require.Less(t, last, got.Sequence)
		last = got.Sequence
	}
}

// ocsfSchema is the class as JSON Schema. The test is skipped where it is not: it is not
// part of the repository.
func ocsfSchema(t *testing.T) *jsonschema.Schema {
	dir := os.Getenv("GROUPLOG_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	file := filepath.Join(dir, "ocsf-3006.schema.json")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the schema is not here (%v): set GROUPLOG_DATA to its directory", err)
	}
	schema, err := jsonschema.NewCompiler().Compile(file)
	require.NoError(t, err)
	return schema
}

// What the schema of the framework says of the class holds for every event.
func TestOCSFIsValid(t *testing.T) {
	schema := ocsfSchema(t)
	check := func(t require.TestingT, records []eventstore.Record) {
		text, summary := write(t, export.OCSF{LogID: logID}, records)
		n := 0
		for line := range strings.Lines(text) {
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			require.NoError(t, err)
			require.NoError(t, schema.Validate(value), line)
			n++
		}
		require.Equal(t, summary.Events, n)
	}
	records := registry(t)
	check(t, records)
	rapid.Check(t, func(t *rapid.T) { check(t, histories(t)) })

	// It is no schema that lets everything through.
	for _, wrong := range []string{`{}`, `{"activity_id":3}`} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
		require.NoError(t, err)
		require.Error(t, schema.Validate(value))
	}
}

// What each event is in OCSF.
func TestOCSFActivities(t *testing.T) {
	want := map[string]struct {
		activity int
		users    []string
	}{
		"group.created":   {6, []string{"olga", "adam", "mary"}},
		"group.imported":  {6, []string{"olga", "adam", "mary"}},
		"group.dismissed": {5, nil}, "group.recycled": {5, nil},
		"member.joined": {3, []string{"sven"}}, "members.invited": {3, []string{"sven", "sara"}}, "member.imported": {3, []string{"sven"}},
		"member.left": {4, []string{"mary"}}, "members.kicked": {4, []string{"mary", "max"}},
		"member.role_changed": {12, []string{"mary"}}, "owner.transferred": {12, []string{"adam"}},
		"member.muted": {2, []string{"mary"}}, "member.unmuted": {1, []string{"mary"}}, "group.muted": {2, nil},
		"group.profile_changed": {9, nil}, "member.info_changed": {99, []string{"mary"}}, "attributes.changed": {9, nil},
		"application.submitted": {99, []string{"mary", "sven"}}, "application.refreshed": {99, []string{"mary", "sven"}},
		"application.accepted": {3, []string{"sven"}}, "application.refused": {99, []string{"mary", "sven"}},
		"topic.created": {9, nil}, "topic.changed": {9, nil}, "topics.deleted": {9, nil},
		"notification.sent": {99, []string{"mary"}},
	}
	text, summary := write(t, export.OCSF{LogID: logID}, registry(t))
	require.Equal(t, 2, summary.LeftOut, "applications.read and the message")
	for line := range strings.Lines(text) {
		var got struct {
			Activity int `json:"activity_id"`
			Type     int `json:"type_uid"`
			User     *struct{ UID string }
			Users    []struct{ UID string }
			Metadata struct {
				Code string `json:"event_code"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(line), &got))
		expected, ok := want[got.Metadata.Code]
		require.True(t, ok, "%s is not in the table of this test", got.Metadata.Code)
		delete(want, got.Metadata.Code)
		require.Equal(t, expected.activity, got.Activity, got.Metadata.Code)
		require.Equal(t, 300600+expected.activity, got.Type)
		var users []string
		for _, u := range got.Users {
			users = append(users, u.UID)
		}
		require.Equal(t, expected.users, users, got.Metadata.Code)
		if require.Equal(t, len(users) == 1, got.User != nil, got.Metadata.Code); got.User != nil {
			require.Equal(t, users[0], got.User.UID)
		}
	}
	require.Empty(t, want)
}

// The other way of what can go both ways.
func TestOCSFOpposites(t *testing.T) {
	for data, want := range map[[2]string]string{
		{"member.role_changed", `{"userID":"mary","role":"member"}`}: `"activity_id":13,"activity_name":"Revoke Roles"`,
		{"group.muted", `{"muted":false}`}:                           `"activity_id":1,"activity_name":"Assign Privileges"`,
	} {
		text, _ := write(t, export.OCSF{LogID: logID}, []eventstore.Record{record(data[0], []byte(data[1]))})
		require.Contains(t, text, want)
	}
}
