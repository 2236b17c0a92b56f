package notify_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/consumers"
	"github.com/grouplog/grouplog/projections/notify"
)

// A group that fails waits, in order, while the others go on; it is tried again after
// one, two and four seconds, and comes with what it has missed.
func TestFailureHoldsItsGroupAlone(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		var tape tape
		tape.says("a", errNo)
		l := s.listen(r, tape.handle)
		defer l.Stop()
		s.groups("a", "b")
		s.do("bob", commands.RequestJoin{GroupID: "a"})
		s.do("bob", commands.RequestJoin{GroupID: "b"})
		require.Equal(t, []string{"a 1/0 1 first", "b 2/0 1 first", "b 4/0 1 first"}, tape.take())
		held := status(t, r).Holds
		require.Len(t, held, 1)
		require.Equal(t, "no", held[0].Error)
		time.Sleep(time.Second)
		require.Equal(t, []string{"a 1/0 2 retry"}, tape.take())
		time.Sleep(2*time.Second - 1)
		require.Empty(t, tape.take())
		tape.says("a", nil)
		time.Sleep(time.Nanosecond)
		require.Equal(t, []string{"a 1/0 3 retry", "a 3/0 1 first"}, tape.take())
		require.Empty(t, status(t, r).Holds)
		s.do("bob", commands.Quit{GroupID: "a"})
		require.Equal(t, []string{"a 5/0 1 first", "a 5/1 1 first"}, tape.take())
	})
}

// After its attempts a notification is parked until somebody retries or discards it.
func TestParkRetryDiscard(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		var tape tape
		tape.says("a", errNo)
		l := s.listen(r, tape.handle, notify.Attempts(2))
		defer l.Stop()
		s.groups("a")
		s.do("bob", commands.RequestJoin{GroupID: "a"})
		synctest.Wait()
		time.Sleep(time.Hour)
		require.Equal(t, []string{"a 1/0 1 first", "a 1/0 2 retry"}, tape.take())
		now := status(t, r)
		require.Equal(t, 1, now.Parked())
		require.Equal(t, "no", now.Trouble.Text)

		_, err := r.Retry(t.Context(), "mailer")
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.Equal(t, []string{"a 1/0 3 retry", "a 1/0 4 retry"}, tape.take(), "as often as in the beginning")

		tape.says("a", nil)
		_, err = r.Discard(t.Context(), "mailer", domain.GroupStream("a"))
		require.NoError(t, err)
		time.Sleep(notify.DefaultPoll)
		require.Equal(t, []string{"a 2/0 1 first"}, tape.take())
		require.Empty(t, status(t, r).Holds)
	})
}

// A process ends when it has stored that the first notification of a record failed, and has
// not come to the next. Where an operator discards the first twice, the next is told.
func TestDiscardWhereTheProcessEnded(t *testing.T) {
	durably(t, func(t *testing.T, s *stage, r *consumers.Registry) {
		create := commands.CreateGroup{GroupType: domain.Meeting, GroupID: "a", Name: "a", Members: []domain.InitialMember{{UserID: "bob"}}}
		s.do("alice", create)
		require.NoError(t, r.Enroll(t.Context(), "mailer", 0))
		c, err := r.Acquire(t.Context(), "mailer", 0)
		require.NoError(t, err)
		stream := domain.GroupStream("a")
		failed := consumers.Hold{Place: consumers.Place{Position: 1}, Stream: stream, Version: 1, Attempts: 1, Since: time.Now(), Error: "no"}
		require.NoError(t, c.Advance(t.Context(), consumers.Step{Cursor: failed.Next(), Put: []consumers.Hold{failed}}))
		require.NoError(t, c.Release())
		_, err = r.Discard(t.Context(), "mailer", stream)
		require.NoError(t, err)
		_, err = r.Discard(t.Context(), "mailer", stream)
		require.ErrorIs(t, err, consumers.ErrNotFailed)
		s.do("carol", commands.RequestJoin{GroupID: "a"})

		var tape tape
		l := s.listen(r, tape.handle)
		defer l.Stop()
		require.Equal(t, []string{"a 1/1 1 first", "a 2/0 1 first"}, tape.take())
		require.Empty(t, status(t, r).Holds)
	})
}

// When very many groups fail, the listener waits as a whole, and goes on when they can be
// handled. That so many fit into a cell is for package consumers to show.
func TestTooManyHeld(t *testing.T) {
	durablyIn(t, "file", func(t *testing.T, s *stage, r *consumers.Registry) {
		var failing atomic.Bool
		failing.Store(true)
		var told sync.Map
		l := s.listen(r, func(_ context.Context, d notify.Delivery) error {
			if failing.Load() {
				return errNo
			}
			told.Store(d.ID, true)
			return nil
		})
		defer l.Stop()
		for i := range notify.MaxHeld + 50 {
			s.groups(fmt.Sprint("g", i))
		}
		now := status(t, r)
		require.Len(t, now.Holds, notify.MaxHeld)
		require.Equal(t, eventstore.Position(50), now.Lag)
		require.ErrorContains(t, l.Err(), "1000 groups are held")
		failing.Store(false)
		time.Sleep(time.Minute)
		require.Empty(t, status(t, r).Holds)
		for p := range notify.MaxHeld + 50 {
			_, ok := told.Load(fmt.Sprintf("%d/0", p+1))
			require.True(t, ok, p+1)
		}
		require.NoError(t, l.Err())
	})
}
