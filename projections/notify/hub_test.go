package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a log with commands carried out and listeners told.
type stage struct {
	t       *testing.T
	log     eventstore.Store
	handler *commands.Handler
	hub     *notify.Hub
}

func newStage(t *testing.T, log eventstore.Store, opts notify.Options) *stage {
	t.Helper()
	number := 0
	handler, err := commands.NewHandler(t.Context(), commands.Config{Store: log, Policies: domain.Classic(), Random: func() string {
		number++
		return fmt.Sprintf("%026d", number)
	}})
	require.NoError(t, err)
	hub, err := notify.NewHub(t.Context(), log, domain.Classic(), opts)
	require.NoError(t, err)
	s := &stage{t, log, handler, hub}
	t.Cleanup(func() {
		require.NoError(t, hub.Close(context.Background()))
		require.NoError(t, handler.Close())
	})
	return s
}

func (s *stage) do(user string, cmd commands.Command) {
	s.t.Helper()
	_, err := s.handler.Do(context.Background(), domain.Actor{UserID: user}, cmd)
	require.NoError(s.t, err)
}

// churn has bob join and quit the group standup, so many times.
func (s *stage) churn(times int) {
	s.t.Helper()
	for range times {
		s.do("bob", commands.RequestJoin{GroupID: "standup"})
		s.do("bob", commands.Quit{GroupID: "standup"})
	}
}

func (s *stage) settle() {
	s.t.Helper()
	require.NoError(s.t, s.hub.WaitFor(s.t.Context(), s.handler.Position()))
}

// ear is a listener that remembers, and can be held up.
type ear struct {
	mu    sync.Mutex
	more  *sync.Cond // of mu: something was heard
	heard []notify.Notification
	gate  chan struct{} // closed: open
}

func newEar() *ear {
	e := &ear{gate: make(chan struct{})}
	e.more = sync.NewCond(&e.mu)
	close(e.gate)
	return e
}

func (e *ear) hold() (release func()) {
	gate := make(chan struct{})
	e.gate = gate
	return func() { close(gate) }
}

func (e *ear) listener() notify.Listener {
	return notify.Listener{OnAny: func(n notify.Notification) {
		<-e.gate
		e.mu.Lock()
		defer e.mu.Unlock()
		e.heard = append(e.heard, n)
		e.more.Broadcast()
	}}
}

// wait returns when n notifications have been heard.
func (e *ear) wait(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.heard) < n {
		e.more.Wait()
	}
}

func (e *ear) all() []notify.Notification {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]notify.Notification(nil), e.heard...)
}

func (e *ear) kinds() []notify.Kind {
	kinds := []notify.Kind{}
	for _, n := range e.all() {
		kinds = append(kinds, n.Kind)
	}
	return kinds
}

// derived is what the log says that a user is told after a position.
func derived(t *testing.T, log eventstore.Store, user string, after eventstore.Position) []notify.Notification {
	t.Helper()
	ear := newEar()
	hub, err := notify.NewHub(t.Context(), log, domain.Classic(), notify.Options{})
	require.NoError(t, err)
	hub.Add(user, ear.listener(), after)
	head, err := log.Head(t.Context())
	require.NoError(t, err)
	require.NoError(t, hub.WaitFor(t.Context(), head))
	require.NoError(t, hub.Close(context.Background()))
	return ear.all()
}

func TestListenersHearTheirOwnFromNowOn(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	alice, bob, carol := newEar(), newEar(), newEar()
	now := s.handler.Position()
	s.hub.Add("alice", alice.listener(), now)
	s.hub.Add("bob", bob.listener(), now)
	s.hub.Add("carol", carol.listener(), now)
	s.churn(1)
	s.do("alice", commands.Dismiss{GroupID: "standup"})
	s.settle()
	require.Equal(t, []notify.Kind{notify.OnMemberEnter, notify.OnMemberLeave, notify.OnGroupDismissed}, alice.kinds())
	require.Equal(t, []notify.Kind{notify.OnMemberEnter, notify.OnQuitFromGroup}, bob.kinds(), "who has left hears nothing more of the group")
	require.Empty(t, carol.kinds())
}

func TestEveryFieldIsItsCallback(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	var heard []string
	s.hub.Add("alice", notify.Listener{
		OnGroupCreated: func(n notify.Notification) { heard = append(heard, "created "+n.GroupID) },
		OnMemberEnter:  func(n notify.Notification) { heard = append(heard, "enter "+n.Members[0].UserID) },
	}, 0)
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	s.churn(1)
	s.settle()
	require.Equal(t, []string{"created standup", "enter bob"}, heard)
}

