package grouplog

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/notify"
)

// ErrClosed is the answer of an engine that has been closed.
var ErrClosed = commands.ErrClosed

// Engine decides commands, keeps the log, and answers questions about the groups.
// It may be used from any number of goroutines.
type Engine struct {
	options Options
	log     eventstore.Store
	views   *projections.Views
	own     []ownViews
	groups  *groupview.Queries
	hub     *notify.Hub
	handler *commands.Handler
	durable durable
	audit   auditing

	closeOnce sync.Once
	closeErr  error
}

// Open opens the log at the path, making one where there is none, and the read
// models beside it. Nil options are good defaults. The path Memory keeps everything
// in memory.
//
// Mistakes in the options are reported all at once, among them files that are the log's or
// each other's. A file that is no log, or was written by a newer version, is refused and
// left as it is.
func Open(ctx context.Context, path string, opts *Options) (*Engine, error) {
	if opts == nil {
		opts = new(Options)
	}
	if err := opts.validate(path); err != nil {
		return nil, fmt.Errorf("open %s: options: %w", path, err)
	}
	e := &Engine{options: opts.withDefaults()}
	if err := e.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), e.Close())
	}
	return e, nil
}

// open starts the parts, from the log outwards.
func (e *Engine) open(ctx context.Context, path string) (err error) {
	o := &e.options
	e.durable.path, e.audit.path = o.consumersPath(path), o.auditPath(path)
	switch {
	case o.Store != nil:
		e.log = o.Store
	case path == Memory:
		e.log = memory.New()
	default:
		if e.log, err = openLog(ctx, path, o); err != nil {
			return err
		}
	}
	e.views, err = projections.Open(ctx, o.viewsPath(path), e.log, &projections.Options{
		Projections: []projections.Projection{groupview.New()}, Poll: o.Poll, Logger: o.Logger, Progress: o.progressOf("read models"),
	})
	if err != nil {
		return fmt.Errorf("read models: %w", err)
	}
	e.groups = groupview.NewQueries(e.views)
	if err = e.openOwn(ctx, path); err != nil {
		return err
	}
	if e.hub, err = notify.NewHub(ctx, e.log, o.Policies, notify.Options{Poll: o.Poll, Logger: o.Logger}); err != nil {
		return fmt.Errorf("listeners: %w", err)
	}
	if !o.NoRefusals {
		e.audit.refusals = audit.NewRefusals(o.refusalsPath(path), e.log.ID(), audit.RefusalOptions{Keep: o.KeepRefusals, Clock: o.Clock, Logger: o.Logger})
	}
	peers, _ := e.log.(commands.Peers) // those that the log knows, if it knows any
	e.handler, err = commands.NewHandler(ctx, commands.Config{
		Store: e.log, Policies: o.Policies, Clock: o.Clock, Random: randomID, GroupsOf: e.groupsOf, Parts: e.parts, Peers: peers,
		CacheMembers: o.CacheMembers, QueueLength: o.QueueLength, Logger: o.Logger, Refused: e.audit.report(),
	})
	return err
}

// openLog keeps a failed *sqlite.DB from becoming a Store that is not nil.
func openLog(ctx context.Context, path string, o *Options) (eventstore.Store, error) {
	db, err := sqlite.Open(ctx, path, &sqlite.Options{MustExist: o.MustExist})
	if err != nil {
		return nil, err
	}
	return db, nil
}

// randomID is 26 characters that were never given before.
func randomID() string {
	id := uuid.Must(uuid.NewV7())
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(id[:]))
}

func (e *Engine) groupsOf(ctx context.Context, userID string, asOf eventstore.Position) (int, error) {
	if err := e.views.WaitFor(ctx, asOf); err != nil {
		return 0, err
	}
	return e.groups.GroupsOf(ctx, userID)
}

// parts lets commands look at a few members of a group in the read models.
func (e *Engine) parts(ctx context.Context, groupID string, read func(commands.Part) error) error {
	return e.groups.Part(ctx, groupID, func(p *groupview.Part) error { return read(p) })
}

// Do carries out a command and returns when what it came to is durable. The error
// is a *domain.Refusal where a rule forbids it; errors.Is compares refusals by code.
// The context is honoured while the command waits for its turn, and not after.
//
// After Do has returned, every query through the same engine shows its effect.
func (e *Engine) Do(ctx context.Context, as domain.Actor, cmd commands.Command, opts ...commands.Option) (commands.Receipt, error) {
	return e.handler.Do(ctx, as, cmd, opts...)
}

// Submit is Do without waiting: commands submitted one after the other by one
// goroutine take effect in that order, and the Future gives the answer. Where other
// processes write to the log, or it is in a cluster, that is so for each group.
func (e *Engine) Submit(ctx context.Context, as domain.Actor, cmd commands.Command, opts ...commands.Option) (*commands.Future, error) {
	return e.handler.Submit(ctx, as, cmd, opts...)
}

