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
	removed  bool
	calling  bool
	caller   string // the goroutine that calls the listener
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
	s.mu.Lock()
	s.caller = goroutineID()
	defer s.mu.Unlock()
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
			s.mu.Unlock()
			s.catchUp()
			s.mu.Lock()
		}
	}
}

// call calls the listener, with mu held before and after and not meanwhile.
func (s *subscription) call(n Notification) {
	s.calling = true
	s.mu.Unlock()
	s.invoke(n)
	s.mu.Lock()
	s.calling = false
	s.wake.Broadcast()
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
// it is where the hub is.
func (s *subscription) catchUp() {
	d := newDeriver(s.hub.log, s.hub.policies)
	after := s.queued
	if after > s.from {
		after-- // some notifications of that event may be missing
	}
	for {
		reached, err := s.replay(d, after)
		if err != nil {
			s.hub.failed(err)
			s.mu.Lock()
			s.removed, s.waiting = true, nil
			s.wake.Broadcast()
			s.mu.Unlock()
			return
		}
		after = reached
		if s.hub.rejoin(s, reached) {
			return
		}
		s.mu.Lock()
		removed := s.removed
		s.mu.Unlock()
		if removed {
			return
		}
	}
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
		for _, n := range mine {
			s.mu.Lock()
			if s.removed {
				s.mu.Unlock()
				return after, nil
			}
			if n.after(s.queued, s.index) {
				s.queued, s.index = n.Position, n.index
				s.call(n)
			}
			s.mu.Unlock()
		}
		after = record.Position
	}
	return after, nil
}

// remove ends the subscription. When it returns, the listener is not being called
// and will not be again; called by the listener itself, it returns at once and the
// listener's call is the last.
func (s *subscription) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed, s.waiting = true, nil
	s.wake.Broadcast()
	if goroutineID() == s.caller {
		return
	}
	for s.calling {
		s.wake.Wait()
	}
}

// drain waits until everything offered so far has been told, the subscription is
// removed, or the context ends.
func (s *subscription) drain(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wake.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for (len(s.waiting) > 0 || s.lagging || s.calling) && !s.removed {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		s.wake.Wait()
	}
	return nil
}

// goroutineID identifies the running goroutine, so that a listener can remove
// itself without waiting for itself. There is no better way to tell.
func goroutineID() string {
	var buffer [64]byte
	line := buffer[:runtime.Stack(buffer[:], false)] // "goroutine 18 [running]:…"
	fields := bytes.Fields(line)
	return string(fields[1])
}
