package commands

import (
	"errors"
	"fmt"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// conclude answers a batch that has been committed. It returns those of its requests
// that must be decided again, and whether everything in memory is as it was decided.
func (h *Handler) conclude(b *batch) (again []*request, asDecided bool) {
	if b.err != nil {
		h.forgetGroups(b)
		for _, v := range b.verdicts {
			v.request.reply(Receipt{}, fmt.Errorf("append to the log: %w", b.err))
		}
		return nil, false
	}
	others, err := h.others(b)
	if h.lost != nil {
		h.forgetGroups(b)
		for _, v := range b.verdicts {
			v.request.reply(Receipt{}, fmt.Errorf("append to the log: %w: %w", eventstore.ErrUnknown, h.lost))
		}
		return nil, false
	}
	asDecided = err == nil && !h.disturbs(others)
	spoiled := map[string]bool{} // streams whose state in memory is not that of the log
	for i := range b.verdicts {
		v := &b.verdicts[i]
		result, stream := b.result(v), v.request.stream
		duplicate, _ := errors.AsType[*eventstore.DuplicateError](result.Err)
		switch {
		case duplicate != nil:
			spoiled[stream] = true
			h.repeat(v.request, duplicate.Stored)
		case errors.Is(result.Err, eventstore.ErrConflict), v.commit < 0 && spoiled[stream]:
			// What has been stored all the same is done: in a stream of which nothing is expected.
			spoiled[stream] = true
			again = h.retry(again, v.request)
		case result.Err != nil:
			spoiled[stream] = true
			v.request.reply(Receipt{}, fmt.Errorf("append to the log: %w", result.Err))
		case v.commit < 0 && err != nil:
			v.request.reply(Receipt{}, err)
		case v.commit < 0 && others.after(stream, v.version):
			again = h.retry(again, v.request)
		default:
			h.tell(max(result.Last, h.seen)) // the answer rests on what others have done, too
			v.receipt.First, v.receipt.Position = result.First, result.Last
			h.report(v)
			v.request.reply(v.receipt, v.err)
		}
	}
	for stream := range spoiled {
		h.forget(stream)
	}
	return again, asDecided && len(spoiled) == 0
}

// report tells of a command that was refused.
func (h *Handler) report(v *verdict) {
	if h.config.Refused == nil || v.err == nil || v.request.options.dryRun {
		return
	}
	refusal, ok := errors.AsType[*domain.Refusal](v.err)
	if !ok {
		return
	}
	groupID, ok := domain.GroupOf(v.request.stream)
	if !ok {
		groupID = ""
	}
	h.config.Refused(Refused{
		Actor: v.request.actor, Command: v.request.command, GroupID: groupID, ID: v.request.options.id,
		At: v.at, Position: h.seen, Refusal: refusal,
	})
}

// retry adds a request to those to be decided again, or answers it where that has
// been tried for too long.
func (h *Handler) retry(again []*request, r *request) []*request {
	r.again = true
	if h.lanes != nil {
		h.lanes.heat(r.stream)
	}
	if r.attempts++; r.attempts == maxAttempts {
		r.reply(Receipt{}, fmt.Errorf("%w: %d times", ErrContended, maxAttempts))
		return again
	}
	return append(again, r)
}

// others finds out whether others have appended before the batch was in the log, and
// so whether it was decided on all that the log held. What has been appended behind
// the log that was decided on says so by its position: nothing has to be asked. Only
// an answer that nothing was appended for needs a look at the log.
//
// It forgets the groups that others have changed, and returns what they have done; nil
// where that is nothing.
func (h *Handler) others(b *batch) (*interference, error) {
	alone, shown, bare := true, false, false
	for i := range b.verdicts {
		bare = bare || b.verdicts[i].commit < 0
	}
	for _, result := range b.places() {
		if result.Last == 0 {
			continue
		}
		if result.First <= h.seen {
			return nil, h.loseSight(result.First - 1)
		}
		shown = true
		if alone = alone && result.First == h.seen+1; alone {
			h.seen = result.Last
		}
	}
	if bare && !shown {
		head, err := h.config.Store.Head(writing)
		if err != nil {
			return nil, fmt.Errorf("find the head of the log: %w", err)
		}
		if head < h.seen {
			return nil, h.loseSight(head)
		}
		alone = head == h.seen
	}
	if alone {
		return nil, nil
	}
	return h.catchUp(b)
}

// interference is what others have appended before a batch was in the log, as far as
// the batch was not decided on it.
type interference struct {
	last map[string]eventstore.Version // of the others' events, by stream
	own  map[place]bool                // that the batch's own events follow at once
}

type place struct {
	stream  string
	version eventstore.Version
}

// after reports whether something that was decided on a version of a stream, and came
// to no event, is void: others have gone on from there. Not so where an own event
// follows that version: then it was the last when that event was stored.
func (i *interference) after(stream string, version eventstore.Version) bool {
	return i != nil && i.last[stream] > version && !i.own[place{stream, version}]
}

// disturbs reports whether what has been decided since is void, because it rests on what
// others have changed. How many groups somebody is in rests on all groups.
func (h *Handler) disturbs(i *interference) bool {
	if i == nil {
		return false
	}
	for k := range h.next.verdicts {
		if _, changed := i.last[h.next.verdicts[k].request.stream]; changed || h.quota {
			return true
		}
	}
	return false
}

// loseSight notes that the log ends where it had gone on: it was cut, or another one put
// in its place. What this handler knows is of no use any more, and nothing tells how much
// of what callers were told is there: from now on, it is the answer to everything.
func (h *Handler) loseSight(head eventstore.Position) error {
	h.lost = &eventstore.DamageError{Position: head + 1, Reason: fmt.Sprintf("events up to %d were there before", h.seen)}
	return h.lost
}

// catchUp reads what others have appended, among the batch's own events, and forgets the
// groups that it is about.
func (h *Handler) catchUp(b *batch) (*interference, error) {
	found := &interference{last: map[string]eventstore.Version{}, own: map[place]bool{}}
	for i, result := range b.results {
		if n := len(b.commits[i].Events); result.Last > 0 {
			found.own[place{b.commits[i].Stream, result.Version - eventstore.Version(n)}] = true
		}
	}
	own := b.places()
	for record, err := range h.config.Store.ReadAll(writing, h.seen) {
		if err != nil {
			return nil, fmt.Errorf("read what others have appended: %w", err)
		}
		for len(own) > 0 && own[0].Last < record.Position {
			own = own[1:]
		}
		if len(own) == 0 || own[0].First > record.Position {
			found.last[record.Stream] = record.Version
			h.forget(record.Stream)
		}
		h.seen = record.Position
	}
	return found, nil
}

func (h *Handler) forget(stream string) {
	if groupID, ok := domain.GroupOf(stream); ok {
		h.groups.drop(groupID)
	}
}
