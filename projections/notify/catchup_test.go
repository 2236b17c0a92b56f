package notify_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections/notify"
)

func caughtUp(t require.TestingT, log eventstore.Store, policies domain.Policies, user string, after eventstore.Position) []notify.Notification {
	all := []notify.Notification{}
	for n, err := range notify.CatchUp(context.Background(), log, policies, user, after) {
		require.NoError(t, err)
		all = append(all, n)
	}
	return all
}

// Who catches up from any position hears what is left of what a live listener has heard
// while it happened.
func TestCatchUpIsWhatWasHeardLive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		world := domaintest.History(t, 40)
		log := memory.New()
		hub, err := notify.NewHub(t.Context(), log, world.Policies, notify.Options{})
		require.NoError(t, err)
		ears := map[string]*ear{}
		for _, user := range domaintest.Users {
			ears[user] = newEar()
			hub.Add(user, ears[user].listener(), 0)
		}
		world.AppendTo(&testing.T{}, log)
		head, err := log.Head(t.Context())
		require.NoError(t, err)
		require.NoError(t, hub.WaitFor(t.Context(), head))
		require.NoError(t, hub.Close(t.Context()))
		for user, ear := range ears {
			heard := ear.all()
			if heard == nil {
				heard = []notify.Notification{}
			}
			require.Equal(t, heard, caughtUp(t, log, world.Policies, user, 0))
			after := eventstore.Position(rand.Uint64N(uint64(head) + 1))
			left := []notify.Notification{}
			for _, n := range heard {
				if n.Position > after {
					left = append(left, n)
				}
			}
			require.Equal(t, left, caughtUp(t, log, world.Policies, user, after), "%s after %d", user, after)
		}
	})
}

func TestCatchUpEnds(t *testing.T) {
	log := eventstoretest.Faulty(memory.New())
	s := newStage(t, log, notify.Options{})
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	s.churn(2)
	for n, err := range notify.CatchUp(t.Context(), log, domain.Classic(), "alice", 1) {
		require.NoError(t, err)
		require.Equal(t, notify.OnMemberEnter, n.Kind)
		break
	}
	log.FailRead(1, 2, nil)
	var failure error
	heard := 0
	for _, err := range notify.CatchUp(t.Context(), log, domain.Classic(), "alice", 0) {
		if failure = err; err == nil {
			heard++
		}
	}
	require.ErrorIs(t, failure, eventstoretest.ErrInjected)
	require.Equal(t, 2, heard)
}
