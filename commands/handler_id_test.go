package commands_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// I8: the same command ID, the same answer, and no new event; across restarts, and
// whatever has happened in between.
func TestCommandIDs(t *testing.T) {
	eachLog(t, func(t *testing.T, l log) {
		store := l.open()
		h := start(t, store)
		created := must(t, h, User(Olga), anyone(""), commands.WithID("create"))
		id := created.GroupID
		must(t, h, User(Adam), commands.RequestJoin{GroupID: id})
		joined := must(t, h, User(Mary), commands.RequestJoin{GroupID: id}, commands.WithID("join"))
		nothing := must(t, h, User(Olga), commands.SetGroupInfo{GroupID: id, Name: ptr("Chess")}, commands.WithID("nothing"))
		refused(t, domain.CodeAlreadyMember, h, User(Mary), commands.RequestJoin{GroupID: id}, commands.WithID("refused"))
		_, first := h.Do(t.Context(), User(Max), commands.Quit{GroupID: id}, commands.WithID("refused too"))
		invited := must(t, h, AppAdmin(Root), commands.InviteUsers{GroupID: id, UserIDs: []string{Sven, Mary}}, commands.WithID("invite"))
		kicked := must(t, h, User(Olga), commands.KickMembers{GroupID: id, UserIDs: []string{Mary, Olga}}, commands.WithID("kick"))
		head := len(records(t, store))

		again := func(t *testing.T) {
			for want, got := range map[*commands.Receipt]commands.Receipt{
				&created: must(t, h, User(Olga), anyone(""), commands.WithID("create")),
				&joined:  must(t, h, User(Mary), commands.RequestJoin{GroupID: id}, commands.WithID("join")),
				&nothing: must(t, h, User(Olga), commands.SetGroupInfo{GroupID: id, Name: ptr("Chess")}, commands.WithID("nothing")),
				&invited: must(t, h, AppAdmin(Root), commands.InviteUsers{GroupID: id, UserIDs: []string{Sven, Mary}}, commands.WithID("invite")),
				&kicked:  must(t, h, User(Olga), commands.KickMembers{GroupID: id, UserIDs: []string{Mary, Olga}}, commands.WithID("kick")),
			} {
				want := *want
				want.Repeated = true
				assert.Equal(t, want, got)
			}
			refused(t, domain.CodeAlreadyMember, h, User(Mary), commands.RequestJoin{GroupID: id}, commands.WithID("refused"))
			_, err := h.Do(t.Context(), User(Max), commands.Quit{GroupID: id}, commands.WithID("refused too"))
			assert.Equal(t, first, err, "with the same words")
			assert.Len(t, records(t, store), head)
		}
		again(t)
		t.Run("with other content", func(t *testing.T) {
			for _, other := range []struct {
				as   domain.Actor
				cmd  commands.Command
				opts []commands.Option
			}{
				{User(Mary), commands.RequestJoin{GroupID: id, Message: "x"}, nil},
				{User(Mary), commands.RequestJoin{GroupID: "other"}, nil},
				{User(Max), commands.RequestJoin{GroupID: id}, nil},
				{AppAdmin(Mary), commands.RequestJoin{GroupID: id}, nil},
				{User(Mary), commands.Quit{GroupID: id}, nil},
				{User(Mary), commands.RequestJoin{GroupID: id}, []commands.Option{commands.At(Noon)}},
			} {
				receipt, err := h.Do(t.Context(), other.as, other.cmd, append(other.opts, commands.WithID("join"))...)
				require.ErrorIs(t, err, commands.ErrIDReused)
				require.ErrorContains(t, err, `"join"`)
				require.Empty(t, receipt)
			}
		})
		require.NoError(t, h.Close())
		store = l.open()
		h = start(t, store)
		t.Run("after a restart", again)
		must(t, h, User(Olga), commands.Dismiss{GroupID: id})
		head++
		t.Run("after the group is gone", again)
	})
}

