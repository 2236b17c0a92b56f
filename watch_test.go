package grouplog_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// Watching from the past goes over into watching what happens, without a seam.
func TestWatchHistoryThenLive(t *testing.T) {
	engine, err := grouplog.Open(t.Context(), grouplog.Memory, nil)
	require.NoError(t, err)
	defer engine.Close()
	_, err = engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "standup", "Stand-up")
	require.NoError(t, err)
	const joins = 200
	join := func(from, to int) {
		for i := from; i < to; i++ {
			_, err := engine.As(fmt.Sprint("u", i)).JoinGroup(context.Background(), "standup", "")
			require.NoError(t, err)
		}
	}
	join(0, joins/2)
	go join(joins/2, joins)
	next := eventstore.Position(3)
	for event, err := range engine.Watch(t.Context(), projections.Filter{}, 2) {
		require.NoError(t, err)
		require.Equal(t, next, event.Position)
		if next++; event.Position == joins+1 {
			break
		}
	}
}

func TestWatchFilters(t *testing.T) {
	engine, err := grouplog.Open(t.Context(), grouplog.Memory, nil)
	require.NoError(t, err)
	defer engine.Close()
	alice, bob := engine.As("alice"), engine.As("bob")
	for _, id := range []string{"a", "b"} { // positions 1 to 6
		_, err := alice.CreateGroup(t.Context(), domain.Meeting, id, id)
		require.NoError(t, err)
		_, err = bob.JoinGroup(t.Context(), id, "")
		require.NoError(t, err)
		require.NoError(t, bob.Quit(t.Context(), id))
	}
	require.NoError(t, bob.MarkApplicationsRead(t.Context())) // 7, of no group
	require.NoError(t, alice.Dismiss(t.Context(), "b"))       // 8
	for _, c := range []struct {
		filter projections.Filter
		after  eventstore.Position
		want   []eventstore.Position
	}{
		{projections.Filter{Groups: []string{"a"}, Actors: []string{"bob"}}, 0, []eventstore.Position{2, 3}},
		{projections.Filter{Groups: []string{"a", "b"}}, 3, []eventstore.Position{4, 5, 6, 8}},
		{projections.Filter{Actors: []string{"bob"}}, 5, []eventstore.Position{6, 7}},
		{projections.Filter{Types: []string{"member.*"}}, 0, []eventstore.Position{2, 3, 5, 6}},
		{projections.Filter{Types: []string{"group.dismissed", "member.left"}}, 0, []eventstore.Position{3, 6, 8}},
	} {
		var got []eventstore.Position
		for event, err := range engine.Watch(t.Context(), c.filter, c.after) {
			require.NoError(t, err)
			if got = append(got, event.Position); len(got) == len(c.want) {
				break
			}
		}
		require.Equal(t, c.want, got, "%+v", c.filter)
	}
	for _, err := range engine.Watch(t.Context(), projections.Filter{Types: []string{"member.jioned", "x*"}}, 0) {
		require.ErrorContains(t, err, `no event is of the type "member.jioned"`)
		require.ErrorContains(t, err, `no event is of the type "x*"`)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range engine.Watch(ctx, projections.Filter{}, 8) {
		require.ErrorIs(t, err, context.Canceled)
	}
}
