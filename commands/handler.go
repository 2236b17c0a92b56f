package commands

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// Config is what a handler works with. Store and Policies are required.
type Config struct {
	Store    eventstore.Store
	Policies domain.Policies
	Clock    func() time.Time // time.Now when nil
	// Random gives at least 26 characters of printable ASCII that were never given
	// before, for group IDs. Required.
	Random func() string
	// GroupsOf counts the groups that a user is in, as of a position of the log at
	// least. Required where a policy limits the groups of a user.
	GroupsOf func(ctx context.Context, userID string, asOf eventstore.Position) (int, error)
	// Parts calls read with a read model's view of one group, so that a command in a
	// large group need not load all of it. The read model may be behind the log. When
	// nil, groups are folded from all of their events.
	Parts func(ctx context.Context, groupID string, read func(Part) error) error
	// CacheMembers bounds the groups kept in memory, by their members together, of
	// some 130 bytes each. DefaultCacheMembers when 0.
	CacheMembers int
	// Peers are the handlers of other processes on the same log, for commands about groups
	// that several append to. When nil, everything is decided here.
	Peers Peers
	// QueueLength bounds the commands that wait; more block their callers.
	// DefaultQueueLength when 0.
	QueueLength int
	// Refused is told of every command that a rule has refused, once, before its caller is.
	// All commands wait for it, and Close does: it must give none itself. Not of dry runs,
	// nor where a command ID is answered again.
	Refused func(Refused)
	Logger  *slog.Logger // discards when nil
}

// Refused is a command that a rule has refused.
type Refused struct {
	Actor    domain.Actor
	Command  Command
	GroupID  string // empty where it is about none, or names none that could be
	ID       string // the command's; empty where it had none
	At       time.Time
	Position eventstore.Position // how far the log went, as far as this handler knew
	Refusal  *domain.Refusal
}

// Defaults of Config.
const (
	DefaultCacheMembers = 500_000
	DefaultQueueLength  = 4_096
)

// Limits of the handler.
const (
	maxBatch    = 512 // commands committed together
	maxAttempts = 64  // at one command, while other processes are faster
)

// Handler carries out commands: it loads the group, decides, appends, and where
// another process was faster tries again.
//
// One goroutine at a time decides commands, one after the other, against groups kept in
// memory: the handler's own or, where nothing else is under way, that of who calls Do.
// Those that come while a commit is under way are decided meanwhile and committed
// together after it, in one durable transaction. A command is answered when its
// transaction is durable. What one command comes to never affects another, but
// for the order in which they take effect; if a commit fails, every command in it
// is answered with the error, and memory is as the log says.
//
// A Handler may be used from any number of goroutines, and several handlers, in
// one process or several, may share a log. Those that know each other as Peers leave a
// group about which they have met conflicts to one of them for a while.
type Handler struct {
	config Config
	quota  bool // some policy limits the groups of a user

	closing sync.RWMutex // held for reading while a command is queued
	closed  bool
	waiting atomic.Int64 // requests in the queue, or on their way into it or out of it
	queue   chan *request
	done    chan struct{}
	lanes   *lanes // nil without peers

	position atomic.Uint64 // of the newest event that a caller was told of

	turn   sync.Mutex // held by whoever is the writer; it guards what follows
	groups *cache
	seen   eventstore.Position // the log up to here is in the cached groups
	lost   error               // why nothing is decided any more; nil while it is
	looked struct {            // at the log, for quotas: where it ended when so many requests had come
		head eventstore.Position
		by   uint64
	}
	taken  uint64     // requests
	todo   []*request // to be decided next, before what is in the queue
	next   *batch     // what has been decided and is to be committed
	flight *batch     // what is being committed; nil when nothing is
	spare  *batch     // an empty one
}

// NewHandler starts a handler. Close stops it; the store stays open.
func NewHandler(ctx context.Context, config Config) (*Handler, error) {
	if config.Clock == nil {
		config.Clock = time.Now
	}
	if config.CacheMembers == 0 {
		config.CacheMembers = DefaultCacheMembers
	}
	if config.QueueLength == 0 {
		config.QueueLength = DefaultQueueLength
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	head, err := config.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the head of the log: %w", err)
	}
	h := &Handler{
		config: config,
		queue:  make(chan *request, config.QueueLength),
		done:   make(chan struct{}),
		groups: newCache(config.CacheMembers),
		seen:   head,
		next:   newBatch(),
		spare:  newBatch(),
	}
	for _, policy := range config.Policies {
		h.quota = h.quota || policy.Limits.GroupsPerUser > 0
	}
	if h.quota && config.GroupsOf == nil {
		return nil, fmt.Errorf("%w: a policy limits the groups of a user, and nothing counts them", ErrMisuse)
	}
	h.position.Store(uint64(head))
	if config.Peers != nil {
		h.lanes = newLanes(h)
	}
	go h.run()
	if h.lanes != nil {
		h.lanes.stop = config.Peers.Answer(h.answer)
	}
	return h, nil
}

// Do carries out one command and returns when what it came to is durable. The
// error is a *domain.Refusal where a rule forbids it. The context is honoured
// while the command waits for its turn, and not after.
func (h *Handler) Do(ctx context.Context, as domain.Actor, cmd Command, opts ...Option) (Receipt, error) {
	future, err := h.submit(ctx, as, cmd, opts, h.carryOut)
	if err != nil {
		return Receipt{}, err
	}
	return future.Wait(ctx)
}

