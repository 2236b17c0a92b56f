package notify_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections/consumers"
	"github.com/grouplog/grouplog/projections/notify"
)

// places are where the progress of listeners may be kept.
var places = map[string]func(ctx context.Context, log *memory.Store) (*consumers.Registry, error){
	"file": func(ctx context.Context, log *memory.Store) (*consumers.Registry, error) {
		return consumers.Open(ctx, ":memory:", log)
	},
	"cells": func(ctx context.Context, log *memory.Store) (*consumers.Registry, error) {
		return consumers.OpenCells(ctx, log, log, nil)
	},
}

// durably runs a test with a stage and a place for the progress of listeners, each of
// them, in a time of its own.
func durably(t *testing.T, f func(t *testing.T, s *stage, r *consumers.Registry)) {
	t.Helper()
	for place := range places {
		t.Run(place, func(t *testing.T) { durablyIn(t, place, f) })
	}
}

func durablyIn(t *testing.T, place string, f func(t *testing.T, s *stage, r *consumers.Registry)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		s := newStage(t, log, notify.Options{})
		r, err := places[place](t.Context(), log)
		require.NoError(t, err)
		defer func() { require.NoError(t, r.Close()) }()
		f(t, s, r)
	})
}

func (s *stage) listen(r *consumers.Registry, handler notify.Handler, opts ...notify.ListenOption) *notify.Listening {
	s.t.Helper()
	opts = append([]notify.ListenOption{notify.Backoff(time.Second, 4*time.Second), notify.Jitter(func() float64 { return 0 })}, opts...)
	l, err := notify.Listen(s.t.Context(), notify.Source{Log: s.log, Policies: domain.Classic(), Consumers: r}, "mailer", handler, opts...)
	require.NoError(s.t, err)
	return l
}

// groups has alice create groups, one event and one notification each.
func (s *stage) groups(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: id, Name: id})
	}
}

// tape is what a handler is told, as text, and what it answers for a group.
type tape struct {
	mu     sync.Mutex
	heard  []string
	answer map[string]error
}

func (p *tape) handle(_ context.Context, d notify.Delivery) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, fmt.Sprintf("%s %s %d %s", d.GroupID, d.ID, d.Attempt, d.Occasion))
	return p.answer[d.GroupID]
}

// says sets what is answered for a group from now on.
func (p *tape) says(group string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answer == nil {
		p.answer = map[string]error{}
	}
	p.answer[group] = err
}

// take is what was heard since the last call, when there is nothing to do.
func (p *tape) take() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := p.heard
	p.heard = nil
	return heard
}

func status(t *testing.T, r *consumers.Registry) consumers.Status {
	t.Helper()
	synctest.Wait()
	s, err := r.Status(t.Context(), "mailer")
	require.NoError(t, err)
	return s
}

var errNo = errors.New("no")

func TestPanicIsAFailure(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		calls := 0
		l := s.listen(r, func(context.Context, notify.Delivery) error {
			if calls++; calls == 1 {
				panic("oh")
			}
			return nil
		})
		defer l.Stop()
		s.groups("a")
		require.Equal(t, "the handler panicked: oh", status(t, r).Holds[0].Error)
		time.Sleep(time.Second)
		require.Empty(t, status(t, r).Holds)
	})
}

// While the receiver is down nothing is held and nothing counts, however long.
func TestUnavailable(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		var tape tape
		tape.says("a", fmt.Errorf("connect: %w", notify.ErrUnavailable))
		l := s.listen(r, tape.handle, notify.Attempts(2))
		s.groups("a", "b")
		synctest.Wait()
		require.ErrorIs(t, l.Err(), notify.ErrUnavailable)
		time.Sleep(time.Minute)
		heard := tape.take()
		require.Greater(t, len(heard), 10)
		require.Len(t, slices.Compact(heard), 1, "the same, the first time, again and again")
		require.Contains(t, status(t, r).Trouble.Text, "connect")
		l.Stop()
		l = s.listen(r, tape.handle, notify.Attempts(2))
		defer l.Stop()
		require.Equal(t, []string{"a 1/0 1 first"}, tape.take(), "nor did it count over a restart")
		tape.says("a", nil)
		time.Sleep(4 * time.Second)
		require.Equal(t, []string{"a 1/0 1 first", "b 2/0 1 first"}, tape.take())
		require.NoError(t, l.Err())
	})
}

// A failure because the listening ends is none.
func TestCancelledCallDoesNotCount(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		ctx, cancel := context.WithCancel(t.Context())
		s.groups("a")
		source := notify.Source{Log: s.log, Policies: domain.Classic(), Consumers: r}
		l, err := notify.Listen(ctx, source, "mailer", func(ctx context.Context, _ notify.Delivery) error {
			<-ctx.Done()
			return ctx.Err()
		}, notify.FromStart())
		require.NoError(t, err)
		synctest.Wait()
		cancel()
		<-l.Done()
		require.Equal(t, notify.Stopped, l.State())
		var tape tape
		l = s.listen(r, tape.handle)
		defer l.Stop()
		require.Equal(t, []string{"a 1/0 1 first"}, tape.take())
	})
}

