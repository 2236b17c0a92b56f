package domaintest

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/internal/upcast"
	"github.com/grouplog/grouplog/eventstore"
)

// The past that PretendPast makes up.
var (
	pastForms = upcast.Table{
		// A group used to be created together with its attributes, in a colour, by its
		// "creator", and without join options: split in two, a field removed, one renamed,
		// two added.
		{Name: "group.created", Schema: 1}: {
			upcast.To("group.created", 2, upcast.Rename("creator", "owner"), upcast.Remove("colour", "attributes"),
				upcast.Add("joinOption", `"Auth"`), upcast.Add("inviteOption", `"Forbid"`)),
			upcast.To("attributes.changed", 1, upcast.Keep("attributes"), upcast.Rename("attributes", "set")).If("attributes"),
		},
		// A member used to be a "member", and before that to enter, with a greeting: an event
		// renamed, and two steps.
		{Name: "member.entered", Schema: 1}: {upcast.To("member.joined", 1, upcast.Rename("user", "member"), upcast.Remove("greeting"))},
		{Name: "member.joined", Schema: 1}:  {upcast.To("member.joined", 2, upcast.Rename("member", "userID"))},
	}
	pastSchemas = map[string]int{"group.created": 2, "member.joined": 2}
)

// PretendPast has the program be, until the test ends, one that has a past: group.created
// and member.joined are at a made-up schema 2, and older forms of them are read. It is for
// tests of who reads logs. No other test may run meanwhile.
func PretendPast(t testing.TB) {
	t.Helper()
	forms, schemas := maps.Clone(upcast.Old), maps.Clone(upcast.Schemas)
	t.Cleanup(func() { upcast.Old, upcast.Schemas = forms, schemas })
	maps.Copy(upcast.Old, pastForms)
	maps.Copy(upcast.Schemas, pastSchemas)
}

// Aged is what a record would have been in the past that PretendPast makes up, several ages
// ago; the record itself where its event has not changed since.
func Aged(t testing.TB, r eventstore.Record, ages int) eventstore.Record {
	t.Helper()
	if ages < 1 || r.Type != (domain.GroupCreated{}).EventName() && r.Type != (domain.MemberJoined{}).EventName() {
		return r
	}
	var fields upcast.Fields
	require.NoError(t, json.Unmarshal(r.Data, &fields))
	rename := func(from, to string) { upcast.Rename(from, to)(fields) }
	r.Schema = 1
	switch {
	case r.Type == (domain.GroupCreated{}).EventName():
		rename("owner", "creator")
		fields["colour"] = json.RawMessage(`"red"`)
	case ages == 1:
		rename("userID", "member")
	default:
		r.Type = "member.entered"
		rename("userID", "user")
		fields["greeting"] = json.RawMessage(`"hello"`)
	}
	var err error
	r.Data, err = json.Marshal(fields)
	require.NoError(t, err)
	return r
}
