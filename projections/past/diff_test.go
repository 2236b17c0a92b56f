package past_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/past"
)

// TestDiffLeadsFromOneToTheOther: for random histories and any two positions, what was
// and what has changed make what came to be: members, roles, everything that can be edited,
// applications. What has changed for each user is what has changed for them in the groups.
func TestDiffLeadsFromOneToTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		w := domaintest.History(t, 60)
		source, done := sourceOf(t, w)
		defer done()
		from := rapid.IntRange(0, int(source.Head)).Draw(t, "from")
		to := rapid.IntRange(from, int(source.Head)).Draw(t, "to")
		before, err := past.New(source, past.AtPosition(eventstore.Position(from)))
		require.NoError(t, err)
		after, err := past.New(source, past.AtPosition(eventstore.Position(to)))
		require.NoError(t, err)

		byUser := map[string][]past.Change{}
		for _, id := range domaintest.Groups {
			changes, err := past.DiffGroup(ctx, before, after, id)
			now, unknown := after.Group(ctx, id)
			if unknown != nil {
				require.ErrorIs(t, err, groupview.ErrNotFound)
				continue
			}
			require.NoError(t, err)
			roles := rolesOf(t, before, id)
			was, _ := before.Group(ctx, id)
			live := was.EndedAt.IsZero() && now.EndedAt.IsZero()
			edited, data := fieldsOf(t, was, live), dataOf(t, before, id)
			pending := pendingOf(t, before, id)
			for _, c := range changes {
				require.Equal(t, id, c.GroupID)
				require.NotEmpty(t, c.String())
				switch c.Kind {
				case past.Left:
					require.Equal(t, roles[c.UserID], c.From)
					delete(roles, c.UserID)
					delete(data, c.UserID)
				case past.Joined:
					require.NotContains(t, roles, c.UserID)
					roles[c.UserID] = c.To
					data[c.UserID] = dataOf(t, after, id)[c.UserID]
				case past.Ranked:
					require.Equal(t, roles[c.UserID], c.From)
					roles[c.UserID] = c.To
				case past.Began:
					edited = fieldsOf(t, now, live)
				case past.Edited:
					edit(t, edited, c)
				case past.Informs:
					edit(t, data[c.UserID], c)
				case past.Opened:
					pending = append(pending, c.Field)
				case past.Decided:
					require.Contains(t, pending, c.Field)
					pending = slices.DeleteFunc(pending, func(id string) bool { return id == c.Field })
				}
				if slices.Contains([]string{past.Left, past.Joined, past.Ranked, past.Informs, past.Opened, past.Decided}, c.Kind) {
					byUser[c.UserID] = append(byUser[c.UserID], c)
				}
			}
			require.Equal(t, rolesOf(t, after, id), roles)
			require.Equal(t, fieldsOf(t, now, live), edited)
			require.Equal(t, dataOf(t, after, id), data)
			require.ElementsMatch(t, pendingOf(t, after, id), pending)
			if from == to {
				require.Empty(t, changes)
			}
		}
		for _, user := range everybody {
			changes, err := past.DiffUser(ctx, before, after, user)
			require.NoError(t, err)
			require.ElementsMatch(t, byUser[user], changes)
		}
	})
}

// edit makes a change to fields, which must be as they were before it.
func edit(t require.TestingT, fields map[string]string, c past.Change) {
	value, there := fields[c.Field]
	require.Equal(t, c.From, value, c.Field)
	require.Equal(t, c.Added, !there, c.Field)
	if fields[c.Field] = c.To; c.Removed {
		require.Empty(t, c.To, c.Field)
		delete(fields, c.Field)
	}
}

// fieldsOf is what can be edited of a group, from its JSON.
func fieldsOf(t require.TestingT, g groupview.Group, live bool) map[string]string {
	text, err := json.Marshal(g)
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(text, &all))
	fields := map[string]string{}
	flatten(fields, "", all, "name", "introduction", "notification", "faceURL", "joinOption", "inviteOption", "allMuted", "custom")
	if !live {
		return fields
	}
	flatten(fields, "", all, "attributes")
	topics, _ := all["topics"].([]any)
	for _, topic := range topics {
		topic := topic.(map[string]any)
		flatten(fields, "topics."+topic["topicID"].(string)+".", topic, "name", "introduction", "notification", "faceURL")
	}
	return fields
}

// flatten takes texts, and maps of texts, out of JSON.
func flatten(to map[string]string, prefix string, from map[string]any, names ...string) {
	for _, name := range names {
		switch value := from[name].(type) {
		case nil:
		case map[string]any:
			for key, text := range value {
				to[prefix+name+"."+key] = text.(string)
			}
		default:
			to[prefix+name] = fmt.Sprint(value)
		}
	}
}

// dataOf is what can be edited of each member of a group, from their JSON.
func dataOf(t require.TestingT, asOf *past.Past, groupID string) map[string]map[string]string {
	data := map[string]map[string]string{}
	for m, err := range asOf.Members(context.Background(), groupID, groupview.MemberFilter{}) {
		if err != nil {
			require.ErrorIs(t, err, groupview.ErrNotFound)
			break
		}
		text, err := json.Marshal(m)
		require.NoError(t, err)
		var all map[string]any
		require.NoError(t, json.Unmarshal(text, &all))
		data[m.UserID] = map[string]string{}
		flatten(data[m.UserID], "", all, "nameCard", "custom", "mutedUntil")
	}
	return data
}