func TestTheIDIsInTheLog(t *testing.T) {
	store := memory.New()
	h := start(t, store)
	must(t, h, User(Olga), commands.CreateGroup{GroupType: domain.Work, GroupID: "go", Name: "Go", Members: initial(1)}, commands.WithID("one"))
	must(t, h, User(Olga), commands.Quit{GroupID: "go"}, commands.WithID("two"))
	var ids []string
	for _, r := range records(t, store) {
		ids = append(ids, r.CommandID)
	}
	assert.Equal(t, []string{"one", "two", "two"}, ids)
}

func TestCommandIDsThatAreNone(t *testing.T) {
	h := start(t, memory.New())
	for _, id := range []string{strings.Repeat("x", commands.MaxID+1), "é", "a\nb", "\x00"} {
		_, err := h.Do(t.Context(), User(Olga), anyone("go"), commands.WithID(id))
		require.ErrorIs(t, err, commands.ErrMisuse)
	}
	must(t, h, User(Olga), anyone("go"), commands.WithID(strings.Repeat("x", commands.MaxID)))
	must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"}, commands.WithID(""))
	must(t, h, User(Max), commands.RequestJoin{GroupID: "go"}, commands.WithID(""))
	_, err := h.Do(t.Context(), User(Olga), nil)
	require.ErrorIs(t, err, commands.ErrMisuse)
}

