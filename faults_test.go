package grouplog_test

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/notify"
)

// scenario is what TestEveryCallToTheStore does: all that a group may go through.
var scenario = []struct {
	as  string
	cmd commands.Command
}{
	{"alice", commands.CreateGroup{GroupType: domain.Public, GroupID: "chess", Name: "Chess"}},
	{"bob", commands.RequestJoin{GroupID: "chess", Message: "hello"}},
	{"alice", commands.AcceptApplication{GroupID: "chess", FromUser: "bob"}},
	{"bob", commands.RequestJoin{GroupID: "chess"}}, // refused
	{"alice", commands.SetMemberRole{GroupID: "chess", UserID: "bob", Role: domain.Admin}},
	{"alice", commands.TransferOwner{GroupID: "chess", UserID: "bob"}},
	{"alice", commands.Quit{GroupID: "chess"}},
	{"bob", commands.Dismiss{GroupID: "chess"}},
}

// Each call to the store fails in turn, once or several times in a row, before its effect
// or after it. Clients try again with the same ID. In the end all is as if nothing had
// happened: every command has one effect, the rows are the fold, and everybody has been
// told everything, once and in order.
func TestEveryCallToTheStore(t *testing.T) {
	for name, test := range map[string]struct {
		calls int
		fail  func(store *eventstoretest.FaultyStore, n int)
	}{
		"no space":            {len(scenario), func(s *eventstoretest.FaultyStore, n int) { s.FailAppend(n, eventstore.ErrFull) }},
		"stored, and unknown": {len(scenario), func(s *eventstoretest.FaultyStore, n int) { s.FailAppendAfter(n, nil) }},
		"head":                {3 * len(scenario), func(s *eventstoretest.FaultyStore, n int) { s.FailHead(n, nil) }},
		"read":                {2 * len(scenario), func(s *eventstoretest.FaultyStore, n int) { s.FailRead(n, 0, nil) }},
		"read, halfway":       {2 * len(scenario), func(s *eventstoretest.FaultyStore, n int) { s.FailRead(n, 1, nil) }},
		"outcome":             {len(scenario), func(s *eventstoretest.FaultyStore, n int) { s.FailOutcome(n, nil) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := range test.calls {
				withFaults(t, func(store *eventstoretest.FaultyStore) {
					for more := range 1 + n%3 {
						test.fail(store, n+1+more)
					}
				})
			}
		})
	}
}

func withFaults(t *testing.T, fail func(*eventstoretest.FaultyStore)) {
	t.Helper()
	log := memory.New()
	store := eventstoretest.Faulty(log)
	views := filepath.Join(t.TempDir(), "groups.views.db")
	engine, err := grouplog.Open(t.Context(), grouplog.Memory, &grouplog.Options{Store: store, ViewsPath: views, Poll: time.Millisecond})
	require.NoError(t, err)
	var mu sync.Mutex
	told := map[string][]string{}
	for _, user := range []string{"alice", "bob"} {
		engine.As(user).AddGroupListener(grouplog.Listener{OnAny: func(n grouplog.Notification) {
			mu.Lock()
			defer mu.Unlock()
			told[user] = append(told[user], n.ID)
		}})
	}
	fail(store)
	answers := make([]*answer, len(scenario))
	for i, step := range scenario {
		for err := errNoAnswer; err != nil; {
			receipt, failure := engine.Do(t.Context(), domain.Actor{UserID: step.as}, step.cmd, commands.WithID(fmt.Sprint(i)))
			answers[i], err = answerOf(receipt, failure)
		}
	}
	exhaust(t, store)
	for err := errNoAnswer; err != nil; {
		_, err = engine.Group(t.Context(), "chess")
		err = errors.Join(err, engine.WaitForListeners(t.Context()))
	}
	require.Equal(t, toldBy(t, log), told)
	group, err := engine.Group(t.Context(), "chess")
	require.NoError(t, err)
	require.Equal(t, "dismissed", group.Status)
	require.Len(t, wholeLog(t, log), len(scenario)-1, "one is refused")
	for i, step := range scenario {
		again, err := answerOf(engine.Do(t.Context(), domain.Actor{UserID: step.as}, step.cmd, commands.WithID(fmt.Sprint(i))))
		require.NoError(t, err)
		require.Equal(t, answers[i], again)
	}
	require.NoError(t, engine.Close())
	rowsAreTheFoldOf(t, log, views, slog.New(slog.DiscardHandler))
}

// exhaust uses up the faults that nobody has met.
func exhaust(t *testing.T, store *eventstoretest.FaultyStore) {
	t.Helper()
	for range 4 * len(scenario) {
		_, _ = store.Head(t.Context())
		_, _, _ = store.Outcome(t.Context(), "none")
		for range store.ReadAll(t.Context(), 0) {
			break
		}
	}
}

// toldBy is what each user is told by a log, in order.
func toldBy(t *testing.T, log eventstore.Store) map[string][]string {
	t.Helper()
	told := map[string][]string{}
	for n, to := range notificationsOf(t, log) {
		for user := range to.Users() {
			told[user] = append(told[user], n.ID)
		}
	}
	return told
}

// notificationsOf are all that a log gives rise to, in order.
func notificationsOf(t *testing.T, log eventstore.Store) iter.Seq2[notify.Notification, notify.Audience] {
	t.Helper()
	return func(yield func(notify.Notification, notify.Audience) bool) {
		groups := map[string]*domain.Group{}
		for r, err := range log.ReadAll(t.Context(), 0) {
			require.NoError(t, err)
			event, err := projections.Decode(r)
			require.NoError(t, err)
			id, ok := domain.GroupOf(r.Stream)
			if !ok {
				continue
			}
			if groups[id] == nil {
				groups[id] = domain.NewGroup(id)
			}
			notify.Derive(domain.Classic(), groups[id], event, func(n notify.Notification, to notify.Audience) { yield(n, to) })
		}
	}
}
