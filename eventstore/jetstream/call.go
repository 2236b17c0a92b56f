package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/grouplog/grouplog/eventstore"
)

// call is one call of Append. Its commits go through the lanes of their streams, and it
// is answered when the last of them is.
type call struct {
	commits []eventstore.Commit
	results []eventstore.Result
	state   atomic.Int32
	left    atomic.Int64
	done    chan struct{} // closed when nothing is left
}

// States of a call: whoever moves it out of callQueued, a lane or the caller, decides
// whether its commits are written.
const (
	callQueued int32 = iota
	callTaken
	callAbandoned
)

// part is what a call appends to one stream.
type part struct {
	call    *call
	refused bool // a commit of it was: those that follow are too, unless they expect Any
}

// item is one commit on its way.
type item struct {
	part  *part
	index int // in the call
}

func (i *item) commit() *eventstore.Commit { return &i.part.call.commits[i.index] }

// answer ends the way of a commit.
func (i *item) answer(result eventstore.Result) {
	c := i.part.call
	i.part.refused = i.part.refused || result.Err != nil
	c.results[i.index] = result
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

// take reports whether the call may be written: it may, unless its caller has gone.
func (c *call) take() bool {
	return c.state.CompareAndSwap(callQueued, callTaken) || c.state.Load() == callTaken
}

// stream is that of all commits, if there is one.
func (c *call) stream() (stream string, one bool) {
	stream = c.commits[0].Stream
	for i := range c.commits {
		if c.commits[i].Stream != stream {
			return "", false
		}
	}
	return stream, true
}

// answer is what the caller of Append is told. Where every commit has failed, and not
// because of what the log holds, the call has.
func (c *call) answer() ([]eventstore.Result, error) {
	var failures []error
	unknown := false
	for i := range c.results {
		err := c.results[i].Err
		if err == nil || errors.Is(err, eventstore.ErrConflict) || errors.Is(err, eventstore.ErrDuplicate) {
			return c.results, nil
		}
		unknown = unknown || errors.Is(err, eventstore.ErrUnknown)
		failures = append(failures, err)
	}
	if len(failures) == 0 {
		return c.results, nil
	}
	err := failures[0]
	if unknown && !errors.Is(err, eventstore.ErrUnknown) {
		err = fmt.Errorf("%w: %w", eventstore.ErrUnknown, err)
	}
	return nil, err
}

// Append stores commits. Those to one stream that wait at the same moment, of whatever
// callers, share a message; messages to different streams are on their way at the same
// time, and which of them is stored first is up to the cluster.
//
// Where some commits of a call fail for another reason than what the log holds, their
// Results say so, as those to other streams may have been stored.
func (s *Store) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if err := eventstore.ValidateAll(commits); err != nil {
		return nil, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if len(commits) == 0 {
		return nil, nil
	}
	c := &call{commits: commits, results: make([]eventstore.Result, len(commits)), done: make(chan struct{})}
	c.left.Store(int64(len(commits)))
	if stream, items := s.lanes.add(c); items != nil {
		s.lanes.leave(stream, s.serve(stream, items))
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if c.state.CompareAndSwap(callQueued, callAbandoned) {
			return nil, ctx.Err()
		}
		<-c.done
	}
	results, err := c.answer()
	if err != nil {
		return nil, fmt.Errorf("append to %s: %w", s, err)
	}
	return results, nil
}

// lanes are the commits that wait, by stream: one goroutine serves each stream that has
// any, so that a stream has one message under way. Who comes to a stream that nobody
// serves, serves it for the first message, which spares waking another, and then leaves it.
type lanes struct {
	serve func(stream string, items []*item) (again []*item)

	mu      sync.Mutex
	waiting map[string][]*item
	busy    map[string]bool
}

// add lets a call's commits wait, and has them served. The commits of a call to one stream
// that nobody serves are returned instead: the caller serves them, and leaves the stream.
func (l *lanes) add(c *call) (stream string, items []*item) {
	parts := map[string]*part{}
	l.mu.Lock()
	defer l.mu.Unlock()
	if stream, one := c.stream(); one && !l.busy[stream] {
		l.busy[stream] = true
		p := &part{call: c}
		c.take()
		for i := range c.commits {
			items = append(items, &item{part: p, index: i})
		}
		return stream, items
	}
	for i := range c.commits {
		stream := c.commits[i].Stream
		p := parts[stream]
		if p == nil {
			p = &part{call: c}
			parts[stream] = p
		}
		l.waiting[stream] = append(l.waiting[stream], &item{part: p, index: i})
		if !l.busy[stream] {
			l.busy[stream] = true
			go l.run(stream, nil)
		}
	}
	return "", nil
}

// leave has those served who have come to a stream meanwhile, and what must be judged again.
func (l *lanes) leave(stream string, again []*item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(again) == 0 && len(l.waiting[stream]) == 0 {
		delete(l.busy, stream)
		return
	}
	go l.run(stream, again)
}

// run serves a stream until nobody waits.
func (l *lanes) run(stream string, items []*item) {
	for {
		l.mu.Lock()
		items = append(items, l.waiting[stream]...)
		delete(l.waiting, stream)
		if len(items) == 0 {
			delete(l.busy, stream)
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		taken := items[:0]
		for _, i := range items {
			if i.part.call.take() {
				taken = append(taken, i)
			}
		}
		items = l.serve(stream, taken)
	}
}