// Stop waits for the call under way, and what that has handled does not come again.
func TestStopWaitsAndAcknowledges(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		handled := 0
		l := s.listen(r, func(context.Context, notify.Delivery) error {
			time.Sleep(time.Second)
			handled++
			return nil
		})
		s.groups("a", "b")
		synctest.Wait()
		l.Stop()
		require.Equal(t, 1, handled)
		require.Error(t, l.WaitFor(t.Context(), 2))

		self := make(chan *notify.Listening, 1)
		l = s.listen(r, func(context.Context, notify.Delivery) error {
			handled++
			(<-self).Stop() // from within
			return nil
		})
		self <- l
		<-l.Done()
		require.Equal(t, 2, handled)
		require.Equal(t, eventstore.Position(2), status(t, r).Position)
	})
}

// A handler that does not return is given up by Close, after its context has ended.
func TestStuckHandler(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		release := make(chan struct{})
		l := s.listen(r, func(ctx context.Context, _ notify.Delivery) error {
			<-ctx.Done()
			<-release
			return nil
		})
		s.groups("a")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorContains(t, l.Close(ctx), `the handler of the listener "mailer" has not returned`)
		close(release)
		<-l.Done()
	})
}

// A handler that ends its goroutine ends the listening, not the process's hold on the
// name.
func TestHandlerEndsItsGoroutine(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		l := s.listen(r, func(context.Context, notify.Delivery) error { runtime.Goexit(); return nil })
		s.groups("a")
		<-l.Done()
		var tape tape
		l = s.listen(r, tape.handle)
		defer l.Stop()
		require.Equal(t, []string{"a 1/0 2 retry"}, tape.take(), "the attempt counts")
	})
}

// What ends the process each time is parked when it has had its attempts, without being
// told again, and the others go on.
func TestWhatKillsIsParked(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		s.groups("a", "b")
		for range 2 {
			l := s.listen(r, func(context.Context, notify.Delivery) error { runtime.Goexit(); return nil }, notify.FromStart(), notify.Attempts(2))
			<-l.Done()
		}
		var tape tape
		l := s.listen(r, tape.handle, notify.Attempts(2))
		defer l.Stop()
		require.Equal(t, []string{"b 2/0 1 first"}, tape.take())
		now := status(t, r)
		require.Equal(t, 1, now.Parked())
		require.Equal(t, 2, now.Holds[0].Attempts)
		require.Contains(t, now.Holds[0].Error, "the process ended")
	})
}

// A new name begins when Listen returns, also where it stands by at first, or the process
// ends before it has done anything.
func TestNewNameBeginsWithListen(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		s.groups("a")
		other, err := r.Acquire(t.Context(), "mailer", 1)
		require.NoError(t, err)
		l := s.listen(r, new(tape).handle)
		s.groups("b")
		l.Stop()
		require.NoError(t, other.Release())
		s.groups("c")
		var tape tape
		l = s.listen(r, tape.handle)
		defer l.Stop()
		require.Equal(t, []string{"b 2/0 1 first", "c 3/0 1 first"}, tape.take())
	})
}

// A group that was parked when the listener was reset is told for the first time what it
// had missed.
func TestReplayIsOnlyWhatWasHandled(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		var tape tape
		tape.says("a", errNo)
		l := s.listen(r, tape.handle, notify.Attempts(1))
		defer l.Stop()
		s.groups("a", "b")
		s.do("bob", commands.RequestJoin{GroupID: "a"})
		tape.take()
		tape.says("a", nil)
		_, err := r.Reset(t.Context(), "mailer", 0)
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.Equal(t, []string{"a 1/0 1 first", "b 2/0 1 replay", "a 3/0 1 first"}, tape.take())
		_, err = r.Reset(t.Context(), "mailer", 1)
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.Equal(t, []string{"b 2/0 1 replay", "a 3/0 1 replay"}, tape.take())
	})
}

