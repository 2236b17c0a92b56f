package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// DefaultPoll is how often a hub looks for events that another process appended.
const DefaultPoll = 250 * time.Millisecond

// Options change a hub. The zero value is good.
type Options struct {
	Poll   time.Duration // DefaultPoll when 0
	Logger *slog.Logger  // discards when nil
}

// Hub tells live listeners what happens, in the order of the log: one goroutine
// follows the log and derives, and each listener is called by a goroutine of its
// own, so that a slow one delays nobody else. What a slow listener has not been
// told yet waits in memory, up to Backlog notifications; beyond that it waits in
// the log, and is derived again when the listener comes to it. Nothing is dropped.
//
// A Hub may be used from any number of goroutines.
type Hub struct {
	log      eventstore.Store
	policies domain.Policies
	logger   *slog.Logger
	poll     time.Duration

	ctx    context.Context // ends with the hub
	cancel context.CancelFunc
	done   chan struct{}

	mu        sync.Mutex
	moved     *sync.Cond // of mu: position or err has changed
	users     map[string][]*subscription
	listeners int
	idle      bool                // nobody listens: the log is not followed
	position  eventstore.Position // everything up to here has been offered
	err       error               // why the hub has stopped telling
	kick      chan struct{}       // look at the log now
}

// NewHub starts a hub at the head of the log.
func NewHub(ctx context.Context, log eventstore.Store, policies domain.Policies, opts Options) (*Hub, error) {
	head, err := log.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the head of the log: %w", err)
	}
	if opts.Poll <= 0 {
		opts.Poll = DefaultPoll
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Hub{
		log: log, policies: policies, logger: opts.Logger, poll: opts.Poll,
		users: map[string][]*subscription{}, position: head,
		done: make(chan struct{}), kick: make(chan struct{}, 1),
	}
	h.moved = sync.NewCond(&h.mu)
	h.ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go h.run()
	return h, nil
}

// Add has the listener called for everything that the user is told after the given
// position of the log. Adding a listener that the user has already does not double
// it: the function returned removes the one there is.
//
// The function returned may be called at any time and more than once. When it has
// returned, the listener is not called again.
func (h *Hub) Add(userID string, l Listener, after eventstore.Position) (remove func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.users[userID] {
		if s.listener.identity() == l.identity() && !s.isRemoved() { // removed: it has ended itself, and is about to leave
			return func() { h.remove(s) }
		}
	}
	if h.ctx.Err() != nil { // closed
		return func() {}
	}
	s := newSubscription(h, userID, l, after)
	if h.idle {
		h.position, h.idle = max(h.position, after), false // nobody was there to hear what lies between
		h.wake()
	}
	if after < h.position {
		// What lies between has been offered to the others already.
		s.mu.Lock()
		s.lagging, s.replayed = true, after
		s.wake.Broadcast()
		s.mu.Unlock()
	}
	h.users[userID] = append(h.users[userID], s)
	h.listeners++
	return func() { h.remove(s) }
}

func (h *Hub) remove(s *subscription) {
	h.mu.Lock()
	left := h.users[s.user][:0:0]
	for _, other := range h.users[s.user] {
		if other != s {
			left = append(left, other)
		}
	}
	h.listeners -= len(h.users[s.user]) - len(left)
	if h.listeners == 0 {
		h.wake()
	}
	h.users[s.user] = left
	if len(left) == 0 {
		delete(h.users, s.user)
	}
	h.mu.Unlock()
	s.remove()
}

// A log that cannot be read is tried again after a while, which grows.
const (
	firstWait = 50 * time.Millisecond
	lastWait  = 10 * time.Second
)

// pause waits, unless the hub is closed meanwhile, and returns how long to wait next.
func (h *Hub) pause(wait time.Duration) time.Duration {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-h.ctx.Done():
	}
	return min(2*wait, lastWait)
}

// run follows the log until the hub is closed. What cannot be read is tried again:
// position moves only past what has been offered.
func (h *Hub) run() {
	defer close(h.done)
	d := newDeriver(h.log, h.policies)
	ticker := time.NewTicker(h.poll)
	defer ticker.Stop()
	for wait := firstWait; h.ctx.Err() == nil; {
		if h.rest() {
			select {
			case <-h.kick:
			case <-h.ctx.Done():
			}
			continue
		}
		changed := h.log.Changed()
		err := h.follow(d)
		h.failed(err)
		if err != nil {
			d, wait = newDeriver(h.log, h.policies), h.pause(wait)
			continue
		}
		wait = firstWait
		select {
		case <-changed:
		case <-ticker.C:
		case <-h.kick:
		case <-h.ctx.Done():
		}
	}
}

