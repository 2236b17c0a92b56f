package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// decide judges one request against the state of its group, applies what is
// decided to it, and returns what to commit, if anything.
func (h *Handler) decide(ctx context.Context, r *request) (verdict, *eventstore.Commit) {
	v := verdict{request: r}
	group, err := h.load(ctx, r)
	if err != nil {
		v.err = err
		return v, nil
	}
	v.version = stateless
	if group != nil {
		v.version = eventstore.Version(group.Version())
	}
	now, err := h.timeOf(r, group)
	v.at = now
	var decision Decision
	if err == nil {
		decision, err = Decide(Situation{
			Policies: h.config.Policies, Actor: r.actor, Now: now, Group: group,
			GroupsOf: func(userID string) (int, error) { return h.groupsOf(ctx, r, userID) },
		}, r.command)
	}
	if group != nil && !knowsAll(group, decision.Events) {
		r.whole = true
		return h.decide(ctx, r)
	}
	refusal, refused := errors.AsType[*domain.Refusal](err)
	if err != nil && !refused {
		v.err = err
		return v, nil
	}
	if refusal == nil {
		v.receipt = newReceipt(r.command, group, decision)
	}
	v.err = err
	if r.options.dryRun {
		v.receipt.Planned = decision.Events
		return v, nil
	}
	commit, err := h.commit(r, group, v.receipt, refusal, decision.Events, now)
	if err != nil {
		v.receipt, v.err = Receipt{}, fmt.Errorf("store what the command comes to: %w", err)
		return v, nil
	}
	if group != nil && len(decision.Events) > 0 {
		h.apply(group, decision.Events, domain.Meta{Actor: r.actor, At: now})
	}
	return v, commit
}

// timeOf is when the command happens: now, but never before what has happened to
// the group; or, for an import, when it says.
func (h *Handler) timeOf(r *request, group *domain.Group) (time.Time, error) {
	now := h.config.Clock().UTC().Truncate(time.Microsecond)
	var last time.Time
	if group != nil {
		last = group.LastEventAt()
	}
	at := r.options.at
	switch {
	case at.IsZero() && now.Before(last):
		return last, nil
	case at.IsZero():
		return now, nil
	case at.After(now):
		return at, inTheFuture("the command", at)
	case at.Before(last):
		return at, domain.Refuse(domain.CodeInvalidArgument,
			fmt.Sprintf("the command is of %s, and the group's last event of %s", at.Format(time.RFC3339), last.Format(time.RFC3339)),
			"import the commands of a group in the order of their times")
	default:
		return at, nil
	}
}

// load is the group that a request is about, with everybody known whom its rule
// looks at; nil where the request is about a user.
func (h *Handler) load(ctx context.Context, r *request) (*domain.Group, error) {
	groupID, ok := domain.GroupOf(r.stream)
	if !ok {
		return nil, nil
	}
	group, ok := h.groups.get(groupID)
	whole := ok && !group.Whole() && r.whole
	if ok && !whole {
		if h.knowsFor(group, r) {
			return group, nil
		}
		whole = worthWhole(group, h.groups.lookedUp(groupID)) && !h.aheadOfLog(groupID)
	}
	if ok && !whole {
		err := h.complete(ctx, r, group)
		if err == nil {
			h.groups.put(group)
			return group, nil
		}
		h.withoutParts(groupID, err)
	}
	if h.aheadOfLog(groupID) {
		return nil, errLater
	}
	if c, ok := r.command.(interface{ fresh() bool }); ok && c.fresh() && r.attempts == 0 {
		group := domain.NewGroup(groupID) // if it is used after all, the commit says so
		h.groups.put(group)
		return group, nil
	}
	if whole || h.config.Parts == nil {
		return h.loadWhole(ctx, groupID)
	}
	group, err := h.sparse(ctx, r, groupID)
	if err != nil {
		h.withoutParts(groupID, err)
	}
	if err != nil || group == nil || r.whole {
		return h.loadWhole(ctx, groupID)
	}
	h.groups.drop(groupID)
	h.groups.put(group)
	return group, nil
}

// withoutParts notes that the read model could not help. The log alone is enough,
// only slower.
func (h *Handler) withoutParts(groupID string, err error) {
	if !errors.Is(err, errBehind) {
		h.config.Logger.Warn("read model could not help to load a group: all of its events are read", "group", groupID, "error", err)
	}
}

