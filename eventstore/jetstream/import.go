package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/grouplog/grouplog/eventstore"
)

var _ eventstore.Importer = (*Store)(nil)

const (
	// importWindow is how many messages of an import are on their way at most.
	importWindow = 256
	// maxParcel is how many bytes of data share a message of an import, before they are
	// compressed.
	maxParcel = 256 << 10
	// maxOvertaken is how often an import begins again because others append.
	maxOvertaken = 10
)

// Import stores commits in the order given, whatever their streams are. Many messages are
// on their way at once, one to a stream, and each names the number of the one before it, so
// that where one is not stored, none after it is. Only a message of somebody else can have
// that number instead: then the order is lost, and the error says so.
//
// Several shards have an order that is decided behind them. There, each commit waits for
// the one before it.
func (s *Store) Import(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if err := eventstore.ValidateAll(commits); err != nil {
		return nil, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	some := s.importSome
	if s.shards.n > 1 {
		some = s.importOne
	}
	results := make([]eventstore.Result, len(commits))
	for done, overtaken := 0, 0; done < len(commits); {
		n, err := some(ctx, commits, results, done, overtaken > 0)
		if done += n; n > 0 {
			overtaken = 0
		} else if overtaken++; err == nil && overtaken > maxOvertaken {
			err = fmt.Errorf("%w: others append to it all the time", eventstore.ErrBusy)
		}
		if err != nil {
			return nil, fmt.Errorf("import into %s: %w", s, err)
		}
		backOff(overtaken)
	}
	return results, nil
}

// importOne stores the next commit, and those to the same stream that follow it.
func (s *Store) importOne(ctx context.Context, commits []eventstore.Commit, results []eventstore.Result, done int, _ bool) (int, error) {
	n := 1
	for done+n < len(commits) && commits[done+n].Stream == commits[done].Stream {
		n++
	}
	some, err := s.Append(ctx, commits[done:done+n]...)
	if err != nil {
		return 0, err
	}
	for i, result := range some {
		if err := result.Err; err != nil && !errors.Is(err, eventstore.ErrConflict) && !errors.Is(err, eventstore.ErrDuplicate) {
			return i, err
		}
		results[done+i] = result
	}
	return n, nil
}

// parcel is a message of an import, with commits that follow each other.
type parcel struct {
	message *nats.Msg
	pending *pending
	follows uint64 // the number of the message before it
	first   int    // of its commits in the call
	n       int
}

// importSome stores commits from one on, as many as it can judge by what the log holds
// now, and returns how many it has. Where others append meanwhile, it may be none: then a
// careful one asks where streams are.
func (s *Store) importSome(ctx context.Context, commits []eventstore.Commit, results []eventstore.Result, done int, careful bool) (int, error) {
	last, err := s.settled(ctx)
	if err != nil {
		return 0, err
	}
	p := &packer{store: s, call: &call{commits: commits}, results: results, last: last, careful: careful}
	end, err := p.pack(ctx, done)
	if err != nil {
		return 0, err
	}
	shipped, err := s.ship(ctx, p.parcels)
	for _, parcel := range p.parcels[:shipped] {
		copy(results[parcel.first:], parcel.pending.results)
	}
	if shipped < len(p.parcels) { // what was refused behind it is judged again
		end = p.parcels[shipped].first
	}
	return end - done, err
}

// settled returns how far the stream goes, once the replica goes as far.
func (s *Store) settled(ctx context.Context) (uint64, error) {
	last, err := s.barrier.last(ctx)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.options.ReadTimeout, fmt.Errorf("%w: the replica could not be brought up to date", ErrUnavailable))
	defer cancel()
	return last[0], s.follower.waitFor(ctx, last)
}

// packer makes messages of commits, by what the log will hold when they come.
type packer struct {
	store   *Store
	call    *call
	results []eventstore.Result
	last    uint64 // the number of the last message
	careful bool   // nothing is guessed
	parcels []*parcel

	refused eventstore.Refused
	places  map[string]place // where streams will be behind the parcels
	ids     map[string]bool  // of commands in the parcels
	open    []*item          // accepted, to one stream, and not in a parcel yet
	size    int              // of their data
}