// rest reports whether nobody is there to be told anything, so that the log need not be
// looked at. Whoever comes calls wake.
func (h *Hub) rest() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.idle = h.listeners == 0
	if h.idle {
		h.err = nil
		h.moved.Broadcast()
	}
	return h.idle
}

// wake has the log looked at now.
func (h *Hub) wake() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// follow offers everything up to the head of the log.
func (h *Hub) follow(d *deriver) error {
	h.mu.Lock()
	after := h.position
	h.mu.Unlock()
	head, err := h.log.Head(h.ctx)
	switch {
	case err != nil:
		return err
	case head < after:
		return &eventstore.DamageError{Position: head + 1, Reason: fmt.Sprintf("events up to %d were there before", after)}
	case head == after:
		return nil
	}
	for record, err := range h.log.ReadAll(h.ctx, after) {
		if err != nil {
			return err
		}
		if err := h.offer(d, record); err != nil {
			return err
		}
	}
	return nil
}

// offer derives one record's notifications for the listeners that there are.
func (h *Hub) offer(d *deriver, record eventstore.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := d.step(h.ctx, record, func(n Notification, a Audience) {
		if len(h.users) < a.Size() {
			for user, subscriptions := range h.users {
				if a.Has(user) {
					offerAll(subscriptions, n)
				}
			}
			return
		}
		for user := range a.Users() {
			offerAll(h.users[user], n)
		}
	})
	if err == nil {
		h.position = record.Position
		h.moved.Broadcast()
	}
	return err
}

func offerAll(subscriptions []*subscription, n Notification) {
	for _, s := range subscriptions {
		s.offer(n)
	}
}

// rejoin puts a lagging subscription back among those served from memory, if it
// has come as far as the hub.
func (h *Hub) rejoin(s *subscription, reached eventstore.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if reached < h.position {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lagging = false
	s.wake.Broadcast()
	return true
}

// failed notes why listeners are not told at the moment, or that they are.
func (h *Hub) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ctx.Err() != nil:
		return
	case err == nil:
		h.err = nil
		return
	case h.err == nil:
		h.logger.Error("listeners are not told until the log can be read again", "position", h.position, "error", err)
	}
	h.err = fmt.Errorf("listeners are not told at the moment: %w", err)
	h.moved.Broadcast()
}

// Err is why listeners are not told at the moment; nil while they are. The hub keeps
// trying.
func (h *Hub) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// errHubClosed is the answer of WaitFor when there is nobody left to tell.
var errHubClosed = errors.New("the listeners have been removed: the engine is closed")

// WaitFor returns when every listener has been told everything up to a position of
// the log, or with the context's error. While the log cannot be read it returns that
// error, when what could be read has been told. Called by a listener, it waits for
// the others.
func (h *Hub) WaitFor(ctx context.Context, position eventstore.Position) error {
	stop := context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.moved.Broadcast()
	})
	defer stop()
	h.mu.Lock()
	for h.position < position && !h.idle && h.err == nil && ctx.Err() == nil && h.ctx.Err() == nil {
		h.moved.Wait()
	}
	err := errors.Join(h.err, context.Cause(ctx))
	if h.position < position && !h.idle && err == nil {
		err = errHubClosed
	}
	position = min(position, h.position)
	var all []*subscription
	for _, subscriptions := range h.users {
		all = append(all, subscriptions...)
	}
	h.mu.Unlock()
	for _, s := range all {
		if failure := s.drain(ctx, position); failure != nil {
			return failure
		}
	}
	return err
}

// Calling reports whether it is called by a listener, which is then being told.
func (h *Hub) Calling() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	me := goroutineID()
	for _, subscriptions := range h.users {
		for _, s := range subscriptions {
			s.mu.Lock()
			mine := s.caller == me
			s.mu.Unlock()
			if mine {
				return true
			}
		}
	}
	return false
}

// Close stops telling. What has not been told is not told by this hub any more; use
// WaitFor first to have it told. Listeners that are being called are waited for until
// the context ends; the error names the users of those that have not returned by then.
func (h *Hub) Close(ctx context.Context) error {
	h.cancel()
	<-h.done
	h.mu.Lock()
	var all []*subscription
	for _, subscriptions := range h.users {
		all = append(all, subscriptions...)
	}
	h.users, h.listeners, h.idle = map[string][]*subscription{}, 0, false
	h.moved.Broadcast()
	h.mu.Unlock()
	var stuck []error
	for _, s := range all {
		if s.end() {
			continue
		}
		select {
		case <-s.finished:
		case <-ctx.Done():
			select {
			case <-s.finished:
			default:
				stuck = append(stuck, fmt.Errorf("a listener of %q has not returned", s.user))
			}
		}
	}
	return errors.Join(stuck...)
}
