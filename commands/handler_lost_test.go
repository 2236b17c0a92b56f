package commands_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// schedules is how many TestLostAcknowledgements draws:
//
//	go test ./commands -run LostAcknowledgements -schedules 1000000 -timeout 1h
var schedules = flag.Int("schedules", 2_000, "how many schedules of lost acknowledgements to try")

var errGone = errors.New("the process is gone")

// lossy is a log that fails now and then: before an append, after it, or because the
// process that uses it has been killed, in the middle of whatever it does.
type lossy struct {
	eventstore.Store
	gone atomic.Bool

	mu     sync.Mutex
	random *rand.Rand
}

// one is true one time in n. Meanwhile, others may come in between.
func (l *lossy) one(n int) bool {
	l.mu.Lock()
	hit, pause := l.random.IntN(n) == 0, l.random.IntN(4)
	l.mu.Unlock()
	for range pause {
		runtime.Gosched()
	}
	return hit
}

func (l *lossy) fault(n int) error {
	if l.one(n) {
		return eventstore.ErrBusy
	}
	if l.gone.Load() {
		return errGone
	}
	return nil
}

func (l *lossy) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if err := l.fault(6); err != nil {
		return nil, err
	}
	results, err := l.Store.Append(ctx, commits...)
	if err := l.fault(6); err != nil {
		return nil, fmt.Errorf("%w: %w", eventstore.ErrUnknown, err)
	}
	return results, err
}

func (l *lossy) Head(ctx context.Context) (eventstore.Position, error) {
	if err := l.fault(20); err != nil {
		return 0, err
	}
	return l.Store.Head(ctx)
}

func (l *lossy) Outcome(ctx context.Context, id string) (eventstore.Outcome, bool, error) {
	if err := l.fault(20); err != nil {
		return eventstore.Outcome{}, false, err
	}
	return l.Store.Outcome(ctx, id)
}

func (l *lossy) ReadStream(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		if err := l.fault(20); err != nil {
			yield(eventstore.Record{}, err)
			return
		}
		l.Store.ReadStream(ctx, stream, after)(yield)
	}
}

// process is a handler on the log that can be killed; there is another one then.
type process struct {
	mu      sync.Mutex
	log     eventstore.Store
	store   *lossy
	apart   bool // streams are stored apart from each other
	handler *commands.Handler
	random  *rand.Rand
	old     []*commands.Handler
}

func (p *process) start() {
	p.store = &lossy{Store: p.log, random: rand.New(rand.NewPCG(p.random.Uint64(), 0))}
	var store eventstore.Store = p.store
	if p.apart {
		store = eventstoretest.Shuffled(store, p.random.Uint64())
	}
	for {
		var err error
		p.handler, err = commands.NewHandler(context.Background(), commands.Config{
			Store: store, Policies: fewSeats, Clock: new(clock).Now, Random: func() string { panic("no ID is assigned") },
		})
		if err == nil {
			return
		}
	}
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.store.gone.Store(true)
	p.old = append(p.old, p.handler)
	p.start()
}

func (p *process) current() *commands.Handler {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.handler
}

func (p *process) close(t *testing.T) {
	for _, h := range append(p.old, p.handler) {
		require.NoError(t, h.Close())
	}
}

var fewSeats = Changed(domain.Classic(), domain.Meeting, func(p *domain.Policy) { p.MemberLimit = 3 })

// Clients whose acknowledgements are lost try again with the same ID, wherever they come
// to, until they have an answer. Each command has one effect, between its first call and
// its answer, and whoever asks once more gets the same answer.
func TestLostAcknowledgements(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range *schedules {
		lostAcknowledgements(t, rand.New(rand.NewPCG(seed, uint64(i))))
		if t.Failed() {
			t.Fatalf("in schedule %d", i)
		}
	}
}

func lostAcknowledgements(t *testing.T, random *rand.Rand) {
	log := memory.New()
	groups := []string{"a", "b"}
	founder := start(t, log, policies(fewSeats))
	for _, id := range groups {
		must(t, founder, User(Olga), anyone(id))
	}
	require.NoError(t, founder.Close())
	processes := []*process{{log: log, random: random}, {log: log, random: random}}
	apart := random.IntN(2) == 0
	for _, p := range processes {
		p.apart = apart
		p.start()
	}
	var moment atomic.Int64
	var mu sync.Mutex
	operations := map[string][]porcupine.Operation{} // by group
	var wg sync.WaitGroup
	for client := range 3 {
		random := rand.New(rand.NewPCG(random.Uint64(), uint64(client)))
		wg.Go(func() {
			for n := range 4 {
				in, group := seat{names(3)[random.IntN(3)], random.IntN(2) == 0}, groups[random.IntN(2)]
				call := moment.Add(1)
				code := insist(t, processes, random, in, group, fmt.Sprint(client, "/", n))
				returned := moment.Add(1)
				mu.Lock()
				operations[group] = append(operations[group], porcupine.Operation{ClientId: client, Input: in, Call: call, Output: code, Return: returned})
				mu.Unlock()
			}
		})
	}
	for range random.IntN(4) {
		for range random.IntN(40) {
			runtime.Gosched()
		}
		processes[random.IntN(2)].kill()
	}
	wg.Wait()
	for _, p := range processes {
		p.close(t)
	}
	for group, history := range operations {
		require.True(t, porcupine.CheckOperations(seats, history), "group %s", group)
	}
	once := map[string]bool{}
	for _, r := range records(t, log) {
		require.False(t, r.CommandID != "" && once[r.CommandID], "command %s has happened twice", r.CommandID)
		once[r.CommandID] = true
	}
}

// insist gives a command until it is answered, now and then losing patience, and asks once
// more.
func insist(t *testing.T, processes []*process, random *rand.Rand, in seat, group, id string) domain.Code {
	var cmd commands.Command = commands.RequestJoin{GroupID: group}
	if in.quit {
		cmd = commands.Quit{GroupID: group}
	}
	ask := func() (commands.Receipt, error) {
		for {
			ctx, cancel := context.WithCancel(context.Background())
			if random.IntN(4) == 0 {
				patience := random.IntN(10)
				go func() {
					for range patience {
						runtime.Gosched()
					}
					cancel()
				}()
			}
			receipt, err := processes[random.IntN(2)].current().Do(ctx, User(in.user), cmd, commands.WithID(id))
			cancel()
			if err == nil || errors.As(err, new(*domain.Refusal)) {
				return receipt, err
			}
		}
	}
	first, refusal := ask()
	again, refusedAgain := ask()
	first.Repeated, again.Repeated = false, false
	if fmt.Sprint(first, refusal) != fmt.Sprint(again, refusedAgain) {
		t.Errorf("command %s was answered %v %v, and then %v %v", id, first, refusal, again, refusedAgain)
	}
	var r *domain.Refusal
	if errors.As(refusal, &r) {
		return r.Code
	}
	return 0
}