// pack judges commits from one on, refuses those that it must, and packs the others. It
// returns where it had to stop: at the second commit with a command ID.
func (p *packer) pack(ctx context.Context, done int) (end int, err error) {
	p.places, p.ids = map[string]place{}, map[string]bool{}
	commits := p.call.commits
	for i := range commits[:done] {
		if p.results[i].Err != nil {
			p.refused.Add(&commits[i])
		}
	}
	for end = done; end < len(commits); end++ {
		c := &commits[end]
		if c.Outcome != nil && p.ids[c.Outcome.CommandID] {
			break // what became of the other must be seen first
		}
		accepted, err := p.judge(ctx, c, &p.results[end])
		if err == nil && (!accepted || len(p.open) > 0 && p.open[0].commit().Stream != c.Stream) {
			err = p.close()
		}
		if err != nil {
			return end, err
		}
		if accepted {
			if err := p.take(end); err != nil {
				return end, err
			}
		}
	}
	return end, p.close()
}

// judge reports whether the log will take a commit, and if not, says why in its result.
func (p *packer) judge(ctx context.Context, c *eventstore.Commit, result *eventstore.Result) (accepted bool, err error) {
	if c.Outcome != nil {
		stored, found, err := p.store.replica.Outcome(ctx, c.Outcome.CommandID)
		if err != nil {
			return false, err
		}
		if found {
			p.refused.Add(c)
			*result = eventstore.Result{Err: &eventstore.DuplicateError{Stored: stored}}
			return false, nil
		}
	}
	at, err := p.place(c.Stream)
	if err != nil {
		return false, err
	}
	for _, i := range p.open {
		if open := i.commit(); open.Stream == c.Stream {
			at.version += eventstore.Version(len(open.Events))
		}
	}
	if conflict := p.refused.Judge(c, at.version); conflict != nil {
		*result = eventstore.Result{Err: conflict}
		return false, nil
	}
	return true, nil
}

// place is where a stream will be behind the parcels.
func (p *packer) place(stream string) (at place, err error) {
	at, known := p.places[stream]
	if known {
		return at, nil
	}
	where := p.store.place
	if p.careful {
		where = p.store.confirm
	}
	if at, err = where(stream, time.Now().Add(p.store.options.ReadTimeout)); err == nil {
		p.places[stream] = at
	}
	return at, err
}

// take adds a commit that is accepted to those that will share a message.
func (p *packer) take(index int) error {
	i := &item{part: &part{call: p.call}, index: index}
	c := i.commit()
	size := 0
	for n := range c.Events {
		size += len(c.Events[n].Data)
	}
	if len(p.open) == maxBundle || len(p.open) > 0 && p.size+size > maxParcel {
		if err := p.close(); err != nil {
			return err
		}
	}
	p.open, p.size = append(p.open, i), p.size+size
	if c.Outcome != nil {
		p.ids[c.Outcome.CommandID] = true
	}
	return nil
}

// close makes messages of what is open.
func (p *packer) close() error {
	for len(p.open) > 0 {
		stream := p.open[0].commit().Stream
		at := p.places[stream]
		m, n, err := p.store.message(stream, p.open, at)
		if err != nil {
			return err
		}
		follows := p.last + uint64(len(p.parcels))
		m.Header.Set(jetstream.ExpectedLastSeqHeader, strconv.FormatUint(follows, 10))
		p.parcels = append(p.parcels, &parcel{message: m, follows: follows, first: p.open[0].index, n: n})
		for _, i := range p.open[:n] {
			at.version += eventstore.Version(len(i.commit().Events))
		}
		at.token = follows + 1
		p.places[stream], p.open = at, p.open[n:]
	}
	p.size = 0
	return nil
}

