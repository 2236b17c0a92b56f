package commands_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/eventstore"
)

// network connects handlers of one process as if they were in several.
type network struct {
	owner func(asking, stream string) string  // who owns a stream, as one of them thinks
	fault func(to string) fault               // what happens to a request
	asked atomic.Int64                        // requests that have arrived
	lines func(to string, request []byte)     // sees them, where it is not nil
	reply func(to string, data []byte) []byte // changes answers, where it is not nil

	mu    sync.Mutex
	peers map[string]*peer
	late  sync.WaitGroup
}

type fault int

const (
	fine        fault = iota
	unreachable       // and known to be
	lostRequest
	lostAnswer
	lateRequest // it arrives when the asking one has given up
)

var errLost = errors.New("no answer came")

// newNetwork has one owner of everything, and no faults.
func newNetwork(t *testing.T, owner string) *network {
	n := &network{
		owner: func(string, string) string { return owner },
		fault: func(string) fault { return fine },
		peers: map[string]*peer{},
	}
	t.Cleanup(n.late.Wait)
	return n
}

// join is a node of the network for a handler.
func (n *network) join(name string) func(*commands.Config) {
	return func(c *commands.Config) { c.Peers = &peer{network: n, name: name} }
}

type peer struct {
	network *network
	name    string
	answer  func(context.Context, []byte) []byte
	asked   sync.WaitGroup
}

func (p *peer) Owner(stream string) (string, bool) {
	owner := p.network.owner(p.name, stream)
	return owner, owner == p.name
}

func (p *peer) Answer(answer func(context.Context, []byte) []byte) (stop func()) {
	p.answer = answer
	p.network.mu.Lock()
	defer p.network.mu.Unlock()
	p.network.peers[p.name] = p
	return func() {
		p.network.mu.Lock()
		delete(p.network.peers, p.name)
		p.network.mu.Unlock()
		p.asked.Wait()
	}
}

func (p *peer) Ask(ctx context.Context, name string, request []byte) ([]byte, error) {
	n := p.network
	n.mu.Lock()
	to := n.peers[name]
	if to != nil {
		to.asked.Add(1)
	}
	n.mu.Unlock()
	what := n.fault(name)
	if to == nil || what == unreachable || what == lostRequest {
		if to != nil {
			to.asked.Done()
		}
		if what == lostRequest {
			return nil, errLost
		}
		return nil, fmt.Errorf("%w: %s", eventstore.ErrNoPeer, name)
	}
	carryOut := func() []byte {
		defer to.asked.Done()
		n.asked.Add(1)
		if n.lines != nil {
			n.lines(name, request)
		}
		answer := to.answer(ctx, request)
		if n.reply != nil {
			answer = n.reply(name, answer)
		}
		return answer
	}
	switch what {
	case lostAnswer:
		carryOut()
		return nil, errLost
	case lateRequest:
		n.late.Go(func() { carryOut() })
		return nil, errLost
	}
	return carryOut(), nil
}

// sometimes draws a fault for each request.
func sometimes(faults ...fault) func(string) fault {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(7, 7))
	return func(string) fault {
		mu.Lock()
		defer mu.Unlock()
		return faults[random.IntN(len(faults))]
	}
}

var nodes = []string{"one", "two", "three"}

// startAll runs three handlers on one log that know each other, and leave groups to their
// owners from the beginning.
func startAll(t *testing.T, store eventstore.Store, n *network, groupID string, change ...func(*commands.Config)) []*commands.Handler {
	t.Helper()
	var handlers []*commands.Handler
	for _, name := range nodes {
		h := start(t, store, append([]func(*commands.Config){n.join(name)}, change...)...)
		commands.Heat(h, groupID)
		handlers = append(handlers, h)
	}
	require.Len(t, n.peers, len(nodes))
	return handlers
}
