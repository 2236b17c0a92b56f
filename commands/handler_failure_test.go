package commands_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// A commit that fails is answered with the error to everybody in it, and nothing of
// it is remembered: the next commands work on what the log says.
func TestACommitThatFails(t *testing.T) {
	for _, stored := range []bool{false, true} {
		eachLog(t, func(t *testing.T, l log) {
			inner := l.open()
			store, gate := gated(inner)
			h := start(t, store)
			var futures []*commands.Future
			submit := func(as domain.Actor, cmd commands.Command, opts ...commands.Option) {
				f, err := h.Submit(t.Context(), as, cmd, opts...)
				require.NoError(t, err)
				futures = append(futures, f)
			}
			submit(User(Olga), anyone("go"))
			<-gate.entered
			submit(User(Mary), commands.RequestJoin{GroupID: "go"})
			submit(User(Max), commands.RequestJoin{GroupID: "go"}, commands.WithID("max"))
			submit(User(Mary), anyone("other"))
			submit(User(Max), commands.RequestJoin{GroupID: "go"}, commands.WithID("max"))
			if stored {
				store.FailAppendAfter(2, nil)
			} else {
				store.FailAppend(2, nil)
			}
			close(gate.open)
			for i, f := range futures {
				receipt, err := f.Wait(t.Context())
				if i == 0 || i == len(futures)-1 {
					// The second command with an ID waits until the first is answered. What became of
					// that, it finds in the log.
					require.NoError(t, err)
					require.Equal(t, i > 0 && stored, receipt.Repeated)
					continue
				}
				require.ErrorIs(t, err, eventstoretest.ErrInjected)
				assert.Equal(t, stored, errors.Is(err, eventstore.ErrUnknown))
			}
			if !stored {
				assert.Equal(t, 2, inLog(t, inner, "go").Count())
				must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"})
				must(t, h, User(Mary), anyone("other"))
			} else {
				assert.Equal(t, 3, inLog(t, inner, "go").Count())
				refused(t, domain.CodeAlreadyMember, h, User(Mary), commands.RequestJoin{GroupID: "go"})
				refused(t, domain.CodeGroupIDYours, h, User(Mary), anyone("other"))
			}
			receipt := must(t, h, User(Max), commands.RequestJoin{GroupID: "go"}, commands.WithID("max"))
			assert.Equal(t, commands.Joined, receipt.Outcome, "who asks with the same ID learns what became of it")
			assert.True(t, receipt.Repeated)
			assert.Equal(t, 3, inLog(t, inner, "go").Count())
		})
	}
}

// A store that cannot be read is answered with the error; when it can again, all is
// as before.
func TestAStoreThatCannotBeRead(t *testing.T) {
	log := memory.New()
	store := eventstoretest.Faulty(log)
	must(t, start(t, log), User(Olga), anyone("go"))
	join := commands.RequestJoin{GroupID: "go"}

	h := start(t, store)
	store.FailHead(1, nil)
	_, err := h.Do(t.Context(), User(Mary), commands.Quit{GroupID: "go"})
	require.ErrorIs(t, err, eventstoretest.ErrInjected, "a refusal needs to know that the log holds no more")
	refused(t, domain.CodeNotPermitted, h, User(Mary), commands.Quit{GroupID: "go"})
	h = start(t, store)
	store.FailRead(1, 0, nil)
	_, err = h.Do(t.Context(), User(Mary), join)
	require.ErrorIs(t, err, eventstoretest.ErrInjected)
	store.FailOutcome(1, nil)
	_, err = h.Do(t.Context(), User(Mary), join, commands.WithID("one"))
	require.ErrorIs(t, err, eventstoretest.ErrInjected)
	assert.Len(t, records(t, log), 1)
	must(t, h, User(Mary), join, commands.WithID("one"))

	store.FailHead(1, nil)
	_, err = commands.NewHandler(t.Context(), commands.Config{Store: store, Policies: classic})
	require.ErrorIs(t, err, eventstoretest.ErrInjected)
}

