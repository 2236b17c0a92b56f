package commands_test

import (
	"context"
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

// pipeline is a handler whose decisions and commits are watched.
type pipeline struct {
	t       *testing.T
	log     *memory.Store
	store   *eventstoretest.FaultyStore
	handler *commands.Handler
	decided chan struct{} // gets a value for each decision
	arrived chan int      // gets the number of commits of each Append, which then waits …
	proceed chan error    // … for what it should fail with
}

func newPipeline(t *testing.T) *pipeline {
	p := &pipeline{
		t: t, log: memory.New(), decided: make(chan struct{}, 1000), arrived: make(chan int, 1000), proceed: make(chan error, 1000),
	}
	p.store = eventstoretest.Faulty(p.log)
	p.handler = start(t, p.store, func(c *commands.Config) {
		c.Clock = func() time.Time {
			p.decided <- struct{}{}
			return Noon
		}
	})
	p.store.BeforeAppend(func(_ context.Context, commits []eventstore.Commit) error {
		p.arrived <- len(commits)
		return <-p.proceed
	})
	t.Cleanup(func() { close(p.proceed) })
	return p
}

func (p *pipeline) submit(as string, cmd commands.Command, opts ...commands.Option) *commands.Future {
	f, err := p.handler.Submit(p.t.Context(), User(as), cmd, opts...)
	require.NoError(p.t, err)
	return f
}

// filler is one more command than are committed without a goroutine of their own.
func (p *pipeline) filler(name string) {
	for _, id := range names(5) {
		p.submit(Olga, anyone(name+id))
	}
}

// awaitDecisions waits for so many.
func (p *pipeline) awaitDecisions(n int) {
	for range n {
		<-p.decided
	}
}

// inFlight has a command committed, and another batch behind it, with the given
// commands among others, which is on its way when inFlight returns.
func (p *pipeline) inFlight(submit func()) {
	p.submit(Olga, anyone("first"))
	require.Equal(p.t, 1, <-p.arrived)
	p.filler("filler-")
	submit()
	p.proceed <- nil
	<-p.arrived
	for len(p.decided) > 0 {
		<-p.decided
	}
}

// Commands are decided while the batch before them is committed, on the state that it
// makes, and are committed together after it.
func TestCommandsAreDecidedWhileOthersAreCommitted(t *testing.T) {
	p := newPipeline(t)
	p.inFlight(func() { p.submit(Olga, anyone("go")) })
	joined := p.submit(Mary, commands.RequestJoin{GroupID: "go"})
	full := p.submit(Mary, commands.RequestJoin{GroupID: "go"})
	p.awaitDecisions(2)
	p.proceed <- nil
	require.Equal(t, 1, <-p.arrived, "the second is refused and needs no commit")
	p.proceed <- nil
	_, err := joined.Wait(t.Context())
	require.NoError(t, err)
	_, err = full.Wait(t.Context())
	require.ErrorIs(t, err, domain.ErrAlreadyMember)
	assert.True(t, inLog(t, p.log, "go").IsMember(Mary))
}

// What was decided on a batch that has failed is decided again, on what the log says:
// also what has come to nothing.
func TestABatchThatFailsTakesNothingAlong(t *testing.T) {
	p := newPipeline(t)
	var created *commands.Future
	p.inFlight(func() { created = p.submit(Olga, anyone("go")) })
	join := p.submit(Mary, commands.RequestJoin{GroupID: "go"})
	nothing := p.submit(Olga, commands.SetGroupInfo{GroupID: "go", Name: ptr("Chess")})
	other := p.submit(Mary, anyone("other"))
	p.awaitDecisions(3)
	p.proceed <- eventstoretest.ErrInjected
	_, err := created.Wait(t.Context())
	require.ErrorIs(t, err, eventstoretest.ErrInjected)
	require.Equal(t, 1, <-p.arrived)
	p.proceed <- nil
	for _, f := range []*commands.Future{join, nothing} {
		_, err = f.Wait(t.Context())
		require.ErrorIs(t, err, domain.ErrUnknownGroup)
	}
	_, err = other.Wait(t.Context())
	require.NoError(t, err)
	assert.Len(t, records(t, p.log), 2, "the first and the last")
}

// The same where another handler was faster than the batch.
func TestABatchThatIsOvertakenTakesNothingAlong(t *testing.T) {
	p := newPipeline(t)
	var created *commands.Future
	p.inFlight(func() { created = p.submit(Olga, anyone("go")) })
	join := p.submit(Mary, commands.RequestJoin{GroupID: "go"})
	nothing := p.submit(Mary, commands.SetGroupInfo{GroupID: "go", Name: ptr("Chess")})
	p.awaitDecisions(2)
	// Two events: the version that Mary's join was decided on is there, by chance.
	other := start(t, p.log)
	must(t, other, User(Max), commands.CreateGroup{GroupType: domain.Public, GroupID: "go", Name: "Go"})
	p.proceed <- nil
	require.Equal(t, 1, <-p.arrived)
	p.proceed <- nil
	_, err := created.Wait(t.Context())
	require.ErrorIs(t, err, domain.ErrGroupIDTaken)
	receipt, err := join.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, commands.Pending, receipt.Outcome, "the other's group asks its approvers")
	_, err = nothing.Wait(t.Context())
	require.ErrorIs(t, err, domain.ErrNotPermitted)
}

