package projections_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// A failure that passes stops the rows for no longer than it lasts.
func TestRowsFollowAgainAfterAFailure(t *testing.T) {
	log := eventstoretest.Faulty(memory.New())
	views, err := projections.Open(t.Context(), ":memory:", log, &projections.Options{Projections: []projections.Projection{groupview.New()}})
	require.NoError(t, err)
	defer func() { require.NoError(t, views.Close()) }()

	broken := errors.New("broken for a moment")
	log.FailRead(1, 0, broken)
	name, schema, data, err := domain.Encode(domain.GroupCreated{GroupType: domain.Work, Owner: "alice", Name: "G", JoinOption: domain.Forbid, InviteOption: domain.Any})
	require.NoError(t, err)
	_, err = log.Append(t.Context(), eventstore.Commit{
		Stream: domain.GroupStream("g"), Events: []eventstore.Event{{Type: name, Schema: schema, Data: data, Actor: "alice", Time: time.Unix(1, 0)}},
	})
	require.NoError(t, err)
	for err = errors.New("not asked yet"); err != nil; {
		if err = views.WaitFor(t.Context(), 1); err != nil {
			require.ErrorIs(t, err, broken)
		}
	}
	group, err := groupview.NewQueries(views).Group(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "alice", group.Owner)
}
