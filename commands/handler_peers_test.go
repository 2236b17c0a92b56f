package commands_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// Commands about one group, given through three handlers, take effect one after the
// other, each between its call and its answer, whoever decides and whatever is lost.
func TestCommandsThroughPeersAreLinearizable(t *testing.T) {
	tiny := Changed(domain.Classic(), domain.Meeting, func(p *domain.Policy) { p.MemberLimit = 3 })
	anybody := func() func(string, string) string {
		var n atomic.Int64
		return func(string, string) string { return nodes[n.Add(1)%3] }
	}
	asked := int64(0) // in all: a run of the callers may happen to meet no conflict
	for name, test := range map[string]struct {
		owner func(asking, stream string) string
		fault func(string) fault
	}{
		"one owner":          {nil, nil},
		"everybody is owner": {func(asking, _ string) string { return asking }, nil},
		"owners are each other": {func(asking, _ string) string {
			return map[string]string{"one": "two", "two": "three", "three": "one"}[asking]
		}, nil},
		"owners come and go": {anybody(), nil},
		"peers die":          {nil, sometimes(fine, unreachable)},
		"requests are lost":  {anybody(), sometimes(fine, fine, lostRequest, unreachable)},
		"answers are lost":   {anybody(), sometimes(fine, fine, lostAnswer)},
		"requests are late":  {anybody(), sometimes(fine, lateRequest, lostAnswer, lostRequest, unreachable)},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, "one")
			if test.owner != nil {
				n.owner = test.owner
			}
			if test.fault != nil {
				n.fault = test.fault
			}
			handlers := startAll(t, memory.New(), n, "go", policies(tiny))
			must(t, handlers[0], User(Olga), anyone("go"))
			operations := seatings(t, handlers)
			assert.True(t, porcupine.CheckOperations(seats, operations))
			asked += n.asked.Load()
			if name == "everybody is owner" {
				assert.Zero(t, n.asked.Load())
			}
		})
	}
	assert.Positive(t, asked)
}

