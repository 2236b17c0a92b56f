package commands_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// I16: however many come at once, no more get in than there is room for.
func TestMemberLimitHoldsUnderConcurrency(t *testing.T) {
	small := Changed(domain.Classic(), domain.Meeting, func(p *domain.Policy) { p.MemberLimit = 10 })
	eachLog(t, func(t *testing.T, l log) {
		store := l.open()
		h := start(t, store, policies(small))
		groups := []string{"a", "b", "c"}
		for _, id := range groups {
			must(t, h, User(Olga), anyone(id))
		}
		var wg sync.WaitGroup
		var joined, full atomic.Int32
		for _, user := range names(40) {
			for _, id := range groups {
				wg.Go(func() {
					_, err := h.Do(t.Context(), User(user), commands.RequestJoin{GroupID: id})
					switch {
					case err == nil:
						joined.Add(1)
					case errors.Is(err, domain.ErrGroupFull):
						full.Add(1)
					default:
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		assert.EqualValues(t, 3*9, joined.Load())
		assert.EqualValues(t, 3*31, full.Load())
		for _, id := range groups {
			assert.Equal(t, 10, inLog(t, store, id).Count())
		}
	})
}

// counter counts the groups of users as the log had them at a position.
func counter(t *testing.T, store eventstore.Store) func(context.Context, string, eventstore.Position) (int, error) {
	return func(ctx context.Context, userID string, asOf eventstore.Position) (int, error) {
		groups := map[string]*domain.Group{}
		for _, r := range records(t, store) {
			if r.Position > asOf {
				break
			}
			if id, ok := domain.GroupOf(r.Stream); ok {
				if groups[id] == nil {
					groups[id] = domain.NewGroup(id)
				}
				e, err := domain.Decode(r.Type, r.Schema, r.Data)
				if err != nil {
					return 0, err
				}
				groups[id].Apply(e, commands.MetaOf(r))
			}
		}
		n := 0
		for _, g := range groups {
			if g.IsMember(userID) {
				n++
			}
		}
		return n, nil
	}
}

func limited(t *testing.T, store eventstore.Store, limit int) func(*commands.Config) {
	return func(c *commands.Config) {
		c.Policies = domain.Classic()
		for _, kind := range types {
			c.Policies = Changed(c.Policies, kind, func(p *domain.Policy) { p.Limits.GroupsPerUser = limit })
		}
		c.GroupsOf = counter(t, store)
	}
}

// I16: a user's quota holds, however they come in, and all at once.
func TestQuotaHoldsUnderConcurrency(t *testing.T) {
	log := memory.New()
	store, gate := gated(log)
	h := start(t, store, limited(t, log, 4))
	futures := map[*commands.Future]bool{}
	submit := func(as domain.Actor, cmd commands.Command) *commands.Future {
		f, err := h.Submit(t.Context(), as, cmd)
		require.NoError(t, err)
		return f
	}
	for i, owner := range names(12) {
		submit(User(owner), anyone(fmt.Sprint(i)))
	}
	<-gate.entered
	for i, owner := range names(12) {
		id := fmt.Sprint(i)
		switch i % 4 {
		case 0:
			futures[submit(User(Mary), commands.RequestJoin{GroupID: id})] = true
		case 1:
			futures[submit(AppAdmin(owner), commands.InviteUsers{GroupID: id, UserIDs: []string{Mary}})] = true
		case 2:
			futures[submit(AppAdmin(Root), commands.ImportMember{GroupID: id, UserID: Mary})] = true
		case 3:
			futures[submit(User(Mary), anyone("mary's "+id))] = true
		}
	}
	close(gate.open)
	in := 0
	for f := range futures {
		receipt, err := f.Wait(t.Context())
		switch {
		case errors.Is(err, domain.ErrQuotaExceeded):
		case err == nil && len(receipt.Users) == 1 && receipt.Users[0].Result == commands.OverQuota:
		default:
			require.NoError(t, err)
			in++
		}
	}
	assert.Equal(t, 4, in)
	n, err := counter(t, log)(t.Context(), Mary, math.MaxInt64)
	require.NoError(t, err)
	assert.Equal(t, 4, n)
}

// Leaving, being kicked and dismissal make room at once, also in the same batch.
func TestQuotaCountsWhatTheBatchHasDecided(t *testing.T) {
	log := memory.New()
	store, gate := gated(log)
	h := start(t, store, limited(t, log, 1))
	var futures []*commands.Future
	submit := func(as domain.Actor, cmd commands.Command) {
		f, err := h.Submit(t.Context(), as, cmd)
		require.NoError(t, err)
		futures = append(futures, f)
	}
	submit(User("first"), commands.MarkApplicationsRead{})
	<-gate.entered // all that follows is one batch
	for i, owner := range names(4) {
		submit(User(owner), anyone(fmt.Sprint(i)))
	}
	join := func(id string) { submit(User(Mary), commands.RequestJoin{GroupID: id}) }
	join("0")
	submit(User(Mary), commands.Quit{GroupID: "0"})
	join("1")
	submit(User(names(4)[1]), commands.KickMembers{GroupID: "1", UserIDs: []string{Mary}})
	join("2")
	submit(User(names(4)[2]), commands.Dismiss{GroupID: "2"})
	join("3")
	join("0")
	submit(User(names(4)[2]), anyone("2")) // as the owner of the dismissed one
	close(gate.open)
	for i, f := range futures {
		_, err := f.Wait(t.Context())
		if i == len(futures)-2 {
			assert.ErrorIs(t, err, domain.ErrQuotaExceeded)
		} else {
			assert.NoError(t, err, i)
		}
	}
}

func TestQuotasNeedACounter(t *testing.T) {
	p := Changed(domain.Classic(), domain.Public, func(p *domain.Policy) { p.Limits.GroupsPerUser = 1 })
	_, err := commands.NewHandler(t.Context(), commands.Config{Store: memory.New(), Policies: p})
	require.ErrorIs(t, err, commands.ErrMisuse)
}

// seats is a group with room for two beside its owner, as one who looks on from
// outside may think of it.
type seat struct {
	user string
	quit bool
}

var seats = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		in, code := input.(seat), output.(domain.Code)
		var members []string
		if state != "" {
			members = strings.Split(state.(string), ",")
		}
		is := slices.Contains(members, in.user)
		want := domain.Code(0)
		switch {
		case in.quit && !is:
			want = domain.CodeNotPermitted
		case in.quit:
			members = slices.DeleteFunc(members, func(m string) bool { return m == in.user })
		case is:
			want = domain.CodeAlreadyMember
		case len(members) == 2:
			want = domain.CodeGroupFull
		default:
			members = append(members, in.user)
			slices.Sort(members)
		}
		return code == want, strings.Join(members, ",")
	},
}

// Commands on a group, given through two handlers on one log, take effect one after the
// other, each between its call and its answer, whatever else is in their batches.
func TestCommandsAreLinearizable(t *testing.T) {
	tiny := Changed(domain.Classic(), domain.Meeting, func(p *domain.Policy) { p.MemberLimit = 3 })
	eachLog(t, func(t *testing.T, l log) {
		handlers := []*commands.Handler{start(t, l.open(), policies(tiny)), start(t, l.open(), policies(tiny))}
		groups := []string{"one", "two", "three"}
		for _, id := range groups {
			must(t, handlers[0], User(Olga), anyone(id))
		}
		var moment atomic.Int64
		var mu sync.Mutex
		operations := map[string][]porcupine.Operation{} // by group
		var wg sync.WaitGroup
		for client := range 9 {
			random := rand.New(rand.NewPCG(1, uint64(client)))
			wg.Go(func() {
				for range 15 {
					in, group := seat{names(3)[random.IntN(3)], random.IntN(2) == 0}, groups[client%3]
					var cmd commands.Command = commands.RequestJoin{GroupID: group}
					if in.quit {
						cmd = commands.Quit{GroupID: group}
					}
					call := moment.Add(1)
					_, err := handlers[random.IntN(2)].Do(t.Context(), User(in.user), cmd)
					returned := moment.Add(1)
					var refusal *domain.Refusal
					code := domain.Code(0)
					if errors.As(err, &refusal) {
						code = refusal.Code
					} else if err != nil {
						t.Error(err)
					}
					mu.Lock()
					operations[group] = append(operations[group], porcupine.Operation{ClientId: client, Input: in, Call: call, Output: code, Return: returned})
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for group, history := range operations {
			assert.True(t, porcupine.CheckOperations(seats, history), "group %s", group)
		}
	})
}

// Do may carry a command out itself, but never before what its caller has submitted.
func TestDoDoesNotOvertakeWhatWasSubmitted(t *testing.T) {
	h := start(t, memory.New())
	must(t, h, User("owner"), anyone("chess"))
	sven := User(Sven)
	for range 20_000 {
		joined, err := h.Submit(t.Context(), sven, commands.RequestJoin{GroupID: "chess"})
		require.NoError(t, err)
		_, err = h.Do(t.Context(), sven, commands.Quit{GroupID: "chess"})
		require.NoError(t, err, "who has submitted a join is a member")
		_, err = joined.Wait(t.Context())
		require.NoError(t, err)
	}
}