func (h *Handler) loadWhole(ctx context.Context, groupID string) (*domain.Group, error) {
	group, err := Load(ctx, h.config.Store, groupID)
	if err != nil {
		return nil, err
	}
	h.groups.drop(groupID)
	h.groups.put(group)
	return group, nil
}

// Load folds a group from its events in the log.
func Load(ctx context.Context, store eventstore.Store, groupID string) (*domain.Group, error) {
	group := domain.NewGroup(groupID)
	for record, err := range store.ReadStream(ctx, domain.GroupStream(groupID), 0) {
		if err != nil {
			return nil, fmt.Errorf("load group %q: %w", groupID, err)
		}
		event, err := domain.Decode(record.Type, record.Schema, record.Data)
		if err != nil {
			return nil, fmt.Errorf("load group %q: position %d: %w", groupID, record.Position, err)
		}
		group.Apply(event, MetaOf(record))
	}
	return group, nil
}

// MetaOf is who recorded an event and when.
func MetaOf(r eventstore.Record) domain.Meta {
	return domain.Meta{Actor: domain.Actor{UserID: r.Actor, AppAdmin: r.AppAdmin}, At: r.Time}
}

func newReceipt(cmd Command, group *domain.Group, d Decision) Receipt {
	receipt := Receipt{Outcome: d.Outcome, ApplicationID: d.ApplicationID, Users: d.Users, Events: make([]string, len(d.Events))}
	for i, e := range d.Events {
		receipt.Events[i] = e.EventName()
	}
	if group != nil {
		receipt.GroupID = group.ID()
	}
	return receipt
}

// commit is what the log gets of a decision; nil where that is nothing.
func (h *Handler) commit(r *request, group *domain.Group, receipt Receipt, refusal *domain.Refusal, events []domain.Event, now time.Time) (*eventstore.Commit, error) {
	outcome, err := r.outcome(receipt, refusal)
	if err != nil {
		return nil, err
	}
	if outcome == nil && len(events) == 0 {
		return nil, nil
	}
	commit := &eventstore.Commit{Stream: r.stream, Outcome: outcome}
	if group != nil {
		commit.Expect = eventstore.Exactly(eventstore.Version(group.Version()))
	}
	for _, e := range events {
		name, schema, data, err := domain.Encode(e)
		if err != nil {
			return nil, err
		}
		commit.Events = append(commit.Events, eventstore.Event{
			Type: name, Schema: schema, Data: data,
			Actor: r.actor.UserID, AppAdmin: r.actor.AppAdmin, Time: now, CommandID: r.options.id,
		})
	}
	// What can never be stored is this command's failure alone.
	return commit, commit.Validate()
}

// apply folds decided events into the group in memory, ahead of the commit.
func (h *Handler) apply(group *domain.Group, events []domain.Event, m domain.Meta) {
	for _, e := range events {
		if h.quota {
			h.next.move(e)
		}
		group.Apply(e, m)
	}
	h.next.groups[group.ID()] = true
	h.groups.put(group)
}

// quotaWait bounds how long all commands wait for the read models to count the
// groups of one user.
const quotaWait = 2 * time.Second

// groupsOf counts the groups of a user. What has been decided about their groups must
// be in the log first, for it may come to nothing.
func (h *Handler) groupsOf(ctx context.Context, r *request, userID string) (int, error) {
	if h.config.GroupsOf == nil {
		return 0, nil
	}
	if h.pending(func(b *batch) bool { return b.everybody || b.users[userID] }) {
		return 0, errLater
	}
	head, err := h.headSince(ctx, r)
	if err != nil {
		return 0, fmt.Errorf("find the head of the log: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, quotaWait, errors.New("the read models are too far behind the log to count groups"))
	defer cancel()
	count, err := h.config.GroupsOf(ctx, userID, max(head, h.seen))
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return count, err
}

// headSince is where the log ended at some time after a request had come. What others
// had done before is in it. A look serves all requests that had come by then.
func (h *Handler) headSince(ctx context.Context, r *request) (eventstore.Position, error) {
	if r.number <= h.looked.by {
		return h.looked.head, nil
	}
	by := h.taken + uint64(len(h.queue))
	head, err := h.config.Store.Head(ctx)
	if err == nil {
		h.looked.head, h.looked.by = head, by
	}
	return head, err
}
