package jetstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

// Open opens the log at an address, nats://HOST:4222,HOST:4222/NAME?sync=always, and
// creates it where there is none unless the options say otherwise. The replica is the
// path of a file on this machine, for this process alone: it is made, or goes on from
// where it was, and Open returns when it has everything that was stored before. Nil
// options are the defaults.
//
// Errors wrap ErrUnavailable, ErrDenied, ErrSettings or ErrSync, sqlite.ErrReplica,
// eventstore.ErrDamaged, ErrFull or ErrBusy, or fs.ErrNotExist.
func Open(ctx context.Context, address, replica string, opts *Options) (*Store, error) {
	a, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("open log %s: %w", a.name, err)
	}
	s := &Store{address: a, options: opts.withDefaults(), peers: newPeers(), closed: make(chan struct{})}
	s.life, s.cancel = context.WithCancel(context.Background())
	s.barrier = &barrier{ask: s.askFrontier}
	s.lanes = &lanes{serve: s.serve, waiting: map[string][]*item{}, busy: map[string]bool{}}
	if err := s.start(ctx, replica); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", s, err), s.release())
	}
	return s, nil
}

// start opens the parts, from the cluster to the replica.
func (s *Store) start(ctx context.Context, replica string) error {
	if err := s.connect(); err != nil {
		return err
	}
	if err := s.checkSync(ctx); err != nil {
		return err
	}
	if err := s.findStreams(ctx); err != nil {
		return err
	}
	if err := s.openReplica(ctx, replica); err != nil {
		return err
	}
	return s.follow(ctx)
}

// connect makes the connection, which then is kept for as long as the store is open,
// to whatever servers there are.
func (s *Store) connect() (err error) {
	options := append([]nats.Option{
		nats.Name("grouplog " + s.address.name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.PingInterval(5 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			s.options.Logger.Warn("the connection to the cluster reports an error", "log", s.String(), "error", err)
		}),
	}, s.options.NATS...)
	if s.conn, err = nats.Connect(s.address.servers, options...); err != nil {
		return explain(err)
	}
	s.js, err = jetstream.New(s.conn)
	return err
}

// openReplica opens the file, for this process alone.
func (s *Store) openReplica(ctx context.Context, path string) (err error) {
	lock := flock.New(path + ".lock")
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return fmt.Errorf("lock the replica %s: %w", path, err)
	case !locked:
		return fmt.Errorf("the replica %s: %w: another process follows the log with it; give this one another path", path, eventstore.ErrBusy)
	}
	s.lock = lock
	s.replica, err = sqlite.Open(ctx, path, &sqlite.Options{Replica: &sqlite.Replica{ID: s.id, Origin: s.conn.ConnectedUrlRedacted()}})
	if err != nil {
		return fmt.Errorf("the replica: %w", err)
	}
	return nil
}

// follow starts to follow, and returns when the replica has what there was.
func (s *Store) follow(ctx context.Context) error {
	mark, note, err := s.replica.Mark(ctx)
	if err != nil {
		return err
	}
	reached, err := parseFrontier(mark, note, s.shards.n)
	if err != nil {
		return err
	}
	last, err := s.askLast(s.address.stream())
	if err != nil {
		return err
	}
	if err := s.checkReplica(ctx, mark, last); err != nil {
		return err
	}
	s.follower = newFollower(s, mark, reached)
	if s.bells, err = s.conn.Subscribe(s.address.prefix("bell")+">", s.ring); err != nil {
		return explain(err)
	}
	s.stopped = make(chan struct{})
	go func() {
		defer close(s.stopped)
		s.follower.run(s.life)
	}()
	if last > mark+pageSize {
		s.options.Logger.Info("the replica is being filled", "log", s.String(), "replica", s.replica.Path(), "messages", last-mark)
	}
	s.follower.hear(last)
	to, err := s.barrier.last(ctx)
	if err != nil {
		return err
	}
	return s.follower.waitFor(ctx, to)
}

// ring hears that a message was stored.
func (s *Store) ring(m *nats.Msg) {
	if sequence, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64); err == nil {
		s.follower.ring(sequence, m.Header)
	}
}

// checkReplica refuses a replica that holds what the stream does not: one of the two was
// restored, or is damaged.
func (s *Store) checkReplica(ctx context.Context, mark, last uint64) error {
	if mark == 0 {
		return nil
	}
	const advice = "if the stream was restored on purpose, delete the replica, and the files beside it, and let them fill again"
	if last < mark {
		return fmt.Errorf("%w; %s", s.damaged(last+1, &eventstore.DamageError{
			Reason: fmt.Sprintf("it is missing: the stream ends before it, and the replica %s goes up to message %d", s.replica.Path(), mark),
		}), advice)
	}
	e, err := s.fetchOne(mark)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return s.damaged(mark, &eventstore.DamageError{Reason: "the leader does not have it"})
	}
	if err != nil {
		return err
	}
	b, err := s.open(ctx, e)
	if err != nil {
		return err
	}
	same, err := s.holds(ctx, b)
	if err == nil && !same {
		return fmt.Errorf("%w; %s", s.damaged(mark, &eventstore.DamageError{
			Reason: fmt.Sprintf("the replica %s holds another one", s.replica.Path()),
		}), advice)
	}
	return err
}

// holds reports whether the replica holds the commits of a message, as far as they were
// not refused.
func (s *Store) holds(ctx context.Context, b *body) (bool, error) {
	version := b.After
	for _, c := range b.commits() {
		if c.Outcome != nil {
			outcome, found, err := s.replica.Outcome(ctx, c.Outcome.CommandID)
			if err != nil || !found {
				return false, err
			}
			if !bytes.Equal(outcome.Fingerprint, c.Outcome.Fingerprint) {
				return true, nil // the ID had been used before; what follows was refused with it
			}
		}
		for i := range c.Events {
			same := false
			for r, err := range s.replica.ReadStream(ctx, b.Stream, version) {
				if err != nil {
					return false, err
				}
				e := &c.Events[i]
				same = r.Type == e.Type && bytes.Equal(r.Data, e.Data) && r.Time.Equal(e.Time) && r.CommandID == e.CommandID
				break
			}
			if !same {
				return false, nil
			}
			version++
		}
	}
	return true, nil
}
