package grouplog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections/groupview"
)

// TestMain runs the tests, or, in a process that a test has started, what that test
// wants a process of its own for.
func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		os.Exit(runChild(role))
	}
	goleak.VerifyTestMain(jetstreamtest.Main(m))
}

// openFile opens an engine on a file and closes it at the end of the test.
func openFile(t *testing.T, path string, opts *grouplog.Options) *grouplog.Engine {
	t.Helper()
	engine, err := grouplog.Open(t.Context(), path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

func memberIDs(t *testing.T, engine *grouplog.Engine, groupID string) []string {
	t.Helper()
	var ids []string
	for m, err := range engine.Members(t.Context(), groupID, groupview.MemberFilter{}) {
		require.NoError(t, err)
		ids = append(ids, m.UserID)
	}
	return ids
}

func TestOpenReportsEveryMistakeAtOnce(t *testing.T) {
	policies := domain.Classic()
	work := policies[domain.Work]
	work.DefaultJoinOption, work.MemberLimit = 0, -1
	policies[domain.Work] = work
	path := filepath.Join(t.TempDir(), "groups.db")
	_, err := grouplog.Open(t.Context(), path, &grouplog.Options{
		Policies: policies, CacheMembers: -1, QueueLength: -1, Poll: -1, CloseTimeout: -1, Store: memory.New(), MustExist: true,
	})
	for _, mistake := range []string{"DefaultJoinOption", "MemberLimit", "CacheMembers", "QueueLength", "Poll", "CloseTimeout", "MustExist"} {
		require.ErrorContains(t, err, mistake)
	}
	require.NoFileExists(t, path, "nothing is made of mistaken options")
}

func TestMustExist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	_, err := grouplog.Open(t.Context(), path, &grouplog.Options{MustExist: true})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, path)
}

func TestReadYourWrites(t *testing.T) {
	engine := openFile(t, filepath.Join(t.TempDir(), "groups.db"), nil)
	_, err := engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "standup", "Stand-up")
	require.NoError(t, err)
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			user := engine.As(fmt.Sprintf("user-%d", i))
			for range 20 {
				_, err := user.JoinGroup(t.Context(), "standup", "")
				require.NoError(t, err)
				_, err = engine.Member(t.Context(), "standup", user.Actor().UserID)
				require.NoError(t, err, "a member is seen by who has joined")
				listed := 0
				for _, err := range user.JoinedGroups(t.Context()) {
					require.NoError(t, err)
					listed++
				}
				require.Equal(t, 1, listed)
				require.NoError(t, user.Quit(t.Context(), "standup"))
				_, err = engine.Member(t.Context(), "standup", user.Actor().UserID)
				require.ErrorIs(t, err, groupview.ErrNotFound, "and gone for who has quit")
			}
		})
	}
	wait.Wait()
	group, err := engine.Group(t.Context(), "standup")
	require.NoError(t, err)
	require.Equal(t, 1, group.MemberCount)
}

// The number of unread applications follows every command that has been answered.
func TestUnreadApplications(t *testing.T) {
	engine := openFile(t, filepath.Join(t.TempDir(), "groups.db"), nil)
	alice := engine.As("alice")
	unread := func(user *grouplog.User) int {
		n, err := user.UnreadApplications(t.Context())
		require.NoError(t, err)
		page, err := user.Applications(t.Context(), groupview.ApplicationFilter{})
		require.NoError(t, err)
		require.Equal(t, page.UnreadCount, n)
		return n
	}
	require.Zero(t, unread(alice))
	for i, group := range []string{"chess", "go"} {
		_, err := alice.CreateGroup(t.Context(), domain.Public, group, group)
		require.NoError(t, err)
		_, err = engine.As("bob").JoinGroup(t.Context(), group, "let me in")
		require.NoError(t, err)
		require.Equal(t, i+1, unread(alice))
	}
	require.Zero(t, unread(engine.As("bob")), "nobody's approver")
	require.NoError(t, alice.MarkApplicationsRead(t.Context()))
	require.Zero(t, unread(alice))
	_, err := engine.As("bob").JoinGroup(t.Context(), "chess", "please")
	require.NoError(t, err)
	require.Equal(t, 1, unread(alice), "asked again")
	require.NoError(t, alice.AcceptApplication(t.Context(), domain.ApplicationID("chess", 1, 1), ""))
	require.Zero(t, unread(alice))
}

