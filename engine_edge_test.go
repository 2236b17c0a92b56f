package grouplog_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// A command may be given by a pointer: it is the same command, in a group that is
// known in part as well.
func TestCommandByPointer(t *testing.T) {
	engine := openFile(t, filepath.Join(t.TempDir(), "groups.db"), &grouplog.Options{CacheMembers: 1})
	alice := engine.As("alice")
	_, err := alice.CreateGroupWithMembers(t.Context(), commands.CreateGroup{GroupType: domain.Work, GroupID: "team", Name: "T"},
		domain.InitialMember{UserID: "bob"}, domain.InitialMember{UserID: "carol"})
	require.NoError(t, err)
	for i := range 40 { // more events than are read at once
		require.NoError(t, alice.SetGroupInfo(t.Context(), "team", commands.SetGroupInfo{Name: new(fmt.Sprint(i))}))
	}
	_, err = alice.CreateGroup(t.Context(), domain.Work, "other", "O") // and the first is forgotten
	require.NoError(t, err)
	_, err = engine.Group(t.Context(), "team")
	require.NoError(t, err)

	_, err = alice.Do(t.Context(), &commands.Quit{GroupID: "team"})
	require.NoError(t, err)
	group, err := engine.Group(t.Context(), "team")
	require.NoError(t, err)
	require.Equal(t, "bob", group.Owner)

	_, err = alice.Do(t.Context(), (*commands.Quit)(nil))
	require.ErrorIs(t, err, commands.ErrMisuse)
	_, err = alice.Do(t.Context(), nil)
	require.ErrorIs(t, err, commands.ErrMisuse)
}

// A listener is told of what happens from now on, whoever else has written before.
func TestListenerIsNotToldOfThePast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	here, there := openFile(t, path, nil), openFile(t, path, nil)
	_, err := there.As("bob").CreateGroup(t.Context(), domain.Meeting, "before", "B")
	require.NoError(t, err)
	var heard []string
	here.As("bob").AddGroupListener(grouplog.Listener{OnGroupCreated: func(n grouplog.Notification) { heard = append(heard, n.GroupID) }})
	_, err = here.As("bob").CreateGroup(t.Context(), domain.Meeting, "after", "A")
	require.NoError(t, err)
	require.NoError(t, here.WaitForListeners(t.Context()))
	require.Equal(t, []string{"after"}, heard)
}

func TestWaitingTwiceForAnAnswer(t *testing.T) {
	engine := openFile(t, grouplog.Memory, nil)
	future, err := engine.Submit(t.Context(), domain.Actor{UserID: "alice"}, commands.CreateGroup{GroupType: domain.Work, GroupID: "g", Name: "G"})
	require.NoError(t, err)
	first, err := future.Wait(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	second, err := future.Wait(ctx)
	if err == nil { // either may be ready first
		require.Equal(t, first, second)
	}
	third, err := future.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, third)
}

// What shares a batch with a repeated command is recorded once.
func TestRepetitionInABatch(t *testing.T) {
	store := eventstoretest.Faulty(memory.New())
	entered, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	store.BeforeAppend(func(context.Context, []eventstore.Commit) error {
		once.Do(func() {
			close(entered)
			<-held
		})
		return nil
	})
	engine := openFile(t, grouplog.Memory, &grouplog.Options{Store: store})
	bob := domain.Actor{UserID: "bob"}
	var futures []*commands.Future
	submit := func(opts ...commands.Option) {
		future, err := engine.Submit(t.Context(), bob, commands.MarkApplicationsRead{}, opts...)
		require.NoError(t, err)
		futures = append(futures, future)
	}
	submit(commands.WithID("x"))
	<-entered
	submit(commands.WithID("x"))
	submit()
	close(held)
	for _, future := range futures {
		_, err := future.Wait(t.Context())
		require.NoError(t, err)
	}
	head, err := store.Head(t.Context())
	require.NoError(t, err)
	require.Equal(t, eventstore.Position(2), head)
}

func TestClosedEngineSaysSo(t *testing.T) {
	engine, err := grouplog.Open(t.Context(), grouplog.Memory, nil)
	require.NoError(t, err)
	require.NoError(t, engine.Close())
	_, err = engine.Do(t.Context(), domain.Actor{UserID: "bob"}, commands.MarkApplicationsRead{}, commands.WithID("x"))
	require.ErrorIs(t, err, grouplog.ErrClosed)
	_, err = engine.Group(t.Context(), "g")
	require.ErrorIs(t, err, grouplog.ErrClosed)
	for _, err := range engine.JoinedGroups(t.Context(), "bob") {
		require.ErrorIs(t, err, grouplog.ErrClosed)
	}
	_, err = engine.AsOf(t.Context(), grouplog.AtPosition(0))
	require.ErrorIs(t, err, grouplog.ErrClosed)
	_, err = engine.DiffGroup(t.Context(), "g", grouplog.AtPosition(0), grouplog.Moment{})
	require.ErrorIs(t, err, grouplog.ErrClosed)
}