// Submit queues a command and returns as soon as it stands in line: commands
// submitted one after the other by one goroutine take effect in that order (where
// another process interferes, or the log keeps the order of each stream only, in that
// order for each group). One whose fate is unknown (eventstore.ErrUnknown) may take effect
// after later ones. It blocks while the queue is full.
func (h *Handler) Submit(ctx context.Context, as domain.Actor, cmd Command, opts ...Option) (*Future, error) {
	return h.submit(ctx, as, cmd, opts, h.place)
}

func (h *Handler) submit(ctx context.Context, as domain.Actor, cmd Command, opts []Option, place func(context.Context, *request) error) (*Future, error) {
	h.closing.RLock()
	defer h.closing.RUnlock()
	if h.closed {
		return nil, ErrClosed
	}
	r, err := h.newRequest(ctx, as, cmd, opts)
	if err != nil {
		return nil, err
	}
	if err := place(ctx, r); err != nil {
		return nil, err
	}
	return &Future{r}, nil
}

// place puts a request in line for whoever is to decide it, here or elsewhere.
func (h *Handler) place(ctx context.Context, r *request) error {
	if h.lanes != nil {
		if joined, err := h.lanes.join(ctx, r); joined {
			return err
		}
	}
	err := h.enqueue(ctx, r)
	if err != nil {
		r.leave()
	}
	return err
}

// enqueue puts a request in line for the writer, or answers it, where its command ID has
// an answer.
func (h *Handler) enqueue(ctx context.Context, r *request) error {
	if answered, err := h.repeated(ctx, r); answered || err != nil {
		return err
	}
	h.waiting.Add(1)
	select {
	case h.queue <- r:
		return nil
	case <-ctx.Done():
		h.waiting.Add(-1)
		return context.Cause(ctx)
	}
}

// repeated answers a request that nobody has taken yet, if its command ID has an answer.
func (h *Handler) repeated(ctx context.Context, r *request) (answered bool, err error) {
	if r.options.id == "" {
		return false, nil
	}
	first, found, err := h.config.Store.Outcome(ctx, r.options.id)
	if err != nil {
		return false, fmt.Errorf("look up command %q: %w", r.options.id, err)
	}
	if found {
		r.state.Store(taken)
		h.repeat(r, first)
	}
	return found, nil
}

// newRequest prepares a command, as far as that can be done beside the writer.
func (h *Handler) newRequest(ctx context.Context, as domain.Actor, cmd Command, opts []Option) (*request, error) {
	cmd, err := byValue(cmd)
	if err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	r := &request{actor: as, answered: make(chan struct{})}
	for _, apply := range opts {
		apply(&r.options)
	}
	if !r.options.at.IsZero() {
		r.options.at = r.options.at.UTC().Truncate(time.Microsecond)
		if year := r.options.at.Year(); year < 1 || year > 9999 {
			return nil, fmt.Errorf("%w: the command is of the year %d, and years go from 1 to 9999", ErrMisuse, year)
		}
	}
	if r.options.id != "" {
		if err := checkID(r.options.id); err != nil {
			return nil, err
		}
		var err error
		if r.fingerprint, err = fingerprint(as, r.options.at, cmd); err != nil {
			return nil, err
		}
	}
	if c, ok := cmd.(identified); ok {
		cmd = c.assign(h.config.Policies, h.config.Random)
	}
	r.command, r.stream = cmd, storable(cmd.stream(as))
	return r, nil
}

// malformed is the stream of commands whose own can have no name in the log, for
// the ID in it is none: they are refused, and at most the answer is kept.
const malformed = "malformed"

func storable(stream string) string {
	if len(stream) > eventstore.MaxNameSize || !utf8.ValidString(stream) || strings.ContainsRune(stream, 0) {
		return malformed
	}
	return stream
}

// byValue takes a command that is given by a pointer for the command itself.
func byValue(cmd Command) (Command, error) {
	v := reflect.ValueOf(cmd)
	switch {
	case !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil():
		return nil, fmt.Errorf("%w: there is no command", ErrMisuse)
	case v.Kind() == reflect.Pointer:
		return v.Elem().Interface().(Command), nil
	default:
		return cmd, nil
	}
}

func checkID(id string) error {
	if len(id) > MaxID {
		return fmt.Errorf("%w: a command ID has at most %d bytes, and this has %d", ErrMisuse, MaxID, len(id))
	}
	for i := range len(id) {
		if id[i] < 0x20 || id[i] > 0x7e {
			return fmt.Errorf("%w: a command ID is printable ASCII, and %q is not", ErrMisuse, id)
		}
	}
	return nil
}

// Position is that of the newest event of which any caller has been told. A read
// model that has come this far shows every caller their own writes.
func (h *Handler) Position() eventstore.Position { return eventstore.Position(h.position.Load()) }

// Close carries out the commands that are queued, those of peers among them, refuses
// others with ErrClosed, and returns when the last one is answered. Calling it again does nothing.
func (h *Handler) Close() error {
	h.closing.Lock()
	first := !h.closed
	h.closed = true
	h.closing.Unlock()
	if first {
		if h.lanes != nil {
			h.lanes.close()
		}
		close(h.queue)
	}
	<-h.done
	return nil
}