// ship sends parcels, the same ones again and again, until they are stored and in the
// replica, and returns how many are. Where there is no error, the others never will be:
// somebody else has appended before them, or a stream is not where it was guessed to be.
func (s *Store) ship(ctx context.Context, parcels []*parcel) (shipped int, err error) {
	for _, p := range parcels {
		if p.pending, err = s.follower.expect(p.message); err != nil {
			return 0, err
		}
		defer s.follower.forget(p.pending)
	}
	start, maybe := time.Now(), false // a copy may be on its way, or stored
	for attempt := 0; ; attempt++ {
		refused, lost := s.sendInOrder(ctx, parcels[shipped:])
		maybe = maybe || lost != nil
		last, err := s.settled(ctx)
		before := shipped
		for shipped < len(parcels) && parcels[shipped].pending.landed() {
			shipped++
		}
		switch {
		case shipped == len(parcels):
			return shipped, nil
		case err == nil && slices.ContainsFunc(parcels[shipped:], func(p *parcel) bool { return p.pending.landed() }):
			return shipped, fmt.Errorf("%w: somebody else appends to the log, and has come in between", eventstore.ErrConflict)
		case err == nil && last > parcels[shipped].follows, lost == nil && isWrongSequence(refused):
			return shipped, nil
		case lost == nil && isFinal(refused):
			return shipped, unknown(maybe || shipped > 0, explain(refused))
		}
		if shipped > before {
			attempt, start = 0, time.Now()
		}
		if ctx.Err() != nil || time.Since(start) > s.options.AppendTimeout {
			return shipped, unknown(true, explain(errors.Join(refused, lost, err)))
		}
		s.route.vain(s.conn, start)
		select {
		case <-ctx.Done():
		case <-time.After(min(firstPause<<min(attempt, 10), longestPause)):
		}
	}
}

// sendInOrder sends parcels, a window of them at once and one to a stream, and returns when
// all are acknowledged. Otherwise it says why the first was refused, if one was, and why
// not all were answered, if that is so.
func (s *Store) sendInOrder(ctx context.Context, parcels []*parcel) (refused, lost error) {
	inbox := s.conn.NewInbox()
	replies, err := s.conn.SubscribeSync(inbox + ".*")
	if err != nil {
		return nil, err
	}
	defer replies.Unsubscribe() //nolint:errcheck // fails where the connection is gone, and is of no use then
	busy, sent := map[string]bool{}, 0
	for answered := 0; answered < sent || refused == nil && sent < len(parcels); answered++ {
		for refused == nil && sent < len(parcels) && sent < answered+importWindow && !busy[parcels[sent].message.Subject] {
			m := *parcels[sent].message
			m.Reply = inbox + "." + strconv.Itoa(sent)
			if err := s.conn.PublishMsg(&m); err != nil {
				return refused, err
			}
			busy[m.Subject] = true
			sent++
		}
		n, sequence, err := s.nextReply(ctx, replies)
		if n < 0 || n >= sent {
			return refused, err
		}
		delete(busy, parcels[n].message.Subject)
		if err == nil {
			s.follower.deliver(sequence, parcels[n].message.Header, parcels[n].message)
		} else if refused == nil {
			refused = err
		}
	}
	return refused, nil
}

// nextReply waits for an acknowledgement, and returns which parcel it is for, -1 if none
// came, and the number that it is stored at.
func (s *Store) nextReply(ctx context.Context, replies *nats.Subscription) (n int, sequence uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*firstWait)
	defer cancel()
	reply, err := replies.NextMsgWithContext(ctx)
	if err != nil {
		return -1, 0, err
	}
	if len(reply.Data) == 0 && reply.Header.Get("Status") == "503" {
		return -1, 0, nats.ErrNoResponders
	}
	if n, err = strconv.Atoi(reply.Subject[strings.LastIndexByte(reply.Subject, '.')+1:]); err != nil {
		return -1, 0, err
	}
	sequence, err = acknowledged(reply)
	return n, sequence, err
}
