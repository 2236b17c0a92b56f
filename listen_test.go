package grouplog_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore/memory"
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

// cutOff is a log whose cells a process cannot reach from time to time.
type cutOff struct {
	*memory.Store
	cut atomic.Bool
}

var errCutOff = errors.New("the cells cannot be reached")

func (c *cutOff) Cell(ctx context.Context, name string) ([]byte, uint64, error) {
	if c.cut.Load() {
		return nil, 0, errCutOff
	}
	return c.Store.Cell(ctx, name)
}

func (c *cutOff) SetCell(ctx context.Context, name string, value []byte, revision uint64) (uint64, error) {
	if c.cut.Load() {
		return 0, errCutOff
	}
	return c.Store.SetCell(ctx, name, value, revision)
}

// Of engines on several machines one is active under a name; when it is closed or cut off,
// another one goes on, nothing is skipped or told twice, and one that comes back stands by.
func TestListenOnSeveralNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		var heard []string // by whom, and of which group
		open := func(node string) (*grouplog.Engine, *notify.Listening, *cutOff) {
			store := &cutOff{Store: log}
			engine, err := grouplog.Open(t.Context(), grouplog.Memory, &grouplog.Options{Store: store})
			require.NoError(t, err)
			l, err := engine.Listen(t.Context(), "mailer", func(_ context.Context, d grouplog.Delivery) error {
				require.Equal(t, notify.First, d.Occasion)
				heard = append(heard, node+" "+d.GroupID)
				return nil
			}, notify.FromStart())
			require.NoError(t, err)
			synctest.Wait()
			return engine, l, store
		}
		groups := func(e *grouplog.Engine, ids ...string) {
			for _, id := range ids {
				_, err := e.As("alice").CreateGroup(t.Context(), domain.Meeting, id, id)
				require.NoError(t, err)
			}
		}
		first, a, link := open("a")
		second, b, _ := open("b")
		groups(second, "g1", "g2")
		require.NoError(t, a.WaitFor(t.Context(), 2))
		require.Equal(t, []notify.State{notify.Active, notify.Standby}, []notify.State{a.State(), b.State()})

		link.cut.Store(true)
		groups(first, "g3")
		require.NoError(t, b.WaitFor(t.Context(), 3))
		require.ErrorIs(t, a.Err(), errCutOff)
		link.cut.Store(false)
		groups(first, "g4")
		require.NoError(t, b.WaitFor(t.Context(), 4))
		time.Sleep(time.Minute)
		require.Equal(t, []notify.State{notify.Standby, notify.Active}, []notify.State{a.State(), b.State()})

		require.NoError(t, second.Close())
		groups(first, "g5")
		require.NoError(t, a.WaitFor(t.Context(), 5))
		require.Equal(t, []string{"a g1", "a g2", "b g3", "b g4", "a g5"}, heard)
		require.NoError(t, first.Close())
	})
}
