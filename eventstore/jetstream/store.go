package jetstream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

var (
	_ eventstore.Store  = (*Store)(nil)
	_ eventstore.Picker = (*Store)(nil)
)

// Store is a log in a cluster, with a replica of it on this machine. Open one; the zero
// value is not usable. Its methods may be called from any number of goroutines.
type Store struct {
	address address
	shards  shards
	options Options // nothing left open
	id      string

	conn  *nats.Conn
	js    jetstream.JetStream
	route route

	lock    *flock.Flock
	replica *sqlite.DB

	lanes    *lanes
	barrier  *barrier
	follower *follower
	bells    *nats.Subscription
	peers    *peers
	stopped  chan struct{} // closed when the follower has stopped; nil before it runs

	bucket      sync.Mutex // of the cells
	bucketFound bool

	life   context.Context // ends when the store closes, after the appends
	cancel context.CancelFunc

	door    sync.RWMutex // held for reading by every append, and for writing by Close
	closed  chan struct{}
	closing sync.Once
}

// String is what the log is called in messages, without credentials.
func (s *Store) String() string { return "log " + s.address.name + " in the cluster" }

// ID names this log for ever.
func (s *Store) ID() string { return s.id }

// Path is that of the replica.
func (s *Store) Path() string { return s.replica.Path() }

// Conn is the connection to the cluster. It is closed with the store.
func (s *Store) Conn() *nats.Conn { return s.conn }

// Changed returns a channel that is closed when records have come into the replica,
// whoever has appended them, and when the store is closed.
func (s *Store) Changed() <-chan struct{} { return s.replica.Changed() }

// enter keeps the store open until the function that it returns is called.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	s.door.RLock()
	select {
	case <-s.closed:
		s.door.RUnlock()
		return nil, eventstore.ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		s.door.RUnlock()
		return nil, err
	}
	return s.door.RUnlock, nil
}

// current returns when the replica has everything that was stored before the call.
func (s *Store) current(ctx context.Context) error {
	select {
	case <-s.closed:
		return eventstore.ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	last, err := s.barrier.last(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.options.ReadTimeout, fmt.Errorf("%w: the replica could not be brought up to date", ErrUnavailable))
	defer cancel()
	return s.follower.waitFor(ctx, s.follower.withAnswers(last))
}

// askFrontier asks the shards' leaders how far they go.
func (s *Store) askFrontier() (frontier, error) {
	f := make(frontier, s.shards.n)
	errs := make([]error, s.shards.n)
	var all sync.WaitGroup
	for shard := range f {
		ask := func() { f[shard], errs[shard] = s.askLast(s.shards.name(shard)) }
		if shard == len(f)-1 {
			ask()
		} else {
			all.Go(ask)
		}
	}
	all.Wait()
	return f, errors.Join(errs...)
}

// askLast asks a stream's leader how far the stream goes. Where there is no leader, any
// server answers after a while what it has: that is no answer.
func (s *Store) askLast(stream string) (uint64, error) {
	for deadline := time.Now().Add(s.options.ReadTimeout); ; time.Sleep(longestPause) {
		var answer struct {
			Error   *jetstream.APIError    `json:"error"`
			Cluster *jetstream.ClusterInfo `json:"cluster"` // nil of a server by itself
			State   struct {
				LastSequence uint64 `json:"last_seq"`
			} `json:"state"`
		}
		err := s.ask("$JS.API.STREAM.INFO."+stream, nil, &answer, deadline)
		switch {
		case err != nil:
			return 0, err
		case answer.Error != nil:
			return 0, explain(answer.Error)
		case answer.Cluster == nil || answer.Cluster.Leader != "":
			return answer.State.LastSequence, nil
		case time.Now().After(deadline):
			return 0, errNoLeader(stream)
		}
	}
}

// ReadAll yields the records after a position, those that were appended before the
// call and are not in the replica yet among them: it asks the cluster how far the log
// goes, once, and reads the replica.
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return s.read(ctx, s.replica.ReadAll(ctx, after))
}

// ReadStream yields the records of a stream after a version, as ReadAll does.
func (s *Store) ReadStream(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Record, error] {
	return s.read(ctx, s.replica.ReadStream(ctx, stream, after))
}

func (s *Store) read(ctx context.Context, records iter.Seq2[eventstore.Record, error]) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		if err := s.current(ctx); err != nil {
			yield(eventstore.Record{}, s.reading(err))
			return
		}
		records(yield)
	}
}

// reading says what was being done when an error came.
func (s *Store) reading(err error) error {
	if errors.Is(err, eventstore.ErrClosed) {
		return err
	}
	return fmt.Errorf("read %s: %w", s, err)
}

// Pick reads single records.
func (s *Store) Pick(ctx context.Context, positions []eventstore.Position) ([]eventstore.Record, error) {
	if err := s.current(ctx); err != nil {
		return nil, s.reading(err)
	}
	return s.replica.Pick(ctx, positions)
}

// Head is the position of the last record, whoever has appended it.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	if err := s.current(ctx); err != nil {
		return 0, s.reading(err)
	}
	return s.replica.Head(ctx)
}

// Outcome is what was stored for a command ID. One that the replica has is final; only
// for one that it does not have must the cluster be asked.
func (s *Store) Outcome(ctx context.Context, commandID string) (eventstore.Outcome, bool, error) {
	if err := ctx.Err(); err != nil {
		return eventstore.Outcome{}, false, err
	}
	outcome, found, err := s.replica.Outcome(ctx, commandID)
	if found || err != nil {
		return outcome, found, err
	}
	if err := s.current(ctx); err != nil {
		return eventstore.Outcome{}, false, s.reading(err)
	}
	return s.replica.Outcome(ctx, commandID)
}

// Close waits for appends that have started, and closes the replica and the connection.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		s.door.Lock()
		close(s.closed)
		s.door.Unlock()
		err = s.release()
	})
	return err
}

// release closes whatever has been opened.
func (s *Store) release() error {
	var errs []error
	s.cancel()
	if s.bells != nil {
		_ = s.bells.Unsubscribe() // fails where the connection is gone, and is of no use then
	}
	if s.stopped != nil {
		<-s.stopped
	}
	if s.replica != nil {
		errs = append(errs, s.replica.Close())
	}
	if s.conn != nil {
		s.conn.Close()
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close %s: %w", s, err)
	}
	return nil
}
