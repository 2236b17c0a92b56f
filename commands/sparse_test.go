package commands_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// Decisions on a group of which only those concerned are known are those on the
// whole group: an engine that forgets every group after every command, and so takes
// from the read models and the tail of the log what each command needs, answers as
// the rules do on the full fold, and records the same log. Commands come one by one
// or many at once, so that some are decided on top of what is not in the log yet.
func TestSparseGroupsDecideAsWholeOnes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		world := domaintest.History(rt, 80)
		members := rapid.SampledFrom([]int{1, 40, 0}).Draw(rt, "cache")
		lagging := rapid.Bool().Draw(rt, "lagging") // read models that come after only from time to time
		handler, log, views := sparseHandler(t, world.Policies, members, lagging)
		defer func() { require.NoError(rt, handler.Close()) }()
		for next := 0; next < len(world.Steps); {
			batch := world.Steps[next:min(next+rapid.IntRange(1, 8).Draw(rt, "at once"), len(world.Steps))]
			next += len(batch)
			if lagging && rapid.IntRange(0, 5).Draw(rt, "catch up") == 0 {
				require.NoError(rt, views.CatchUp(t.Context()))
			}
			var futures []*commands.Future
			for _, step := range batch {
				future, err := handler.Submit(t.Context(), step.Actor, step.Command, commands.At(step.At))
				require.NoError(rt, err)
				futures = append(futures, future)
			}
			for i, future := range futures {
				receipt, err := future.Wait(t.Context())
				requireAsDecided(rt, batch[i], receipt, err)
			}
		}
		requireRecords(rt, world.Records(), log)
	})
}

// sparseHandler takes what it can from read models, and never reads a group whole
// for its size: see export_test.go.
func sparseHandler(t *testing.T, policies domain.Policies, cacheMembers int, lagging bool) (*commands.Handler, eventstore.Store, *projections.Views) {
	t.Helper()
	log := memory.New()
	views, err := projections.Open(t.Context(), ":memory:", log, &projections.Options{Projections: []projections.Projection{groupview.New()}, Manual: lagging})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, views.Close()) })
	groups := groupview.NewQueries(views)
	handler, err := commands.NewHandler(t.Context(), commands.Config{
		Store: log, Policies: policies, CacheMembers: cacheMembers,
		Random: func() string { return "00000000000000000000000000" },
		GroupsOf: func(ctx context.Context, userID string, asOf eventstore.Position) (int, error) {
			if err := views.WaitFor(ctx, asOf); err != nil {
				return 0, err
			}
			return groups.GroupsOf(ctx, userID)
		},
		Parts: func(ctx context.Context, groupID string, read func(commands.Part) error) error {
			return groups.Part(ctx, groupID, func(p *groupview.Part) error { return read(p) })
		},
	})
	require.NoError(t, err)
	return handler, log, views
}

// requireAsDecided compares what a command came to with the decision on the full
// fold.
func requireAsDecided(t *rapid.T, step domaintest.Step, receipt commands.Receipt, err error) {
	t.Helper()
	if step.Refusal != nil {
		require.Equal(t, step.Refusal, err, "%+v", step.Command)
		return
	}
	require.NoError(t, err, "%+v", step.Command)
	require.Equal(t, step.Decision.Outcome, receipt.Outcome)
	require.Equal(t, step.Decision.Users, receipt.Users)
	require.Equal(t, step.Decision.ApplicationID, receipt.ApplicationID)
}

func requireRecords(t *rapid.T, want []eventstore.Record, log eventstore.Store) {
	t.Helper()
	next := 0
	for record, err := range log.ReadAll(t.Context(), 0) {
		require.NoError(t, err)
		require.Less(t, next, len(want), "more was recorded than decided: %s", record.Data)
		require.Equal(t, want[next].Stream, record.Stream)
		require.JSONEq(t, string(want[next].Data), string(record.Data))
		require.Equal(t, want[next].Type, record.Type)
		next++
	}
	require.Equal(t, len(want), next)
}

// A group of the first second of 1970 is as old as it is, known in part or whole.
func TestGroupOfTheEpoch(t *testing.T) {
	for _, members := range []int{1, 0} {
		handler, _, views := sparseHandler(t, domain.Classic(), members, false)
		operator := domain.Actor{UserID: "root", AppAdmin: true}
		created, err := handler.Do(t.Context(), operator, commands.ImportGroup{
			CreateGroup: commands.CreateGroup{GroupType: domain.Public, GroupID: "g", Name: "G"}, CreatedAt: time.Unix(0, 0),
		})
		require.NoError(t, err)
		require.NoError(t, views.WaitFor(t.Context(), created.Position))
		_, err = handler.Do(t.Context(), operator, commands.ImportGroup{CreateGroup: commands.CreateGroup{GroupType: domain.Public, GroupID: "other", Name: "O"}})
		require.NoError(t, err)
		_, err = handler.Do(t.Context(), operator, commands.ImportMember{GroupID: "g", UserID: "bob", JoinedAt: time.Unix(-1, 0)})
		require.ErrorIs(t, err, domain.ErrInvalidArgument)
		require.NoError(t, handler.Close())
	}
}

// A group in memory that is known in part is not completed from rows that were set back:
// they know nothing of what has happened since it was loaded.
func TestSparseGroupsAreNotCompletedFromThePast(t *testing.T) {
	log := memory.New()
	open := func() *groupview.Queries {
		views, err := projections.Open(t.Context(), ":memory:", log, &projections.Options{Projections: []projections.Projection{groupview.New()}, Manual: true})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, views.Close()) })
		require.NoError(t, views.CatchUp(t.Context()))
		return groupview.NewQueries(views)
	}
	founder := start(t, log)
	must(t, founder, domaintest.User(domaintest.Olga), anyone("go"))
	past := open()
	must(t, founder, domaintest.User(domaintest.Mary), commands.RequestJoin{GroupID: "go"})

	rows := open()
	h := start(t, log, func(c *commands.Config) {
		c.Parts = func(ctx context.Context, groupID string, read func(commands.Part) error) error {
			return rows.Part(ctx, groupID, func(p *groupview.Part) error { return read(p) })
		}
	})
	must(t, h, domaintest.User(domaintest.Olga), commands.SetGroupInfo{GroupID: "go", Name: ptr("Go")}) // of Mary, nothing is known
	rows = past
	refused(t, domain.CodeAlreadyMember, h, domaintest.User(domaintest.Mary), commands.RequestJoin{GroupID: "go"})
}
