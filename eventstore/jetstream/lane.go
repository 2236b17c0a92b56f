package jetstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/grouplog/grouplog/eventstore"
)

// maxBundle is how many commits share a message at most.
const maxBundle = 1000

// errStale: the stream has gone on from where the message would continue it. Nothing of
// the message is stored, nor ever will be.
var errStale = errors.New("the stream has gone on")

// serve judges the commits that wait for a stream, in order, publishes those that are
// accepted as one message, and answers. It returns what must be judged again.
func (s *Store) serve(stream string, items []*item) (again []*item) {
	deadline := time.Now().Add(s.options.AppendTimeout)
	at, err := s.place(stream, deadline)
	for round := 0; ; round++ {
		if err != nil {
			return fail(items, err)
		}
		var bundle, rest []*item
		bundle, rest, err = s.judge(stream, items, &at, deadline)
		if err != nil {
			return fail(rest, err)
		}
		if len(bundle) == 0 {
			return rest
		}
		var m *nats.Msg
		var n int
		if m, n, err = s.message(stream, bundle, at); err != nil {
			return append(fail(bundle[:n], err), append(bundle[n:], rest...)...)
		}
		bundle, rest = bundle[:n], append(bundle[n:len(bundle):len(bundle)], rest...)
		var results []eventstore.Result
		results, err = s.publish(stream, m, at.token, deadline)
		switch {
		case err == nil:
			return append(conclude(bundle, results), rest...)
		case !errors.Is(err, errStale):
			return append(fail(bundle, err), rest...)
		case time.Now().After(deadline):
			return append(fail(bundle, fmt.Errorf("%w: others append to %q all the time", eventstore.ErrBusy, stream)), rest...)
		}
		items = append(bundle, rest...)
		backOff(round)
		at, err = s.confirm(stream, deadline)
	}
}

// backOff keeps two processes that append to one stream from meeting again and again.
func backOff(round int) {
	if round > 1 {
		time.Sleep(rand.N(time.Millisecond << min(round, 6)))
	}
}

// fail answers commits of which nothing is stored for the same reason, or is not known
// to be.
func fail(items []*item, err error) (again []*item) {
	for _, i := range items {
		i.answer(eventstore.Result{Err: err})
	}
	return nil
}

// conclude answers a message's commits as the log has judged them. One that was refused
// because of another's is judged again: it was refused for the company it was in.
func conclude(bundle []*item, results []eventstore.Result) (again []*item) {
	for n, i := range bundle {
		if errors.Is(results[n].Err, eventstore.ErrConflict) {
			again = append(again, i)
			continue
		}
		i.answer(results[n])
	}
	return again
}

// judge answers the commits that the log refuses where it is now, and returns those
// that a message can hold, and what must wait for the next one. A conflict is told only
// by who has seen everything that was appended before.
func (s *Store) judge(stream string, items []*item, at *place, deadline time.Time) (bundle, rest []*item, err error) {
	version := at.version
	for n, i := range items {
		c := i.commit()
		if len(bundle) == maxBundle {
			return bundle, items[n:], nil
		}
		if c.Outcome != nil {
			stored, found, err := s.replica.Outcome(context.Background(), c.Outcome.CommandID)
			if err != nil {
				i.answer(eventstore.Result{Err: err})
				continue
			}
			if found {
				i.answer(eventstore.Result{Err: &eventstore.DuplicateError{Stored: stored}})
				continue
			}
		}
		follows := i.part.refused && !c.Expect.IsAny()
		if follows || !c.Expect.Accepts(version) {
			if len(bundle) > 0 { // first see what becomes of that which it would follow
				return bundle, items[n:], nil
			}
			if !at.confirmed {
				if *at, err = s.confirm(stream, deadline); err != nil {
					return nil, items[n:], err
				}
				return s.judge(stream, items[n:], at, deadline)
			}
			i.answer(eventstore.Result{Err: &eventstore.ConflictError{Stream: stream, Expected: c.Expect, Actual: version, Follows: follows}})
			continue
		}
		bundle = append(bundle, i)
		version += eventstore.Version(len(c.Events))
	}
	return bundle, nil, nil
}

// message is what continues the stream with as many of the commits as it can hold, and
// how many these are. The error is about the first of them.
func (s *Store) message(stream string, bundle []*item, at place) (m *nats.Msg, n int, err error) {
	id := uuid.Must(uuid.NewV7()).String()
	for n = len(bundle); ; n /= 2 {
		b := body{Format: format, Stream: stream, After: at.version}
		for _, i := range bundle[:n] {
			b.Commits = append(b.Commits, commitOf(i.commit()))
		}
		m, err := newMessage(s.shards.name(s.shards.of(stream)), s.shards.subject(stream), id, at.token, &b)
		if err != nil {
			return nil, n, err
		}
		limit := s.conn.MaxPayload() - maxHeaders
		if int64(len(m.Data)) <= limit {
			return m, n, nil
		}
		if n == 1 {
			return nil, 1, fmt.Errorf("%w: a commit to %q has %d bytes, and the servers take at most %d of them: raise their max_payload, or do less in one command",
				eventstore.ErrInvalid, stream, len(m.Data), limit)
		}
	}
}

// maxHeaders is what the headers of a message take of a server's max_payload at most.
const maxHeaders = 1024
