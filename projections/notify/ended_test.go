package notify_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections/notify"
)

// reads counts how often a log is read as a whole, which a hub does and a handler does not.
type reads struct {
	eventstore.Store
	count atomic.Int64
}

func (r *reads) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	r.count.Add(1)
	return r.Store.ReadAll(ctx, after)
}

// A listener that has ended its goroutine is not there any more.
func TestListenerThatEndsItsGoroutineLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &reads{Store: memory.New()}
		s := newStage(t, log, notify.Options{})
		var heard []notify.Kind
		listener := notify.Listener{OnAny: func(n notify.Notification) {
			heard = append(heard, n.Kind)
			if len(heard) == 1 {
				runtime.Goexit()
			}
		}}
		s.hub.Add("alice", listener, 0)
		s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"})
		synctest.Wait()
		before := log.count.Load()
		s.churn(1)
		synctest.Wait()
		require.Equal(t, before, log.count.Load(), "nobody listens")

		s.hub.Add("alice", listener, s.handler.Position())
		s.churn(1)
		s.settle()
		require.Equal(t, []notify.Kind{notify.OnGroupCreated, notify.OnMemberEnter, notify.OnMemberLeave}, heard)
	})
}

func TestListenerThatEndsItsGoroutineIsAddedAgainAtOnce(t *testing.T) {
	s := newStage(t, memory.New(), notify.Options{})
	calls := 0
	listener := notify.Listener{OnAny: func(notify.Notification) {
		calls++
		runtime.Goexit()
	}}
	for added := range 20 {
		s.hub.Add("alice", listener, eventstore.Position(added))
		s.do("alice", commands.CreateGroup{GroupType: domain.Meeting, GroupID: fmt.Sprint(added), Name: "Stand-up"})
		s.settle()
		require.Equal(t, added+1, calls)
	}
}