func TestFilters(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		s.groups("a", "b")
		for _, group := range []string{"a", "b"} {
			s.do("bob", commands.RequestJoin{GroupID: group})
			s.do("bob", commands.Quit{GroupID: group})
		}
		for i, c := range []struct {
			opt  notify.ListenOption
			want []string
		}{
			{notify.OnlyGroups("b"), []string{"2/0", "5/0", "6/0", "6/1"}},
			{notify.OnlyUser("bob"), []string{"3/0", "4/1", "5/0", "6/1"}},
			{notify.OnlyKinds(notify.OnGroupCreated, notify.OnQuitFromGroup), []string{"1/0", "2/0", "4/1", "6/1"}},
			{notify.After(4), []string{"5/0", "6/0", "6/1"}},
		} {
			var heard []string
			l, err := notify.Listen(t.Context(), notify.Source{Log: s.log, Policies: domain.Classic(), Consumers: r}, fmt.Sprint(i),
				func(_ context.Context, d notify.Delivery) error {
					heard = append(heard, d.ID)
					return nil
				}, notify.FromStart(), c.opt)
			require.NoError(t, err)
			require.NoError(t, l.WaitFor(t.Context(), 6))
			l.Stop()
			require.Equal(t, c.want, heard)
			now, err := r.Status(t.Context(), fmt.Sprint(i))
			require.NoError(t, err)
			require.Equal(t, eventstore.Position(6), now.Position, "what is filtered is passed, and stored")
		}
	})
}

func TestReceivers(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		var heard []string
		l := s.listen(r, func(_ context.Context, d notify.Delivery) error {
			heard = append(heard, fmt.Sprint(d.Kind, slices.Sorted(d.Receivers()), d.Has("bob")))
			return nil
		})
		s.groups("a")
		s.do("bob", commands.RequestJoin{GroupID: "a"})
		s.do("alice", commands.Dismiss{GroupID: "a"})
		require.NoError(t, l.WaitFor(t.Context(), 3))
		l.Stop()
		require.Equal(t, []string{"OnGroupCreated[alice] false", "OnMemberEnter[alice bob] true", "OnGroupDismissed[alice bob] true"}, heard)
	})
}

// While the progress cannot be stored, nothing is told, and nothing is skipped.
func TestProgressCannotBeStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.consumers.db")
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, memory.New(), notify.Options{})
		r, err := consumers.Open(t.Context(), path, s.log)
		require.NoError(t, err)
		defer func() { require.NoError(t, r.Close()) }()
		file, err := sql.Open("sqlite3", path)
		require.NoError(t, err)
		defer file.Close()
		var tape tape
		l := s.listen(r, tape.handle)
		defer l.Stop()
		synctest.Wait()
		_, err = file.Exec("CREATE TRIGGER full BEFORE UPDATE ON consumers BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
		require.NoError(t, err)
		s.groups("a", "b")
		require.Empty(t, tape.take())
		require.ErrorContains(t, l.Err(), "disk is full")
		_, err = file.Exec("DROP TRIGGER full")
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.Equal(t, []string{"a 1/0 1 first", "b 2/0 1 first"}, tape.take())
		require.NoError(t, l.Err())
	})
}

// A log that cannot be read is read again.
func TestLogCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := eventstoretest.Faulty(memory.New())
		s := newStage(t, log, notify.Options{})
		r, err := consumers.Open(t.Context(), ":memory:", log)
		require.NoError(t, err)
		defer func() { require.NoError(t, r.Close()) }()
		var tape tape
		s.groups("a", "b", "c")
		synctest.Wait()
		log.FailRead(1, 1, nil)
		l := s.listen(r, tape.handle, notify.FromStart())
		defer l.Stop()
		time.Sleep(time.Minute)
		require.Equal(t, []string{"a 1/0 1 first", "b 2/0 1 first", "c 3/0 1 first"}, tape.take())
	})
}

// A second one under the name stands by, and takes over.
func TestStandby(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		var one, two tape
		first := s.listen(r, one.handle)
		synctest.Wait()
		second := s.listen(r, two.handle)
		defer second.Stop()
		s.groups("a")
		require.Equal(t, []string{"a 1/0 1 first"}, one.take())
		require.Empty(t, two.take())
		require.Equal(t, notify.Active, first.State())
		require.Equal(t, notify.Standby, second.State())
		first.Stop()
		s.groups("b")
		time.Sleep(time.Second)
		require.Equal(t, []string{"b 2/0 1 first"}, two.take())
		require.Equal(t, notify.Active, second.State())
	})
}

func TestListenRefusesMistakes(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		source := notify.Source{Log: s.log, Policies: domain.Classic(), Consumers: r}
		_, err := notify.Listen(t.Context(), source, "mailer", nil, notify.Attempts(0), notify.Backoff(2, 1), notify.Jitter(nil))
		require.ErrorContains(t, err, "the handler is nil")
		require.ErrorContains(t, err, "Attempts is 0: at least 1")
		require.ErrorContains(t, err, "Backoff is 2ns up to 1ns")
		require.ErrorContains(t, err, "Jitter is nil")
		handler := func(context.Context, notify.Delivery) error { return nil }
		_, err = notify.Listen(t.Context(), source, "a/b", handler)
		require.ErrorIs(t, err, consumers.ErrName)
		_, err = notify.Listen(t.Context(), source, "mailer", handler, notify.After(1))
		require.ErrorIs(t, err, consumers.ErrAhead)
	})
}