// seatings has callers come and go through all of the handlers, each command with an ID.
func seatings(t *testing.T, handlers []*commands.Handler) []porcupine.Operation {
	var moment atomic.Int64
	var mu sync.Mutex
	var operations []porcupine.Operation
	var wg sync.WaitGroup
	for client := range 6 {
		random := rand.New(rand.NewPCG(3, uint64(client)))
		wg.Go(func() {
			for k := range 20 {
				in := seat{names(3)[random.IntN(3)], random.IntN(2) == 0}
				var cmd commands.Command = commands.RequestJoin{GroupID: "go"}
				if in.quit {
					cmd = commands.Quit{GroupID: "go"}
				}
				call := moment.Add(1)
				_, err := handlers[client%3].Do(t.Context(), User(in.user), cmd, commands.WithID(fmt.Sprintf("%d-%d", client, k)))
				returned := moment.Add(1)
				var refusal *domain.Refusal
				code := domain.Code(0)
				if errors.As(err, &refusal) {
					code = refusal.Code
				} else if err != nil {
					t.Error(err)
				}
				mu.Lock()
				operations = append(operations, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: code, Return: returned})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return operations
}

// A command with an ID is done once, whatever is lost, and everybody who asks again is
// told so.
func TestIDsAreDoneOnceThroughPeers(t *testing.T) {
	store := memory.New()
	n := newNetwork(t, "one")
	n.fault = sometimes(fine, lostRequest, lostAnswer, lateRequest, unreachable)
	handlers := startAll(t, store, n, "go")
	must(t, handlers[0], User(Olga), anyone("go"))
	var wg sync.WaitGroup
	for i, user := range names(60) {
		wg.Go(func() {
			first, err := handlers[i%3].Do(t.Context(), User(user), commands.RequestJoin{GroupID: "go"}, commands.WithID(user))
			if assert.NoError(t, err) {
				again, err := handlers[(i+1)%3].Do(t.Context(), User(user), commands.RequestJoin{GroupID: "go"}, commands.WithID(user))
				assert.NoError(t, err)
				first.Repeated = true
				assert.Equal(t, first, again)
			}
		})
	}
	wg.Wait()
	n.late.Wait()
	assert.Equal(t, 61, inLog(t, store, "go").Count())
	assert.Len(t, records(t, store), 61)
	_, err := handlers[1].Do(t.Context(), User(Olga), commands.RequestJoin{GroupID: "go"}, commands.WithID(names(60)[0]))
	assert.ErrorIs(t, err, commands.ErrIDReused)
}

// What one goroutine submits takes effect in its order, while the group becomes a hot
// one, peers come and go, and what was decided here is under way.
func TestOrderThroughPeers(t *testing.T) {
	store := memory.New()
	n := newNetwork(t, "one")
	n.fault = sometimes(fine, fine, unreachable)
	var handlers []*commands.Handler
	for _, name := range nodes {
		handlers = append(handlers, start(t, store, n.join(name)))
	}
	must(t, handlers[0], User(Olga), anyone("go"))
	const each = 150
	var wg sync.WaitGroup
	for who, h := range handlers {
		var futures []*commands.Future
		wg.Go(func() {
			for k := range each {
				if k == each/3 {
					commands.Heat(h, "go")
				}
				f, err := h.Submit(t.Context(), User(Olga), commands.SetGroupInfo{GroupID: "go", Name: ptr(fmt.Sprintf("%d-%d", who, k))})
				if assert.NoError(t, err) {
					futures = append(futures, f)
				}
			}
			for _, f := range futures {
				_, err := f.Wait(t.Context())
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	next := make([]int, len(handlers))
	for _, r := range records(t, store)[1:] {
		var info struct{ Name string }
		require.NoError(t, json.Unmarshal(r.Data, &info))
		var who, k int
		_, err := fmt.Sscanf(info.Name, "%d-%d", &who, &k)
		require.NoError(t, err)
		require.Equal(t, next[who], k, "position %d", r.Position)
		next[who]++
	}
	assert.Equal(t, []int{each, each, each}, next)
	assert.Positive(t, n.asked.Load())
}

// Without a conflict nobody is asked; a conflict has the owner asked for a while.
func TestAConflictLeavesAGroupToItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		n := newNetwork(t, "one")
		faulty := eventstoretest.Faulty(log)
		one, two := start(t, log, n.join("one")), start(t, faulty, n.join("two"))
		must(t, two, User(Olga), anyone("go"))
		must(t, two, User(Mary), commands.RequestJoin{GroupID: "go"})
		require.Zero(t, n.asked.Load())

		faulty.BeforeAppend(func(context.Context, []eventstore.Commit) error {
			faulty.BeforeAppend(nil)
			must(t, one, User(Max), commands.RequestJoin{GroupID: "go"})
			return nil
		})
		must(t, two, User(Sven), commands.RequestJoin{GroupID: "go"})
		require.Zero(t, n.asked.Load())
		receipt := must(t, two, User(Mary), commands.Quit{GroupID: "go"})
		require.EqualValues(t, 1, n.asked.Load())
		assert.Equal(t, commands.Receipt{Outcome: commands.Done, GroupID: "go", Events: []string{"member.left"}, First: 5, Position: 5}, receipt)
		assert.EqualValues(t, 5, two.Position(), "who asks sees what was done")
		must(t, two, User(Olga), anyone("another"))
		must(t, two, User(Mary), commands.RequestJoin{GroupID: "another"})
		require.EqualValues(t, 1, n.asked.Load(), "another group")

		time.Sleep(commands.HotFor + time.Second)
		must(t, two, User(Mary), commands.RequestJoin{GroupID: "go"})
		require.EqualValues(t, 1, n.asked.Load())
		assert.True(t, inLog(t, log, "go").IsMember(Mary))
	})
}

// A peer that answered is not asked twice; without an ID, what it did not answer is told
// to be unknown.
func TestAnAnswerThatIsLostWithoutAnID(t *testing.T) {
	for _, what := range []fault{lostRequest, lostAnswer} {
		store := memory.New()
		n := newNetwork(t, "one")
		handlers := startAll(t, store, n, "go")
		must(t, handlers[0], User(Olga), anyone("go"))
		n.fault = func(string) fault { return what }
		_, err := handlers[1].Do(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"})
		require.ErrorIs(t, err, eventstore.ErrUnknown)
		require.ErrorIs(t, err, errLost)
		require.ErrorContains(t, err, "give commands IDs")
		assert.Equal(t, what == lostAnswer, inLog(t, store, "go").IsMember(Mary))
		planned := must(t, handlers[1], User(Max), commands.RequestJoin{GroupID: "go"}, commands.DryRun())
		assert.Len(t, planned.Planned, 1, "of a dry run nothing is unknown")
	}
}

// Answers that are none are as good as lost ones.
func TestAnswersThatAreNone(t *testing.T) {
	for _, answer := range []string{"", "null", "{}", "[]", `{"format":2,"answers":[{"error":"x"}]}`, `{"format":1}`, `{"format":1,"answers":[{}]}`, `{"format":1,"answers":[{"error":"x"},{"error":"y"}]}`} {
		store := memory.New()
		n := newNetwork(t, "one")
		n.reply = func(string, []byte) []byte { return []byte(answer) }
		handlers := startAll(t, store, n, "go")
		must(t, handlers[0], User(Olga), anyone("go"))
		_, err := handlers[1].Do(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"})
		require.ErrorIs(t, err, eventstore.ErrUnknown, answer)
		receipt := must(t, handlers[1], User(Mary), commands.Quit{GroupID: "go"}, commands.WithID("one"))
		require.True(t, receipt.Repeated, answer)
		require.Len(t, records(t, store), 3)
	}
}

// What a peer does not understand, and what it is asked when it closes, is decided here.
func TestWhatIsDeclinedIsDecidedHere(t *testing.T) {
	store := memory.New()
	n := newNetwork(t, "one")
	n.reply = func(string, []byte) []byte { return []byte(`{"format":1,"answers":[],"declined":"it is a newer one"}`) }
	n.peers["one"] = &peer{network: n, name: "one", answer: func(context.Context, []byte) []byte { return nil }}
	h := start(t, store, n.join("two"))
	must(t, h, User(Olga), anyone("go"))
	commands.Heat(h, "go")
	must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"})
	require.EqualValues(t, 1, n.asked.Load())
	assert.True(t, inLog(t, store, "go").IsMember(Mary))
}

// What would not arrive as it is does not go: text that is no UTF-8, and new groups.
func TestWhatDoesNotTravel(t *testing.T) {
	n := newNetwork(t, "one")
	handlers := startAll(t, memory.New(), n, "go")
	must(t, handlers[1], User(Olga), anyone("go"))
	refused(t, domain.CodeInvalidParameter, handlers[1], User(Olga), commands.SetGroupInfo{GroupID: "go", Name: ptr("\xff")})
	require.Zero(t, n.asked.Load())
	must(t, handlers[1], User(Olga), commands.SetGroupInfo{GroupID: "go", Name: ptr("\ufffd")})
	require.EqualValues(t, 1, n.asked.Load())
}

// Every command comes to a peer as it was given, and its answer back as it was.
func TestCommandsTravelAsTheyAre(t *testing.T) {
	p := domain.Classic()
	for _, line := range lines {
		t.Run(line.Command.CommandName(), func(t *testing.T) {
			alone, _ := startLive(t, p, nil)
			n := newNetwork(t, "one")
			there, _ := startLive(t, p, n)
			opts := []commands.Option{commands.WithID(line.ID), commands.At(line.At)}
			for _, opts := range [][]commands.Option{append(opts, commands.DryRun()), opts} {
				want, wantErr := alone.Do(t.Context(), line.As, line.Command, opts...)
				got, gotErr := there.Do(t.Context(), line.As, line.Command, opts...)
				assert.Equal(t, want, got)
				assert.Equal(t, wantErr, gotErr)
			}
		})
	}
}

// startLive is a handler on a log with a group; with a network, it is one that leaves it
// to another.
func startLive(t *testing.T, p domain.Policies, n *network) (*commands.Handler, eventstore.Store) {
	store := memory.New()
	for version, e := range Live(p, domain.Public) {
		name, schema, data, err := domain.Encode(e)
		require.NoError(t, err)
		_, err = store.Append(t.Context(), eventstore.Commit{
			Stream: domain.GroupStream(GroupID), Expect: eventstore.Exactly(eventstore.Version(version)),
			Events: []eventstore.Event{{Type: name, Schema: schema, Data: data, Actor: Olga, Time: Noon.Add(-24 * 365 * 20 * time.Hour)}},
		})
		require.NoError(t, err)
	}
	if n == nil {
		return start(t, store, policies(p)), store
	}
	start(t, store, policies(p), n.join("one"))
	h := start(t, store, policies(p), n.join("two"))
	commands.Heat(h, GroupID)
	return h, store
}

// A refusal is the same on the other side, and so are the errors that callers tell from
// others.
func TestErrorsTravel(t *testing.T) {
	for _, code := range domain.Codes() {
		refusal := domain.Refuse(code, "a rule of "+code.String(), "a hint")
		_, err := commands.Travel(commands.Receipt{}, fmt.Errorf("with context: %w", refusal))
		require.ErrorIs(t, err, &domain.Refusal{Code: code})
		require.Equal(t, refusal, err)
	}
	kinds := []error{
		commands.ErrContended, commands.ErrIDReused, commands.ErrMisuse,
		eventstore.ErrClosed, eventstore.ErrDamaged, eventstore.ErrUnknown, eventstore.ErrBusy, eventstore.ErrReadOnly, eventstore.ErrFull, eventstore.ErrInvalid,
		context.DeadlineExceeded,
	}
	for _, kind := range kinds {
		_, err := commands.Travel(commands.Receipt{}, fmt.Errorf("append: %w: the disk of n1", kind))
		require.ErrorContains(t, err, "the disk of n1")
		for _, other := range append(kinds, io.EOF) {
			require.Equal(t, other == kind, errors.Is(err, other), "%v is %v", kind, other)
		}
	}
	_, err := commands.Travel(commands.Receipt{}, errors.Join(eventstore.ErrUnknown, eventstore.ErrDamaged))
	require.ErrorIs(t, err, eventstore.ErrUnknown)
	require.ErrorIs(t, err, eventstore.ErrDamaged)
}

// A handler that closes answers what it was asked.
func TestClosingAnswersPeers(t *testing.T) {
	log := memory.New()
	n := newNetwork(t, "one")
	store, gate := gated(log)
	one := start(t, store, n.join("one"))
	two := start(t, log, n.join("two"))
	must(t, two, User(Olga), anyone("go"))
	commands.Heat(two, "go")
	future, err := two.Submit(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"})
	require.NoError(t, err)
	<-gate.entered
	closed := make(chan error)
	go func() { closed <- one.Close() }()
	commands.AwaitClosing(one)
	close(gate.open)
	receipt, err := future.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, commands.Joined, receipt.Outcome)
	require.NoError(t, <-closed)
	must(t, two, User(Mary), commands.Quit{GroupID: "go"})
	assert.EqualValues(t, 1, n.asked.Load())
}

// A handler that closes waits for what it has asked.
func TestClosingWaitsForPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		n := newNetwork(t, "one")
		store, gate := gated(log)
		start(t, store, n.join("one"))
		two := start(t, log, n.join("two"))
		must(t, two, User(Olga), anyone("go"))
		commands.Heat(two, "go")
		var futures []*commands.Future
		for _, user := range names(3) {
			f, err := two.Submit(t.Context(), User(user), commands.RequestJoin{GroupID: "go"})
			require.NoError(t, err)
			futures = append(futures, f)
			synctest.Wait()
		}
		n.fault = func(string) fault { return unreachable }
		closed := make(chan error, 1)
		go func() { closed <- two.Close() }()
		synctest.Wait()
		_, err := two.Submit(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"})
		require.ErrorIs(t, err, commands.ErrClosed)
		close(gate.open)
		synctest.Wait()
		require.NoError(t, <-closed)
		for _, f := range futures {
			_, err := f.Wait(t.Context())
			require.NoError(t, err)
		}
		assert.Equal(t, 4, inLog(t, log, "go").Count())
	})
}

// When a group goes to a peer, or comes back, what was given to one side is answered
// before the other gets anything.
func TestOrderWhenAGroupChangesHands(t *testing.T) {
	for name, here := range map[string]bool{"from here to the owner": true, "from the owner to here": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := memory.New()
				must(t, start(t, log), User(Olga), anyone("go"))
				n := newNetwork(t, "one")
				slow, gate := gated(log)
				stores := map[bool]eventstore.Store{true: log, false: slow}
				start(t, stores[here], n.join("one"))
				two := start(t, stores[!here], n.join("two"))
				submit := func(user string) *commands.Future {
					f, err := two.Submit(t.Context(), User(user), commands.RequestJoin{GroupID: "go"})
					require.NoError(t, err)
					synctest.Wait()
					return f
				}
				if !here {
					commands.Heat(two, "go")
				}
				first := submit(Mary)
				commands.Heat(two, "go")
				if !here {
					n.owner = func(asking, _ string) string { return asking }
				}
				second := submit(Max)
				close(gate.open)
				one, err := first.Wait(t.Context())
				require.NoError(t, err)
				next, err := second.Wait(t.Context())
				require.NoError(t, err)
				assert.Less(t, one.Position, next.Position)
				assert.EqualValues(t, 1, n.asked.Load())
			})
		})
	}
}

