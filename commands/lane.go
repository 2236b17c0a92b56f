package commands

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

const (
	// hotFor is how long after a conflict about a group its commands are left to its owner.
	// Asking costs a round trip; a conflict costs reading what the others have appended,
	// deciding again, and another commit.
	hotFor = 10 * time.Second
	// askTimeout is how long a peer has to answer: longer than a store tries to append.
	askTimeout = 45 * time.Second
	// manyLanes are worth looking for some that are of no use any more.
	manyLanes = 1024
)

// lanes take the commands about a group to who decides them, in the order in which they
// were submitted: the writer of this handler, or a peer. Between the two, it waits until
// everything that it has given to one is answered.
type lanes struct {
	handler *Handler
	peers   Peers
	room    chan struct{}  // a value for each request that waits in a lane
	running sync.WaitGroup // lanes that are served
	stop    func()         // ends that peers are answered

	mu      sync.Mutex
	streams map[string]*lane
}

// lane are the commands about one group.
type lane struct {
	here    int           // requests that the writer has
	none    chan struct{} // closed when it has none; nil where nobody waits for that
	waiting []*request
	served  bool      // a goroutine takes those that wait to whom decides them
	hot     time.Time // until when to leave them to the owner
}

func newLanes(h *Handler) *lanes {
	return &lanes{handler: h, peers: h.config.Peers, room: make(chan struct{}, h.config.QueueLength), streams: map[string]*lane{}}
}

// close answers what peers have asked, and what they were asked.
func (l *lanes) close() {
	l.stop()
	l.running.Wait()
}

// join puts a request in line for a peer. It reports false where the writer of this
// handler is to have it at once.
func (l *lanes) join(ctx context.Context, r *request) (joined bool, err error) {
	if _, ok := domain.GroupOf(r.stream); !ok {
		return false, nil
	}
	l.mu.Lock()
	lane := l.of(r.stream)
	if !lane.served && l.owner(r.stream, lane) == "" {
		l.enter(r, lane)
		l.mu.Unlock()
		return false, nil
	}
	l.mu.Unlock()
	r.line = lineOf(r)
	select {
	case l.room <- struct{}{}:
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	lane = l.of(r.stream)
	lane.waiting = append(lane.waiting, r)
	if !lane.served {
		lane.served = true
		l.running.Go(func() { l.serve(r.stream, lane) })
	}
	return true, nil
}

// of is the lane of a stream. Like the next three, it is called with the lock held.
func (l *lanes) of(stream string) *lane {
	found := l.streams[stream]
	if found == nil {
		found = &lane{}
		l.streams[stream] = found
	}
	return found
}

// now is the machine's time, to say how long ago something was met: no decision rests on it.
func now() time.Time { return time.Now() } //nolint:forbidigo // not the time of anything that is recorded

// owner is the peer that commands about a group are left to; empty where there is none.
func (l *lanes) owner(stream string, lane *lane) string {
	if lane.hot.IsZero() || now().After(lane.hot) {
		return ""
	}
	peer, here := l.peers.Owner(stream)
	if here {
		return ""
	}
	return peer
}

// enter counts a request that the writer gets.
func (l *lanes) enter(r *request, lane *lane) {
	lane.here++
	r.lanes = l
}

// forget drops a lane that nothing is to be remembered of.
func (l *lanes) forget(stream string, lane *lane) {
	if lane.here == 0 && !lane.served && !now().Before(lane.hot) {
		delete(l.streams, stream)
	}
}

// leave counts a request that the writer has answered.
func (l *lanes) leave(stream string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane := l.streams[stream]
	if lane.here--; lane.here > 0 {
		return
	}
	if lane.none != nil {
		close(lane.none)
		lane.none = nil
	}
	l.forget(stream, lane)
}

// heat takes note that others append to a stream, too.
func (l *lanes) heat(stream string) {
	if _, ok := domain.GroupOf(stream); !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.streams) >= manyLanes {
		for other, lane := range l.streams {
			l.forget(other, lane)
		}
	}
	l.of(stream).hot = now().Add(hotFor)
}

// serve takes those that wait to whom decides them, until there are none.
func (l *lanes) serve(stream string, lane *lane) {
	for {
		batch, peer := l.next(stream, lane)
		switch {
		case batch == nil:
			return
		case peer == "":
			l.decideHere(lane, batch)
		default:
			l.drain(lane)
			l.ask(lane, peer, batch)
		}
	}
}

// next takes those from a lane that go the same way next, and says which: to a peer, or,
// where that is empty, to the writer. There is nothing more to do where it has none.
func (l *lanes) next(stream string, lane *lane) (batch []*request, peer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	owner, size := l.owner(stream, lane), 0
	for len(lane.waiting) > 0 && len(batch) < maxBatch {
		r := lane.waiting[0]
		to := owner
		if r.line == nil {
			to = ""
		}
		if len(batch) > 0 && (to != peer || to != "" && size+len(r.line) > maxAsked) {
			break
		}
		lane.waiting = lane.waiting[1:]
		<-l.room
		if r.state.CompareAndSwap(queued, taken) {
			batch, peer, size = append(batch, r), to, size+len(r.line)
		}
	}
	if len(batch) == 0 {
		lane.served, lane.waiting = false, nil
		l.forget(stream, lane)
	}
	return batch, peer
}

// drain waits until the writer has answered what it was given.
func (l *lanes) drain(lane *lane) {
	l.mu.Lock()
	var none chan struct{}
	if lane.here > 0 {
		none = make(chan struct{})
		lane.none = none
	}
	l.mu.Unlock()
	if none != nil {
		<-none
	}
}

// decideHere gives requests to the writer. Their command IDs may have an answer by now.
func (l *lanes) decideHere(lane *lane, batch []*request) {
	for _, r := range batch {
		r.again, r.passed = true, true
		l.mu.Lock()
		l.enter(r, lane)
		l.mu.Unlock()
		l.handler.waiting.Add(1)
		l.handler.queue <- r
	}
}

// ask has a peer decide, and answers. What surely has not come to it is decided here, and
// so is what has a command ID: whoever of the two is first, it is done once.
func (l *lanes) ask(lane *lane, peer string, batch []*request) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), askTimeout, fmt.Errorf("no answer within %s", askTimeout))
	defer cancel()
	data, err := l.peers.Ask(ctx, peer, encodeAsked(batch))
	if errors.Is(err, eventstore.ErrNoPeer) {
		l.decideHere(lane, batch)
		return
	}
	var answers *answered
	if err == nil {
		answers, err = decodeAnswered(data, len(batch))
	}
	if err != nil {
		l.handler.config.Logger.Warn("no answer about a group from the process that decides about it", "stream", batch[0].stream, "peer", peer, "commands", len(batch), "error", err)
		l.lost(lane, peer, batch, err)
		return
	}
	l.handler.tell(answers.Position)
	for i, r := range batch[:len(answers.Answers)] {
		r.reply(answers.Answers[i].result())
	}
	l.decideHere(lane, batch[len(answers.Answers):])
}

// lost is what becomes of requests that a peer may have carried out. Dry runs have no
// effect, wherever they are decided.
func (l *lanes) lost(lane *lane, peer string, batch []*request, err error) {
	for _, r := range batch {
		if r.options.id != "" || r.options.dryRun {
			l.decideHere(lane, []*request{r})
			continue
		}
		r.reply(Receipt{}, fmt.Errorf("%w: node %s, which decides about this group, did not answer (%w); look whether it is done before you ask again, or give commands IDs, with which they can be asked again",
			eventstore.ErrUnknown, peer, err))
	}
}