// Limits hold under concurrency, a user's quota over many groups included.
func TestQuotaUnderConcurrency(t *testing.T) {
	policies := domain.Classic()
	for name, policy := range policies {
		policy.Limits.GroupsPerUser = 5
		policies[name] = policy
	}
	engine := openFile(t, filepath.Join(t.TempDir(), "groups.db"), &grouplog.Options{Policies: policies})
	for i := range 20 {
		_, err := engine.As(fmt.Sprintf("owner-%d", i)).CreateGroup(t.Context(), domain.Meeting, fmt.Sprintf("g%d", i), "G")
		require.NoError(t, err)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	joined := 0
	for i := range 20 {
		wait.Go(func() {
			_, err := engine.As("bob").JoinGroup(t.Context(), fmt.Sprintf("g%d", i), "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				joined++
				return
			}
			require.ErrorIs(t, err, domain.ErrQuotaExceeded)
		})
	}
	wait.Wait()
	require.Equal(t, 5, joined)
	require.NoError(t, engine.As("owner-0").Dismiss(t.Context(), "g0"))
	_, err := engine.As("owner-0").CreateGroup(t.Context(), domain.Meeting, "again", "G")
	require.NoError(t, err)
}

func TestEverythingSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	first, err := grouplog.Open(t.Context(), path, nil)
	require.NoError(t, err)
	id, err := first.As("alice").CreateGroup(t.Context(), domain.Meeting, "", "Stand-up")
	require.NoError(t, err)
	receipt, err := first.Do(t.Context(), domain.Actor{UserID: "bob"}, commands.RequestJoin{GroupID: id}, commands.WithID("x"))
	require.NoError(t, err)
	_, refusal := first.Do(t.Context(), domain.Actor{UserID: "bob"}, commands.RequestJoin{GroupID: id}, commands.WithID("y"))
	require.ErrorIs(t, refusal, domain.ErrAlreadyMember)
	require.NoError(t, first.Close())
	require.NoError(t, first.Close(), "again")
	_, err = first.As("carol").JoinGroup(t.Context(), id, "")
	require.ErrorIs(t, err, grouplog.ErrClosed)

	require.NoError(t, os.Remove(filepath.Join(filepath.Dir(path), "groups.views.db")), "what is derived can be deleted")
	second := openFile(t, path, &grouplog.Options{MustExist: true})
	require.Equal(t, []string{"alice", "bob"}, memberIDs(t, second, id))
	require.NoError(t, second.As("bob").Quit(t.Context(), id))
	again, err := second.Do(t.Context(), domain.Actor{UserID: "bob"}, commands.RequestJoin{GroupID: id}, commands.WithID("x"))
	require.NoError(t, err)
	require.True(t, again.Repeated)
	receipt.Repeated = true
	require.Equal(t, receipt, again, "the first answer, and no new event")
	_, err = second.Do(t.Context(), domain.Actor{UserID: "bob"}, commands.RequestJoin{GroupID: id}, commands.WithID("y"))
	require.Equal(t, refusal, err, "the same refusal, though bob could join now")
	_, err = second.Do(t.Context(), domain.Actor{UserID: "carol"}, commands.RequestJoin{GroupID: id}, commands.WithID("x"))
	require.ErrorIs(t, err, commands.ErrIDReused)
	require.Equal(t, []string{"alice"}, memberIDs(t, second, id))
}