// A refusal is judged on all that the log holds when it is given, not on what it held
// when others of its batch were decided.
func TestARefusalThatIsOvertaken(t *testing.T) {
	p := newPipeline(t)
	p.inFlight(func() { p.submit(Olga, anyone("go")) })
	p.proceed <- nil
	refusal := p.submit(Mary, commands.Quit{GroupID: "go"})
	_, err := refusal.Wait(t.Context())
	require.ErrorIs(t, err, domain.ErrNotPermitted)

	p.submit(Olga, anyone("blocker"))
	require.Equal(t, 1, <-p.arrived)
	p.filler("more-")
	quit := p.submit(Mary, commands.Quit{GroupID: "go"})
	p.proceed <- nil
	require.Equal(t, 5, <-p.arrived, "Mary may not quit")
	must(t, start(t, p.log), User(Mary), commands.RequestJoin{GroupID: "go"})
	p.proceed <- nil
	require.Equal(t, 1, <-p.arrived, "Mary may quit by now")
	p.proceed <- nil
	_, err = quit.Wait(t.Context())
	require.NoError(t, err)
	assert.False(t, inLog(t, p.log, "go").IsMember(Mary))
}

// What others append while a batch is on its way is seen by what was decided behind it,
// though the batch itself is not concerned.
func TestWhatIsDecidedBehindABatchSeesWhatOthersDid(t *testing.T) {
	p := newPipeline(t)
	p.inFlight(func() { p.submit(Olga, anyone("go")) })
	p.proceed <- nil
	p.submit(Olga, anyone("blocker"))
	require.Equal(t, 1, <-p.arrived)
	p.filler("more-")
	p.proceed <- nil
	require.Equal(t, 5, <-p.arrived)
	p.awaitDecisions(len(p.decided))
	quit := p.submit(Mary, commands.Quit{GroupID: "go"})
	p.awaitDecisions(1)
	must(t, start(t, p.log), User(Mary), commands.RequestJoin{GroupID: "go"})
	p.proceed <- nil
	require.Equal(t, 1, <-p.arrived, "Mary may quit by now")
	p.proceed <- nil
	_, err := quit.Wait(t.Context())
	require.NoError(t, err)
}

// A batch of which nothing is stored spoils what was decided behind it.
func TestABatchOfWhichNothingIsStored(t *testing.T) {
	p := newPipeline(t)
	p.submit(Olga, anyone("go"))
	require.Equal(t, 1, <-p.arrived)
	for _, user := range names(5) {
		p.submit(user, commands.RequestJoin{GroupID: "go"})
	}
	p.proceed <- nil
	require.Equal(t, 5, <-p.arrived)
	must(t, start(t, p.log), User(Mary), commands.RequestJoin{GroupID: "go"})
	for len(p.decided) > 0 {
		<-p.decided
	}
	join := p.submit(Max, commands.RequestJoin{GroupID: "go"})
	p.awaitDecisions(1)
	p.proceed <- nil
	require.Equal(t, 6, <-p.arrived, "all of them are decided again, together")
	p.proceed <- nil
	receipt, err := join.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 8, receipt.Position, "in their order")
}

// A group that is read anew in the middle of a batch is newer than what was decided
// about it before: what came to nothing then is decided again.
func TestAGroupThatIsReadAnewWithinABatch(t *testing.T) {
	log, step := memory.New(), make(chan struct{})
	h := start(t, log, func(c *commands.Config) {
		c.CacheMembers = 1 // a group goes when the next one comes
		c.Clock = func() time.Time {
			<-step
			return Noon
		}
	})
	decide := func(n int) {
		for range n {
			step <- struct{}{}
		}
	}
	submit := func(as string, cmd commands.Command) *commands.Future {
		f, err := h.Submit(t.Context(), User(as), cmd)
		require.NoError(t, err)
		return f
	}
	created := submit(Olga, anyone("go"))
	decide(1)
	_, err := created.Wait(t.Context())
	require.NoError(t, err)

	must(t, start(t, log), User(Mary), commands.RequestJoin{GroupID: "go"})
	quit, other, join := submit(Mary, commands.Quit{GroupID: "go"}), submit(Mary, anyone("other")), submit(Max, commands.RequestJoin{GroupID: "go"})
	decide(4)
	for _, f := range []*commands.Future{quit, other, join} {
		_, err := f.Wait(t.Context())
		require.NoError(t, err)
	}
	assert.False(t, inLog(t, log, "go").IsMember(Mary))
}
