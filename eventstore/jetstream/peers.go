package jetstream

import (
	"context"
	"hash/fnv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

const (
	beatEvery = 250 * time.Millisecond
	// liveFor is how long after its last heartbeat a node can own streams.
	liveFor = time.Second
	// leaveFor is how long a node that leaves still hears requests.
	leaveFor = 100 * time.Millisecond
	// maxAnswering is how many requests of peers are answered at a time; more wait.
	maxAnswering = 64
)

// peers are the nodes that answer each other about a log: the processes that have it open
// and have called Answer. Each says four times a second that it lives.
type peers struct {
	id      string // of this node; another one each time that the log is opened
	beating sync.WaitGroup
	working sync.WaitGroup // requests that are answered

	mu      sync.Mutex
	state   nodeState
	nodes   map[string]heartbeat // the others
	waiting map[string]*asking   // what this node has asked, by the last token of its inbox
	inbox   string               // where answers come, with a token more
}

type nodeState int

const (
	silent  nodeState = iota // nobody has called Answer
	serving                  // owns its share of the streams
	leaving                  // answers what it was asked, and owns none
)

// heartbeat is the last sign of life of a node.
type heartbeat struct {
	at    time.Time // by the clock of this process
	state nodeState
}

func newPeers() *peers {
	return &peers{id: uuid.NewString(), nodes: map[string]heartbeat{}, waiting: map[string]*asking{}}
}

// Owner is the node that should decide about a stream, so that several do not get in each
// other's way: each stream has one, and a node that comes or goes changes that of its own
// share alone. It is a hint. Nodes that see each other come and go at different moments
// may think differently for a second.
func (s *Store) Owner(stream string) (node string, here bool) {
	p := s.peers
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != serving {
		return p.id, true
	}
	node, best := p.id, score(p.id, stream)
	for id, beat := range p.nodes {
		if beat.state != serving || time.Since(beat.at) > liveFor {
			continue
		}
		if n := score(id, stream); n > best || n == best && id > node {
			node, best = id, n
		}
	}
	return node, node == p.id
}

// score is what a node gets for a stream, the same everywhere: whoever has most owns it.
func score(node, stream string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(node))
	h.Write([]byte{0})
	h.Write([]byte(stream))
	n := h.Sum64() // the last bytes have little to say in it yet
	n = (n ^ n>>33) * 0xff51afd7ed558ccd
	n = (n ^ n>>33) * 0xc4ceb9fe1a85ec53
	return n ^ n>>33
}

// Answer makes this process a node: it says that it lives, can own streams, and answers
// the requests of other nodes, maxAnswering at a time. stop has the others know that it
// owns nothing any more, and returns when all that it was asked is answered. A second
// call, while the first is in force, does nothing: one engine of a process answers.
func (s *Store) Answer(answer func(ctx context.Context, request []byte) []byte) (stop func()) {
	p := s.peers
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != silent {
		return func() {}
	}
	requests, err := s.hear(answer)
	if err != nil {
		s.options.Logger.Warn("this process cannot be asked by others that share the log: each decides by itself", "log", s.String(), "error", explain(err))
		return func() {}
	}
	p.state = serving
	done := make(chan struct{})
	p.beating.Go(func() { s.beat(done) })
	return sync.OnceFunc(func() { s.stopAnswering(requests, done) })
}

// hear subscribes to the requests to this node, and, for as long as the store is open, to
// the heartbeats of the others and to their answers. It is called with the lock held.
func (s *Store) hear(answer func(context.Context, []byte) []byte) (requests *nats.Subscription, err error) {
	p := s.peers
	prefix := s.address.prefix("node")
	if p.inbox == "" {
		if _, err := s.conn.Subscribe(prefix+"beat", s.hearBeat); err != nil {
			return nil, err
		}
		inbox := s.conn.NewInbox() + "."
		if _, err := s.conn.Subscribe(inbox+"*", s.hearAnswer); err != nil {
			return nil, err
		}
		p.inbox = inbox
	}
	slots := make(chan struct{}, maxAnswering)
	return s.conn.Subscribe(prefix+p.id, func(m *nats.Msg) {
		slots <- struct{}{}
		p.working.Go(func() {
			defer func() { <-slots }()
			s.respond(m, answer(s.life, m.Data))
		})
	})
}

// stopAnswering leaves: what has arrived is answered, and heartbeats say meanwhile that
// this node is there and owns nothing. Until all have heard that, requests still come.
func (s *Store) stopAnswering(requests *nats.Subscription, done chan struct{}) {
	p := s.peers
	p.mu.Lock()
	p.state = leaving
	p.mu.Unlock()
	s.sayBeat()
	select {
	case <-time.After(leaveFor):
	case <-s.life.Done():
	}
	drained := make(chan struct{})
	requests.SetClosedHandler(func(string) { close(drained) })
	if err := requests.Drain(); err == nil {
		select {
		case <-drained:
		case <-s.life.Done():
		}
	}
	p.working.Wait()
	close(done)
	p.beating.Wait()
	p.mu.Lock()
	p.state = silent
	p.mu.Unlock()
}

const (
	aliveMark = "+"
	leaveMark = "-"
)

// beat says four times a second that this node lives.
func (s *Store) beat(done chan struct{}) {
	again := time.NewTicker(beatEvery)
	defer again.Stop()
	for s.sayBeat(); ; s.sayBeat() {
		select {
		case <-again.C:
		case <-done:
			return
		case <-s.life.Done():
			return
		}
	}
}

// sayBeat says what this node is. One that is none any more still hears the others, and is silent.
func (s *Store) sayBeat() {
	p := s.peers
	p.mu.Lock()
	state := p.state
	p.mu.Unlock()
	mark := aliveMark
	switch state {
	case silent:
		return
	case leaving:
		mark = leaveMark
	}
	_ = s.conn.Publish(s.address.prefix("node")+"beat", []byte(mark+p.id)) // there is a next one
}

// hearBeat takes note of a node. A new one is told at once that this one lives.
func (s *Store) hearBeat(m *nats.Msg) {
	p := s.peers
	if len(m.Data) < 2 || string(m.Data[1:]) == p.id {
		return
	}
	state := serving
	if string(m.Data[:1]) == leaveMark {
		state = leaving
	}
	id, now := string(m.Data[1:]), time.Now()
	p.mu.Lock()
	_, known := p.nodes[id]
	p.nodes[id] = heartbeat{at: now, state: state}
	for other, beat := range p.nodes {
		if now.Sub(beat.at) > deadAfter {
			delete(p.nodes, other)
		}
	}
	p.mu.Unlock()
	if !known {
		s.sayBeat()
	}
}
