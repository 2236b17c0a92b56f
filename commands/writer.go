package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// run is the writer: it takes what has queued up and settles it, until the queue
// is closed and empty. There is no timer: the commands of the next batch arrive
// while this one is committed.
func (h *Handler) run() {
	defer close(h.done)
	for first := range h.queue {
		batch := append(make([]*request, 0, 1+len(h.queue)), first)
	fill:
		for len(batch) < maxBatch {
			select {
			case r, open := <-h.queue:
				if !open {
					break fill
				}
				batch = append(batch, r)
			default:
				break fill
			}
		}
		h.settle(batch)
	}
}

// settle decides, commits and answers a batch. What other writers have overtaken
// is decided again.
func (h *Handler) settle(batch []*request) {
	// The callers' contexts end their waiting, not the writing.
	ctx := context.Background()
	todo := batch[:0]
	for _, r := range batch {
		if r.state.CompareAndSwap(queued, taken) {
			todo = append(todo, r)
		}
	}
	for idle, again := 0, false; len(todo) > 0; again = true {
		if err := h.refresh(ctx); err != nil {
			answerAll(todo, err)
			return
		}
		left, err := h.round(ctx, todo, again)
		if err != nil {
			answerAll(left, err)
			return
		}
		if idle++; len(left) < len(todo) {
			idle = 0
		}
		if idle == maxAttempts {
			answerAll(left, fmt.Errorf("%w: %d times", ErrContended, maxAttempts))
			return
		}
		todo = left
	}
}

func answerAll(requests []*request, err error) {
	for _, r := range requests {
		r.reply(Receipt{}, err)
	}
}

// refresh takes note of what other handlers have appended: their groups are
// forgotten, and so read again.
func (h *Handler) refresh(ctx context.Context) error {
	clear(h.moved)
	clear(h.ahead)
	head, err := h.config.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("find the head of the log: %w", err)
	}
	if head == h.seen {
		return nil
	}
	if head < h.seen {
		return &eventstore.DamageError{Position: head + 1, Reason: fmt.Sprintf("events up to %d were there before", h.seen)}
	}
	for record, err := range h.config.Store.ReadAll(ctx, h.seen) {
		if err != nil {
			return fmt.Errorf("read what others have appended: %w", err)
		}
		if groupID, ok := domain.GroupOf(record.Stream); ok {
			h.groups.drop(groupID)
		}
		h.seen = record.Position
	}
	return nil
}

// verdict is what the decision on one request came to, before it is durable.
type verdict struct {
	request *request
	receipt Receipt
	err     error
	commit  int // index among the round's commits; -1 for none
}

// round decides the requests in order, commits what they come to, and answers
// them. It returns those that must be decided again; with an error, those that
// the error is the answer to.
func (h *Handler) round(ctx context.Context, requests []*request, again bool) ([]*request, error) {
	var (
		verdicts = make([]verdict, 0, len(requests))
		commits  []eventstore.Commit
		later    []*request          // for the next round
		ids      = map[string]bool{} // a second command with an ID is answered as the first was
	)
	for i, r := range requests {
		if ids[r.options.id] {
			later = requests[i:]
			break
		}
		if again && h.answeredBefore(ctx, r) {
			continue
		}
		v, commit := h.decide(ctx, r)
		if errors.Is(v.err, errLater) {
			later = requests[i:]
			break
		}
		if r.options.id != "" {
			ids[r.options.id] = true
		}
		v.commit = -1
		if commit != nil {
			v.commit = len(commits)
			commits = append(commits, *commit)
		}
		verdicts = append(verdicts, v)
	}
	var results []eventstore.Result
	if len(commits) > 0 {
		var err error
		if results, err = h.config.Store.Append(ctx, commits...); err != nil {
			for _, commit := range commits {
				h.forget(commit.Stream)
			}
			return requestsOf(verdicts, later), fmt.Errorf("append to the log: %w", err)
		}
	}
	return append(h.conclude(verdicts, results), later...), nil
}

func requestsOf(verdicts []verdict, more []*request) []*request {
	requests := make([]*request, 0, len(verdicts)+len(more))
	for _, v := range verdicts {
		requests = append(requests, v.request)
	}
	return append(requests, more...)
}

// answeredBefore answers a request whose command ID has an answer by now.
func (h *Handler) answeredBefore(ctx context.Context, r *request) bool {
	if r.options.id == "" {
		return false
	}
	first, found, err := h.config.Store.Outcome(ctx, r.options.id)
	switch {
	case err != nil:
		r.reply(Receipt{}, fmt.Errorf("look up command %q: %w", r.options.id, err))
	case found:
		h.repeat(r, first)
	}
	return err != nil || found
}

// repeat answers a request as its command ID was answered first, be it by another
// process: its caller, too, is to see the effect.
func (h *Handler) repeat(r *request, first eventstore.Outcome) {
	h.tell(first.Last)
	r.reply(r.repeat(first))
}

// tell takes note that a caller is told of the events up to a position.
func (h *Handler) tell(p eventstore.Position) {
	for old := h.position.Load(); uint64(p) > old; old = h.position.Load() {
		if h.position.CompareAndSwap(old, uint64(p)) {
			return
		}
	}
}

// conclude answers what has become durable, and returns the requests that must be
// decided again because their stream was not as the decision saw it.
func (h *Handler) conclude(verdicts []verdict, results []eventstore.Result) []*request {
	var again []*request
	spoiled := map[string]bool{} // streams whose state in memory is not that of the log
	for _, v := range verdicts {
		var result eventstore.Result
		if v.commit >= 0 {
			result = results[v.commit]
		}
		var duplicate *eventstore.DuplicateError
		switch {
		case errors.As(result.Err, &duplicate):
			spoiled[v.request.stream] = true
			h.repeat(v.request, duplicate.Stored)
		case errors.Is(result.Err, eventstore.ErrConflict), spoiled[v.request.stream] && result.Last == 0:
			// What has been stored all the same, in a user's stream, is done.
			spoiled[v.request.stream] = true
			again = append(again, v.request)
		case result.Err != nil:
			spoiled[v.request.stream] = true
			v.request.reply(Receipt{}, fmt.Errorf("append to the log: %w", result.Err))
		default:
			h.advance(result)
			v.receipt.First, v.receipt.Position = result.First, result.Last
			v.request.reply(v.receipt, v.err)
		}
	}
	for stream := range spoiled {
		h.forget(stream)
	}
	return again
}

// advance takes note of events that this handler has appended. If others stand
// between, they are left for refresh to find.
func (h *Handler) advance(r eventstore.Result) {
	if r.Last == 0 {
		h.tell(h.seen) // the answer rests on what others have done up to here
		return
	}
	if r.First == h.seen+1 {
		h.seen = r.Last
	}
	h.tell(r.Last)
}

func (h *Handler) forget(stream string) {
	if groupID, ok := domain.GroupOf(stream); ok {
		h.groups.drop(groupID)
	}
}
