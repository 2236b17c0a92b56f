package commands_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	. "github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// failing is a log whose appends panic before or after they are done, when they are to.
type failing struct {
	eventstore.Store
	before, after bool
}

func (f *failing) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if f.before {
		panic("before it was stored")
	}
	results, err := f.Store.Append(ctx, commits...)
	if f.after {
		panic("after it was stored")
	}
	return results, err
}

// Do carries a command out on its caller's goroutine, and its caller may recover from a
// panic there: servers do. Then the handler goes on from what the log says.
func TestAPanicLeavesNothingInMemory(t *testing.T) {
	log := &failing{Store: memory.New()}
	unable := true
	h := start(t, log, func(c *commands.Config) {
		c.Refused = func(commands.Refused) {
			if unable {
				panic("it cannot be noted")
			}
		}
	})
	must(t, h, User(Olga), anyone("chess"))
	panics := func(cmd commands.Command) {
		require.Panics(t, func() { _, _ = h.Do(t.Context(), User(Sven), cmd) })
	}
	join, quit := commands.RequestJoin{GroupID: "chess"}, commands.Quit{GroupID: "chess"}
	for range 2 {
		panics(quit) // who is no member
	}
	unable, log.before = false, true
	panics(join)
	log.before, log.after = false, true
	panics(join)
	log.after = false

	var futures []*commands.Future
	for range 1_000 { // in batches, beside commits
		for _, cmd := range []commands.Command{quit, join} { // the second join is stored
			future, err := h.Submit(t.Context(), User(Sven), cmd)
			require.NoError(t, err)
			futures = append(futures, future)
		}
	}
	for _, future := range futures {
		_, err := future.Wait(t.Context())
		require.NoError(t, err)
	}
	head, err := log.Head(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1+1+len(futures), head)
}
