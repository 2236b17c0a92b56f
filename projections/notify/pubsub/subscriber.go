package pubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/consumers"
)

var _ message.Subscriber = (*Subscriber)(nil)

// ErrClosed: the subscriber has been closed.
var ErrClosed = errors.New("subscriber is closed")

// Defaults of SubscriberOptions.
const (
	DefaultNackDelay    = 100 * time.Millisecond
	DefaultMaxNackDelay = 10 * time.Second
	DefaultPoll         = 250 * time.Millisecond
)

// SubscriberOptions say who subscribes. The zero value reads from the beginning and
// remembers nothing.
type SubscriberOptions struct {
	// Group names the consumer group, which shares a durable offset for each topic.
	// Empty: every subscription is on its own and ephemeral.
	Group string

	// Consumers keeps the offsets of groups; required with one. From consumers.OpenCells,
	// the members of a group may be on several machines.
	Consumers *consumers.Registry

	// After is the position after which a subscription begins, and a group that is new
	// to its topic. The log's head makes it "from now on".
	After eventstore.Position

	// NackDelay is how long to wait before a message that was refused is delivered
	// again; it doubles from time to time up to MaxNackDelay. DefaultNackDelay and
	// DefaultMaxNackDelay when 0.
	NackDelay, MaxNackDelay time.Duration

	// Poll is how often to look for what other processes have appended; DefaultPoll
	// when 0.
	Poll time.Duration

	Logger *slog.Logger // slog.Default() when nil
}

// Validate reports every mistake at once.
func (o SubscriberOptions) Validate() error {
	var errs []error
	if o.Group != "" && o.Consumers == nil {
		errs = append(errs, fmt.Errorf("Group is %q, and Consumers is nil: a group needs somewhere to keep its offsets", o.Group))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"NackDelay", o.NackDelay}, {"MaxNackDelay", o.MaxNackDelay}, {"Poll", o.Poll}} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("%s is %v; at least 0, which is the default", d.name, d.value))
		}
	}
	return errors.Join(errs...)
}

func (o SubscriberOptions) withDefaults() SubscriberOptions {
	if o.NackDelay == 0 {
		o.NackDelay = DefaultNackDelay
	}
	if o.MaxNackDelay == 0 {
		o.MaxNackDelay = max(DefaultMaxNackDelay, o.NackDelay)
	}
	if o.Poll == 0 {
		o.Poll = DefaultPoll
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Subscriber delivers the log as messages. Its methods may be called from any number of
// goroutines.
type Subscriber struct {
	log    eventstore.Store
	opts   SubscriberOptions
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	failed  []error        // what could not be put away at the end
	running sync.WaitGroup // subscriptions; added to under mu
}

// NewSubscriber returns a subscriber that reads a log. The log, and the registry of the
// options, must stay open until it is closed.
func NewSubscriber(log eventstore.Store, opts SubscriberOptions) (*Subscriber, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	s := &Subscriber{log: log, opts: opts.withDefaults()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Subscribe delivers what a topic holds and what comes to it, until the context ends or
// the subscriber is closed; then the channel is closed. The next message comes when the
// last one has been acknowledged. A topic that nobody has written to is empty, not
// unknown.
//
// Of the subscriptions of one group to one topic, one is delivered to, and the others
// stand by and take over when it ends, whatever process they are in.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	stream, err := streamOf(topic)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("subscribe to %q: %w", topic, ErrClosed)
	}
	ctx, stop := context.WithCancel(ctx)
	detach := context.AfterFunc(s.ctx, stop)
	sub := newSubscription(s.log, s.opts, topic, stream)
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		defer close(sub.out)
		defer detach()
		defer stop()
		if err := sub.run(ctx); err != nil {
			s.mu.Lock()
			s.failed = append(s.failed, fmt.Errorf("subscription to %q: %w", topic, err))
			s.mu.Unlock()
		}
	}()
	return sub.out, nil
}

// Close ends all subscriptions and returns when their channels are closed. It waits for
// no handler: what has not been acknowledged by then is delivered again to the next
// subscription of the group. Its error says which offsets could not be stored, so that
// what was acknowledged is delivered again, too. Calling it again waits as well.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.failed...)
}
