package grouplog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
)

// audited are the answers of the audit, as "outcome action by actor".
func audited(t *testing.T, engine *grouplog.Engine, q audit.Query) []string {
	t.Helper()
	var found []string
	for e, err := range engine.Audit(t.Context(), q) {
		require.NoError(t, err)
		found = append(found, fmt.Sprintf("%s %s by %s", e.Outcome, e.Action, e.As))
	}
	return found
}

// A refused attempt is found as soon as it has been answered, and after a restart; the log
// and the read models know nothing of it. It is recorded once, whoever repeats it.
func TestAuditOfRefusedAttempts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	engine, err := grouplog.Open(t.Context(), path, nil)
	require.NoError(t, err)
	alice := domain.Actor{UserID: "alice"}
	_, err = engine.As("alice").CreateGroup(t.Context(), domain.Meeting, "go", "Go")
	require.NoError(t, err)
	again := commands.RequestJoin{GroupID: "go", Message: "me again"}
	for range 2 {
		_, err = engine.Do(t.Context(), alice, again, commands.WithID("once"))
		require.ErrorIs(t, err, domain.ErrAlreadyMember)
	}
	_, err = engine.Do(t.Context(), alice, again, commands.DryRun())
	require.ErrorIs(t, err, domain.ErrAlreadyMember)
	_, err = engine.Do(t.Context(), alice, commands.Dismiss{GroupID: "\x00"})
	require.ErrorIs(t, err, domain.ErrInvalidGroupID)
	want := []string{"refused Dismiss by alice", "refused RequestJoin by alice", "done group.created by alice"}
	require.Equal(t, want, audited(t, engine, audit.Query{}))
	head, err := engine.Log().Head(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, head)
	require.NoError(t, engine.Close())

	engine = openFile(t, path, nil)
	require.Equal(t, want, audited(t, engine, audit.Query{}))
	require.NoError(t, engine.Rebuild(t.Context(), nil))
	page, err := engine.AuditPage(t.Context(), audit.Query{CommandID: "once"})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	e := page.Entries[0]
	require.Equal(t, domain.CodeAlreadyMember, e.Code)
	require.Equal(t, "already_member", e.Error)
	require.EqualValues(t, 1, e.Position)
	require.JSONEq(t, `{"groupID":"go","message":"me again"}`, string(e.Data))
}

// A command that is decided again because others were faster is an attempt once.
func TestAuditOfTwoEngines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	one, two := openFile(t, path, nil), openFile(t, path, nil)
	_, err := one.As("alice").CreateGroup(t.Context(), domain.Meeting, "go", "Go")
	require.NoError(t, err)
	_, err = two.As("bob").JoinGroup(t.Context(), "go", "")
	require.NoError(t, err)
	_, err = one.As("bob").JoinGroup(t.Context(), "go", "") // it does not know yet
	require.ErrorIs(t, err, domain.ErrAlreadyMember)
	_, err = two.As("alice").CreateGroup(t.Context(), domain.Meeting, "go", "Go")
	require.Error(t, err)
	// The other's are in the file as soon as that has written them, which nobody waits for.
	require.Contains(t, audited(t, one, audit.Query{Outcome: audit.Refused}), "refused RequestJoin by bob")
	require.Len(t, audited(t, two, audit.Query{Outcome: audit.Refused}), 2)
	require.Equal(t, audited(t, two, audit.Query{}), audited(t, one, audit.Query{}))
}

// Who opens an engine is told how far what has to be made first is, in a file and in memory,
// and of nothing once it is there.
func TestProgressOfWhatIsMadeFirst(t *testing.T) {
	const events = 10 * projections.DefaultPageSize
	log := memory.New()
	name, schema, data, err := domain.Encode(domain.GroupCreated{GroupType: domain.Work, Owner: "ann", Name: "g", JoinOption: domain.Forbid, InviteOption: domain.Any})
	require.NoError(t, err)
	commits := make([]eventstore.Commit, events)
	for i := range commits {
		event := eventstore.Event{Type: name, Schema: schema, Data: data, Actor: "ann", Time: time.Unix(1, 0)}
		commits[i] = eventstore.Commit{Stream: domain.GroupStream(fmt.Sprint(i)), Events: []eventstore.Event{event}}
	}
	_, err = log.Append(t.Context(), commits...)
	require.NoError(t, err)

	var mu sync.Mutex
	told := map[string][]eventstore.Position{}
	options := &grouplog.Options{
		Store: log, ViewsPath: filepath.Join(t.TempDir(), "views.db"), AuditPath: grouplog.Memory, RefusalsPath: grouplog.Memory,
		Progress: func(what string, done, total eventstore.Position) {
			mu.Lock()
			defer mu.Unlock()
			told[what] = append(told[what], done)
			require.EqualValues(t, events, total)
		},
	}
	for range 2 {
		engine, err := grouplog.Open(t.Context(), "", options)
		require.NoError(t, err)
		_, err = engine.Group(t.Context(), "7")
		require.NoError(t, err)
		_, err = engine.AuditPage(t.Context(), audit.Query{})
		require.NoError(t, err)
		require.NoError(t, engine.Close())
	}
	for what, times := range map[string]int{"read models": 1, "audit index": 2} { // what is in memory is gone
		require.NotEmpty(t, told[what])
		ends := 0
		for _, done := range told[what] {
			if done == events {
				ends++
			}
		}
		require.Equal(t, times, ends, "%s: %v", what, told[what])
	}
}

