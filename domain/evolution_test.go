package domain_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/domain/internal/upcast"
)

// readAs is the end of the name of a golden file that says what another one is read as.
const readAs = ".now.json"

func newest() map[string]int {
	schemas := map[string]int{}
	for _, e := range domain.Events() {
		schemas[e.EventName()] = domain.SchemaOf(e.EventName())
	}
	return schemas
}

// TestEveryOldFormIsRead, and as what it always was: the golden files of the old forms
// stay, and so does what they are read as.
func TestEveryOldFormIsRead(t *testing.T) {
	t.Run("released", func(t *testing.T) { evolution(t, filepath.Join("testdata", "events")) })
	t.Run("made up", func(t *testing.T) {
		domaintest.PretendPast(t)
		evolution(t, filepath.Join("testdata", "evolution"))
	})
	require.NoError(t, upcast.Old.Check(newest()), "the past that was made up is over")
	require.Empty(t, domain.ReadAs("member.entered", 1))
}

func evolution(t *testing.T, dir string) {
	require.NoError(t, upcast.Old.Check(newest()))
	for form := range upcast.Old {
		path := filepath.Join(dir, form.String())
		data, err := os.ReadFile(path + ".json")
		require.NoError(t, err)
		e, err := domain.Decode(form.Name, form.Schema, data)
		require.NoError(t, err)
		var now strings.Builder
		var names []string
		for _, fact := range domain.Facts(e) {
			name, schema, data, err := domain.Encode(fact)
			require.NoError(t, err)
			var pretty bytes.Buffer
			require.NoError(t, json.Indent(&pretty, data, "", "\t"))
			fmt.Fprintf(&now, "%s.v%d %s\n", name, schema, pretty.String())
			names = append(names, name)
		}
		require.Equal(t, domain.ReadAs(form.Name, form.Schema), names)
		if _, err := os.Stat(path + readAs); *update && os.IsNotExist(err) {
			require.NoError(t, os.WriteFile(path+readAs, []byte(now.String()), 0o644))
		}
		golden, err := os.ReadFile(path + readAs)
		require.NoError(t, err, "go test -update writes what a new old form is read as")
		require.Equal(t, string(golden), now.String(), path)
	}
}

// TestTheTableIsChecked: each kind of mistake in it is named.
func TestTheTableIsChecked(t *testing.T) {
	schemas := map[string]int{"a": 2, "b": 1}
	form := func(name string, schema int) upcast.Form { return upcast.Form{Name: name, Schema: schema} }
	for mistake, table := range map[string]upcast.Table{
		"nothing reads a.v1":               {},
		"b.v1 is written today":            {form("a", 1): {upcast.To("a", 2)}, form("b", 1): {upcast.To("a", 2)}},
		"c.v1, which it becomes":           {form("a", 1): {upcast.To("c", 1)}},
		"it becomes itself":                {form("a", 1): {upcast.To("c", 1)}, form("c", 1): {upcast.To("a", 1)}},
		"a.v1 becomes nothing":             {form("a", 1): nil},
		"a.v3 has never been written":      {form("a", 1): {upcast.To("a", 2)}, form("a", 3): {upcast.To("a", 2)}},
		"a.v3, which it becomes, is unkno": {form("a", 1): {upcast.To("a", 3)}},
	} {
		require.ErrorContains(t, table.Check(schemas), mistake)
	}
	require.NoError(t, upcast.Table{form("a", 1): {upcast.To("a", 2), upcast.To("b", 1)}, form("c", 7): {upcast.To("a", 1)}}.Check(schemas))
}

// TestAnOldLogIsReadAsItsNewOne: folding what a history would have been in older forms
// gives the same groups.
func TestAnOldLogIsReadAsItsNewOne(t *testing.T) {
	domaintest.PretendPast(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := domaintest.History(rt, 30)
		for _, r := range w.Records() {
			want, err := domain.Decode(r.Type, r.Schema, r.Data)
			require.NoError(rt, err)
			old := domaintest.Aged(t, r, rapid.IntRange(0, 2).Draw(rt, "ages"))
			got, err := domain.Decode(old.Type, old.Schema, old.Data)
			require.NoError(rt, err)
			assert.Equal(rt, want, got)
		}
	})
}

// TestASplitRecordIsOneVersion, and its facts take effect one after the other.
func TestASplitRecordIsOneVersion(t *testing.T) {
	created, attributes := domain.GroupCreated{GroupType: domain.Public, Owner: "olga", Name: "Chess"}, domain.AttributesChanged{Set: map[string]string{"board": "1"}}
	meta := domain.Meta{Actor: domain.Actor{UserID: "olga"}, At: then}
	g := domain.NewGroup("chess")
	g.Apply(domain.Several{Stored: "group.created", Facts: []domain.Event{created, attributes}}, meta)
	want := domain.NewGroup("chess")
	want.Apply(created, meta)
	want.Also(attributes, meta)
	require.Equal(t, 1, g.Version())
	require.Equal(t, "1", g.Attributes()["board"])
	require.Equal(t, want, g)

	g.Apply(domain.Several{Facts: []domain.Event{domain.MemberLeft{UserID: "olga"}, domain.MemberJoined{UserID: "late"}}}, meta)
	require.Equal(t, domain.Dismissed, g.Status(), "what is not live cannot change, within a record either")
	require.False(t, g.IsMember("late"))
	_, _, _, err := domain.Encode(domain.Several{Stored: "group.created"})
	require.ErrorContains(t, err, "store each")
}

// Whatever stands in a log in an old form is read or refused, and what is read can be
// stored.
func FuzzDecodeOld(f *testing.F) {
	for _, name := range []string{"group.created", "member.joined", "member.entered"} {
		data, err := os.ReadFile(filepath.Join("testdata", "evolution", name+".v1.json"))
		require.NoError(f, err)
		f.Add(name, data)
	}
	for _, data := range []string{"", "null", "[]", "{}", `{"attributes":null}`, `{"owner":"a","creator":"b"}`, `{"user":1}`} {
		f.Add("group.created", []byte(data))
		f.Add("member.entered", []byte(data))
	}
	domaintest.PretendPast(f)
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		e, err := domain.Decode(name, 1, data)
		if err != nil {
			assert.Nil(t, e)
			return
		}
		for _, fact := range domain.Facts(e) {
			_, _, _, err := domain.Encode(fact)
			require.NoError(t, err)
		}
		domain.NewGroup("g").Apply(e, domain.Meta{At: then})
	})
}
