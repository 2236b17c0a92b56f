package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/grouplog/grouplog/eventstore"
)

// place is where a stream of the log is: the version of its last record, and the
// sequence number, in its shard, of the last message on its subject, 0 for none, which the next
// message names as the one that it follows.
type place struct {
	version   eventstore.Version
	token     uint64
	confirmed bool // everything that was appended before somebody asked is seen
}

// maxPlaces is how many streams' places are remembered, some 100 bytes each.
const maxPlaces = 1 << 16

// places remembers where streams are, so that an append need not ask. The follower
// keeps them, in the order of the log.
type places struct {
	mu   sync.Mutex
	last map[string]place
}

func (p *places) get(stream string) (place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.last[stream]
	return at, ok
}

// move notes that a message was applied. A stream that is not known yet becomes so by
// a message of this process only: what others append to is nothing to it.
func (p *places) move(stream string, at place, own bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch last, known := p.last[stream]; {
	case at.token < last.token: // it is written again, and the stream has gone on
		return
	case !known && !own:
		return
	case !known:
		for other := range p.last {
			if len(p.last) < maxPlaces {
				break
			}
			delete(p.last, other)
		}
	}
	p.last[stream] = at
}

// errBehind: the replica did not come to where the stream is, in the time that there was.
var errBehind = fmt.Errorf("%w: what was stored before could not be read", ErrUnavailable)

// place is where a stream is as far as this process knows. Whether others have gone on
// from there shows when something is published.
func (s *Store) place(stream string, deadline time.Time) (place, error) {
	if at, ok := s.follower.places.get(stream); ok {
		return at, nil
	}
	version, err := s.replica.Version(context.Background(), stream)
	if err != nil {
		return place{}, err
	}
	if version == 0 { // most likely a new one
		return place{}, nil
	}
	return s.confirm(stream, deadline)
}

// confirm is where a stream is, as the leader knows. What was appended to it before the
// call is in the replica after it.
func (s *Store) confirm(stream string, deadline time.Time) (place, error) {
	token, err := s.lastOf(stream, deadline)
	if err != nil {
		return place{}, err
	}
	ctx, cancel := context.WithDeadlineCause(s.life, deadline, errBehind)
	defer cancel()
	if err := s.follower.waitFor(ctx, s.shards.only(s.shards.of(stream), token)); err != nil {
		return place{}, err
	}
	version, err := s.replica.Version(context.Background(), stream)
	return place{version: version, token: token, confirmed: true}, err
}

// lastOf is the sequence number in its shard of the last message to a stream, 0 where
// there is none, as the shard's leader knows: other replicas may be behind.
func (s *Store) lastOf(stream string, deadline time.Time) (uint64, error) {
	m, err := s.askLeader(s.shards.name(s.shards.of(stream)), map[string]any{"last_by_subj": s.shards.subject(stream)}, deadline)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return m.Sequence, nil
}

// stored is a message as the leader answers it.
type stored struct {
	Subject  string `json:"subject"`
	Sequence uint64 `json:"seq"`
	Header   []byte `json:"hdrs"`
	Data     []byte `json:"data"`
}

// askLeader gets one message from the leader of a stream in the cluster, and tries until
// the deadline.
func (s *Store) askLeader(stream string, which map[string]any, deadline time.Time) (*stored, error) {
	request, err := json.Marshal(which)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *stored             `json:"message"`
	}
	if err := s.ask("$JS.API.STREAM.MSG.GET."+stream, request, &answer, deadline); err != nil {
		return nil, err
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, jetstream.ErrMsgNotFound
	case answer.Error != nil:
		return nil, explain(answer.Error)
	case answer.Message == nil:
		return nil, errors.New("the answer holds no message")
	}
	return answer.Message, nil
}

// ask asks the API of JetStream, again and again where nobody answers, until the deadline.
func (s *Store) ask(subject string, request []byte, answer any, deadline time.Time) error {
	begun := time.Now()
	for attempt := 0; ; attempt++ {
		ctx, cancel := context.WithTimeout(s.life, firstWait<<min(attempt, 3))
		reply, err := s.conn.RequestWithContext(ctx, subject, request)
		cancel()
		var failed struct {
			Error *jetstream.APIError `json:"error"`
		}
		if err == nil {
			err = json.Unmarshal(reply.Data, &failed)
		}
		switch {
		case err == nil && failed.Error != nil && failed.Error.Code >= 500:
			err = failed.Error
		case err == nil:
			return json.Unmarshal(reply.Data, answer)
		}
		if s.life.Err() != nil {
			return eventstore.ErrClosed
		}
		if isFinal(err) || time.Now().After(deadline) {
			return fmt.Errorf("%s: %w", subject, explain(err))
		}
		s.route.vain(s.conn, begun)
		time.Sleep(min(firstPause<<min(attempt, 10), longestPause))
	}
}