// Whoever does not want refused attempts has none, and no file of them; who never asks
// has no index.
func TestAuditIsForThoseWhoAsk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "groups.db")
	engine := openFile(t, path, &grouplog.Options{NoRefusals: true})
	err := engine.As("alice").Dismiss(t.Context(), "nothing")
	require.Error(t, err)
	require.NoFileExists(t, filepath.Join(dir, "groups.audit.db"))
	require.Empty(t, audited(t, engine, audit.Query{}))
	require.FileExists(t, filepath.Join(dir, "groups.audit.db"))
	require.NoFileExists(t, filepath.Join(dir, "groups.refusals.db"))
	f, err := engine.AuditFacets(t.Context(), audit.Query{})
	require.NoError(t, err)
	require.Zero(t, f.Total)
	require.Zero(t, f.Refusals)
}

// A file in the place of the attempts that cannot be theirs is left as it is, and stands
// in nobody's way but the audit's.
func TestAuditWithAForeignFile(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "groups.refusals.db")
	require.NoError(t, os.WriteFile(foreign, []byte("these are my notes, and no database at all"), 0o600))
	engine := openFile(t, filepath.Join(dir, "groups.db"), nil)
	err := engine.As("alice").Dismiss(t.Context(), "nothing")
	require.ErrorIs(t, err, domain.ErrUnknownGroup)
	_, err = engine.AuditPage(t.Context(), audit.Query{})
	require.ErrorIs(t, err, audit.ErrNotRefusals)
	require.ErrorContains(t, err, "groups.refusals.db")
	text, err := os.ReadFile(foreign)
	require.NoError(t, err)
	require.Equal(t, "these are my notes, and no database at all", string(text))
}

func TestAuditMistakes(t *testing.T) {
	engine := openFile(t, grouplog.Memory, nil)
	now := time.Now()
	_, err := engine.AuditPage(t.Context(), audit.Query{
		Actors: []string{""}, Actions: []string{"member.jioned", "RequestJion"}, Since: now, Until: now, From: 3, To: 2, Outcome: "perhaps", Text: "?!", Limit: -1,
	})
	require.ErrorIs(t, err, audit.ErrQuery)
	for _, mistake := range []string{"Actors", "member.jioned", "RequestJion", "Until", "To (2)", "perhaps", "no words", "Limit"} {
		require.ErrorContains(t, err, mistake)
	}
	for range engine.Audit(t.Context(), audit.Query{Limit: -1}) {
		break
	}
	require.NoError(t, engine.Close())
	_, err = engine.AuditPage(t.Context(), audit.Query{})
	require.ErrorIs(t, err, grouplog.ErrClosed)
}

// Everything that is found before the engine closes is found while commands go on.
func TestAuditWhileCommandsGoOn(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) // so much is kept in a minute
	engine := openFile(t, filepath.Join(t.TempDir(), "groups.db"), &grouplog.Options{Clock: func() time.Time { return noon }})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	_, err := engine.As("alice").CreateGroup(ctx, domain.Meeting, "go", "Go")
	require.NoError(t, err)
	done := make(chan int)
	go func() {
		n := 0
		for ; n < 150; n++ {
			bob := engine.As("bob")
			if n%2 == 0 {
				bob.JoinGroup(ctx, "go", "")
			} else {
				bob.Quit(ctx, "go")
			}
			engine.As("alice").JoinGroup(ctx, "go", "") // refused
		}
		done <- n
	}()
	var seen []string
	q := audit.Query{Oldest: true, Limit: 7}
	for finished, n := false, 0; ; {
		select {
		case n = <-done:
			finished = true
		default:
		}
		page, err := engine.AuditPage(ctx, q)
		require.NoError(t, err)
		for _, e := range page.Entries {
			seen = append(seen, fmt.Sprintf("%d/%d", e.Position, e.Attempt))
		}
		q.Cursor = page.Tail
		if finished && len(page.Entries) == 0 {
			require.Len(t, seen, 1+n+min(n, audit.AttemptsPerActor))
			break
		}
	}
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(seen))), len(seen), "nothing comes twice")
}
