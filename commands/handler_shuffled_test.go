package commands_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// A log that stores the streams of a call in an order of its own gives positions that do
// not ascend. They are told as they are, and are not taken for the work of others: nothing
// is read again.
func TestAloneOnALogThatShufflesStreams(t *testing.T) {
	log := memory.New()
	store := eventstoretest.Faulty(eventstoretest.Shuffled(log, 1))
	h := start(t, store)
	groups := names(20)
	for _, id := range groups {
		must(t, h, User(Olga), anyone(id))
	}
	reads, descending := store.Reads(), 0
	for range 20 {
		var joined, refused []*commands.Future
		submit := func(cmd commands.Command) *commands.Future {
			f, err := h.Submit(t.Context(), User(Mary), cmd)
			require.NoError(t, err)
			return f
		}
		for _, id := range groups {
			joined = append(joined, submit(commands.RequestJoin{GroupID: id}))
			refused = append(refused, submit(commands.RequestJoin{GroupID: id}))
			submit(commands.Quit{GroupID: id})
		}
		last := eventstore.Position(0)
		for i, f := range joined {
			receipt, err := f.Wait(t.Context())
			require.NoError(t, err)
			if receipt.Position < last {
				descending++
			}
			last = receipt.Position
			record, err := eventstore.Pick(t.Context(), log, []eventstore.Position{last})
			require.NoError(t, err)
			require.Equal(t, domain.GroupStream(groups[i]), record[0].Stream)
			_, err = refused[i].Wait(t.Context())
			require.ErrorIs(t, err, domain.ErrAlreadyMember)
		}
	}
	assert.Positive(t, descending)
	assert.Equal(t, reads, store.Reads())
}

// Where another handler appends in between, what it has changed is read again, and nothing
// else.
func TestOthersOnALogThatShufflesStreams(t *testing.T) {
	for seed := range uint64(20) {
		log := memory.New()
		other := start(t, log)
		groups := names(9)
		for _, id := range groups {
			must(t, other, User(Olga), anyone(id))
		}
		appends, overtaken := 0, groups[seed%9]
		inner := eventstoretest.Faulty(log)
		store := eventstoretest.Faulty(eventstoretest.Shuffled(inner, seed))
		h := start(t, store)
		for _, id := range groups {
			must(t, h, User(Mary), commands.RequestJoin{GroupID: id})
		}
		reads := store.Reads()
		gate := make(chan struct{})
		entered := make(chan struct{}, 100)
		inner.BeforeAppend(func(context.Context, []eventstore.Commit) error {
			entered <- struct{}{}
			<-gate
			if appends++; appends == 4 {
				_, err := other.Do(t.Context(), User(Max), commands.RequestJoin{GroupID: overtaken})
				assert.NoError(t, err)
			}
			return nil
		})
		submit := func(user, id string) *commands.Future {
			f, err := h.Submit(t.Context(), User(user), commands.RequestJoin{GroupID: id})
			require.NoError(t, err)
			return f
		}
		first := submit(Sven, groups[0])
		<-entered
		var futures, refused []*commands.Future
		for _, id := range groups {
			refused = append(refused, submit(Mary, id))
			futures = append(futures, submit(Adam, id))
		}
		close(gate)
		for _, f := range append(futures, first) {
			_, err := f.Wait(t.Context())
			require.NoError(t, err)
		}
		for _, id := range groups {
			refused = append(refused, submit(Adam, id))
		}
		for _, f := range append(refused, submit(Max, overtaken)) {
			_, err := f.Wait(t.Context())
			require.ErrorIs(t, err, domain.ErrAlreadyMember)
		}
		assert.LessOrEqual(t, store.Reads()-reads, 2, "what others did, and their group")
	}
}
