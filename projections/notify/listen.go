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
	"github.com/grouplog/grouplog/projections/consumers"
)

// Source is what durable listeners are told from.
type Source struct {
	Log       eventstore.Store
	Policies  domain.Policies
	Consumers *consumers.Registry // where the listeners' progress is kept
	Poll      time.Duration       // how often to look at what other processes did; DefaultPoll when 0
	Logger    *slog.Logger        // discards when nil
}

// State is what a durable listener in this process does.
type State string

// The states.
const (
	Standby State = "standby" // another one is active under the name; this one takes over when that ends
	Active  State = "active"
	Stopped State = "stopped"
)

// Listening is a durable listener in this process, until it is stopped.
type Listening struct {
	name    string
	source  Source
	options listenOptions
	handler Handler

	calls  context.Context // of the handler's calls
	abort  context.CancelFunc
	ctx    context.Context // no call begins when it has ended
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	state    State
	trouble  error // what is wrong at the moment
	position eventstore.Position
	moved    chan struct{} // closed when one of the three above changes
	caller   string        // the goroutine that calls the handler
}

// Listen has the handler called for every notification there is, under a name: where
// somebody listened under the name before, from where that one was, and otherwise from
// now on. See the package documentation for what is promised. It returns when the name
// is known and the rest goes on by itself: until the context ends, or Stop.
//
// The error says which option is wrong, or is consumers.ErrName, or a
// *consumers.RestoredError where the log is not the one that the name has seen.
func Listen(ctx context.Context, source Source, name string, handler Handler, opts ...ListenOption) (*Listening, error) {
	options, err := newListenOptions(opts)
	if handler == nil {
		err = errors.Join(err, errors.New("the handler is nil"))
	}
	if err != nil {
		return nil, fmt.Errorf("listen as %q: %w", name, err)
	}
	if source.Poll <= 0 {
		source.Poll = DefaultPoll
	}
	if source.Logger == nil {
		source.Logger = slog.New(slog.DiscardHandler)
	}
	source.Logger = source.Logger.With("listener", name)
	head, err := source.Log.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("listen as %q: find the head of the log: %w", name, err)
	}
	if err := source.Consumers.Enroll(ctx, name, options.begin(head)); err != nil {
		return nil, fmt.Errorf("listen as %q: %w", name, err)
	}
	l := &Listening{
		name: name, source: source, options: options, handler: handler,
		done: make(chan struct{}), moved: make(chan struct{}), state: Standby,
	}
	l.calls, l.abort = context.WithCancel(ctx)
	l.ctx, l.cancel = context.WithCancel(l.calls)
	go l.run()
	return l, nil
}

// run is active under the name whenever nobody else is. What fails is tried again.
func (l *Listening) run() {
	ended := false
	defer func() {
		if !ended { // runtime.Goexit, or FailNow of a test
			l.source.Logger.Error("a handler has ended its goroutine, and the listener with it")
		}
		l.abort()
		l.become(Stopped, l.Err())
		close(l.done)
	}()
	l.mu.Lock()
	l.caller = goroutineID()
	l.mu.Unlock()
	for failures := 1; l.ctx.Err() == nil; failures++ {
		l.become(Standby, l.Err())
		err := l.reign()
		if l.ctx.Err() != nil {
			break
		}
		l.report(err)
		l.pause(min(l.options.backoff(failures), lastWait))
	}
	ended = true
}

// reign waits for the name, and tells until the listening ends, or it cannot go on.
func (l *Listening) reign() (err error) {
	consumer, err := l.source.Consumers.Acquire(l.ctx, l.name, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, consumer.Release()) }()
	l.become(Active, nil)
	return newCourier(l, consumer).serve()
}

// pause waits for a time, or for the listening to end.
func (l *Listening) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

// report notes what is wrong, and tells the logger unless it knows.
func (l *Listening) report(err error) {
	if known := l.Err(); err != nil && (known == nil || known.Error() != err.Error()) {
		l.source.Logger.Error("a durable listener waits and tries again", "position", l.Position(), "error", err)
	}
	l.become(l.State(), err)
}

func (l *Listening) become(state State, trouble error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != state || l.trouble != trouble { //nolint:errorlint // is it the same one
		l.state, l.trouble = state, trouble
		l.wake()
	}
}

// publish says how far the listener has come.
func (l *Listening) publish(p eventstore.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.position != p {
		l.position = p
		l.wake()
	}
}

// wake tells whoever waits. The caller holds mu.
func (l *Listening) wake() {
	close(l.moved)
	l.moved = make(chan struct{})
}

// Name is what the listener listens under.
func (l *Listening) Name() string { return l.name }

// State is what the listener does in this process.
func (l *Listening) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Err is why the listener cannot go on at the moment, or nil. It tries again by itself.
func (l *Listening) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble
}

// Position is how far the listener has come in this process: everything up to there has
// been handled, but what is held. It is 0 until the listener is active.
func (l *Listening) Position() eventstore.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.position
}

// errStopped is the answer of WaitFor where nobody goes on.
var errStopped = errors.New("the listener was stopped")

// WaitFor returns when this listener has come to a position of the log, with the
// context's error, or when the listener has stopped. It waits for what is held and due
// by now, and not for what is to be tried later.
func (l *Listening) WaitFor(ctx context.Context, position eventstore.Position) error {
	for {
		l.mu.Lock()
		reached, state, moved := l.position, l.state, l.moved
		l.mu.Unlock()
		switch {
		case reached >= position:
			return nil
		case state == Stopped:
			return fmt.Errorf("listener %q: %w", l.name, errStopped)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Done is closed when the listener has stopped.
func (l *Listening) Done() <-chan struct{} { return l.done }

// Calling reports whether it is called by the handler.
func (l *Listening) Calling() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.caller == goroutineID()
}

// Stop ends the listening and waits for the call under way, if any; called by the
// handler, it does not wait. The name, and where it is, are kept.
func (l *Listening) Stop() { _ = l.Close(context.Background()) }

// Close is Stop, and has the context of a call under way end when ctx does. The error
// says that the handler has not returned even so.
func (l *Listening) Close(ctx context.Context) error {
	l.cancel()
	if l.Calling() {
		return nil
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
	}
	l.abort()
	timer := time.NewTimer(graceAfterAbort)
	defer timer.Stop()
	select {
	case <-l.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("the handler of the listener %q has not returned", l.name)
	}
}

// graceAfterAbort is how long a handler may take to notice that its context has ended.
const graceAfterAbort = time.Second