// Two engines on one file take turns, see each other's events, and judge on fresh
// state.
func TestTwoEnginesOnOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	open := func() *grouplog.Engine { // with more patience, as neither asks again
		store, err := sqlite.Open(t.Context(), path, &sqlite.Options{BusyTimeout: time.Minute})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		return openFile(t, path, &grouplog.Options{Store: store})
	}
	engines := []*grouplog.Engine{open(), open()}
	_, err := engines[0].As("alice").CreateGroup(t.Context(), domain.Public, "chess", "Chess")
	require.NoError(t, err)
	_, err = engines[1].As("bob").CreateGroup(t.Context(), domain.Public, "chess", "Chess")
	require.ErrorIs(t, err, domain.ErrGroupIDTaken)

	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			engine := engines[i%2]
			for n := range 10 {
				user := fmt.Sprintf("user-%d-%d", i, n)
				outcome, err := engine.As(user).JoinGroup(t.Context(), "chess", "")
				require.NoError(t, err)
				require.Equal(t, commands.Pending, outcome)
				_, err = engines[(i+1)%2].Do(t.Context(), domain.Actor{UserID: "alice"}, commands.AcceptApplication{GroupID: "chess", FromUser: user})
				require.NoError(t, err, "the other engine sees the application at once")
			}
		})
	}
	wait.Wait()
	for _, engine := range engines {
		// A refusal is judged on the state that the other engine has left as well.
		_, err := engine.As("user-0-0").JoinGroup(t.Context(), "chess", "")
		require.ErrorIs(t, err, domain.ErrAlreadyMember)
	}
	head, err := engines[0].Log().Head(t.Context())
	require.NoError(t, err)
	require.Equal(t, eventstore.Position(1+2*80), head)
	_, err = engines[0].As("last").JoinGroup(t.Context(), "chess", "")
	require.NoError(t, err)
	group, err := engines[0].Group(t.Context(), "chess")
	require.NoError(t, err)
	require.Equal(t, 81, group.MemberCount)
}

func TestCloseSaysWhoWasNotTold(t *testing.T) {
	engine, err := grouplog.Open(t.Context(), grouplog.Memory, &grouplog.Options{CloseTimeout: time.Millisecond})
	require.NoError(t, err)
	stuck, entered := make(chan struct{}), make(chan struct{})
	engine.As("alice").AddGroupListener(grouplog.Listener{OnGroupCreated: func(grouplog.Notification) {
		close(entered)
		<-stuck
	}})
	_, err = engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "standup", "Stand-up")
	require.NoError(t, err)
	<-entered
	require.ErrorContains(t, engine.Close(), "not told everything")
	close(stuck)
}

func TestCustomTypesAndChangedCells(t *testing.T) {
	policies := domain.Current()
	clan := policies[domain.AVChatRoom]
	clan.JoinedList, clan.MemberLimit = domain.Listed, 3
	policies["Clan"] = clan
	engine := openFile(t, grouplog.Memory, &grouplog.Options{Policies: policies})
	clan.MemberLimit = 1
	policies["Clan"] = clan // too late: the engine has its own copy
	_, err := engine.As("alice").CreateGroup(t.Context(), "Clan", "wolves", "Wolves")
	require.NoError(t, err)
	for _, user := range []string{"bob", "carol"} {
		_, err = engine.As(user).JoinGroup(t.Context(), "wolves", "")
		require.NoError(t, err)
	}
	_, err = engine.As("dave").JoinGroup(t.Context(), "wolves", "")
	require.ErrorIs(t, err, domain.ErrGroupFull)
	for group, err := range engine.As("bob").JoinedGroups(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, "wolves", group.GroupID)
	}
}

func TestRebuildKeepsAnswering(t *testing.T) {
	engine := openFile(t, filepath.Join(t.TempDir(), "groups.db"), nil)
	_, err := engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "standup", "Stand-up")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			_, err := engine.As(fmt.Sprintf("user-%d", i)).JoinGroup(t.Context(), "standup", "")
			require.NoError(t, err)
			group, err := engine.Group(t.Context(), "standup")
			require.NoError(t, err)
			require.GreaterOrEqual(t, group.MemberCount, i+2)
		}
	})
	for range 3 {
		require.NoError(t, engine.Rebuild(t.Context(), nil))
	}
	cancel()
	wait.Wait()
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
