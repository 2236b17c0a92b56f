package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/grouplog/grouplog/eventstore"
)

// A page is what is read at once.
const (
	pageSize  = 1000
	pageBytes = 2 << 20
)

// fetch reads the messages from one on, at least that one. Any replica may answer. One
// that does not have the message, although it is stored, is behind, or damaged, and one
// that says nothing is cut off: then the leader is asked.
func (s *Store) fetch(ctx context.Context, next uint64) ([]*entry, error) {
	var entries []*entry
	var err error
	if !s.route.isSilent() {
		if entries, err = s.fetchPage(ctx, next); len(entries) > 0 {
			return entries, nil
		}
	}
	e, leaderErr := s.fetchOne(next)
	switch {
	case leaderErr == nil:
		return []*entry{e}, nil
	case !errors.Is(leaderErr, jetstream.ErrMsgNotFound):
		return nil, errors.Join(err, leaderErr)
	}
	return s.fetchMissing(ctx, next)
}

// fetchPage reads messages from any replica, as far as they follow each other.
func (s *Store) fetchPage(ctx context.Context, next uint64) (entries []*entry, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun, silence := time.Now(), s.route.silence()
	patience := time.AfterFunc(silence, func() {
		s.route.silent()
		cancel()
	})
	defer patience.Stop()
	messages, err := jetstreamext.GetBatch(ctx, s.js, s.address.stream(), pageSize, jetstreamext.GetBatchSeq(next), jetstreamext.GetBatchMaxBytes(pageBytes))
	if err != nil {
		return nil, err
	}
	for m, err := range messages {
		if err != nil {
			return entries, err // what has come is good
		}
		if want := next + uint64(len(entries)); m.Sequence != want {
			s.options.Logger.Warn("a replica of the log lacks a message: its disk may be damaged", "log", s.String(), "message", want, "next", m.Sequence)
			return entries, nil
		}
		patience.Reset(silence)
		if len(entries) == 0 {
			s.route.answered(time.Since(begun))
		}
		entries = append(entries, &entry{sequence: m.Sequence, subject: m.Subject, header: m.Header, data: m.Data})
	}
	return entries, nil
}

// fetchOne reads a message from the leader.
func (s *Store) fetchOne(sequence uint64) (*entry, error) {
	m, err := s.askLeader(s.address.stream(), map[string]any{"seq": sequence}, time.Now().Add(s.options.ReadTimeout))
	if err != nil {
		return nil, err
	}
	header, err := nats.DecodeHeadersMsg(m.Header)
	if err != nil {
		return nil, fmt.Errorf("message %d: headers: %w", sequence, err)
	}
	return &entry{sequence: m.Sequence, subject: m.Subject, header: header, data: m.Data}, nil
}

// asks is how often the replicas are asked for a message that the leader does not have.
// Which of them answers is left to chance.
const asks = 16

// fetchMissing looks for a message that the leader does not have.
func (s *Store) fetchMissing(ctx context.Context, sequence uint64) ([]*entry, error) {
	for range asks {
		entries, err := s.fetchPage(ctx, sequence)
		if len(entries) > 0 {
			return entries, nil
		}
		if err != nil && !errors.Is(err, jetstreamext.ErrNoMessages) {
			return nil, err
		}
	}
	last, err := s.askLast(s.address.stream())
	if err != nil {
		return nil, err
	}
	if last < sequence {
		return nil, s.damaged(sequence, &eventstore.DamageError{Reason: fmt.Sprintf("the stream ends at message %d, and went up to %d before", last, sequence)})
	}
	return nil, s.damaged(sequence, &eventstore.DamageError{Reason: "no replica has it"})
}

// open reads what a message says. One that is damaged is asked for again, of the leader.
func (s *Store) open(ctx context.Context, e *entry) (*body, error) {
	b, err := s.check(e)
	if err == nil {
		return b, nil
	}
	if errors.Is(err, eventstore.ErrNewerSchema) {
		return nil, fmt.Errorf("message %d of the stream %s: %w; use a newer version of the program", e.sequence, s.address.stream(), err)
	}
	s.options.Logger.Warn("a replica of the log has a damaged message", "log", s.String(), "message", e.sequence, "error", err)
	if again, leaderErr := s.fetchOne(e.sequence); leaderErr == nil {
		if b, leaderErr := s.check(again); leaderErr == nil {
			return b, nil
		}
	}
	return nil, s.damaged(e.sequence, &eventstore.DamageError{Reason: err.Error()})
}

// check decodes a message, and sees to it that it is on the subject of its stream.
func (s *Store) check(e *entry) (*body, error) {
	b, err := decodeMessage(e.header, e.data)
	if err != nil {
		return nil, err
	}
	if want := s.shards.subject(b.Stream); e.subject != want {
		return nil, fmt.Errorf("it is on the subject %s, and of the stream %q", e.subject, b.Stream)
	}
	return b, nil
}

// damaged adds to an error which message it is about and what to do.
func (s *Store) damaged(sequence uint64, err error) error {
	var damage *eventstore.DamageError
	if !errors.As(err, &damage) {
		return err
	}
	copied := *damage
	copied.Reason = fmt.Sprintf("message %d of the stream %s: %s", sequence, s.address.stream(), strings.TrimSuffix(damage.Reason, "."))
	return fmt.Errorf("%w; find the server whose replica is damaged, wipe its store and let it fill again (docs/distributed.md)", &copied)
}

// checkState refuses a stream whose leader says that messages are missing.
func (s *Store) checkState(info *jetstream.StreamInfo) error {
	state := &info.State
	var reason string
	switch {
	case state.FirstSeq > 1:
		reason = fmt.Sprintf("the stream %s begins with message %d", info.Config.Name, state.FirstSeq)
	case state.NumDeleted > 0:
		reason = fmt.Sprintf("%d messages within the stream %s are missing", state.NumDeleted, info.Config.Name)
	default:
		return nil
	}
	if info.Cluster != nil {
		reason += " on its leader, the server " + info.Cluster.Leader
	}
	return fmt.Errorf("%w; let another server lead (nats stream cluster step-down), wipe the store of this one, and let it fill again (docs/distributed.md)",
		&eventstore.DamageError{Reason: reason})
}
