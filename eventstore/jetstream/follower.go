package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

// lookAround is how often the follower asks how far the log goes when no bell rings:
// a bell is not certain to be heard.
const lookAround = time.Second

// maxDelivered is how many messages of this process wait for those before them. More
// are read like all others.
const maxDelivered = 8192

// entry is a message as it stands in the stream.
type entry struct {
	sequence uint64
	subject  string
	header   nats.Header
	data     []byte
}

// follower writes the stream's messages into the replica, each once, in order. It stops
// at the first that is damaged or missing, and everybody is told why.
type follower struct {
	store   *Store
	places  places
	wake    chan struct{}
	looking atomic.Bool

	begun chan *replicating // in order, to be settled

	// What follows belongs to the goroutine that runs.
	next    uint64   // the message to begin next
	ahead   frontier // how far the replica goes when what was begun is in it
	attempt int      // how often it began again, after a failure

	mu        sync.Mutex
	failure   error               // of what was begun
	answered  frontier            // callers were answered so far, or the replica goes so far
	reached   frontier            // the replica goes so far
	applied   uint64              // the last message in the replica
	known     uint64              // the stream goes so far, at least
	rung      uint64              // a bell has rung for this message
	delivered map[uint64]*entry   // of this process, by sequence number
	expected  map[string]*pending // of this process, by ID
	moved     chan struct{}       // closed when applied rises next, or err is set
	err       error               // why it has stopped
}

// pending is a message of this process whose effect is waited for.
type pending struct {
	message *nats.Msg
	done    chan struct{} // closed when the two below are set
	results []eventstore.Result
	err     error
}

func newFollower(s *Store, applied uint64, reached frontier) *follower {
	return &follower{
		store: s, applied: applied, reached: reached, answered: slices.Clone(reached), known: applied,
		next: applied + 1, ahead: slices.Clone(reached), begun: make(chan *replicating, pageSize),
		places: places{last: map[string]place{}}, wake: make(chan struct{}, 1),
		delivered: map[uint64]*entry{}, expected: map[string]*pending{}, moved: make(chan struct{}),
	}
}

// expect has the follower say what comes of a message. Where it has stopped, it never
// would: the error says why, and the message must not be sent.
func (f *follower) expect(m *nats.Msg) (*pending, error) {
	p := &pending{message: m, done: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	f.expected[p.id()] = p
	return p, nil
}

func (f *follower) forget(p *pending) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.expected, p.id())
}

func (p *pending) id() string { return p.message.Header.Get(jetstream.MsgIDHeader) }

// landed reports whether the message is in the replica.
func (p *pending) landed() bool {
	select {
	case <-p.done:
		return p.err == nil
	default:
		return false
	}
}

// wait returns what came of a message that is stored.
func (p *pending) wait(deadline time.Time) ([]eventstore.Result, error) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-p.done:
		return p.results, p.err
	case <-timer.C:
		return nil, fmt.Errorf("%w: it is stored, but what was stored before it could not be read: %w", eventstore.ErrUnknown, ErrUnavailable)
	}
}

// ring hears a bell: a message is stored. Bells ring in the order of the log, so that
// one for another's message says that no bell will ring for it any more with which it
// would be delivered. One of this process is delivered, be it before its acknowledgement.
func (f *follower) ring(sequence uint64, header nats.Header) {
	f.mu.Lock()
	f.rung = max(f.rung, sequence)
	p := f.expected[header.Get(jetstream.MsgIDHeader)]
	f.mu.Unlock()
	if p != nil {
		f.deliver(sequence, header, p.message)
	} else {
		f.hear(sequence)
	}
}

// deliver hands the follower a message of this process that is stored, which spares
// reading it.
func (f *follower) deliver(sequence uint64, header nats.Header, m *nats.Msg) {
	f.mu.Lock()
	if sequence > f.applied && len(f.delivered) < maxDelivered {
		f.delivered[sequence] = &entry{sequence: sequence, subject: m.Subject, header: header, data: m.Data}
	}
	f.mu.Unlock()
	f.hear(sequence)
}

