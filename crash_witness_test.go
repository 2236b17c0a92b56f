package grouplog_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/eventstore"
)

// witness is somebody who is told what happens in a process that is going to be killed.
// In there, it says so; the test then holds that against the log that has survived, and
// returns what has been told meanwhile, which counts the next time.
type witness struct {
	name   string
	attach func(ctx context.Context, engine *grouplog.Engine) error
	check  func(t *testing.T, engine *grouplog.Engine, log []eventstore.Record, told []line) (more []line)
}

// witnesses are all who listen in childLoad.
var witnesses = []witness{{"live", attachLive, checkLive}, {"durable", attachDurable, checkDurable}}

// attachLive adds a live listener for each user.
func attachLive(_ context.Context, engine *grouplog.Engine) error {
	for i := range 15 {
		user := fmt.Sprint("user-", i)
		engine.As(user).AddGroupListener(grouplog.Listener{OnAny: func(n grouplog.Notification) {
			l := line{Listener: "live", ID: user + " " + n.ID, Group: n.GroupID, Position: n.Position}
			if err := l.say(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}})
	}
	return nil
}

// checkLive: nobody was told of anything that has not happened, nor twice.
func checkLive(t *testing.T, _ *grouplog.Engine, log []eventstore.Record, told []line) []line {
	t.Helper()
	once := map[string]bool{}
	for _, l := range told {
		require.LessOrEqual(t, int(l.Position), len(log), "%s was told of what is not in the log", l.ID)
		require.Equal(t, "group:"+l.Group, log[l.Position-1].Stream, "%s was told of another event than the log has", l.ID)
		require.False(t, once[l.ID], "%s was told twice", l.ID)
		once[l.ID] = true
	}
	return nil
}

// attachDurable listens under a name.
func attachDurable(ctx context.Context, engine *grouplog.Engine) error {
	_, err := engine.Listen(ctx, "durable", func(_ context.Context, d grouplog.Delivery) error {
		return toldDurably(d).say()
	})
	return err
}

func toldDurably(d grouplog.Delivery) line {
	return line{Listener: "durable", ID: d.ID, Group: d.GroupID, Position: d.Position}
}

// checkDurable goes on listening under the name. Whoever has listened from the beginning
// has then been told everything that there is, nothing else, and, when it was told first,
// in the order of the log in each group.
func checkDurable(t *testing.T, engine *grouplog.Engine, log []eventstore.Record, told []line) (more []line) {
	t.Helper()
	listening, err := engine.Listen(t.Context(), "durable", func(_ context.Context, d grouplog.Delivery) error {
		more = append(more, toldDurably(d))
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, listening.WaitFor(t.Context(), eventstore.Position(len(log))))
	listening.Stop()
	want := map[string][]string{}
	for n := range notificationsOf(t, engine.Log()) {
		want[n.GroupID] = append(want[n.GroupID], n.ID)
	}
	got, seen := map[string][]string{}, map[string]bool{}
	for _, l := range append(told, more...) {
		if !seen[l.ID] {
			seen[l.ID] = true
			got[l.Group] = append(got[l.Group], l.ID)
		}
	}
	require.Equal(t, want, got)
	return more
}
