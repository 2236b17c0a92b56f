package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/grouplog/grouplog/eventstore"
)

// ErrInjected is what a FaultyStore fails with unless it is given another error.
var ErrInjected = errors.New("injected fault")

var _ eventstore.Store = (*FaultyStore)(nil)

// FaultyStore is a store that fails on command, for tests of what is built on stores.
// Calls that are not told to fail go through. Its methods may be called from any number
// of goroutines; calls are counted from the moment at which a fault is set, so that 1
// is the next one.
type FaultyStore struct {
	eventstore.Store

	mu     sync.Mutex
	faults map[operation][]*fault
	before func(ctx context.Context, commits []eventstore.Commit) error
	counts map[operation]int
}

type operation int

const (
	opAppend operation = iota
	opRead
	opHead
	opOutcome
)

type fault struct {
	countdown int
	err       error
	after     bool // of appends: do it, and fail all the same
	records   int  // of reads: yield so many first
}

// Faulty wraps a store. Without further calls it does what the store does.
func Faulty(store eventstore.Store) *FaultyStore {
	return &FaultyStore{Store: store, faults: make(map[operation][]*fault), counts: make(map[operation]int)}
}

// FailAppend makes the n-th Append from now fail with err (ErrInjected if nil), with
// nothing stored.
func (f *FaultyStore) FailAppend(n int, err error) { f.fail(opAppend, &fault{countdown: n, err: err}) }

// FailAppendAfter makes the n-th Append from now store its commits and fail all the
// same, with an error that wraps ErrUnknown and err (ErrInjected if nil).
func (f *FaultyStore) FailAppendAfter(n int, err error) {
	f.fail(opAppend, &fault{countdown: n, err: err, after: true})
}

// FailRead makes the n-th ReadStream or ReadAll from now yield so many records and
// then err (ErrInjected if nil). A sequence that is ranged over again counts again.
func (f *FaultyStore) FailRead(n, records int, err error) {
	f.fail(opRead, &fault{countdown: n, err: err, records: records})
}

// FailHead makes the n-th Head from now fail with err (ErrInjected if nil).
func (f *FaultyStore) FailHead(n int, err error) { f.fail(opHead, &fault{countdown: n, err: err}) }

// FailOutcome makes the n-th Outcome or Outcomes from now fail with err (ErrInjected if
// nil).
func (f *FaultyStore) FailOutcome(n int, err error) {
	f.fail(opOutcome, &fault{countdown: n, err: err})
}

// BeforeAppend calls a function at the beginning of every Append, outside of any lock:
// to let somebody else append in between, to wait, or to fail. Its error fails the
// Append with nothing stored. Nil takes it away.
func (f *FaultyStore) BeforeAppend(do func(ctx context.Context, commits []eventstore.Commit) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = do
}

// Appends is how often Append was called.
func (f *FaultyStore) Appends() int { return f.count(opAppend) }

// Reads is how often a sequence of ReadStream or ReadAll was ranged over.
func (f *FaultyStore) Reads() int { return f.count(opRead) }

func (f *FaultyStore) count(op operation) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[op]
}

func (f *FaultyStore) fail(op operation, ft *fault) {
	if ft.countdown < 1 {
		panic(fmt.Sprintf("eventstoretest: calls are counted from 1, not %d", ft.countdown))
	}
	if ft.err == nil {
		ft.err = ErrInjected
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[op] = append(f.faults[op], ft)
}

// next counts a call, and returns the fault that is due, or nil.
func (f *FaultyStore) next(op operation) (due *fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[op]++
	waiting := f.faults[op][:0]
	for _, ft := range f.faults[op] {
		ft.countdown--
		switch {
		case ft.countdown > 0:
			waiting = append(waiting, ft)
		case due == nil:
			due = ft
		}
	}
	f.faults[op] = waiting
	return due
}

// Append fails if it is told to, and otherwise appends.
func (f *FaultyStore) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	f.mu.Lock()
	before := f.before
	f.mu.Unlock()
	if before != nil {
		if err := before(ctx, commits); err != nil {
			f.next(opAppend)
			return nil, err
		}
	}
	due := f.next(opAppend)
	if due != nil && !due.after {
		return nil, due.err
	}
	results, err := f.Store.Append(ctx, commits...)
	if due != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", eventstore.ErrUnknown, due.err), err)
	}
	return results, err
}

// ReadStream fails if it is told to, and otherwise reads.
func (f *FaultyStore) ReadStream(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Record, error] {
	return f.read(f.Store.ReadStream(ctx, stream, after))
}

// ReadAll fails if it is told to, and otherwise reads.
func (f *FaultyStore) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return f.read(f.Store.ReadAll(ctx, after))
}

func (f *FaultyStore) read(seq iter.Seq2[eventstore.Record, error]) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		due := f.next(opRead)
		if due == nil {
			seq(yield)
			return
		}
		n := 0
		for r, err := range seq {
			if n == due.records {
				break
			}
			if n++; !yield(r, err) || err != nil {
				return
			}
		}
		yield(eventstore.Record{}, due.err)
	}
}

// Head fails if it is told to, and otherwise asks.
func (f *FaultyStore) Head(ctx context.Context) (eventstore.Position, error) {
	if due := f.next(opHead); due != nil {
		return 0, due.err
	}
	return f.Store.Head(ctx)
}

// Outcome fails if it is told to, and otherwise asks.
func (f *FaultyStore) Outcome(ctx context.Context, commandID string) (eventstore.Outcome, bool, error) {
	if due := f.next(opOutcome); due != nil {
		return eventstore.Outcome{}, false, due.err
	}
	return f.Store.Outcome(ctx, commandID)
}

// Outcomes fails if it is told to, and otherwise lists the outcomes of the store.
func (f *FaultyStore) Outcomes(ctx context.Context, after string) iter.Seq2[eventstore.Outcome, error] {
	return func(yield func(eventstore.Outcome, error) bool) {
		if due := f.next(opOutcome); due != nil {
			yield(eventstore.Outcome{}, due.err)
			return
		}
		eventstore.Outcomes(ctx, f.Store, after)(yield)
	}
}