func rolesOf(t require.TestingT, asOf *past.Past, groupID string) map[string]string {
	roles := map[string]string{}
	for m, err := range asOf.Members(context.Background(), groupID, groupview.MemberFilter{}) {
		if err != nil {
			require.ErrorIs(t, err, groupview.ErrNotFound)
			break
		}
		roles[m.UserID] = m.Role.String()
	}
	return roles
}

func pendingOf(t require.TestingT, asOf *past.Past, groupID string) []string {
	ids := []string{}
	filter := groupview.ApplicationFilter{Select: groupview.PendingApplications}
	for a, err := range asOf.GroupApplications(context.Background(), groupID, filter) {
		if err != nil {
			require.ErrorIs(t, err, groupview.ErrNotFound)
			break
		}
		ids = append(ids, a.ApplicationID)
	}
	return ids
}

// story is a past.Source of events of one group, an hour apart.
func story(t *testing.T, events ...domain.Event) past.Source {
	var records []eventstore.Record
	for i, fact := range events {
		name, schema, data, err := domain.Encode(fact)
		require.NoError(t, err)
		records = append(records, eventstore.Record{Stream: domain.GroupStream("chess"), Event: eventstore.Event{
			Type: name, Schema: schema, Data: data, Actor: "olga", Time: domaintest.Morning.Add(time.Duration(i) * time.Hour),
		}})
	}
	log := copyOf(t, records)
	head := eventstore.Position(len(records))
	rows, done := rowsOf(t, log, head)
	t.Cleanup(done)
	return past.Source{Log: log, Rows: rows, Head: head, Policies: domain.Classic(), Now: domaintest.Morning.AddDate(0, 0, 1)}
}

func text(s string) *string { return &s }

var chess = domain.GroupCreated{GroupType: domain.Community, Owner: "olga", Name: "Chess", SupportTopic: true, Custom: map[string]string{"elo": "1"}}

// What differs is told, also where a text is empty or has moved to another field; what
// ended with the group was not edited.
func TestWhatIsEdited(t *testing.T) {
	created := domain.TopicCreated{Topic: domain.Topic{ID: "t", Name: "A B"}}
	for _, test := range []struct {
		name   string
		events []domain.Event // the last is what happens between the moments
		want   []string
	}{
		{"an empty attribute appears", []domain.Event{domain.AttributesChanged{Set: map[string]string{"k": ""}}},
			[]string{`chess: attributes.k nothing → ""`}},
		{"an empty attribute goes", []domain.Event{domain.AttributesChanged{Set: map[string]string{"k": ""}}, domain.AttributesChanged{Deleted: []string{"k"}}},
			[]string{`chess: attributes.k "" → nothing`}},
		{"an attribute is emptied", []domain.Event{domain.AttributesChanged{Set: map[string]string{"k": "v"}}, domain.AttributesChanged{Set: map[string]string{"k": ""}}},
			[]string{`chess: attributes.k "v" → ""`}},
		{"an introduction is new", []domain.Event{domain.GroupProfileChanged{Introduction: text("I")}},
			[]string{`chess: introduction nothing → "I"`}},
		{"text moves within a topic", []domain.Event{created, domain.TopicChanged{TopicID: "t", Name: text("A"), Introduction: text("B")}},
			[]string{`chess: topics.t.introduction nothing → "B"`, `chess: topics.t.name "A B" → "A"`}},
		{"the group ends", []domain.Event{created, domain.AttributesChanged{Set: map[string]string{"k": "v"}}, domain.GroupDismissed{Cause: domain.Asked}},
			[]string{"chess ended: asked", "olga left chess, having been owner"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			source := story(t, append([]domain.Event{chess}, test.events...)...)
			before, err := past.New(source, past.AtPosition(source.Head-1))
			require.NoError(t, err)
			after, err := past.New(source, past.Moment{})
			require.NoError(t, err)
			changes, err := past.DiffGroup(t.Context(), before, after, "chess")
			require.NoError(t, err)
			var got []string
			for _, c := range changes {
				got = append(got, c.String())
			}
			require.Equal(t, test.want, got)
		})
	}
}

// A position and a time are in the wrong order where more had happened to the group by the
// first of them.
func TestMomentsOfTwoKindsInTheWrongOrder(t *testing.T) {
	source := story(t, chess, domain.MemberJoined{UserID: "bob"})
	at := func(m past.Moment) *past.Past {
		p, err := past.New(source, m)
		require.NoError(t, err)
		return p
	}
	all, one, none := past.AtPosition(2), past.AtTime(domaintest.Morning), past.AtTime(domaintest.Morning.Add(-time.Hour))
	for _, test := range []struct {
		from, to past.Moment
		err      error
	}{
		{all, one, past.ErrOrder},
		{all, none, past.ErrOrder},
		{past.AtTime(domaintest.Morning.Add(time.Hour)), past.AtPosition(1), past.ErrOrder},
		{one, all, nil},
		{none, all, nil},
		{past.AtPosition(1), one, nil},
	} {
		require.NoError(t, past.Ordered(test.from, test.to), "it takes the group to see it")
		_, err := past.DiffGroup(t.Context(), at(test.from), at(test.to), "chess")
		require.ErrorIs(t, err, test.err, "%s to %s", test.from, test.to)
		_, err = past.DiffUser(t.Context(), at(test.from), at(test.to), "bob")
		require.ErrorIs(t, err, test.err, "%s to %s", test.from, test.to)
	}
}
