package grouplog_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections/notify"
)

// A durable listener hears of everything since it listened first, across engines.
func TestListenAcrossRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	open := func() *grouplog.Engine {
		engine, err := grouplog.Open(t.Context(), path, nil)
		require.NoError(t, err)
		return engine
	}
	var heard []notify.Kind
	listen := func(e *grouplog.Engine) *notify.Listening {
		l, err := e.Listen(t.Context(), "mailer", func(_ context.Context, d grouplog.Delivery) error {
			heard = append(heard, d.Kind)
			require.Equal(t, notify.First, d.Occasion)
			return nil
		})
		require.NoError(t, err)
		return l
	}
	engine := open()
	_, err := engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "before", "Before")
	require.NoError(t, err)
	l := listen(engine)
	_, err = engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "standup", "Stand-up")
	require.NoError(t, err)
	require.NoError(t, l.WaitFor(t.Context(), 2))
	require.NoError(t, engine.Close())
	require.Equal(t, notify.Stopped, l.State())

	engine = open()
	_, err = engine.As("bob").JoinGroup(t.Context(), "standup", "")
	require.NoError(t, err)
	require.NoError(t, engine.Close())

	engine = open()
	require.NoError(t, listen(engine).WaitFor(t.Context(), 3))
	require.NoError(t, engine.Close())
	require.Equal(t, []notify.Kind{notify.OnGroupCreated, notify.OnMemberEnter}, heard)
	_, err = engine.Listen(t.Context(), "mailer", func(context.Context, grouplog.Delivery) error { return nil })
	require.ErrorIs(t, err, grouplog.ErrClosed)
}

// The handler may close the engine that calls it.
func TestHandlerClosesTheEngine(t *testing.T) {
	engine, err := grouplog.Open(t.Context(), grouplog.Memory, nil)
	require.NoError(t, err)
	l, err := engine.Listen(t.Context(), "mailer", func(context.Context, grouplog.Delivery) error { return engine.Close() })
	require.NoError(t, err)
	_, err = engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "standup", "Stand-up")
	require.NoError(t, err)
	<-l.Done()
	require.NoError(t, engine.Close())
}