// The same ID from many callers at once: one command is carried out, and all get
// its answer.
func TestConcurrentRepetitions(t *testing.T) {
	eachLog(t, func(t *testing.T, l log) {
		store := l.open()
		one, two := start(t, store), start(t, l.open())
		var wg sync.WaitGroup
		var mu sync.Mutex
		first, repeated := 0, 0
		for i := range 40 {
			h := []*commands.Handler{one, two}[i%2]
			wg.Go(func() {
				receipt, err := h.Do(t.Context(), User(Olga), anyone("go"), commands.WithID("the one"))
				mu.Lock()
				defer mu.Unlock()
				assert.NoError(t, err)
				assert.EqualValues(t, 1, receipt.Position)
				if receipt.Repeated {
					repeated++
				} else {
					first++
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 1, first)
		assert.Equal(t, 39, repeated)
		assert.Len(t, records(t, store), 1)
	})
}

// The same ID twice in one batch, with the same content and with other.
func TestRepetitionInOneBatch(t *testing.T) {
	log := memory.New()
	store, gate := gated(log)
	h := start(t, store)
	submit := func(as domain.Actor, cmd commands.Command, opts ...commands.Option) *commands.Future {
		f, err := h.Submit(t.Context(), as, cmd, opts...)
		require.NoError(t, err)
		return f
	}
	created := submit(User(Olga), anyone("go"))
	<-gate.entered // what comes now waits for the next batch
	same := []*commands.Future{
		submit(User(Mary), commands.RequestJoin{GroupID: "go"}, commands.WithID("join")),
		submit(User(Mary), commands.RequestJoin{GroupID: "go"}, commands.WithID("join")),
	}
	other := submit(User(Max), commands.RequestJoin{GroupID: "go"}, commands.WithID("join"))
	quit := submit(User(Mary), commands.Quit{GroupID: "go"})
	late := submit(User(Mary), commands.RequestJoin{GroupID: "go"}, commands.WithID("join"))
	close(gate.open)

	_, err := created.Wait(t.Context())
	require.NoError(t, err)
	for i, f := range append(same, late) {
		receipt, err := f.Wait(t.Context())
		require.NoError(t, err)
		assert.Equal(t, commands.Joined, receipt.Outcome)
		assert.EqualValues(t, 2, receipt.Position)
		assert.Equal(t, i > 0, receipt.Repeated)
	}
	_, err = other.Wait(t.Context())
	require.ErrorIs(t, err, commands.ErrIDReused)
	_, err = quit.Wait(t.Context())
	require.NoError(t, err)
	assert.Len(t, records(t, log), 3)
	assert.False(t, inLog(t, log, "go").IsMember(Mary), "the order of submission is the order of effect")
}

// A refusal is kept with the version it was judged at: a group that another writer
// changes in between is judged anew.
func TestARefusalWithAnIDIsJudgedOnTheStateItIsKeptAt(t *testing.T) {
	log := memory.New()
	store, gate := gated(log)
	h := start(t, store)
	f, err := h.Submit(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"}, commands.WithID("join"))
	require.NoError(t, err)
	<-gate.entered // it has been judged: there is no such group
	must(t, start(t, log), User(Olga), anyone("go"))
	close(gate.open)
	receipt, err := f.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, commands.Joined, receipt.Outcome)
}

// Whatever stands in a command, its batch is not spoiled by it.
func TestMalformedCommandsSpoilNothing(t *testing.T) {
	eachLog(t, func(t *testing.T, l log) {
		store, gate := gated(l.open())
		h := start(t, store)
		var bad, good []*commands.Future
		submit := func(as domain.Actor, cmd commands.Command, opts ...commands.Option) *commands.Future {
			f, err := h.Submit(t.Context(), as, cmd, opts...)
			require.NoError(t, err)
			return f
		}
		created := submit(User(Olga), anyone("go"))
		<-gate.entered
		for i, id := range []string{"a\x00b", "\xff", strings.Repeat("x", eventstore.MaxNameSize+1), "", "\n"} {
			bad = append(bad, submit(User(Mary), commands.RequestJoin{GroupID: id}, commands.WithID("bad"+string(rune('a'+i)))))
			bad = append(bad, submit(User(id), commands.MarkApplicationsRead{}, commands.WithID("read"+string(rune('a'+i)))))
			bad = append(bad, submit(AppAdmin(Root), commands.ImportGroup{CreateGroup: anyone("old"), CreatedAt: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)}))
			good = append(good, submit(User(names(9)[i]), commands.RequestJoin{GroupID: "go"}))
		}
		close(gate.open)
		_, err := created.Wait(t.Context())
		require.NoError(t, err)
		for _, f := range bad {
			_, err := f.Wait(t.Context())
			assert.Error(t, err)
		}
		for _, f := range good {
			_, err := f.Wait(t.Context())
			assert.NoError(t, err)
		}
		refused(t, domain.CodeInvalidGroupID, h, User(Mary), commands.RequestJoin{GroupID: "a\x00b"}, commands.WithID("bada"))
		refused(t, domain.CodeInvalidGroupID, h, User(Mary), commands.RequestJoin{GroupID: "a\x00b"})
		refused(t, domain.CodeInvalidUserID, h, User("\xff"), commands.MarkApplicationsRead{})
		_, err = h.Do(t.Context(), User(Mary), commands.RequestJoin{GroupID: "b\x00"}, commands.WithID("bada"))
		require.ErrorIs(t, err, commands.ErrIDReused)
	})
}

// An assigned ID is not looked for before a group is made of it. Where it is in use
// after all, the commit says so, and the wish is judged against that group.
func TestAssignedIDThatIsInUse(t *testing.T) {
	log := memory.New()
	h := start(t, log, func(c *commands.Config) {
		c.CacheMembers = 1 // what is not used stays in the log alone
		c.Random = func() string { return "00000000000000000000000000" }
	})
	group := commands.CreateGroup{GroupType: domain.Meeting, Name: "A group"}
	first := must(t, h, User("olga"), group)
	must(t, h, User("olga"), commands.CreateGroup{GroupType: domain.Meeting, GroupID: "other", Name: "Another"})
	_, err := h.Do(t.Context(), User("ben"), group)
	require.ErrorIs(t, err, domain.ErrGroupIDTaken)
	loaded, err := commands.Load(t.Context(), log, first.GroupID)
	require.NoError(t, err)
	require.Equal(t, "olga", loaded.Owner())
	require.Equal(t, 1, loaded.Incarnation())
}