// A listener that never returns does not keep the files open for ever, and one that
// closes the engine does not stop itself.
func TestCloseWithListeners(t *testing.T) {
	engine, err := grouplog.Open(t.Context(), grouplog.Memory, &grouplog.Options{CloseTimeout: 10 * time.Millisecond})
	require.NoError(t, err)
	stuck, entered := make(chan struct{}), make(chan struct{})
	engine.As("alice").AddGroupListener(grouplog.Listener{OnGroupCreated: func(grouplog.Notification) {
		close(entered)
		<-stuck
	}})
	_, err = engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "standup", "Stand-up")
	require.NoError(t, err)
	<-entered
	require.ErrorContains(t, engine.Close(), `"alice"`)
	close(stuck)

	engine, err = grouplog.Open(t.Context(), grouplog.Memory, nil)
	require.NoError(t, err)
	var closed atomic.Pointer[error]
	engine.As("alice").AddGroupListener(grouplog.Listener{OnGroupCreated: func(grouplog.Notification) {
		err := engine.Close()
		closed.Store(&err)
	}})
	_, err = engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "standup", "Stand-up")
	require.NoError(t, err)
	require.NoError(t, engine.Close())
	require.NoError(t, *closed.Load())
}

// A quota is not used up by what comes to nothing.
func TestQuotaOfWhatComesToNothing(t *testing.T) {
	policies := domain.Classic()
	for name, policy := range policies {
		policy.Limits.GroupsPerUser = 2
		policies[name] = policy
	}
	store := eventstoretest.Faulty(memory.New())
	engine := openFile(t, grouplog.Memory, &grouplog.Options{Store: store, Policies: policies})
	bob := domain.Actor{UserID: "bob"}
	create := commands.CreateGroup{GroupType: domain.Meeting, GroupID: "own", Name: "O"}
	_, err := engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "standup", "Stand-up")
	require.NoError(t, err)

	entered, held := make(chan struct{}), make(chan struct{})
	var appends atomic.Int64
	store.BeforeAppend(func(context.Context, []eventstore.Commit) error {
		if appends.Add(1) == 1 {
			close(entered)
			<-held
		}
		return nil
	})
	first, err := engine.Submit(t.Context(), bob, create, commands.WithID("x"))
	require.NoError(t, err)
	<-entered
	again, err := engine.Submit(t.Context(), bob, create, commands.WithID("x"))
	require.NoError(t, err)
	join, err := engine.Submit(t.Context(), bob, commands.RequestJoin{GroupID: "standup"})
	require.NoError(t, err)
	close(held)
	for _, future := range []*commands.Future{first, again, join} {
		_, err := future.Wait(t.Context())
		require.NoError(t, err)
	}
}

// A dismissal frees the quota of the members for what is decided right after it.
func TestQuotaAfterADismissal(t *testing.T) {
	policies := domain.Classic()
	meeting := policies[domain.Meeting]
	meeting.Limits.GroupsPerUser = 1
	policies[domain.Meeting] = meeting
	store := eventstoretest.Faulty(memory.New())
	engine := openFile(t, grouplog.Memory, &grouplog.Options{Store: store, Policies: policies})
	for owner, group := range map[string]string{"alice": "old", "dave": "new"} {
		_, err := engine.As(owner).CreateGroup(t.Context(), domain.Meeting, group, group)
		require.NoError(t, err)
	}
	_, err := engine.As("bob").JoinGroup(t.Context(), "old", "")
	require.NoError(t, err)
	_, err = engine.As("bob").JoinGroup(t.Context(), "new", "")
	require.ErrorIs(t, err, domain.ErrQuotaExceeded)

	entered, held := make(chan struct{}), make(chan struct{})
	var appends atomic.Int64
	store.BeforeAppend(func(context.Context, []eventstore.Commit) error {
		if appends.Add(1) == 1 {
			close(entered)
			<-held
		}
		return nil
	})
	var futures []*commands.Future
	for _, wish := range []struct {
		as  string
		cmd commands.Command
	}{
		{"carol", commands.CreateGroup{GroupType: domain.Public, Name: "C"}},
		{"alice", commands.Dismiss{GroupID: "old"}},
		{"bob", commands.RequestJoin{GroupID: "new"}},
	} {
		future, err := engine.Submit(t.Context(), domain.Actor{UserID: wish.as}, wish.cmd)
		require.NoError(t, err)
		futures = append(futures, future)
		if wish.as == "carol" {
			<-entered
		}
	}
	close(held)
	for _, future := range futures {
		_, err := future.Wait(t.Context())
		require.NoError(t, err)
	}
	_, err = engine.Member(t.Context(), "new", "bob")
	require.NoError(t, err)
}
