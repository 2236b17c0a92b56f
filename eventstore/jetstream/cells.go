package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/grouplog/grouplog/eventstore"
)

var _ eventstore.Cells = (*Store)(nil)

// Cells are the keys of a bucket that nats kv shows, too: GROUPLOG-NAME, a stream of which
// the newest message on each subject is kept, made when a cell is set first. It is read at
// its leader, never at another replica, which may be behind.

// bucket is the name of the bucket of the log's cells.
func (a *address) bucket() string { return "GROUPLOG-" + a.name }

// bucketStream is the stream of the bucket.
func (a *address) bucketStream() string { return "KV_" + a.bucket() }

// cellSubject is where the values of a cell are.
func (a *address) cellSubject(name string) string { return "$KV." + a.bucket() + "." + cellKey(name) }

// bucketConfig is how the bucket is set up: as the log, but that the newest value
// replaces the ones before.
func (s *Store) bucketConfig() jetstream.StreamConfig {
	c := keeping(s.address.bucketStream(), s.options.Replicas)
	c.Description = "cells of grouplog; do not edit"
	c.Subjects = []string{"$KV." + s.address.bucket() + ".>"}
	c.MaxMsgsPerSubject = 1
	c.Metadata = map[string]string{metadataID: s.id, metadataFormat: strconv.Itoa(format)}
	return c
}

