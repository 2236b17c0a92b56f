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
// In there, it says so; the test then holds that against the log that has survived.
type witness struct {
	name   string
	attach func(ctx context.Context, engine *grouplog.Engine) error
	check  func(t *testing.T, log []eventstore.Record, told []line)
}

// witnesses are all who listen in childLoad.
var witnesses = []witness{{"live", attachLive, checkLive}}

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
func checkLive(t *testing.T, log []eventstore.Record, told []line) {
	t.Helper()
	once := map[string]bool{}
	for _, l := range told {
		require.LessOrEqual(t, int(l.Position), len(log), "%s was told of what is not in the log", l.ID)
		require.Equal(t, "group:"+l.Group, log[l.Position-1].Stream, "%s was told of another event than the log has", l.ID)
		require.False(t, once[l.ID], "%s was told twice", l.ID)
		once[l.ID] = true
	}
}