// A caller may withdraw a command that waits for an earlier one to be answered.
func TestWithdrawingFromALane(t *testing.T) {
	log := memory.New()
	n := newNetwork(t, "one")
	store, gate := gated(log)
	start(t, store, n.join("one"))
	two := start(t, log, n.join("two"), func(c *commands.Config) { c.QueueLength = 1 })
	must(t, two, User(Olga), anyone("go"))
	commands.Heat(two, "go")
	first, err := two.Submit(t.Context(), User(Mary), commands.RequestJoin{GroupID: "go"})
	require.NoError(t, err)
	<-gate.entered
	second, err := two.Submit(t.Context(), User(Max), commands.RequestJoin{GroupID: "go"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.EOF)
	_, err = second.Wait(ctx)
	require.ErrorIs(t, err, io.EOF)
	_, err = two.Submit(ctx, User(Sven), commands.RequestJoin{GroupID: "go"})
	require.ErrorIs(t, err, io.EOF)
	close(gate.open)
	_, err = first.Wait(t.Context())
	require.NoError(t, err)
	must(t, two, User(Sara), commands.RequestJoin{GroupID: "go"})
	group := inLog(t, log, "go")
	assert.Equal(t, []bool{true, false, false, true}, []bool{group.IsMember(Mary), group.IsMember(Max), group.IsMember(Sven), group.IsMember(Sara)})
}

// Commands that wait go together.
func TestWaitingCommandsGoTogether(t *testing.T) {
	log := memory.New()
	n := newNetwork(t, "one")
	store, gate := gated(log)
	start(t, store, n.join("one"))
	two := start(t, log, n.join("two"))
	must(t, two, User(Olga), anyone("go"))
	commands.Heat(two, "go")
	var sizes []int
	n.lines = func(_ string, request []byte) { sizes = append(sizes, strings.Count(string(request), `"RequestJoin"`)) }
	var futures []*commands.Future
	submit := func(user, message string) {
		f, err := two.Submit(t.Context(), User(user), commands.RequestJoin{GroupID: "go", Message: message})
		require.NoError(t, err)
		futures = append(futures, f)
	}
	submit(Mary, "")
	<-gate.entered
	for _, user := range names(40) {
		submit(user, "")
	}
	for _, user := range names(2) {
		submit(user, strings.Repeat("x", 200<<10))
	}
	close(gate.open)
	for i, f := range futures {
		if _, err := f.Wait(t.Context()); i < 41 {
			assert.NoError(t, err)
		}
	}
	assert.Equal(t, []int{1, 41, 1}, sizes, "a large one does not go with another large one")
}

// No request makes a handler panic, and each has an answer that can be read.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"format":1,"commands":[{"line":{"as":"mary","command":"RequestJoin","groupID":"go","id":"1"},"dryRun":true}]}`))
	f.Add([]byte(`{"format":1,"commands":[{"line":{"as":"olga","command":"CreateGroup","groupType":"Meeting","name":"x"},"at":"0000-01-01T00:00:00Z"},{"line":null}]}`))
	f.Add([]byte(`{"format":1,"commands":[{},null,{"line":"x"}]}`))
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, request []byte) {
		n := newNetwork(t, "one")
		h := start(t, memory.New(), n.join("one"))
		must(t, h, User(Olga), anyone("go"))
		var answer struct {
			Format   int
			Answers  []json.RawMessage
			Declined string
		}
		require.NoError(t, json.Unmarshal(n.peers["one"].answer(t.Context(), request), &answer))
		require.Equal(t, 1, answer.Format)
		require.NotNil(t, answer.Answers)
		var asked struct{ Commands []json.RawMessage }
		if json.Unmarshal(request, &asked) != nil || len(answer.Answers) < len(asked.Commands) {
			require.NotEmpty(t, answer.Declined)
		}
	})
}

// Nor does an answer.
func FuzzReadAnswers(f *testing.F) {
	f.Add([]byte(`{"format":1,"position":3,"answers":[{"receipt":{"outcome":"done","events":["x"]},"planned":[{"type":"member.left","schema":1,"data":{}}]},{"error":"x","kinds":["unknown","strange"]}]}`))
	f.Add([]byte(`{"format":1,"answers":[{"refusal":{"code":10007}}],"declined":"closed"}`))
	f.Fuzz(func(t *testing.T, data []byte) { _ = commands.ReadAnswers(data) })
}