func TestSlowListenerDelaysNobodyAndMissesNothing(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	slow, fast := newEar(), newEar()
	release := slow.hold()
	now := s.handler.Position()
	removeSlow := s.hub.Add("alice", slow.listener(), now)
	s.hub.Add("bob", fast.listener(), now)

	s.churn(notify.Backlog) // twice the backlog, for alice
	fast.wait(2 * notify.Backlog)
	require.Empty(t, slow.all())

	release()
	s.settle()
	require.Equal(t, derived(t, s.log, "alice", now), slow.all(), "all of it, once, in order")
	s.churn(3)
	s.settle()
	require.Equal(t, derived(t, s.log, "alice", now), slow.all(), "and from memory again")
	removeSlow()
}

func TestAddedBehindTheHub(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	first, second := newEar(), newEar()
	s.hub.Add("alice", first.listener(), 0)
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	s.churn(5)
	s.settle()
	s.hub.Add("alice", second.listener(), 0)
	s.churn(5)
	s.settle()
	require.Equal(t, first.all(), second.all())
}

func TestRemoval(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	ear := newEar()
	remove := s.hub.Add("alice", ear.listener(), s.handler.Position())
	s.churn(1)
	s.settle()
	remove()
	remove()
	s.churn(1)
	s.settle()
	require.Len(t, ear.all(), 2, "not called after removal")
}

func TestRemovalWaitsForTheCallUnderWay(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	entered, leave := make(chan struct{}), make(chan struct{})
	ended := false
	remove := s.hub.Add("alice", notify.Listener{OnMemberEnter: func(notify.Notification) {
		close(entered)
		<-leave
		ended = true
	}}, s.handler.Position())
	s.churn(1)
	<-entered
	go close(leave)
	remove()
	require.True(t, ended)
}

func TestListenerRemovesItself(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	calls := 0
	var remove func()
	ready := make(chan struct{})
	remove = s.hub.Add("alice", notify.Listener{OnAny: func(notify.Notification) {
		<-ready
		calls++
		remove()
	}}, s.handler.Position())
	close(ready)
	s.churn(3)
	s.settle()
	remove()
	require.Equal(t, 1, calls)
}

func TestAddingTwiceDoesNotDouble(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	ear, other := newEar(), newEar()
	listener := ear.listener()
	s.hub.Add("alice", listener, 0)
	remove := s.hub.Add("alice", listener, 0)
	s.hub.Add("alice", other.listener(), 0)
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	s.settle()
	require.Len(t, ear.all(), 1)
	require.Len(t, other.all(), 1, "the same code with other variables is another listener")
	remove()
	s.churn(1)
	s.settle()
	require.Len(t, ear.all(), 1)
}

func TestListenerThatPanics(t *testing.T) {
	var logged bytes.Buffer
	s := newStage(t, memory.New(), notify.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	ear := newEar()
	s.hub.Add("alice", notify.Listener{OnGroupCreated: func(notify.Notification) { panic("oops") }, OnAny: ear.listener().OnAny}, 0)
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	s.churn(1)
	s.settle()
	require.Len(t, ear.all(), 3, "the next ones come")
	require.Contains(t, logged.String(), "oops")
}

func TestListenerMayCarryOutCommands(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	s.do("alice", commands.CreateGroup{GroupType: domain.Public, GroupID: "chess", Name: "Chess"})
	s.hub.Add("alice", notify.Listener{OnReceiveJoinApplication: func(n notify.Notification) {
		s.do("alice", commands.AcceptApplication{ApplicationID: n.Application})
	}}, s.handler.Position())
	ear := newEar()
	s.hub.Add("bob", ear.listener(), s.handler.Position())
	s.do("bob", commands.RequestJoin{GroupID: "chess"})
	s.settle()
	s.settle()
	require.Equal(t, []notify.Kind{notify.OnApplicationProcessed, notify.OnMemberEnter}, ear.kinds())
}

func TestEventsOfAnotherProcessAreHeard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	open := func() *sqlite.DB {
		db, err := sqlite.Open(t.Context(), path, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	here, there := newStage(t, open(), notify.Options{}), newStage(t, open(), notify.Options{})
	ear := newEar()
	here.hub.Add("alice", ear.listener(), 0)
	there.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	require.NoError(t, here.hub.WaitFor(t.Context(), there.handler.Position()))
	require.Equal(t, []notify.Kind{notify.OnGroupCreated}, ear.kinds())
}

// unreadable is a log that fails from a position on.
type unreadable struct {
	eventstore.Store
	from eventstore.Position
}

var errUnreadable = errors.New("bad sector")

func (u unreadable) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range u.Store.ReadAll(ctx, after) {
			if r.Position >= u.from {
				yield(eventstore.Record{}, errUnreadable)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestLogThatCannotBeReadStopsTheTelling(t *testing.T) {
	s := newStage(t, unreadable{memory.New(), 3}, notify.Options{})
	ear := newEar()
	s.hub.Add("alice", ear.listener(), 0)
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	s.churn(1)
	require.ErrorIs(t, s.hub.WaitFor(t.Context(), s.handler.Position()), errUnreadable)
	require.ErrorIs(t, s.hub.Err(), errUnreadable)
	require.Len(t, ear.all(), 2, "what could be read was told")
}

func TestWaitForHonoursItsContext(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.hub.WaitFor(ctx, 1), context.Canceled)
}

// A read that fails is done again: of the log, and of the group that an event is about.
func TestTellingGoesOnAfterAFailure(t *testing.T) {
	for n := range 2 {
		var logged bytes.Buffer
		log := memory.New()
		newStage(t, log, notify.Options{}).do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
		faulty := eventstoretest.Faulty(log)
		s := newStage(t, faulty, notify.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))}) // its hub does not know the group
		_, err := s.handler.Do(t.Context(), domain.Actor{UserID: "alice"}, commands.RequestJoin{GroupID: "standup"})
		require.ErrorIs(t, err, &domain.Refusal{Code: domain.CodeAlreadyMember}) // its handler does now
		ear := newEar()
		s.hub.Add("alice", ear.listener(), 1)
		faulty.FailRead(n+1, 0, eventstore.ErrBusy)
		s.churn(1)
		ear.wait(2)
		require.Equal(t, derived(t, s.log, "alice", 1), ear.all())
		require.Contains(t, logged.String(), "locked", "read %d", n+1)
	}
}

