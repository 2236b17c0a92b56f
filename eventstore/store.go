package eventstore

import (
	"context"
	"iter"
	"time"
)

// Position is a record's place in the log, from 1. Zero is "before the first".
type Position uint64

// Version is a record's place in its stream, from 1. Zero is "before the first",
// and is the version of a stream that does not exist.
type Version uint64

// Store is an append-only log. See the package documentation for what every
// implementation promises.
type Store interface {
	// Append stores commits durably, those to one stream in the order given, and answers
	// one Result for each, in the order given. A commit that cannot be stored because of what
	// the log holds (its stream is elsewhere, its outcome's ID is taken) says so in
	// its Result and does not affect the others, but for those to its stream: once a
	// commit is refused, the later ones of the call to the same stream are refused too,
	// unless they expect Any. They were made in the belief that the first would be
	// stored, and the version they expect could be there by chance.
	//
	// An error means that nothing in this call is known to be stored: the results
	// are nil. ErrUnknown among its causes means that it may be stored all the same:
	// ask Head, or Outcome, before trying again. The context is honoured until the
	// commits are taken to be written, and not after: an append that has started
	// is answered with what became of it.
	Append(ctx context.Context, commits ...Commit) ([]Result, error)

	// ReadStream yields the records of one stream after the given version, oldest
	// first, as of the time of the call or later. A stream that does not exist has
	// none. The sequence ends after the first error.
	ReadStream(ctx context.Context, stream string, after Version) iter.Seq2[Record, error]

	// ReadAll yields the records of the log after the given position, oldest first,
	// up to the head as of the call or later, without gaps. The sequence ends after
	// the first error. A reader may take as long as it likes: it holds nothing back.
	ReadAll(ctx context.Context, after Position) iter.Seq2[Record, error]

	// Head is the position of the last record, zero in an empty log. It sees what
	// other processes have appended.
	Head(ctx context.Context) (Position, error)

	// Outcome is what was stored for a command ID, and whether anything was.
	Outcome(ctx context.Context, commandID string) (Outcome, bool, error)

	// Changed returns a channel that is closed when records are appended through
	// this store after the call, and when the store is closed. It is a hint to read
	// again, never the news itself.
	Changed() <-chan struct{}

	// ID names this log for ever: a copy of the log has the same, any other log
	// another one.
	ID() string

	// Close waits for appends that have started, refuses new calls with ErrClosed,
	// and releases the log. Calling it again does nothing.
	Close() error
}

// Record is one event as the log holds it.
type Record struct {
	Position Position
	Stream   string
	Version  Version
	Event
}

// Event is one fact to be stored: a name typed by hand, the version of its
// shape, its JSON, and who did it when.
type Event struct {
	Type      string    // "member.joined"; never empty
	Schema    int       // version of the JSON's shape, from 1
	Data      []byte    // JSON
	Actor     string    // who acted; empty for the system
	AppAdmin  bool      // whether they acted as the operator of the application
	Time      time.Time // when, by the engine's clock; stored to the microsecond, in UTC
	CommandID string    // the idempotency key of the command, where it had one
}

// Commit is what one command appends to one stream, all or nothing.
type Commit struct {
	Stream  string
	Expect  Expectation
	Events  []Event
	Outcome *Outcome // nil unless the command had an ID
}

// Outcome is the first answer to the command with an ID. Fingerprint identifies
// what was asked, so that the same ID with other content can be told; Answer is
// opaque to the store. Both are stored as given. First and Last say where the
// events of the commit stand, zero if it had none; the store sets them.
type Outcome struct {
	CommandID   string
	Fingerprint []byte
	Answer      []byte
	First, Last Position // set by the store
}

// Of returns the outcome with the places of a commit's n events after the head.
func (o Outcome) Of(head Position, n int) Outcome {
	o.First, o.Last = 0, 0
	if n > 0 {
		o.First, o.Last = head+1, head+Position(n)
	}
	return o
}

// Result is what became of one commit: its records' places, or why it was not
// stored. First and Last are zero for a commit without events. A commit whose
// command ID has been answered before is a duplicate wherever its stream is: who
// asks again wants the first answer, not a conflict with its own first attempt.
type Result struct {
	First, Last Position
	Version     Version // of the stream's last record among this commit's; zero without events
	// Err is a *ConflictError, a *DuplicateError, or a *DamageError where the first answer
	// is unreadable. A store that stores streams apart from each other says here, too, why
	// this commit failed while others of the call did not; ErrUnknown is as with Append.
	Err error
}
