package past_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/past"
)

// TestExplainFull: of a full group, the chain is the latest members without whom those who
// would come had room, and neither who has left nor what else was changed.
func TestExplainFull(t *testing.T) {
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	var records []eventstore.Record
	name := "a new name"
	for _, fact := range []domain.Event{
		domain.GroupCreated{GroupType: domain.Work, Owner: "owner", Name: "g", JoinOption: domain.Forbid, InviteOption: domain.Any},
		domain.MemberJoined{UserID: "ann"},
		domain.MemberJoined{UserID: "ben"},
		domain.MemberLeft{UserID: "ann"},
		domain.MemberJoined{UserID: "cas"},
		domain.GroupProfileChanged{Name: &name},
		domain.MemberJoined{UserID: "ann"},
	} {
		kind, schema, data, err := domain.Encode(fact)
		require.NoError(t, err)
		now = now.Add(time.Second)
		records = append(records, eventstore.Record{
			Stream: domain.GroupStream("g"),
			Event:  eventstore.Event{Type: kind, Schema: schema, Data: data, Actor: "owner", Time: now},
		})
	}
	log, head := copyOf(t, records), eventstore.Position(len(records))
	rows, done := rowsOf(t, log, head)
	defer done()
	policies := domain.Classic().Clone()
	work := policies[domain.Work]
	work.MemberLimit = 4
	policies[domain.Work] = work
	asOf, err := past.New(past.Source{Log: log, Rows: rows, Head: head, Policies: policies, Now: now}, past.Moment{})
	require.NoError(t, err)
	for _, c := range []struct {
		invited []string
		because []eventstore.Position
	}{
		{[]string{"x"}, []eventstore.Position{1, 3, 5, 7}},
		{[]string{"x", "y"}, []eventstore.Position{1, 5, 7}},
		{[]string{"x", "y", "z"}, []eventstore.Position{1, 7}},
	} {
		e, err := asOf.Explain(context.Background(), domain.Actor{UserID: "owner"}, commands.InviteUsers{GroupID: "g", UserIDs: c.invited})
		require.NoError(t, err)
		require.ErrorIs(t, e.Refusal, domain.ErrGroupFull)
		var because []eventstore.Position
		for _, link := range e.Because {
			because = append(because, link.Position)
		}
		require.Equal(t, c.because, because)
	}
}
