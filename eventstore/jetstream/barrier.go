package jetstream

import (
	"context"
	"sync"
)

// barrier finds out how far the log goes at the moment of a call. Callers that come
// while somebody asks share the next question: one that was asked before they came
// would be no answer to them.
type barrier struct {
	ask func() (frontier, error)

	mu     sync.Mutex
	asking bool
	next   *question
}

type question struct {
	done chan struct{} // closed when the two below are set
	last frontier
	err  error
}

// last is how far the shards go, as of the call or later.
func (b *barrier) last(ctx context.Context) (frontier, error) {
	b.mu.Lock()
	q := b.next
	if q == nil {
		q = &question{done: make(chan struct{})}
		b.next = q
	}
	if !b.asking {
		b.asking = true
		go b.run()
	}
	b.mu.Unlock()
	select {
	case <-q.done:
		return q.last, q.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (b *barrier) run() {
	for {
		b.mu.Lock()
		q := b.next
		b.next = nil
		b.asking = q != nil
		b.mu.Unlock()
		if q == nil {
			return
		}
		q.last, q.err = b.ask()
		close(q.done)
	}
}
