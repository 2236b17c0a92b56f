package pubsub

import (
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

var _ message.Publisher = (*Publisher)(nil)

// PublisherOptions say who publishes. The zero value is good.
type PublisherOptions struct {
	Actor string           // who is recorded beside the messages; empty for the system
	Clock func() time.Time // time.Now when nil
}

// Publisher puts messages into the log, where they stand in one order with the events
// of groups and mean nothing to them. Its methods may be called from any number of
// goroutines.
type Publisher struct {
	log  eventstore.Store
	opts PublisherOptions
}

// NewPublisher returns a publisher that writes to a log.
func NewPublisher(log eventstore.Store, opts PublisherOptions) *Publisher {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	return &Publisher{log: log, opts: opts}
}

// Publish stores messages on a topic, durably and in their order: all of them, next to
// each other, or none. The context of the first message is that of the call. After an
// eventstore.ErrUnknown they may have been stored, and publishing them again may store
// them twice.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if err := checkPublished(topic); err != nil {
		return err
	}
	if len(messages) == 0 {
		return nil
	}
	now := p.opts.Clock()
	events := make([]eventstore.Event, len(messages))
	for i, m := range messages {
		var err error
		if events[i], err = p.event(m, now); err != nil {
			return fmt.Errorf("publish on %q: message %d of %d: %w", topic, i+1, len(messages), err)
		}
	}
	results, err := p.log.Append(messages[0].Context(), eventstore.Commit{Stream: projections.MessageStream(topic), Events: events})
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		return fmt.Errorf("publish on %q: %w", topic, err)
	}
	return nil
}

func (p *Publisher) event(m *message.Message, now time.Time) (eventstore.Event, error) {
	if m == nil {
		return eventstore.Event{}, errors.New("it is nil")
	}
	event, err := projections.Message{UUID: m.UUID, Metadata: m.Metadata, Payload: m.Payload}.Event()
	event.Actor, event.Time = p.opts.Actor, now
	return event, err
}

// Close does nothing: what has been published is stored, and the log is its owner's.
// A publisher goes on working, for Watermill's router closes one that several handlers
// share as soon as one of them is stopped.
func (p *Publisher) Close() error { return nil }
