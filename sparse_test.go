package grouplog_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
)

// Decisions on a group of which only those concerned are known are those on the
// whole group: an engine that forgets every group after every command, and so takes
// from the read models and the tail of the log what each command needs, answers as
// the rules do on the full fold, and records the same log. Commands come one by one
// or many at once, so that some are decided on top of what is not in the log yet.
func TestSparseGroupsDecideAsWholeOnes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		world := domaintest.History(rt, 80)
		forgetful := rapid.Bool().Draw(rt, "forgetful")
		options := &grouplog.Options{Policies: world.Policies}
		if forgetful {
			options.CacheMembers = 1
		}
		engine, err := grouplog.Open(t.Context(), grouplog.Memory, options)
		require.NoError(rt, err)
		defer func() { require.NoError(rt, engine.Close()) }()
		for next := 0; next < len(world.Steps); {
			batch := world.Steps[next:min(next+rapid.IntRange(1, 8).Draw(rt, "at once"), len(world.Steps))]
			next += len(batch)
			var futures []*commands.Future
			for _, step := range batch {
				future, err := engine.Submit(t.Context(), step.Actor, step.Command, commands.At(step.At))
				require.NoError(rt, err)
				futures = append(futures, future)
			}
			for i, future := range futures {
				receipt, err := future.Wait(t.Context())
				requireAsDecided(rt, batch[i], receipt, err)
			}
		}
		requireRecords(rt, world.Records(), engine.Log())
	})
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

// A group that is known in part stays right when another process changes it.
func TestSparseGroupAndAnotherProcess(t *testing.T) {
	path := t.TempDir() + "/groups.db"
	here, there := openFile(t, path, nil), openFile(t, path, nil)
	owner := here.As("owner")
	_, err := owner.CreateGroup(t.Context(), domain.Public, "chess", "Chess")
	require.NoError(t, err)
	for _, user := range []string{"a", "b", "c"} {
		_, err := here.As(user).JoinGroup(t.Context(), "chess", "")
		require.NoError(t, err)
		_, err = there.Do(t.Context(), domain.Actor{UserID: "owner"}, commands.AcceptApplication{GroupID: "chess", FromUser: user})
		require.NoError(t, err)
		_, err = here.Do(t.Context(), domain.Actor{UserID: "owner"}, commands.SetMemberRole{GroupID: "chess", UserID: user, Role: domain.Admin})
		require.NoError(t, err)
		_, err = there.Do(t.Context(), domain.Actor{UserID: "owner"}, commands.KickMembers{GroupID: "chess", UserIDs: []string{user}})
		require.NoError(t, err)
	}
	require.Equal(t, []string{"owner"}, memberIDs(t, there, "chess"))
}
