package pubsub

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/consumers"
)

// After a failure of the log or of the registry a subscription tries again, at first
// soon and then less and less often.
const (
	firstWait = 50 * time.Millisecond
	lastWait  = 10 * time.Second
)

// subscription delivers one topic to one channel, from a goroutine of its own.
type subscription struct {
	log    eventstore.Store
	opts   SubscriberOptions
	topic  string
	stream string // empty for Events
	after  eventstore.Position
	out    chan *message.Message
}

func newSubscription(log eventstore.Store, opts SubscriberOptions, topic, stream string) *subscription {
	return &subscription{log: log, opts: opts, topic: topic, stream: stream, after: opts.After, out: make(chan *message.Message)}
}

// run delivers until the context ends or the log is closed. What fails meanwhile is
// logged and done again; nothing is passed over. The error is why the group's offset
// could not be stored at the end.
func (s *subscription) run(ctx context.Context) error {
	for wait := firstWait; ; {
		before := s.after
		at, err := s.take(ctx)
		if err == nil {
			err = s.follow(ctx, at)
		}
		left := at.leave(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, eventstore.ErrClosed):
			return left
		case errors.Is(err, consumers.ErrChanged):
			continue // somebody has said where to go on
		case s.after > before:
			wait = firstWait
		}
		s.opts.Logger.ErrorContext(ctx, "a subscription is held up; trying again",
			"topic", s.topic, "group", s.opts.Group, "position", s.after, "error", errors.Join(err, left))
		if pause(ctx, wait) != nil {
			return nil
		}
		wait = min(2*wait, lastWait)
	}
}

// follow delivers the topic from a place, which it moves, until something fails or the
// context ends.
func (s *subscription) follow(ctx context.Context, at *offset) error {
	r := reader{log: s.log, stream: s.stream, after: at.position}
	for {
		changed := s.log.Changed() // before reading, so that no append falls between
		page, err := r.next(ctx)
		if err != nil {
			return err
		}
		for i := range page {
			if err := s.deliver(ctx, &page[i]); err != nil {
				return err
			}
			s.after = page[i].Position
			if err := at.reach(ctx, &page[i]); err != nil {
				return err
			}
		}
		if len(page) > 0 {
			continue
		}
		s.after = r.after
		if err := at.rest(ctx, r.after); err != nil {
			return err
		}
		if err := s.wait(ctx, changed); err != nil {
			return err
		}
	}
}

func (s *subscription) wait(ctx context.Context, changed <-chan struct{}) error {
	poll := time.NewTimer(s.opts.Poll)
	defer poll.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-poll.C:
	}
	return nil
}

// deliver offers a record until it is acknowledged.
func (s *subscription) deliver(ctx context.Context, r *eventstore.Record) error {
	delay := s.opts.NackDelay
	for attempt := 1; ; attempt++ {
		acked, err := s.offer(ctx, Source{Record: *r, Attempt: attempt})
		if acked || err != nil {
			return err
		}
		if err := pause(ctx, delay); err != nil {
			return err
		}
		delay = min(2*delay, s.opts.MaxNackDelay)
	}
}

// offer delivers a message and waits for its verdict. The message's context ends with
// the verdict.
func (s *subscription) offer(ctx context.Context, source Source) (acked bool, err error) {
	of, cancel := context.WithCancel(context.WithValue(ctx, sourceKey{}, source))
	defer cancel()
	m, err := newMessage(of, s.log.ID(), &source.Record)
	if err != nil {
		return false, err
	}
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case s.out <- m:
	}
	select {
	case <-m.Acked():
		return true, nil
	case <-m.Nacked():
		return false, nil
	case <-ctx.Done():
	}
	select {
	case <-m.Acked(): // at the same moment: it counts
		return true, nil
	default:
		return false, ctx.Err()
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