// As is the engine as one user sees it. The user need not exist anywhere.
func (e *Engine) As(userID string) *User {
	return &User{engine: e, actor: domain.Actor{UserID: userID}}
}

// AsAppAdmin is the engine as the operator of the application sees it, who may do
// in every group what its owner may, and is recorded as an app admin.
func (e *Engine) AsAppAdmin(userID string) *User {
	return &User{engine: e, actor: domain.Actor{UserID: userID, AppAdmin: true}}
}

// current waits until the read models show every write that a caller of this
// engine has been told of. Rows that cannot follow the log any more are not shown:
// it is damaged, or the file at its path is another one.
func (e *Engine) current(ctx context.Context) error {
	err := e.views.WaitFor(ctx, e.handler.Position())
	if errors.Is(err, projections.ErrClosed) {
		return ErrClosed
	}
	if lost := e.views.Err(); err == nil && (errors.Is(lost, eventstore.ErrDamaged) || errors.Is(lost, sqlite.ErrMoved)) {
		return lost
	}
	return err
}

// after is a sequence that begins once the read models are current.
func after[T any](ctx context.Context, e *Engine, rows iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := e.current(ctx); err != nil {
			var none T
			yield(none, err)
			return
		}
		rows(yield)
	}
}

// Group is a group as it is now; the newest, where several have had the ID. A
// dismissed group is found and says so. The error of an unknown ID is a
// groupview.ErrNotFound.
func (e *Engine) Group(ctx context.Context, groupID string) (groupview.Group, error) {
	if err := e.current(ctx); err != nil {
		return groupview.Group{}, err
	}
	return e.groups.Group(ctx, groupID)
}

// Groups yields the groups that the filter lets through, by ID and incarnation.
func (e *Engine) Groups(ctx context.Context, filter groupview.GroupFilter) iter.Seq2[groupview.Group, error] {
	return after(ctx, e, e.groups.Groups(ctx, filter))
}

// Members yields the members of a group in the order of joining. It reads pages,
// so it can be left at any time, and members may come and go meanwhile.
func (e *Engine) Members(ctx context.Context, groupID string, filter groupview.MemberFilter) iter.Seq2[groupview.Member, error] {
	return after(ctx, e, e.groups.Members(ctx, groupID, filter))
}

// MemberPage is a page of the members of a group, in the order of joining, after a
// cursor: that of the page before, empty for the first page.
func (e *Engine) MemberPage(ctx context.Context, groupID string, filter groupview.MemberFilter, cursor string, limit int) (groupview.MemberPage, error) {
	if err := e.current(ctx); err != nil {
		return groupview.MemberPage{}, err
	}
	return e.groups.MemberPage(ctx, groupID, filter, cursor, limit)
}

// Member is one member of a group; the error of a stranger is a
// groupview.ErrNotFound.
func (e *Engine) Member(ctx context.Context, groupID, userID string) (groupview.Member, error) {
	if err := e.current(ctx); err != nil {
		return groupview.Member{}, err
	}
	return e.groups.Member(ctx, groupID, userID)
}

// JoinedGroups yields the groups that a user is in, but for those of types that
// the policies do not list.
func (e *Engine) JoinedGroups(ctx context.Context, userID string) iter.Seq2[groupview.JoinedGroup, error] {
	return after(ctx, e, e.groups.JoinedGroups(ctx, userID, e.options.Policies))
}

// JoinedGroupPage is a page of JoinedGroups after a cursor: that of the page before,
// empty for the first page.
func (e *Engine) JoinedGroupPage(ctx context.Context, userID, cursor string, limit int) (groupview.JoinedGroupPage, error) {
	if err := e.current(ctx); err != nil {
		return groupview.JoinedGroupPage{}, err
	}
	return e.groups.JoinedGroupPage(ctx, userID, e.options.Policies, cursor, limit)
}

// Application is one application, open or closed, by its ID; an unknown one is a
// groupview.ErrNotFound.
func (e *Engine) Application(ctx context.Context, applicationID string) (groupview.Application, error) {
	if err := e.current(ctx); err != nil {
		return groupview.Application{}, err
	}
	return e.groups.Application(ctx, applicationID)
}

// Applications is a page of the applications to all groups in which the user may
// decide them now, pending and handled, newest first, with the number of those
// that the user has not read.
func (e *Engine) Applications(ctx context.Context, userID string, filter groupview.ApplicationFilter) (groupview.ApplicationPage, error) {
	if err := e.current(ctx); err != nil {
		return groupview.ApplicationPage{}, err
	}
	return e.groups.Applications(ctx, userID, filter)
}

// UnreadApplications is how many of the pending applications to groups in which the
// user may decide them now came after the user last marked them as read: the number for
// a badge, which ApplicationPage has too. It costs the same for any number of them.
func (e *Engine) UnreadApplications(ctx context.Context, userID string) (int, error) {
	if err := e.current(ctx); err != nil {
		return 0, err
	}
	return e.groups.UnreadCount(ctx, userID)
}