// hear tells the follower that the stream goes so far.
func (f *follower) hear(sequence uint64) {
	f.mu.Lock()
	f.known = max(f.known, sequence)
	more := f.known > f.applied
	f.mu.Unlock()
	if !more {
		return
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// withAnswers is a frontier that also covers what callers of this process were answered:
// a leader that does not know that it was replaced may know less than they do.
func (f *follower) withAnswers(to frontier) frontier {
	f.mu.Lock()
	defer f.mu.Unlock()
	both := slices.Clone(to)
	for shard := range both {
		both[shard] = max(both[shard], f.answered[shard])
	}
	return both
}

// waitFor returns when the replica goes as far as a frontier.
func (f *follower) waitFor(ctx context.Context, to frontier) error {
	if len(to) == 1 {
		f.hear(to[0])
	}
	for {
		f.mu.Lock()
		there, err, moved := f.reached.covers(to), f.err, f.moved
		f.mu.Unlock()
		if there {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// run follows until the context ends, or something is wrong with the log. What it has
// begun is settled beside it.
func (f *follower) run(ctx context.Context) {
	var settling sync.WaitGroup
	settling.Go(f.settle)
	err := f.follow(ctx)
	close(f.begun)
	settling.Wait()
	f.stop(err)
}

// follow begins to apply messages for as long as it can, and returns why it cannot any more.
func (f *follower) follow(ctx context.Context) error {
	tick, late := time.NewTicker(lookAround), time.NewTimer(bellWait)
	defer tick.Stop()
	defer late.Stop()
	patient := true
	for failures := 0; ; {
		state, err := f.step(ctx, patient)
		patient = true
		late.Stop()
		switch {
		case ctx.Err() != nil:
			return eventstore.ErrClosed
		case errors.Is(err, eventstore.ErrDamaged), errors.Is(err, eventstore.ErrNewerSchema):
			f.store.options.Logger.Error("the log cannot be followed any further", "log", f.store.String(), "error", err)
			return err
		case err != nil:
			if failures++; failures == 1 {
				f.store.options.Logger.Warn("the log cannot be followed at the moment", "log", f.store.String(), "error", err)
			}
			late.Reset(longestPause)
		case state == begun:
			failures = 0
			continue
		case state == expecting:
			late.Reset(bellWait)
		}
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-late.C:
			patient = false
		case <-tick.C:
			f.lookAround()
		}
	}
}

// progress is what a step has come to.
type progress int

const (
	idle      progress = iota // there is nothing to do
	begun                     // messages are on their way into the replica, and there may be more
	expecting                 // a message is stored, and its bell has not rung yet
)

// bellWait is how long a message that is stored is not read, because its bell may ring
// and deliver it.
const bellWait = 5 * time.Millisecond

// lookAround asks how far the stream goes, beside the follower.
func (f *follower) lookAround() {
	if !f.looking.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer f.looking.Store(false)
		if last, err := f.store.askLast(f.store.address.stream()); err == nil {
			f.hear(last)
		}
	}()
}

// step begins to apply the next messages, if there are any. A patient one reads only what
// no bell will deliver. It returns why what was begun before has failed, if it has, and
// the next step begins with that again.
func (f *follower) step(ctx context.Context, patient bool) (progress, error) {
	f.mu.Lock()
	if err := f.failure; err != nil {
		f.failure, f.attempt = nil, f.attempt+1
		f.next, f.ahead = f.applied+1, slices.Clone(f.reached)
		f.mu.Unlock()
		return idle, err
	}
	next, known, rung, hoping := f.next, f.known, f.rung, len(f.expected) > 0
	var entries []*entry
	for e := f.delivered[next]; e != nil && len(entries) < pageSize; e = f.delivered[next+uint64(len(entries))] {
		entries = append(entries, e)
	}
	f.mu.Unlock()
	if len(entries) == 0 {
		switch {
		case known < next:
			return idle, nil
		case patient && hoping && rung < next:
			return expecting, nil
		}
		var err error
		if entries, err = f.store.fetch(ctx, next); err != nil {
			return idle, err
		}
	}
	for _, e := range entries {
		if err := f.begin(ctx, e); err != nil {
			return idle, err
		}
	}
	return begun, nil
}

// settle notes what has come of the messages that were begun, in order.
func (f *follower) settle() {
	unannounced := 0
	for r := range f.begun {
		if _, err := r.wait(); err == nil {
			f.done(r)
		} else {
			f.fail(r, err)
		}
		if unannounced++; len(f.begun) == 0 || unannounced == cap(f.begun)/4 {
			f.announce()
			unannounced = 0
		}
	}
}

// fail notes that a message did not get into the replica. Those that were begun after it
// fail with it, as they do not follow.
func (f *follower) fail(r *replicating, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.attempt == f.attempt && f.failure == nil {
		f.failure = f.store.damaged(r.entry.sequence, err)
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// replicating is a message on its way into the replica.
type replicating struct {
	entry   *entry
	body    *body
	shard   int
	token   uint64 // its sequence number in the shard
	void    bool   // it was sourced a second time
	attempt int
	wait    func() ([]eventstore.Result, error)
}

// begin has a message written into the replica, behind those that were begun before. A
// message that was sourced a second time is written as one that says nothing.
func (f *follower) begin(ctx context.Context, e *entry) error {
	b, err := f.store.open(ctx, e)
	if err != nil {
		return err
	}
	r := &replicating{entry: e, body: b, shard: f.store.shards.of(b.Stream), attempt: f.attempt}
	if r.token, err = f.store.shards.sequence(e, r.shard); err != nil {
		return f.store.damaged(e.sequence, &eventstore.DamageError{Reason: err.Error()})
	}
	last := f.ahead[r.shard]
	if r.token > last+1 {
		return f.store.damaged(e.sequence, &eventstore.DamageError{
			Reason: fmt.Sprintf("it is number %d of the stream %s, and number %d has not come", r.token, f.store.shards.name(r.shard), last+1),
		})
	}
	entry := &sqlite.Entry{Mark: e.sequence, Judged: func(results []eventstore.Result) { f.judged(r, results) }}
	if r.void = r.token <= last; !r.void {
		entry.Commits = b.commits()
		if err := valid(entry.Commits); err != nil {
			return f.store.damaged(e.sequence, &eventstore.DamageError{Reason: err.Error()})
		}
		f.ahead[r.shard] = r.token
	}
	entry.Note = f.ahead.note()
	if r.wait, err = f.store.replica.Replicate(ctx, entry); err != nil {
		f.ahead[r.shard] = last
		return err
	}
	f.next++
	f.begun <- r
	return nil
}

// valid refuses what no store would have taken from whoever wrote a message.
func valid(commits []eventstore.Commit) error {
	if len(commits) == 0 {
		return errors.New("it holds no commit")
	}
	return eventstore.ValidateAll(commits)
}

// judged answers a message's caller, and notes where its stream is: what comes of a
// message is certain before it is in the replica, and who reads waits for that anyway.
// The replica's writer calls it, message by message; one that must be written again is
// judged again, and comes to the same.
func (f *follower) judged(r *replicating, results []eventstore.Result) {
	if r.void {
		return
	}
	at := place{version: r.body.After, token: r.token}
	for i := range results {
		if results[i].Last > 0 {
			at.version = results[i].Version
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered[r.shard] = max(f.answered[r.shard], r.token)
	p := f.expected[r.entry.header.Get(jetstream.MsgIDHeader)]
	f.places.move(r.body.Stream, at, p != nil)
	if p != nil {
		delete(f.expected, p.id())
		p.results = results
		close(p.done)
	}
}

// done notes that a message is in the replica.
func (f *follower) done(r *replicating) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached[r.shard] = max(f.reached[r.shard], r.token)
	f.applied = r.entry.sequence
	f.known = max(f.known, f.applied)
	delete(f.delivered, f.applied)
}

// announce wakes those who wait for the replica to go on.
func (f *follower) announce() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.moved)
	f.moved = make(chan struct{})
}

// stop says why nothing follows any more.
func (f *follower) stop(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	close(f.moved)
	f.moved = make(chan struct{})
	for id, p := range f.expected {
		p.err = fmt.Errorf("%w: %w", eventstore.ErrUnknown, err)
		close(p.done)
		delete(f.expected, id)
	}
}
