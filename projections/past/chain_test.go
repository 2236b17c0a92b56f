package past_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/past"
)

// TestChainOfALongHistory: of somebody who was muted five thousand times, the chain is the
// last time and how they came in, and it takes some replays to find that, not thousands.
func TestChainOfALongHistory(t *testing.T) {
	const mutes = 5_000
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	facts := []domain.Event{
		domain.GroupCreated{GroupType: domain.Public, Owner: "owner", Name: "g", JoinOption: domain.Any, InviteOption: domain.Any},
		domain.MemberJoined{UserID: "ann"},
		domain.MemberLeft{UserID: "ann"},
		domain.MemberJoined{UserID: "ann"},
	}
	for n := range mutes {
		facts = append(facts, domain.MemberMuted{UserID: "ann", Until: now.Add(time.Duration(n) * time.Hour)})
	}
	events := make([]projections.Event, len(facts))
	for i, fact := range facts {
		events[i].Position, events[i].Fact = eventstore.Position(i+1), fact
	}
	links, asked := past.ChainOfMute("g", "ann", events)
	var positions []eventstore.Position
	for _, link := range links {
		positions = append(positions, link.Position)
	}
	// Without either joining there is a membership by the other one, without the leaving too.
	require.Equal(t, []eventstore.Position{1, 4, mutes + 4}, positions)
	require.Less(t, asked-len(events), 500, "beside one look at each event")
}
