//go:build soak

package grouplog_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections/groupview"
)

var soakTime = flag.Duration("soak", 10*time.Minute, "how long to soak")

// TestSoak carries out mixed commands with listeners attached and queries under
// way, and looks for memory that grows with the time and not with the groups:
//
//	go test -tags soak -run Soak -timeout 30m . -soak 10m
func TestSoak(t *testing.T) {
	engine := openFile(t, filepath.Join(t.TempDir(), "groups.db"), &grouplog.Options{CacheMembers: 20_000})
	const groups, users, callers = 500, 2_000, 64
	var told, carriedOut atomic.Int64
	for i := range users / 10 {
		engine.As(fmt.Sprintf("user-%d", i)).AddGroupListener(grouplog.Listener{OnAny: func(grouplog.Notification) { told.Add(1) }})
	}
	ctx, cancel := context.WithTimeout(t.Context(), *soakTime)
	defer cancel()
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for ctx.Err() == nil {
				actor, command := soakCommand(groups, users)
				if _, err := engine.Do(ctx, actor, command); err == nil {
					carriedOut.Add(1)
				}
			}
		})
	}
	wait.Go(func() {
		for ctx.Err() == nil {
			user := fmt.Sprintf("user-%d", rand.IntN(users))
			for _, err := range engine.JoinedGroups(ctx, user) {
				if err != nil {
					break
				}
			}
			_, _ = engine.Applications(ctx, user, groupview.ApplicationFilter{})
		}
	})
	warm := watchMemory(t, ctx, *soakTime)
	wait.Wait()
	goroutines, after := runtime.NumGoroutine(), use()
	t.Logf("%d commands, %d notifications; after a third: %v, at the end: %v; goroutines: %d",
		carriedOut.Load(), told.Load(), warm, after, goroutines)
	require.Less(t, after.heap, warm.heap*3/2+16<<20, "memory grows")
	require.Less(t, after.resident, warm.resident*3/2+16<<20, "memory grows, SQLite's counted")
	require.Less(t, goroutines, users/10+callers, "goroutines are left")
	require.NoError(t, engine.WaitForListeners(t.Context()))
}

// usage is what a process uses, in bytes.
type usage struct{ heap, resident uint64 }

func (u usage) String() string {
	return fmt.Sprintf("heap %d KiB, resident %d KiB", u.heap>>10, u.resident>>10)
}

// use is what this process uses. Elsewhere than on Linux, resident is 0.
func use() (u usage) {
	var stats runtime.MemStats
	debug.FreeOSMemory() // collects, too
	runtime.ReadMemStats(&stats)
	u.heap = stats.HeapAlloc
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		_, _ = fmt.Sscan(string(statm), new(uint64), &u.resident)
		u.resident *= uint64(os.Getpagesize())
	}
	return u
}

// watchMemory waits for the end and returns what is in use after a third of the time,
// when caches are full.
func watchMemory(t *testing.T, ctx context.Context, total time.Duration) (warm usage) {
	t.Helper()
	select {
	case <-time.After(total / 3):
		warm = use()
	case <-ctx.Done():
	}
	<-ctx.Done()
	return warm
}

func soakCommand(groups, users int) (domain.Actor, commands.Command) {
	group := fmt.Sprintf("group-%d", rand.IntN(groups))
	actor := domain.Actor{UserID: fmt.Sprintf("user-%d", rand.IntN(users)), AppAdmin: rand.IntN(4) == 0}
	other := fmt.Sprintf("user-%d", rand.IntN(users))
	wishes := []commands.Command{
		commands.CreateGroup{GroupType: domain.Public, GroupID: group, Name: "G", JoinOption: domain.Any},
		commands.RequestJoin{GroupID: group}, commands.RequestJoin{GroupID: group}, commands.RequestJoin{GroupID: group},
		commands.InviteUsers{GroupID: group, UserIDs: []string{other}},
		commands.Quit{GroupID: group}, commands.Quit{GroupID: group},
		commands.KickMembers{GroupID: group, UserIDs: []string{other}},
		commands.SetMemberRole{GroupID: group, UserID: other, Role: domain.Admin},
		commands.SetGroupInfo{GroupID: group, Introduction: new(time.Now().String())},
		commands.AcceptApplication{GroupID: group, FromUser: other},
		commands.MarkApplicationsRead{},
	}
	if rand.IntN(500) == 0 {
		return actor, commands.Dismiss{GroupID: group}
	}
	return actor, wishes[rand.IntN(len(wishes))]
}
