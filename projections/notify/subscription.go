package notify

import (
	"bytes"
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/grouplog/grouplog/eventstore"
)

// Backlog is how many notifications wait in memory for one listener. A listener
// that falls further behind is served from the log until it has caught up.
const Backlog = 1_024

// subscription is one listener of one user, with a goroutine of its own that calls
// it.
type subscription struct {
	hub      *Hub
	user     string
	listener Listener
	from     eventstore.Position // it is told of what follows

	mu       sync.Mutex
	wake     *sync.Cond // of mu: there is something to do, or something has ended
	waiting  []Notification
	lagging  bool                // the backlog is full: what comes next is in the log alone
	queued   eventstore.Position // place of the last notification that was queued …
	index    int                 // … and its place among those of its event
	replayed eventstore.Position // while lagging: told from the log up to here
	removed  bool
	calling  eventstore.Position // of the notification that the listener is being told; 0: none
	caller   string              // the goroutine that calls the listener
	finished chan struct{}
}

func newSubscription(h *Hub, user string, l Listener, from eventstore.Position) *subscription {
	s := &subscription{hub: h, user: user, listener: l, from: from, finished: make(chan struct{})}
	s.queued, s.index = from, math.MaxInt // everything at from has been told
	s.wake = sync.NewCond(&s.mu)
	go s.run()
	return s
}

// offer hands over a notification that the hub has derived. It never blocks.
func (s *subscription) offer(n Notification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed || s.lagging || !n.after(s.queued, s.index) {
		return
	}
	if len(s.waiting) == Backlog {
		s.lagging = true
		return
	}
	s.waiting = append(s.waiting, n)
	s.queued, s.index = n.Position, n.index
	s.wake.Broadcast()
}

// run calls the listener, from memory while that holds everything and from the log
// where it does not.
func (s *subscription) run() {
	defer close(s.finished)
	defer s.hub.remove(s) // when mu is unlocked: the hub's is locked before it
	s.mu.Lock()
	defer s.mu.Unlock()
	s.caller = goroutineID()
	defer s.gone()
	for {
		for len(s.waiting) == 0 && !s.lagging && !s.removed {
			s.wake.Wait()
		}
		switch {
		case s.removed:
			return
		case len(s.waiting) > 0:
			n := s.waiting[0]
			s.waiting[0] = Notification{}
			s.waiting = s.waiting[1:]
			s.call(n)
		default:
			s.catchUp()
		}
	}
}

// gone notes that the goroutine ends, which it does unasked where a listener ends it:
// runtime.Goexit, or FailNow of a test. The caller holds mu.
func (s *subscription) gone() {
	if !s.removed {
		s.hub.logger.Error("a group listener has ended its goroutine and is not called any more", "user", s.user)
	}
	s.removed, s.waiting = true, nil
	s.wake.Broadcast()
}

// call calls the listener, with mu held before and after and not meanwhile.
func (s *subscription) call(n Notification) {
	s.calling = n.Position
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.calling = 0
		s.wake.Broadcast()
	}()
	s.invoke(n)
}

// invoke keeps a listener that panics from taking the engine with it. The panic is
// logged, and the notification counts as told.
func (s *subscription) invoke(n Notification) {
	defer func() {
		if p := recover(); p != nil {
			s.hub.logger.Error("a group listener panicked", "user", s.user, "notification", n.ID, "kind", string(n.Kind),
				"panic", p, "stack", string(debug.Stack()))
		}
	}()
	if s.listener.OnAny != nil {
		s.listener.OnAny(n)
	}
	if f := s.listener.callback(n.Kind); f != nil {
		f(n)
	}
}

// catchUp tells the listener from the log what the backlog had no room for, until
// it is where the hub is. A log that cannot be read is tried again. The caller holds
// mu, which is not held while the log is read.
func (s *subscription) catchUp() {
	s.mu.Unlock()
	defer s.mu.Lock()
	d := newDeriver(s.hub.log, s.hub.policies)
	after := s.queued
	if after > s.from {
		after-- // some notifications of that event may be missing
	}
	for wait := firstWait; ; {
		reached, err := s.replay(d, after)
		after = reached
		switch {
		case s.isRemoved():
			return
		case err == nil:
			if s.hub.rejoin(s, reached) {
				return
			}
			wait = firstWait
		default:
			s.hub.logger.Warn("a group listener that is behind cannot be told from the log: trying again", "user", s.user, "error", err)
			d, wait = newDeriver(s.hub.log, s.hub.policies), s.hub.pause(wait)
		}
	}
}

func (s *subscription) isRemoved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removed
}

// replay derives and tells what follows a position, and says how far it came.
func (s *subscription) replay(d *deriver, after eventstore.Position) (eventstore.Position, error) {
	for record, err := range s.hub.log.ReadAll(s.hub.ctx, after) {
		if err != nil {
			return after, err
		}
		var mine []Notification
		err = d.step(s.hub.ctx, record, func(n Notification, a Audience) {
			if a.Has(s.user) {
				mine = append(mine, n)
			}
		})
		if err != nil {
			return after, err
		}
		if !s.tell(mine, record.Position) {
			return after, nil
		}
		after = record.Position
	}
	return after, nil
}

// tell calls the listener with the notifications of one event, and reports whether it
// is still there.
func (s *subscription) tell(mine []Notification, position eventstore.Position) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range mine {
		if s.removed {
			return false
		}
		if n.after(s.queued, s.index) {
			s.queued, s.index = n.Position, n.index
			s.call(n)
		}
	}
	s.replayed = position
	s.wake.Broadcast()
	return !s.removed
}

// end ends the subscription without waiting, and reports whether the listener itself
// has asked for that.
func (s *subscription) end() (own bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed, s.waiting = true, nil
	s.wake.Broadcast()
	return goroutineID() == s.caller
}

// remove ends the subscription. When it returns, the listener is not being called
// and will not be again; called by the listener itself, it returns at once and the
// listener's call is the last.
func (s *subscription) remove() {
	if s.end() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.calling != 0 {
		s.wake.Wait()
	}
}

// drain waits until the listener has been told everything up to a position, the
// subscription is removed, or the context ends. It does not wait for itself where the
// listener calls it.
func (s *subscription) drain(ctx context.Context, position eventstore.Position) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wake.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if goroutineID() == s.caller {
		return nil
	}
	for s.owes(position) && !s.removed {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		s.wake.Wait()
	}
	return nil
}

// owes reports whether something up to a position has not been told. The caller
// holds mu.
func (s *subscription) owes(position eventstore.Position) bool {
	return s.calling != 0 && s.calling <= position ||
		len(s.waiting) > 0 && s.waiting[0].Position <= position ||
		s.lagging && s.replayed < position
}

// goroutineID identifies the running goroutine, so that a listener can remove
// itself without waiting for itself. There is no better way to tell.
func goroutineID() string {
	var buffer [64]byte
	line := buffer[:runtime.Stack(buffer[:], false)] // "goroutine 18 [running]:…"
	fields := bytes.Fields(line)
	return string(fields[1])
}
