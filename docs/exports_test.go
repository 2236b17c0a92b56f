package docs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections/export"
)

// The table of exports.md says what the export makes of a sample of every event.
func TestExports(t *testing.T) {
	const begin, end = "Change the code, not this table. -->\n", "<!-- end -->"
	var table strings.Builder
	table.WriteString("| event | activity | users |\n|---|---|---|\n")
	for _, fact := range domain.Events() {
		activity, users := activityOf(t, sampleOf(t, fact))
		if other, ok := variants[fact.EventName()]; ok {
			also, more := activityOf(t, other.sample)
			if also != activity {
				activity += "; where " + other.when + ": " + also
			}
			users = cmp.Or(users, more)
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", fact.EventName(), activity, users)
	}
	page, err := os.ReadFile("exports.md")
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(page), begin)
	require.True(t, found)
	_, after, found := strings.Cut(rest, end)
	require.True(t, found)
	generated(t, "exports.md", before+begin+table.String()+end+after)
}

// activityOf is what an event is in OCSF, and which of its fields the users come from.
func activityOf(t *testing.T, fact domain.Event) (activity, users string) {
	switch e := fact.(type) { // whoever can be two people is
	case domain.GroupImported:
		e.Members = []domain.InitialMember{{UserID: member}}
		fact = e
	case domain.ApplicationSubmitted:
		e.From = inviter
		fact = e
	case domain.ApplicationAccepted:
		e.From = inviter
		fact = e
	}
	event := recorded(fact)
	event.Data = []byte(`{}`)
	line, err := export.OCSF{}.Append(nil, &event)
	require.NoError(t, err)
	if len(line) == 0 {
		return "left out", ""
	}
	var got struct {
		ID    int                     `json:"activity_id"`
		Name  string                  `json:"activity_name"`
		Users []struct{ UID string }  `json:"users"`
		Roles []struct{ Name string } `json:"iam_roles"`
		Can   []string                `json:"privileges"`
	}
	require.NoError(t, json.Unmarshal(line, &got))
	activity = fmt.Sprintf("%d %s", got.ID, got.Name)
	for _, role := range got.Roles {
		activity += " `" + role.Name + "`"
	}
	for _, privilege := range got.Can {
		activity += " `" + privilege + "`"
	}
	_, _, data, err := domain.Encode(fact)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(data, &fields))
	var from []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if slices.ContainsFunc(got.Users, func(u struct{ UID string }) bool { return names(fields[name], u.UID) }) {
			from = append(from, "`"+name+"`")
		}
	}
	return activity, strings.Join(from, ", ")
}

// names reports whether a field is a user, or a list with them in it.
func names(field any, user string) bool {
	switch field := field.(type) {
	case string:
		return field == user
	case []any:
		return slices.ContainsFunc(field, func(element any) bool { return names(element, user) })
	case map[string]any:
		return names(field["userID"], user)
	default:
		return false
	}
}
