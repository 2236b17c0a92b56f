package commands

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/grouplog/grouplog/eventstore"
)

// The callers' contexts end their waiting, not the writing.
var writing = context.Background()

// run is the writer: a goroutine that decides commands in the order in which they come,
// and has what it has decided committed. It ends when the queue is closed and empty.
func (h *Handler) run() {
	defer close(h.done)
	for r := range h.queue {
		h.turn.Lock()
		h.take(r)
		h.work()
		h.turn.Unlock()
	}
}

// work carries out what has been taken, and what comes meanwhile, until there is no more.
// There is no timer: while one batch is committed, the commands that come meanwhile are
// decided, on the state that the batch will have made, and are the next batch. If the
// batch comes to anything else, they are decided again.
func (h *Handler) work() {
	for {
		h.fill()
		switch {
		case h.flight == nil && len(h.next.verdicts) > 0:
			h.depart()
		case h.flight == nil:
			return
		case h.hasRoom():
			select {
			case r, open := <-h.queue:
				if !open {
					h.land()
					continue
				}
				h.take(r)
			case <-h.flight.committed:
				h.land()
			}
		default:
			h.land()
		}
	}
}

// carryOut is place; but where the writer has nothing to do, the request is carried out on
// its caller's goroutine, which spares one caller alone two changes of goroutine.
func (h *Handler) carryOut(ctx context.Context, r *request) error {
	if h.lanes != nil || h.waiting.Load() > 0 || !h.turn.TryLock() {
		return h.place(ctx, r)
	}
	defer h.endTurn()
	if answered, err := h.repeated(ctx, r); answered || err != nil {
		return err
	}
	h.waiting.Add(1)
	for h.take(r); len(h.todo) > 0; { // more than once, if another process is faster
		h.decideHere(h.todo[0])
		h.todo = withoutFirst(h.todo)
		h.depart()
	}
	return nil
}

// endTurn ends the turn of who has carried a command out, or panicked at it. Servers recover
// from that, and the handler goes on: with nothing in memory but what the log says.
func (h *Handler) endTurn() {
	if len(h.todo) > 0 || h.flight != nil {
		h.groups, h.todo = newCache(h.config.CacheMembers), nil
		h.flight, h.next, h.spare = nil, newBatch(), newBatch()
	}
	h.turn.Unlock()
}

// take puts a request in line, unless its caller has withdrawn it.
func (h *Handler) take(r *request) {
	h.waiting.Add(-1)
	h.taken++
	r.number = h.taken
	if r.passed || r.state.CompareAndSwap(queued, taken) {
		h.todo = append(h.todo, r)
	}
}

// hasRoom reports whether another command can be decided now.
func (h *Handler) hasRoom() bool { return len(h.todo) == 0 && len(h.next.verdicts) < maxBatch }

// fill decides what has queued up, until the next batch is full or a command has to
// wait for what has been decided before it. Before that is all, it lets those who have
// just been answered ask again: a commit for the first few of them would cost the others
// as much as their own.
func (h *Handler) fill() {
	for yielded := false; ; {
		for len(h.todo) > 0 && len(h.next.verdicts) < maxBatch && h.decideHere(h.todo[0]) {
			h.todo = withoutFirst(h.todo)
		}
		if !h.hasRoom() {
			return
		}
		select {
		case r, open := <-h.queue:
			if !open {
				return
			}
			h.take(r)
			yielded = false
		default:
			if yielded || h.flight != nil {
				return
			}
			runtime.Gosched()
			yielded = true
		}
	}
}

// withoutFirst is the rest of a line, which has its place again when it is empty: mostly,
// one at a time waits in it.
func withoutFirst(line []*request) []*request {
	if len(line) > 1 {
		return line[1:]
	}
	line[0] = nil
	return line[:0]
}

// decideHere makes a request part of the next batch, or answers it. It reports false
// where that must wait until what has been decided before is in the log. When there
// is no such thing, it never does.
func (h *Handler) decideHere(r *request) bool {
	if h.lost != nil {
		r.reply(Receipt{}, h.lost)
		return true
	}
	if h.pending(func(b *batch) bool { return b.ids[r.options.id] }) {
		r.again = true // a second command with an ID is answered as the first was
		return false
	}
	if r.again && h.answeredBefore(r) {
		return true
	}
	v, commit := h.decide(writing, r)
	if errors.Is(v.err, errLater) {
		return false
	}
	h.next.add(v, commit)
	return true
}

// pending reports whether something holds for a batch that is decided and not known
// to be in the log.
func (h *Handler) pending(holds func(*batch) bool) bool {
	return holds(h.next) || h.flight != nil && holds(h.flight)
}

// aheadOfLog reports whether a group in memory is ahead of the log.
func (h *Handler) aheadOfLog(groupID string) bool {
	return h.pending(func(b *batch) bool { return b.groups[groupID] })
}

// fewCommits are not worth a goroutine of their own: nobody is deciding meanwhile.
const fewCommits = 4

// depart has the next batch committed.
func (h *Handler) depart() {
	b := h.next
	h.flight, h.next = b, h.spare
	if len(b.commits) <= fewCommits {
		b.commit(h.config.Store)
		h.land()
		return
	}
	go b.commit(h.config.Store)
}

// land waits until the batch that is being committed is, and concludes it. After a
// surprise, what has been decided meanwhile is decided again.
func (h *Handler) land() {
	b := h.flight
	<-b.committed
	again, asDecided := h.conclude(b)
	h.flight = nil
	if !asDecided {
		for _, v := range h.next.verdicts {
			again = append(again, v.request)
		}
		h.forgetGroups(h.next)
		h.next.reset()
	}
	h.todo = append(again, h.todo...)
	b.reset()
	h.spare = b
}

// forgetGroups drops groups that are not as the log has them.
func (h *Handler) forgetGroups(b *batch) {
	for groupID := range b.groups {
		h.groups.drop(groupID)
	}
}

// answeredBefore answers a request whose command ID has an answer by now.
func (h *Handler) answeredBefore(r *request) bool {
	if r.options.id == "" {
		return false
	}
	first, found, err := h.config.Store.Outcome(writing, r.options.id)
	switch {
	case err != nil:
		r.reply(Receipt{}, fmt.Errorf("look up command %q: %w", r.options.id, err))
	case found:
		h.repeat(r, first)
	}
	return err != nil || found
}

// repeat answers a request as its command ID was answered first, be it by another
// process: its caller, too, is to see the effect.
func (h *Handler) repeat(r *request, first eventstore.Outcome) {
	h.tell(first.Last)
	r.reply(r.repeat(first))
}

// tell takes note that a caller is told of the events up to a position.
func (h *Handler) tell(p eventstore.Position) {
	for old := h.position.Load(); uint64(p) > old; old = h.position.Load() {
		if h.position.CompareAndSwap(old, uint64(p)) {
			return
		}
	}
}
