package past

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// Source is where a Past reads.
type Source struct {
	Log      eventstore.Store
	Rows     *groupview.Queries  // must show everything up to Head
	Head     eventstore.Position // where the log ends
	Policies domain.Policies     // by which lists and permissions are judged
	Now      time.Time           // what the clock says
}

// Past is the history up to a moment. It may be asked from any number of goroutines.
//
// It keeps the group that was asked about last, for the next question to it.
type Past struct {
	Source
	moment Moment
	bound  bound

	mu   sync.Mutex
	last *history
}

// New is the history up to a moment. A moment that the log has not come to is an
// ErrAhead. One before the first event is fine: nothing had happened.
func New(s Source, m Moment) (*Past, error) {
	bound, err := m.in(s.Head, s.Now)
	if err != nil {
		return nil, fmt.Errorf("as of %w", err)
	}
	return &Past{Source: s, moment: m, bound: bound}, nil
}

// Moment is what the Past was asked for.
func (p *Past) Moment() Moment { return p.moment }

// events yields the events of a stream that had happened, oldest first.
func (p *Past) events(ctx context.Context, stream string) iter.Seq2[projections.Event, error] {
	return func(yield func(projections.Event, error) bool) {
		for record, err := range p.Log.ReadStream(ctx, stream, 0) {
			if err == nil && !p.bound.covers(record.Position, record.Time) {
				return
			}
			var event projections.Event
			if err == nil {
				event, err = projections.Decode(record)
			}
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// history folds the events of a group. It is shared, and not to be changed.
func (p *Past) history(ctx context.Context, groupID string) (*history, error) {
	p.mu.Lock()
	last := p.last
	p.mu.Unlock()
	if last != nil && last.group.ID() == groupID {
		return last, nil
	}
	h := newHistory(groupID)
	for event, err := range p.events(ctx, domain.GroupStream(groupID)) {
		if err != nil {
			return nil, fmt.Errorf("read group %q as of %s: %w", groupID, p.moment, err)
		}
		h.apply(&event)
	}
	p.mu.Lock()
	p.last = h
	p.mu.Unlock()
	return h, nil
}

// existing is the history of a group that there was.
func (p *Past) existing(ctx context.Context, groupID string) (*history, error) {
	h, err := p.history(ctx, groupID)
	if err == nil && !h.exists() {
		err = p.notYet(ctx, groupID)
	}
	return h, err
}

// notYet is the error for a group that began after the moment.
func (p *Past) notYet(ctx context.Context, groupID string) error {
	for first, err := range p.Log.ReadStream(ctx, domain.GroupStream(groupID), 0) {
		if err != nil {
			return err
		}
		return fmt.Errorf("group %q: %w as of %s: the first with this ID began %s, at position %d",
			groupID, groupview.ErrNotFound, p.moment, words(first.Time), first.Position)
	}
	return p.noGroup(groupID)
}

func (p *Past) noGroup(groupID string) error {
	return fmt.Errorf("group %q: %w as of %s", groupID, groupview.ErrNotFound, p.moment)
}

// unchanged is a group as rows show it now, if it was the same then: nothing has
// happened to it since.
func (p *Past) unchanged(ctx context.Context, groupID string) (groupview.Group, bool, error) {
	g, err := p.Rows.Group(ctx, groupID)
	if errors.Is(err, groupview.ErrNotFound) {
		return g, false, p.noGroup(groupID)
	}
	return g, err == nil && p.bound.covers(g.Position, g.LastEventAt), err
}

// Group is a group as it was; the newest, where several had had the ID. One that had
// been dismissed is found and says so. The error of an ID that no group had had by then
// is a groupview.ErrNotFound.
func (p *Past) Group(ctx context.Context, groupID string) (groupview.Group, error) {
	g, same, err := p.unchanged(ctx, groupID)
	if err != nil || same {
		return g, err
	}
	h, err := p.existing(ctx, groupID)
	if err != nil {
		return groupview.Group{}, err
	}
	return h.view(), nil
}

// Members yields the members that a group had, in the order of joining.
func (p *Past) Members(ctx context.Context, groupID string, filter groupview.MemberFilter) iter.Seq2[groupview.Member, error] {
	return func(yield func(groupview.Member, error) bool) {
		yielded, more, err := p.membersNow(ctx, groupID, filter, yield)
		if err != nil {
			yield(groupview.Member{}, err)
		}
		if err != nil || !more {
			return
		}
		h, err := p.existing(ctx, groupID)
		if err != nil {
			yield(groupview.Member{}, err)
			return
		}
		for m := range h.group.Memberships() {
			if filter.Role != domain.NotMember && m.Role != filter.Role {
				continue
			}
			if yielded--; yielded < 0 && !yield(memberView(&m), nil) {
				return
			}
		}
	}
}

// membersNow yields the members from the rows, as long as nothing has happened to the
// group since the moment. If something has, it says how many it has yielded, and that
// there are more.
func (p *Past) membersNow(ctx context.Context, groupID string, filter groupview.MemberFilter, yield func(groupview.Member, error) bool) (yielded int, more bool, err error) {
	for after := ""; ; {
		page, err := p.Rows.MemberPage(ctx, groupID, filter, after, groupview.MaxLimit)
		if err != nil && !errors.Is(err, groupview.ErrNotFound) && !errors.Is(err, groupview.ErrCursor) {
			return yielded, false, err
		}
		// Asked after the page: if it is so now, it was while the page was read.
		if _, same, err := p.unchanged(ctx, groupID); err != nil || !same {
			return yielded, true, err
		}
		for _, m := range page.Members {
			if yielded++; !yield(m, nil) {
				return yielded, false, nil
			}
		}
		if after = page.Next; after == "" {
			return yielded, false, nil
		}
	}
}

// Member is one membership as it was; the error of a stranger is a
// groupview.ErrNotFound.
func (p *Past) Member(ctx context.Context, groupID, userID string) (groupview.Member, error) {
	m, err := p.Rows.Member(ctx, groupID, userID)
	if err != nil && !errors.Is(err, groupview.ErrNotFound) {
		return m, err
	}
	stranger := err != nil
	if _, same, err := p.unchanged(ctx, groupID); err != nil {
		return groupview.Member{}, err
	} else if !same {
		h, err := p.existing(ctx, groupID)
		if err != nil {
			return groupview.Member{}, err
		}
		membership, member := h.group.Membership(userID)
		m, stranger = memberView(&membership), !member
	}
	if stranger {
		return groupview.Member{}, fmt.Errorf("%q was not a member of group %q as of %s: %w", userID, groupID, p.moment, groupview.ErrNotFound)
	}
	return m, nil
}