// GroupApplications yields the applications to one group, whoever may decide them:
// for operators.
func (e *Engine) GroupApplications(ctx context.Context, groupID string, filter groupview.ApplicationFilter) iter.Seq2[groupview.Application, error] {
	return after(ctx, e, e.groups.GroupApplications(ctx, groupID, filter))
}

// AddGroupListener has the listener called for everything that the user is told
// from now on. See package notify for what is promised, and Listener.
func (e *Engine) AddGroupListener(userID string, l Listener) (remove func()) {
	now := e.handler.Position()
	// Other processes may have written since this engine's last command.
	if head, err := e.log.Head(context.Background()); err == nil {
		now = max(now, head)
	}
	return e.hub.Add(userID, l, now)
}

// WaitForListeners returns when every listener in this process has been told what
// the commands that have returned so far have brought about.
func (e *Engine) WaitForListeners(ctx context.Context) error {
	return e.hub.WaitFor(ctx, e.handler.Position())
}

// RecycleIdle recycles every group in which nothing has happened for longer than
// its policy says, and answers how many. Call it as often as you want groups to be
// recycled: nothing is recycled by itself.
func (e *Engine) RecycleIdle(ctx context.Context) (recycled int, err error) {
	now := e.options.Clock()
	for group, err := range e.Groups(ctx, groupview.GroupFilter{}) {
		if err != nil {
			return recycled, err
		}
		limit := e.options.Policies[group.GroupType].RecycleAfter
		if limit == 0 || now.Sub(group.LastEventAt) <= limit {
			continue
		}
		receipt, err := e.Do(ctx, domain.System, commands.Recycle{GroupID: group.GroupID})
		if err != nil && !errors.Is(err, domain.ErrGroupDismissed) {
			return recycled, fmt.Errorf("recycle %q: %w", group.GroupID, err)
		}
		if receipt.Outcome == commands.Done {
			recycled++
		}
	}
	return recycled, nil
}

// Watch yields the events after a position that the filter lets through, in the order of
// the log, without gap or repetition: those there are, and then those to come, from any
// process. 0 is the beginning. A projections.Message among them has no Fact. A slow
// reader slows itself only: nothing is kept for it. The sequence ends after the first
// error, which is the context's when that ends.
func (e *Engine) Watch(ctx context.Context, filter projections.Filter, after eventstore.Position) iter.Seq2[projections.Event, error] {
	return func(yield func(projections.Event, error) bool) {
		if err := filter.Validate(); err != nil {
			yield(projections.Event{}, fmt.Errorf("watch: %w", err))
			return
		}
		for record, err := range eventstore.Follow(ctx, e.log, after, e.options.Poll) {
			if err != nil {
				yield(projections.Event{}, fmt.Errorf("watch: %w", err))
				return
			}
			if !filter.Wants(&record) {
				continue
			}
			if event, err := projections.Decode(record); !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// WaitFor returns when every query through this engine shows what the log holds up to a
// position: that of a receipt from another engine on the same log, say, whose effect is to
// be seen here. A position that the log does not have yet is waited for.
func (e *Engine) WaitFor(ctx context.Context, p eventstore.Position) error {
	if err := e.views.WaitFor(ctx, p); !errors.Is(err, projections.ErrClosed) {
		return err
	}
	return ErrClosed
}

// Log is the event log, to be read.
func (e *Engine) Log() eventstore.Store { return e.log }

// Close answers the commands that are queued, waits up to Options.CloseTimeout for
// live listeners to be told what has happened, and for the calls of durable ones that
// are under way, and closes the files. Its error
// says if a listener was not told everything. Calling it again does nothing. Called by
// a listener, it returns at once, and the engine closes when the listener has returned.
func (e *Engine) Close() error {
	if e.hub != nil && e.hub.Calling() || e.durable.calling() {
		go e.closeOnce.Do(func() { e.closeErr = e.close() })
		return nil
	}
	e.closeOnce.Do(func() { e.closeErr = e.close() })
	return e.closeErr
}

func (e *Engine) close() error {
	var failures []error
	if e.handler != nil {
		failures = append(failures, e.handler.Close())
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), e.options.CloseTimeout,
		fmt.Errorf("close: listeners were not told everything within %s; they will not be by this engine", e.options.CloseTimeout))
	defer cancel()
	failures = append(failures, e.farewell(ctx), e.durable.close(ctx), e.audit.close())
	for _, own := range e.own {
		failures = append(failures, own.views.Close())
	}
	if e.views != nil {
		failures = append(failures, e.views.Close())
	}
	if e.log != nil && e.options.Store == nil {
		failures = append(failures, e.log.Close())
	}
	return errors.Join(failures...)
}

// farewell has the live listeners told what has happened, and stops telling.
func (e *Engine) farewell(ctx context.Context) error {
	if e.hub == nil {
		return nil
	}
	var told error
	if e.handler != nil {
		told = e.hub.WaitFor(ctx, e.handler.Position())
	}
	return errors.Join(told, e.hub.Close(ctx))
}
