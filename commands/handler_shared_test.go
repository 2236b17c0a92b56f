package commands_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// Two handlers share a log, as two processes do: both get on, and what they leave
// keeps every invariant.
func TestTwoHandlersOnOneLog(t *testing.T) {
	p := Changed(SmallPolicies(domain.Classic(), 6), Clan, func(p *domain.Policy) { p.Limits.GroupsPerUser = 0 })
	eachLog(t, func(t *testing.T, l log) {
		store := l.open()
		handlers := []*commands.Handler{start(t, store, policies(p)), start(t, l.open(), policies(p))}
		groups := []string{"a", "b"}
		for _, id := range groups {
			must(t, handlers[0], User(Olga), commands.CreateGroup{GroupType: Guild, GroupID: id, Name: "Guild"})
		}
		var done [2]atomic.Int32
		var wg sync.WaitGroup
		for client := range 8 {
			random := rand.New(rand.NewPCG(2, uint64(client)))
			wg.Go(func() {
				for range 25 {
					id, user, other := groups[random.IntN(2)], Users[random.IntN(len(Users))], Users[random.IntN(len(Users))]
					as, cmd := User(user), commands.Command(commands.RequestJoin{GroupID: id})
					switch random.IntN(6) {
					case 0:
						cmd = commands.Quit{GroupID: id}
					case 1:
						cmd = commands.InviteUsers{GroupID: id, UserIDs: []string{other, user}}
					case 2:
						as, cmd = AppAdmin(Root), commands.TransferOwner{GroupID: id, UserID: other}
					case 3:
						as, cmd = AppAdmin(Root), commands.KickMembers{GroupID: id, UserIDs: []string{user, other}}
					case 4:
						as, cmd = AppAdmin(Root), commands.SetMemberRole{GroupID: id, UserID: other, Role: domain.Admin}
					}
					_, err := handlers[client%2].Do(t.Context(), as, cmd)
					var refusal *domain.Refusal
					if err == nil {
						done[client%2].Add(1)
					} else if !errors.As(err, &refusal) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		assert.Positive(t, done[0].Load())
		assert.Positive(t, done[1].Load())
		folded := map[string]*domain.Group{}
		for _, r := range records(t, store) {
			id, _ := domain.GroupOf(r.Stream)
			if folded[id] == nil {
				folded[id] = domain.NewGroup(id)
			}
			e, err := domain.Decode(r.Type, r.Schema, r.Data)
			require.NoError(t, err)
			folded[id].Apply(e, commands.MetaOf(r))
			require.NoError(t, Invariants(folded[id], p), "position %d", r.Position)
		}
	})
}

// What one handler has recorded, the other judges by, at the next command.
func TestAnotherHandlersEventsAreSeenAtOnce(t *testing.T) {
	eachLog(t, func(t *testing.T, l log) {
		one, two := start(t, l.open()), start(t, l.open())
		refused(t, domain.CodeUnknownGroup, two, User(Mary), commands.RequestJoin{GroupID: "go"})
		must(t, one, User(Olga), anyone("go"))
		must(t, two, User(Mary), commands.RequestJoin{GroupID: "go"})
		refused(t, domain.CodeAlreadyMember, one, User(Mary), commands.RequestJoin{GroupID: "go"})
		must(t, one, User(Olga), commands.Dismiss{GroupID: "go"})
		refused(t, domain.CodeGroupDismissed, two, User(Mary), commands.Quit{GroupID: "go"})
		must(t, two, User(Mary), anyone("go"))
		refused(t, domain.CodeGroupIDTaken, one, User(Olga), anyone("go"))
		refused(t, domain.CodeGroupIDYours, one, User(Mary), anyone("go"))
	})
}

// I12: a decision that another writer has overtaken is decided anew, on the state
// that its events are appended to.
func TestAnOvertakenDecisionIsDecidedAnew(t *testing.T) {
	small := Changed(domain.Classic(), domain.Meeting, func(p *domain.Policy) { p.MemberLimit = 3 })
	for name, test := range map[string]struct {
		overtake []func(t *testing.T, other *commands.Handler)
		want     error
	}{
		"by nothing that matters": {[]func(*testing.T, *commands.Handler){
			func(t *testing.T, other *commands.Handler) {
				must(t, other, User(Olga), commands.SetGroupInfo{GroupID: "go", Name: ptr("Go")})
			},
		}, nil},
		"by the last to get in": {[]func(*testing.T, *commands.Handler){
			func(t *testing.T, other *commands.Handler) {
				must(t, other, User(Max), commands.RequestJoin{GroupID: "go"})
			},
			func(t *testing.T, other *commands.Handler) {
				must(t, other, User(Sara), commands.RequestJoin{GroupID: "go"})
			},
		}, domain.ErrGroupFull},
		"by the end of the group": {[]func(*testing.T, *commands.Handler){
			func(t *testing.T, other *commands.Handler) {
				must(t, other, User(Olga), commands.Dismiss{GroupID: "go"})
			},
		}, domain.ErrGroupDismissed},
		"by themselves": {[]func(*testing.T, *commands.Handler){
			func(t *testing.T, other *commands.Handler) {
				must(t, other, User(Sven), commands.RequestJoin{GroupID: "go"})
			},
		}, domain.ErrAlreadyMember},
	} {
		t.Run(name, func(t *testing.T) {
			log := memory.New()
			store, other := eventstoretest.Faulty(log), start(t, log, policies(small))
			h := start(t, store, policies(small))
			must(t, h, User(Olga), anyone("go"))
			left := test.overtake
			store.BeforeAppend(func(context.Context, []eventstore.Commit) error {
				if len(left) > 0 {
					left[0](t, other)
					left = left[1:]
				}
				return nil
			})
			_, err := h.Do(t.Context(), User(Sven), commands.RequestJoin{GroupID: "go"})
			require.ErrorIs(t, err, test.want)
			assert.Empty(t, left)
			assert.Equal(t, test.want == nil || errors.Is(test.want, domain.ErrAlreadyMember), inLog(t, log, "go").IsMember(Sven))
		})
	}
}

// What another writer appends to one group while this one appends to another is seen
// at the next command: a refusal, too, is judged on fresh state.
func TestWhatIsAppendedMeanwhileIsSeen(t *testing.T) {
	log := memory.New()
	store, other := eventstoretest.Faulty(log), start(t, log)
	h := start(t, store)
	must(t, h, User(Olga), anyone("one"))
	must(t, h, User(Olga), anyone("two")) // both are in memory
	store.BeforeAppend(func(context.Context, []eventstore.Commit) error {
		store.BeforeAppend(nil)
		must(t, other, User(Mary), commands.RequestJoin{GroupID: "two"})
		return nil
	})
	must(t, h, User(Mary), commands.RequestJoin{GroupID: "one"})
	refused(t, domain.CodeAlreadyMember, h, User(Mary), commands.RequestJoin{GroupID: "two"})
	must(t, h, User(Mary), commands.Quit{GroupID: "two"})
}

// A command whose ID another writer has used meanwhile, for something else in another
// group, leaves no trace in memory.
func TestAnIDThatIsTakenMeanwhile(t *testing.T) {
	log := memory.New()
	store, other := eventstoretest.Faulty(log), start(t, log)
	h := start(t, store)
	must(t, h, User(Olga), anyone("go"))
	store.BeforeAppend(func(context.Context, []eventstore.Commit) error {
		store.BeforeAppend(nil)
		refused(t, domain.CodeUnknownGroup, other, User(Mary), commands.Quit{GroupID: "none"}, commands.WithID("one"))
		return nil
	})
	_, err := h.Do(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"}, commands.WithID("one"))
	require.ErrorIs(t, err, commands.ErrIDReused)
	refused(t, domain.CodeNotPermitted, h, User(Mary), commands.Quit{GroupID: "go"})
	must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"})
}

// A refusal that is stored is told of, whatever becomes of what stands before it in its
// batch: only in a group does one rest on the other.
func TestARefusalBehindAnIDThatIsTakenMeanwhile(t *testing.T) {
	log := memory.New()
	store, gate := gated(log)
	var told []string
	h := start(t, store, func(c *commands.Config) {
		c.Refused = func(r commands.Refused) { told = append(told, r.ID) }
	})
	first, err := h.Submit(t.Context(), User(Olga), anyone("go"))
	require.NoError(t, err)
	<-gate.entered // what comes now waits for the next batch
	futures := map[string]*commands.Future{}
	for _, id := range []string{"taken", "own"} {
		futures[id], err = h.Submit(t.Context(), User(Mary), commands.Quit{GroupID: "\xff"}, commands.WithID(id))
		require.NoError(t, err)
	}
	refused(t, domain.CodeInvalidGroupID, start(t, log), User(Mary), commands.Quit{GroupID: "\xff"}, commands.WithID("taken"))
	close(gate.open)
	_, err = first.Wait(t.Context())
	require.NoError(t, err)
	for _, future := range futures {
		_, err := future.Wait(t.Context())
		require.ErrorIs(t, err, &domain.Refusal{Code: domain.CodeInvalidGroupID})
	}
	require.Equal(t, []string{"own"}, told)
}

// Who is always overtaken is told so in the end, and others are not held up.
func TestContention(t *testing.T) {
	log := memory.New()
	store, other := eventstoretest.Faulty(log), start(t, log)
	h := start(t, store)
	must(t, h, User(Olga), anyone("go"))
	on := false
	store.BeforeAppend(func(context.Context, []eventstore.Commit) error {
		on = !on
		must(t, other, User(Olga), commands.MuteAll{GroupID: "go", Muted: on})
		return nil
	})
	_, err := h.Do(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"})
	require.ErrorIs(t, err, commands.ErrContended)
	must(t, h, User(Mary), anyone("another"))
	store.BeforeAppend(nil)
	must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"})
}

// A quota counts what other handlers have done before the command was given, too.
func TestQuotaCountsWhatOthersHaveDone(t *testing.T) {
	store := memory.New()
	h, other := start(t, store, limited(t, store, 1)), start(t, store, limited(t, store, 1))
	for _, owner := range names(2) {
		must(t, h, User(owner), anyone("of "+owner))
	}
	first, second := commands.RequestJoin{GroupID: "of " + names(2)[0]}, commands.RequestJoin{GroupID: "of " + names(2)[1]}
	must(t, h, User(Mary), first)
	_, err := other.Do(t.Context(), User(Mary), second)
	require.ErrorIs(t, err, domain.ErrQuotaExceeded)
	must(t, h, User(Mary), commands.Quit{GroupID: first.GroupID})
	must(t, other, User(Mary), second)
	_, err = h.Do(t.Context(), User(Mary), first)
	require.ErrorIs(t, err, domain.ErrQuotaExceeded)
}

// A handler that is restarted at any time, with whatever room for groups, answers a
// random history as one that never stopped, and leaves the same log.
func TestAHandlerIsWhatTheLogSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := History(rt, 40)
		store, c := memory.New(), new(clock)
		open := func() *commands.Handler {
			h, err := commands.NewHandler(t.Context(), commands.Config{
				Store: store, Policies: w.Policies, Clock: c.Now, GroupsOf: counter(t, store),
				Random: func() string { panic("no ID is assigned") }, CacheMembers: rapid.SampledFrom([]int{0, 1, 60}).Draw(rt, "cache"),
			})
			require.NoError(rt, err)
			return h
		}
		h := open()
		defer func() { require.NoError(rt, h.Close()) }()
		for _, step := range w.Steps {
			if rapid.SampledFrom([]bool{false, false, false, false, true}).Draw(rt, "restart") {
				require.NoError(rt, h.Close())
				h = open()
			}
			c.Set(step.At)
			receipt, err := h.Do(t.Context(), step.Actor, step.Command)
			if step.Refusal != nil {
				require.Equal(rt, step.Refusal, err)
				continue
			}
			require.NoError(rt, err)
			require.Equal(rt, step.Decision.Outcome, receipt.Outcome)
			require.Equal(rt, step.Decision.Users, receipt.Users)
		}
		want := w.Records()
		require.Equal(rt, want, append(want[:0:0], records(t, store)...))
	})
}
