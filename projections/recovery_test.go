package projections_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// A failure that passes stops the rows for no longer than it lasts.
func TestRowsFollowAgainAfterAFailure(t *testing.T) {
	log := eventstoretest.Faulty(memory.New())
	views, err := projections.Open(t.Context(), ":memory:", log, &projections.Options{Projections: []projections.Projection{groupview.New()}})
	require.NoError(t, err)
	defer func() { require.NoError(t, views.Close()) }()

	broken := errors.New("broken for a moment")
	log.FailRead(1, 0, broken)
	name, schema, data, err := domain.Encode(domain.GroupCreated{GroupType: domain.Work, Owner: "alice", Name: "G", JoinOption: domain.Forbid, InviteOption: domain.Any})
	require.NoError(t, err)
	_, err = log.Append(t.Context(), eventstore.Commit{
		Stream: domain.GroupStream("g"), Events: []eventstore.Event{{Type: name, Schema: schema, Data: data, Actor: "alice", Time: time.Unix(1, 0)}},
	})
	require.NoError(t, err)
	for err = errors.New("not asked yet"); err != nil; {
		if err = views.WaitFor(t.Context(), 1); err != nil {
			require.ErrorIs(t, err, broken)
		}
	}
	group, err := groupview.NewQueries(views).Group(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "alice", group.Owner)
}

// meanwhile is a log to which somebody appends just when it has been found to end.
type meanwhile struct {
	eventstore.Store
	after int // so many calls of Head
	calls atomic.Int64
	do    func()
}

func (m *meanwhile) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := m.Store.Head(ctx)
	if m.calls.Add(1) == int64(m.after)+1 {
		m.do()
	}
	return head, err
}

// What is appended between looking and waiting comes into the rows, though nothing else
// happens, nobody asks for it, and nobody looks again.
func TestNoWakeUpIsLost(t *testing.T) {
	inner := grown(t, 3)
	applied := make(chan struct{}, 10)
	opts := options(counter{name: "counts", slow: func() { applied <- struct{}{} }})
	opts.Poll = time.Hour
	views, err := projections.Open(t.Context(), ":memory:", &meanwhile{Store: inner, after: 1, do: func() { grow(t, inner, 1) }}, opts)
	require.NoError(t, err)
	defer func() { require.NoError(t, views.Close()) }()
	<-applied
	<-applied
}