// Cell reads a cell at the leader. Its revision is a number of the bucket's stream.
func (s *Store) Cell(ctx context.Context, name string) (value []byte, revision uint64, err error) {
	if err := eventstore.CheckCell(name, nil); err != nil {
		return nil, 0, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer leave()
	m, err := s.lastCell(ctx, name, time.Now().Add(s.options.ReadTimeout))
	if err != nil {
		return nil, 0, fmt.Errorf("read cell %q of %s: %w", name, s, err)
	}
	return m.Data, m.Sequence, nil
}

// lastCell is the last message of a cell; one without a number where there is none. It
// is given up soon when the context ends: one answer is not waited for long, but longer each
// time, for a large cell takes its time.
func (s *Store) lastCell(ctx context.Context, name string, deadline time.Time) (*stored, error) {
	for wait := firstWait; ; wait = min(2*wait, 4*firstWait) {
		m, err := s.askLeader(s.address.bucketStream(), map[string]any{"last_by_subj": s.address.cellSubject(name)}, earlier(deadline, time.Now().Add(wait)))
		var api *jetstream.APIError
		switch {
		case err == nil:
			return m, nil
		case errors.Is(err, jetstream.ErrMsgNotFound),
			errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamNotFound:
			return &stored{}, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.Is(err, ErrUnavailable) || time.Now().After(deadline):
			return nil, err
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// SetCell sends a value, the same again and again where no answer comes, until it is known
// what became of it. The error wraps eventstore.ErrUnknown where that cannot be learned.
func (s *Store) SetCell(ctx context.Context, name string, value []byte, revision uint64) (next uint64, err error) {
	if err := eventstore.CheckCell(name, value); err != nil {
		return 0, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	if err := s.findBucket(ctx); err != nil {
		return 0, fmt.Errorf("the bucket of cells of %s: %w", s, explain(err))
	}
	m := nats.NewMsg(s.address.cellSubject(name))
	m.Data = value
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(revision, 10))
	m.Header.Set(jetstream.MsgIDHeader, uuid.NewString())
	next, err = s.setCell(ctx, m, name, revision)
	var conflict *eventstore.CellConflictError
	if err != nil && !errors.As(err, &conflict) {
		err = fmt.Errorf("set cell %q of %s: %w", name, s, err)
	}
	return next, err
}

func (s *Store) setCell(ctx context.Context, m *nats.Msg, name string, revision uint64) (next uint64, err error) {
	begun := time.Now()
	deadline := begun.Add(s.options.AppendTimeout)
	maybe := false // a copy may be on its way, or stored
	for attempt := 0; ; attempt++ {
		next, err := s.send(m, firstWait<<min(attempt, 1))
		switch {
		case err == nil:
			return next, nil
		case isWrongSequence(err):
			// The same answer comes while another value is on its way, which may get lost.
			now, err := s.lastCell(ctx, name, deadline)
			switch {
			case err != nil:
				return 0, unknown(maybe, err)
			case now.has(m.Header.Get(jetstream.MsgIDHeader)):
				return now.Sequence, nil
			case now.Sequence != revision && maybe:
				return 0, fmt.Errorf("%w: another value is there now", eventstore.ErrUnknown)
			case now.Sequence != revision:
				return 0, &eventstore.CellConflictError{Name: name, Expected: revision}
			}
		case isFinal(err):
			return 0, unknown(maybe, explain(err))
		default:
			maybe = maybe || !errors.Is(err, nats.ErrNoResponders)
		}
		if time.Now().After(deadline) {
			return 0, unknown(maybe, explain(err))
		}
		s.route.vain(s.conn, begun)
		select {
		case <-ctx.Done():
			return 0, unknown(maybe, ctx.Err())
		case <-time.After(min(firstPause<<min(attempt, 10), longestPause)):
		}
	}
}

// has reports whether a message has an ID.
func (m *stored) has(id string) bool {
	header, err := nats.DecodeHeadersMsg(m.Header)
	return err == nil && header.Get(jetstream.MsgIDHeader) == id
}

// CellNames asks the leader which subjects there are.
func (s *Store) CellNames(ctx context.Context, prefix string) ([]string, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	info, err := retry(limited, func(ctx context.Context) (*jetstream.StreamInfo, error) {
		stream, err := s.js.Stream(ctx, s.address.bucketStream())
		if err != nil {
			return nil, err
		}
		return stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	})
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("list the cells of %s: %w", s, explain(err))
	}
	var names []string
	for subject := range info.State.Subjects {
		name, ok := cellName(strings.TrimPrefix(subject, s.address.cellSubject("")))
		if ok && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// findBucket finds the bucket, or makes it, once.
func (s *Store) findBucket(ctx context.Context) error {
	s.bucket.Lock()
	defer s.bucket.Unlock()
	if s.bucketFound {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	want := s.bucketConfig()
	found, err := s.findStream(ctx, want.Name)
	for errors.Is(err, jetstream.ErrStreamNotFound) && ctx.Err() == nil {
		_, err = retry(ctx, func(ctx context.Context) (jetstream.Stream, error) { return s.js.CreateStream(ctx, want) })
		if err == nil || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			found, err = s.findStream(ctx, want.Name) // what another process is making may not be there yet
		}
	}
	if err != nil {
		return err
	}
	if id := found.Config.Metadata[metadataID]; id != s.id {
		return fmt.Errorf("%w of stream %s: it belongs to log %q, and this is log %s; delete it, and listeners begin anew", ErrSettings, want.Name, id, s.id)
	}
	found.Config.MaxMsgsPerSubject, want.MaxMsgsPerSubject = 0, 0 // which a log must not have
	if err := checkConfig(&found.Config, &want); err != nil {
		return err
	}
	s.bucketFound = true
	return nil
}

// cellKey is the name of a cell as a key of a bucket: what may not be in one is written as
// =XX for each byte.
func cellKey(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '/':
			b.WriteByte(c)
		default:
			b.Write([]byte{'=', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// cellName is the name whose key this is, if it is any's.
func cellName(key string) (name string, ok bool) {
	first, rest, _ := strings.Cut(key, "=")
	var b strings.Builder
	b.WriteString(first)
	for rest != "" {
		if len(rest) < 2 {
			return "", false
		}
		c, err := strconv.ParseUint(rest[:2], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		first, rest, _ = strings.Cut(rest[2:], "=")
		b.WriteString(first)
	}
	return b.String(), cellKey(b.String()) == key
}