// A read that fails in the middle of a group leaves no half of it in memory.
func TestAReadThatFailsHalfway(t *testing.T) {
	log := memory.New()
	writer := start(t, log)
	must(t, writer, User(Olga), anyone("go"))
	must(t, writer, User(Mary), commands.RequestJoin{GroupID: "go"})
	store := eventstoretest.Faulty(log)
	h := start(t, store)
	store.FailRead(1, 1, nil)
	_, err := h.Do(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"})
	require.ErrorIs(t, err, eventstoretest.ErrInjected)
	refused(t, domain.CodeAlreadyMember, h, User(Mary), commands.RequestJoin{GroupID: "go"})
}

func TestACounterThatFails(t *testing.T) {
	log, down := memory.New(), errors.New("down")
	h := start(t, log, limited(t, log, 3), func(c *commands.Config) {
		count := c.GroupsOf
		c.GroupsOf = func(ctx context.Context, user string, asOf eventstore.Position) (int, error) {
			if user == Mary {
				return 0, down
			}
			return count(ctx, user, asOf)
		}
	})
	must(t, h, User(Olga), anyone("go"))
	_, err := h.Do(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"}, commands.WithID("one"))
	require.ErrorIs(t, err, down)
	_, err = h.Do(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"}, commands.WithID("one"))
	require.ErrorIs(t, err, down, "a failure is no answer to keep")
	must(t, h, User(Max), commands.RequestJoin{GroupID: "go"})
}

// A log that holds what this version does not know is not guessed at.
func TestALogFromTheFuture(t *testing.T) {
	log := memory.New()
	h := start(t, log)
	must(t, h, User(Olga), anyone("go"))
	must(t, h, User(Olga), anyone("other"))
	_, err := log.Append(t.Context(), eventstore.Commit{Stream: domain.GroupStream("go"), Events: []eventstore.Event{
		{Type: "group.painted", Schema: 1, Data: []byte("{}"), Time: Noon},
	}})
	require.NoError(t, err)
	_, err = h.Do(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"})
	require.ErrorContains(t, err, "group.painted")
	must(t, h, User(Mary), commands.RequestJoin{GroupID: "other"})
}

func TestContexts(t *testing.T) {
	t.Run("ended before", func(t *testing.T) {
		h := start(t, memory.New())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := h.Do(ctx, User(Olga), anyone("go"))
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("ended while the command waits: it is not carried out", func(t *testing.T) {
		log := memory.New()
		store, gate := gated(log)
		h := start(t, store)
		first, err := h.Submit(t.Context(), User(Olga), anyone("go"))
		require.NoError(t, err)
		<-gate.entered
		ctx, cancel := context.WithCancelCause(t.Context())
		waiting, err := h.Submit(ctx, User(Mary), commands.RequestJoin{GroupID: "go"})
		require.NoError(t, err)
		reason := errors.New("changed my mind")
		cancel(reason)
		_, err = waiting.Wait(ctx)
		require.ErrorIs(t, err, reason)
		close(gate.open)
		_, err = first.Wait(t.Context())
		require.NoError(t, err)
		must(t, h, User(Max), commands.RequestJoin{GroupID: "go"})
		assert.False(t, inLog(t, log, "go").IsMember(Mary))
	})
	t.Run("ended when the command has begun: it is answered", func(t *testing.T) {
		log := memory.New()
		store, gate := gated(log)
		h := start(t, store)
		ctx, cancel := context.WithCancel(t.Context())
		f, err := h.Submit(ctx, User(Olga), anyone("go"))
		require.NoError(t, err)
		<-gate.entered
		cancel()
		close(gate.open)
		receipt, err := f.Wait(ctx)
		require.NoError(t, err)
		assert.EqualValues(t, 1, receipt.Position)
	})
	t.Run("ended while the queue is full", func(t *testing.T) {
		store, gate := gated(memory.New())
		h := start(t, store, func(c *commands.Config) { c.QueueLength = 1 })
		_, err := h.Submit(t.Context(), User(Olga), anyone("a"))
		require.NoError(t, err)
		<-gate.entered
		_, err = h.Submit(t.Context(), User(Olga), anyone("b"))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan error)
		go func() {
			_, err := h.Submit(ctx, User(Olga), anyone("c"))
			answered <- err
		}()
		cancel()
		require.ErrorIs(t, <-answered, context.Canceled)
		close(gate.open)
	})
}

func TestClose(t *testing.T) {
	log := memory.New()
	store, gate := gated(log)
	h := start(t, store)
	var futures []*commands.Future
	for _, id := range names(50) {
		f, err := h.Submit(t.Context(), User(Olga), anyone(id))
		require.NoError(t, err)
		futures = append(futures, f)
	}
	<-gate.entered
	closed := make(chan error)
	for range 2 {
		go func() { closed <- h.Close() }()
	}
	close(gate.open)
	require.NoError(t, <-closed)
	require.NoError(t, <-closed)
	for _, f := range futures {
		_, err := f.Wait(t.Context())
		require.NoError(t, err)
	}
	assert.Len(t, records(t, log), 50, "what was queued is carried out")
	_, err := h.Do(t.Context(), User(Olga), anyone("late"))
	require.ErrorIs(t, err, commands.ErrClosed)
	require.NoError(t, h.Close())
	_, err = log.Head(t.Context())
	require.NoError(t, err, "the store stays open")
}

func TestImportsInThePast(t *testing.T) {
	store := memory.New()
	h := start(t, store)
	past := Morning.AddDate(-6, 0, 0)
	group := commands.CreateGroup{GroupType: domain.Public, GroupID: "go", Name: "Go"}
	must(t, h, User(Olga), group, commands.At(past.In(time.FixedZone("", 3600)).Add(time.Nanosecond)))
	assert.Equal(t, past, records(t, store)[0].Time, "to the microsecond, in UTC")
	must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"}, commands.At(past))

	refused(t, domain.CodeInvalidArgument, h, User(Max), commands.RequestJoin{GroupID: "go"}, commands.At(past.Add(-time.Microsecond)))
	refused(t, domain.CodeInvalidArgument, h, User(Max), commands.RequestJoin{GroupID: "go"}, commands.At(Noon.Add(time.Microsecond)))
	must(t, h, User(Max), commands.RequestJoin{GroupID: "go"}, commands.At(past.AddDate(1, 0, 0)))
	must(t, h, User(Olga), anyone("other"), commands.At(past))
	must(t, h, User(Olga), commands.AcceptApplication{ApplicationID: "go/1/1"})
	m, _ := inLog(t, store, "go").Membership(Mary)
	assert.Equal(t, Noon, m.JoinedAt)
	refused(t, domain.CodeInvalidArgument, h, User(Max), commands.RequestJoin{GroupID: "go"}, commands.At(past.AddDate(2, 0, 0)))
	must(t, h, User(Max), commands.RequestJoin{GroupID: "go"}, commands.At(Noon))
	for _, year := range []int{0, -1, 10000} {
		_, err := h.Do(t.Context(), User(Max), anyone("x"), commands.At(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)))
		require.Error(t, err)
	}
}

func TestDryRun(t *testing.T) {
	store := memory.New()
	h := start(t, store)
	must(t, h, User(Olga), anyone("go"))
	for range 2 {
		receipt := must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"}, commands.DryRun(), commands.WithID("join"))
		assert.Equal(t, []domain.Event{domain.MemberJoined{UserID: Mary}}, receipt.Planned)
		assert.Equal(t, commands.Joined, receipt.Outcome)
		assert.Zero(t, receipt.Position)
		assert.False(t, receipt.Repeated)
	}
	refused(t, domain.CodeNotPermitted, h, User(Mary), commands.Quit{GroupID: "go"}, commands.DryRun())
	assert.Len(t, records(t, store), 1)
	assert.EqualValues(t, 1, h.Position())
	receipt := must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"}, commands.WithID("join"))
	assert.Empty(t, receipt.Planned)
	assert.False(t, receipt.Repeated, "a dry run leaves no answer")
}

// switched is a log in whose place another one is put.
type switched struct{ eventstore.Store }

// A log that ends before what it held is another one: whatever is asked is answered with
// that, and not with what the handler remembers, also when the log has grown again.
func TestALogThatGoesBack(t *testing.T) {
	for name, first := range map[string]commands.Command{
		"found by an append": commands.RequestJoin{GroupID: "go"}, "found by a refusal": commands.Quit{GroupID: "go"},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := memory.New(), memory.New()
			must(t, start(t, before), User(Olga), anyone("go"))
			restored := start(t, after)
			must(t, restored, User(Olga), anyone("go"))
			store := &switched{before}
			h := start(t, store)
			must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"})
			must(t, h, User(Mary), commands.Quit{GroupID: "go"})
			store.Store = after
			_, err := h.Do(t.Context(), User(Sven), first)
			require.ErrorIs(t, err, eventstore.ErrDamaged)
			require.ErrorContains(t, err, "were there before")
			for range 5 {
				must(t, restored, User(Sara), commands.RequestJoin{GroupID: "go"})
				must(t, restored, User(Sara), commands.Quit{GroupID: "go"})
			}
			head := len(records(t, after))
			for _, cmd := range []commands.Command{commands.RequestJoin{GroupID: "go"}, commands.Quit{GroupID: "go"}, anyone("new")} {
				_, err := h.Do(t.Context(), User(Mary), cmd)
				require.ErrorIs(t, err, eventstore.ErrDamaged)
			}
			require.Len(t, records(t, after), head, "nothing is recorded any more")
		})
	}
}
