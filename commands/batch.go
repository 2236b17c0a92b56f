package commands

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// verdict is what the decision on one request came to, before it is durable.
type verdict struct {
	request *request
	receipt Receipt
	err     error
	at      time.Time          // when it was decided
	version eventstore.Version // of the stream, that it was decided on; stateless where it looked at none
	commit  int                // index among the batch's commits; -1 for none
}

// stateless is the version of a verdict that no event can make void.
const stateless = eventstore.Version(math.MaxUint64)

// batch is what has been decided to be committed together, in order. It belongs to
// the writer's goroutine, but for commit, which may run beside it.
type batch struct {
	verdicts []verdict
	commits  []eventstore.Commit

	ids    map[string]bool // command IDs
	groups map[string]bool // groups that it has events of
	users  map[string]bool // users whom it brings into a group or out of it; see move

	everybody bool // it ends a group, of which anybody may have been a member

	committed chan struct{} // closed when the two below are set
	results   []eventstore.Result
	err       error
}

func newBatch() *batch {
	return &batch{ids: map[string]bool{}, groups: map[string]bool{}, users: map[string]bool{}, committed: make(chan struct{})}
}

// reset makes the batch an empty one.
func (b *batch) reset() {
	clear(b.verdicts)
	clear(b.commits)
	b.verdicts, b.commits = b.verdicts[:0], b.commits[:0]
	clear(b.ids)
	clear(b.groups)
	clear(b.users)
	b.everybody = false
	b.committed, b.results, b.err = make(chan struct{}), nil, nil
}

func (b *batch) add(v verdict, commit *eventstore.Commit) {
	v.commit = -1
	if commit != nil {
		v.commit = len(b.commits)
		b.commits = append(b.commits, *commit)
	}
	if id := v.request.options.id; id != "" {
		b.ids[id] = true
	}
	b.verdicts = append(b.verdicts, v)
}

// move takes note of the users whom an event brings into a group or out of it.
func (b *batch) move(e domain.Event) {
	switch e := e.(type) {
	case domain.GroupCreated:
		b.moveFounders(&e)
	case domain.GroupImported:
		b.moveFounders(&e.GroupCreated)
	case domain.GroupDismissed, domain.GroupRecycled:
		b.everybody = true
	default:
		for _, id := range domain.Concerned(e) {
			b.users[id] = true
		}
	}
}

func (b *batch) moveFounders(e *domain.GroupCreated) {
	b.users[e.Owner] = true
	for _, m := range e.Members {
		b.users[m.UserID] = true
	}
}

// commit appends the batch. Whoever waits for committed may look at what came of it.
func (b *batch) commit(store eventstore.Store) {
	if len(b.commits) > 0 {
		b.results, b.err = store.Append(writing, b.commits...)
	}
	close(b.committed)
}

// places are the results, those with events by position: commits to different streams may
// have been stored in another order than they were given in.
func (b *batch) places() []eventstore.Result {
	last := eventstore.Position(0)
	for i := range b.results {
		if result := &b.results[i]; result.Last > 0 && result.Last < last {
			return slices.SortedFunc(slices.Values(b.results), func(a, b eventstore.Result) int { return cmp.Compare(a.Last, b.Last) })
		} else if result.Last > 0 {
			last = result.Last
		}
	}
	return b.results
}

// result is what became of a verdict's commit; zero where it has none.
func (b *batch) result(v *verdict) eventstore.Result {
	if v.commit < 0 {
		return eventstore.Result{}
	}
	return b.results[v.commit]
}
