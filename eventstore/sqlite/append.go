package sqlite

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/grouplog/grouplog/eventstore"
)

// Append stores commits. Commits of other callers that wait at the same moment share
// its transaction and its fsync; none of them affects the fate of another, except that
// a transaction which fails fails for all of them.
//
// The context counts until the writer takes the commits, and not after. See
// eventstore.Store for the rest.
func (db *DB) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if err := eventstore.ValidateAll(commits); err != nil {
		return nil, err
	}
	if db.options.Replica != nil {
		return nil, fmt.Errorf("append to log %s: %w: it is a replica", db.path, eventstore.ErrReadOnly)
	}
	r := &request{commits: commits}
	if err := db.enqueue(ctx, r, true); err != nil {
		return nil, err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(requestQueued, requestAbandoned) {
			return nil, ctx.Err()
		}
		<-r.done
	}
	if r.err != nil {
		return nil, fmt.Errorf("append to log %s: %w", db.path, r.err)
	}
	return r.results, nil
}

// enqueue hands commits to the writer. What it has queued is answered, even if the log is
// closed meanwhile. With atOnce, it writes them itself where nobody else is writing.
func (db *DB) enqueue(ctx context.Context, r *request, atOnce bool) error {
	leave, err := db.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.writer == nil {
		return fmt.Errorf("append to log %s: %w: it was opened so", db.path, eventstore.ErrReadOnly)
	}
	r.done = make(chan struct{})
	if atOnce && db.writer.writeAtOnce(r) {
		return nil
	}
	db.writer.waiting.Add(1)
	select {
	case db.writer.queue <- r:
		return nil
	case <-ctx.Done():
		db.writer.waiting.Add(-1)
		return ctx.Err()
	}
}

// request is one call of Append on its way through the writer.
type request struct {
	commits []eventstore.Commit
	entry   *Entry // that they are, of a replica; nil otherwise
	state   atomic.Int32
	done    chan struct{} // closed when results or err are set

	results []eventstore.Result
	err     error
}

// States of a request: whoever moves it out of requestQueued, the writer or the
// caller, decides whether it is written.
const (
	requestQueued int32 = iota
	requestTaken
	requestAbandoned
)

// take claims the request for the writer, unless its caller has gone.
func (r *request) take() bool { return r.state.CompareAndSwap(requestQueued, requestTaken) }

func (r *request) answer(err error) {
	if r.err = err; err != nil {
		r.results = nil
	}
	close(r.done)
}
