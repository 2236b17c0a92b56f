package jetstream

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/grouplog/grouplog/eventstore"
)

const (
	// deadAfter is how long a node may be silent before nobody waits for its answers any
	// more. It is longer than it takes to lose its streams: what may have been done and is
	// not known to be is worth some patience.
	deadAfter = 5 * time.Second
	// partHeader is on every message of an answer but the last.
	partHeader = "Grouplog-Part"
	statusNone = "503" // of the servers: nobody hears the request
)

// asking is a request to another node that is not answered yet.
type asking struct {
	answer []byte        // what has come of it; the subscription's until done is closed
	err    error         // likewise
	done   chan struct{} // closed when all of it has
}

// Ask sends a request to another node, once, and returns its answer. The error is an
// eventstore.ErrNoPeer where the request was surely not received. After another one it may
// have been: the answer was lost, the node has died, or ctx has ended.
func (s *Store) Ask(ctx context.Context, node string, request []byte) ([]byte, error) {
	a, token := &asking{done: make(chan struct{})}, uuid.NewString()
	inbox := s.peers.await(node, token, a)
	defer s.peers.forget(token)
	if inbox == "" || !s.conn.IsConnected() { // what is sent now would go out later
		return nil, fmt.Errorf("%w: this process cannot ask node %s", eventstore.ErrNoPeer, node)
	}
	if err := s.conn.PublishRequest(s.address.prefix("node")+node, inbox, request); err != nil {
		return nil, fmt.Errorf("%w: ask node %s: %w", eventstore.ErrNoPeer, node, explain(err))
	}
	begun := time.Now()
	look := time.NewTicker(beatEvery)
	defer look.Stop()
	for {
		select {
		case <-a.done:
			return a.answer, a.err
		case <-look.C:
			if s.peers.silence(node, begun) > deadAfter {
				return nil, fmt.Errorf("node %s has not been heard of for %s", node, deadAfter)
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-s.closed:
			return nil, eventstore.ErrClosed
		}
	}
}

// await has answers to an inbox come to who asks. There is no inbox where there can be no
// answer: this process does not hear any, or the node leaves.
func (p *peers) await(node, token string, a *asking) (inbox string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inbox == "" || p.nodes[node].state == leaving {
		return ""
	}
	p.waiting[token] = a
	return p.inbox + token
}

func (p *peers) forget(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, token)
}

// silence is how long nothing was heard of a node, since a moment at the most.
func (p *peers) silence(node string, since time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if beat, ok := p.nodes[node]; ok && beat.at.After(since) {
		since = beat.at
	}
	return time.Since(since)
}

// hearAnswer takes a message of an answer to who waits for it.
func (s *Store) hearAnswer(m *nats.Msg) {
	p := s.peers
	p.mu.Lock()
	token := m.Subject[len(p.inbox):]
	a := p.waiting[token]
	more := m.Header.Get(partHeader) != ""
	if a != nil && !more {
		delete(p.waiting, token)
	}
	p.mu.Unlock()
	switch {
	case a == nil:
		return // who asked has given up
	case len(m.Data) == 0 && m.Header.Get("Status") == statusNone:
		a.err = fmt.Errorf("%w: nobody hears what it is asked", eventstore.ErrNoPeer)
	default:
		a.answer = append(a.answer, m.Data...)
	}
	if !more {
		close(a.done)
	}
}

// respond sends an answer, in as many messages as the servers want it to be.
func (s *Store) respond(m *nats.Msg, answer []byte) {
	limit := int(s.conn.MaxPayload()) - maxHeaders
	for last := false; !last; {
		part := nats.NewMsg(m.Reply)
		n := min(limit, len(answer))
		part.Data, answer, last = answer[:n], answer[n:], n == len(answer)
		if !last {
			part.Header.Set(partHeader, "more")
		}
		if err := s.conn.PublishMsg(part); err != nil {
			s.options.Logger.Warn("an answer to another node could not be sent", "log", s.String(), "error", err)
			return
		}
	}
}
