package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/grouplog/grouplog/eventstore"
)

// Pauses and patience while a message is sent, and sent again.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = 250 * time.Millisecond
	firstWait    = time.Second // for an acknowledgement, or an answer; then longer
)

// publish sends a message, the same one again and again, until it is known what became
// of it, and returns what came of its commits when they are in the replica.
//
// A message can be stored without its acknowledgement ever arriving: every other one,
// when a leader dies. It names the message that it follows on its subject, so that of
// all its copies one is stored at most; and once something else follows that message,
// none ever is: errStale.
func (s *Store) publish(stream string, m *nats.Msg, follows uint64, deadline time.Time) ([]eventstore.Result, error) {
	p, err := s.follower.expect(m)
	if err != nil {
		return nil, err
	}
	defer s.follower.forget(p)
	begun, maybe := time.Now(), false // a copy may be on its way, or stored
	for attempt := 0; ; attempt++ {
		sequence, err := s.send(m, firstWait<<min(attempt, 2))
		switch {
		case err == nil:
			if s.shards.n == 1 { // the acknowledgement's number is that in the log
				s.follower.deliver(sequence, m.Header, m)
			}
			return p.wait(deadline)
		case isWrongSequence(err):
			stale, err := s.stale(stream, follows, deadline)
			switch {
			case p.landed():
				return p.results, nil
			case stale:
				return nil, errStale
			case err != nil:
				return nil, unknown(maybe, err)
			}
		case isFinal(err):
			return nil, unknown(maybe, explain(err))
		default:
			maybe = maybe || !errors.Is(err, nats.ErrNoResponders)
		}
		if time.Now().After(deadline) {
			return nil, unknown(maybe, explain(err))
		}
		s.route.vain(s.conn, begun)
		select {
		case <-p.done:
			return p.results, p.err
		case <-time.After(min(firstPause<<min(attempt, 10), longestPause)):
		}
	}
}

// unknown says of an error whether something may be stored all the same.
func unknown(maybe bool, err error) error {
	if maybe {
		return fmt.Errorf("%w: %w", eventstore.ErrUnknown, err)
	}
	return err
}

// acknowledgement is what the stream's leader answers.
type acknowledgement struct {
	Sequence uint64              `json:"seq"`
	Error    *jetstream.APIError `json:"error"`
}

// send sends a message once and returns the sequence number that it is stored at.
func (s *Store) send(m *nats.Msg, wait time.Duration) (uint64, error) {
	ctx, cancel := context.WithTimeout(s.life, wait)
	defer cancel()
	reply, err := s.conn.RequestMsgWithContext(ctx, m)
	if err != nil {
		return 0, err
	}
	return acknowledged(reply)
}

// acknowledged is the sequence number that a message is stored at, as the answer to it
// says.
func acknowledged(reply *nats.Msg) (uint64, error) {
	var ack acknowledgement
	switch err := json.Unmarshal(reply.Data, &ack); {
	case err != nil:
		return 0, fmt.Errorf("the acknowledgement is no JSON: %w", err)
	case ack.Error != nil:
		return 0, ack.Error
	case ack.Sequence == 0:
		return 0, errors.New("the acknowledgement says nothing")
	}
	return ack.Sequence, nil
}

func isWrongSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// isFinal reports whether trying again would be of no use.
func isFinal(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return isFull(api) || api.Code >= 400 && api.Code < 500 && api.Code != 408 && api.ErrorCode != codeDuplicateInProcess
	}
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrPermissionViolation)
}

// stale reports whether a stream has gone on from a message. When it returns, the
// replica has what it has gone on with.
func (s *Store) stale(stream string, follows uint64, deadline time.Time) (bool, error) {
	last, err := s.lastOf(stream, deadline)
	if err != nil || last <= follows { // less: the leader is one that was replaced
		return false, err
	}
	ctx, cancel := context.WithDeadlineCause(s.life, deadline, errBehind)
	defer cancel()
	if err := s.follower.waitFor(ctx, s.shards.only(s.shards.of(stream), last)); err != nil {
		return false, err
	}
	return true, nil
}
