package grouplog

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/consumers"
	"github.com/grouplog/grouplog/projections/notify"
)

// Delivery is a notification as a durable listener is told it.
type Delivery = notify.Delivery

// Listen has the handler called for everything that anybody is told, under a name, from
// now on, or, where somebody has listened under the name before, from where that one was:
// at least once, in the order of the log for each group, across restarts and crashes. See
// package notify for what is promised, and for the options.
//
// It returns at once. The listening ends with the context, by Listening.Stop, or with
// the engine. While another one is active under the name, in any process, on any machine
// where Options.Store has cells, it stands by and takes over.
func (e *Engine) Listen(ctx context.Context, name string, handler notify.Handler, opts ...notify.ListenOption) (*notify.Listening, error) {
	registry, err := e.Consumers(ctx)
	if err != nil {
		return nil, err
	}
	l, err := notify.Listen(ctx, notify.Source{
		Log: e.log, Policies: e.options.Policies, Consumers: registry, Poll: e.options.Poll, Logger: e.options.Logger,
	}, name, handler, opts...)
	if err != nil {
		return nil, err
	}
	return l, e.durable.add(l)
}

// Consumers is how far durable listeners and other consumers of the log have come: to
// look at, and to retry, discard and reset. It is in the cells of Options.Store, where that
// has some (eventstore.Cells), for all engines on it together, and otherwise in a file,
// which is made when it is first asked for.
func (e *Engine) Consumers(ctx context.Context) (*consumers.Registry, error) {
	d := &e.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, ErrClosed
	}
	if d.registry == nil {
		registry, err := e.openConsumers(ctx)
		if err != nil {
			return nil, err
		}
		d.registry = registry
	}
	return d.registry, nil
}

func (e *Engine) openConsumers(ctx context.Context) (*consumers.Registry, error) {
	if cells, ok := e.options.Store.(eventstore.Cells); ok {
		return consumers.OpenCells(ctx, cells, e.log, &consumers.CellOptions{Lease: e.options.ListenerLease})
	}
	return consumers.Open(ctx, e.durable.path, e.log)
}

// durable is the durable listeners of an engine, and where their progress is.
type durable struct {
	path string

	mu        sync.Mutex
	closed    bool
	registry  *consumers.Registry // nil until it is asked for
	listening []*notify.Listening
}

// add keeps a listener to be stopped with the engine.
func (d *durable) add(l *notify.Listening) error {
	d.mu.Lock()
	if !d.closed {
		d.listening = slices.DeleteFunc(d.listening, func(l *notify.Listening) bool { return l.State() == notify.Stopped })
		d.listening = append(d.listening, l)
		d.mu.Unlock()
		return nil
	}
	d.mu.Unlock()
	l.Stop()
	return ErrClosed
}

// calling reports whether it is called by a handler of one of the listeners.
func (d *durable) calling() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.listening, (*notify.Listening).Calling)
}

// close stops the listeners, and waits for the calls that are under way until the
// context ends.
func (d *durable) close(ctx context.Context) error {
	d.mu.Lock()
	d.closed = true
	listening, registry := d.listening, d.registry
	d.mu.Unlock()
	failures := make([]error, len(listening)+1)
	var wg sync.WaitGroup
	for i, l := range listening {
		wg.Go(func() { failures[i] = l.Close(ctx) })
	}
	wg.Wait()
	if registry != nil {
		failures[len(listening)] = registry.Close()
	}
	return errors.Join(failures...)
}