func TestListenerThatEndsItsGoroutine(t *testing.T) {
	var logged bytes.Buffer
	s := newStage(t, memory.New(), notify.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	s.hub.Add("alice", notify.Listener{OnAny: func(notify.Notification) { runtime.Goexit() }}, 0)
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	s.churn(1)
	s.settle()
	require.Contains(t, logged.String(), "ended its goroutine")
}

// Waiting is for what has happened, not for what goes on happening.
func TestWaitForDoesNotWaitForWhatFollows(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	first, held := make(chan struct{}), make(chan struct{})
	calls := 0
	s.hub.Add("alice", notify.Listener{OnAny: func(notify.Notification) {
		if calls++; calls == 2 {
			close(first)
			<-held
		}
	}}, s.handler.Position())
	s.do("bob", commands.RequestJoin{GroupID: "standup"})
	position := s.handler.Position()
	s.do("bob", commands.Quit{GroupID: "standup"})
	<-first
	require.NoError(t, s.hub.WaitFor(t.Context(), position), "the second call does not return")
	close(held)
}

func TestListenerMayWaitForTheOthers(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	waited := make(chan error, 1)
	s.hub.Add("alice", notify.Listener{OnGroupCreated: func(n notify.Notification) { waited <- s.hub.WaitFor(context.Background(), n.Position) }}, 0)
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	require.NoError(t, <-waited)
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	hub, err := notify.NewHub(t.Context(), memory.New(), domain.Classic(), notify.Options{})
	require.NoError(t, err)
	require.NoError(t, hub.Close(t.Context()))
	require.ErrorContains(t, hub.WaitFor(t.Context(), 1), "closed")

	s := newStage(t, memory.New(), notify.Options{})
	entered, held := make(chan struct{}), make(chan struct{})
	s.hub.Add("alice", notify.Listener{OnAny: func(notify.Notification) {
		close(entered)
		<-held
	}}, 0)
	s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, s.hub.Close(ctx), `"alice"`)
	close(held)
}

// The IDs of what is sent do not depend on what a policy switches off.
func TestIDsDoNotDependOnThePolicy(t *testing.T) {
	loud, quiet := domain.Classic(), domain.Classic()
	meeting := quiet[domain.Public]
	meeting.AnnounceMembership = false
	quiet[domain.Public] = meeting
	ids := map[string]bool{}
	for _, policies := range []domain.Policies{loud, quiet} {
		s := newScene(t, policies, domain.Public)
		for _, n := range s.happens("m", domain.MemberLeft{UserID: "m"}) {
			if n.Kind == notify.OnQuitFromGroup {
				ids[n.ID] = true
			}
		}
	}
	require.Len(t, ids, 1)
}

// meanwhile is a log to which somebody appends just when it has been read to its end.
type meanwhile struct {
	eventstore.Store
	once sync.Once
	do   func()
}

func (m *meanwhile) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		m.Store.ReadAll(ctx, after)(yield)
		m.once.Do(m.do)
	}
}

// What is appended between reading and waiting is told at once, though nothing else
// happens and nobody looks again.
func TestNoWakeUpIsLost(t *testing.T) {
	log := memory.New()
	there := newStage(t, log, notify.Options{})
	there.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
	here := newStage(t, &meanwhile{Store: log, do: func() { there.do("carol", commands.RequestJoin{GroupID: "standup"}) }},
		notify.Options{Poll: time.Hour})
	ear := newEar()
	here.hub.Add("alice", ear.listener(), 1)
	there.do("bob", commands.RequestJoin{GroupID: "standup"})
	ear.wait(2)
	require.Equal(t, []notify.Kind{notify.OnMemberEnter, notify.OnMemberEnter}, ear.kinds())
}
