package past

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
)

// Applications is a page of the applications, pending and handled, to the live groups
// in which the user was owner or admin, newest first, with how many of them all the user
// had not read. It costs a page of each of those groups, and the events of every group
// that the user was ever in and that has changed since.
func (p *Past) Applications(ctx context.Context, userID string, filter groupview.ApplicationFilter) (groupview.ApplicationPage, error) {
	mark, err := p.readMark(ctx, userID)
	if err != nil {
		return groupview.ApplicationPage{}, err
	}
	var page groupview.ApplicationPage
	var all []groupview.Application
	for s, err := range p.places(ctx, userID) {
		if err != nil {
			return groupview.ApplicationPage{}, err
		}
		to, unread, err := p.applicationsFor(ctx, userID, &s, filter, mark)
		if err != nil {
			return groupview.ApplicationPage{}, err
		}
		all = append(all, to...)
		page.UnreadCount += unread
	}
	groupview.NewestFirst(all)
	page.Applications, page.Next, err = filter.Page(all)
	if err != nil {
		return groupview.ApplicationPage{}, fmt.Errorf("applications: %w", err)
	}
	return page, nil
}

// applicationsFor are the applications to a group that can be on a page of an approver's,
// and how many the approver had not read; none for who was no approver.
func (p *Past) applicationsFor(ctx context.Context, userID string, s *place, filter groupview.ApplicationFilter, mark eventstore.Position) (all []groupview.Application, unread int, err error) {
	if s.folded == nil {
		if s.Role < domain.Admin || s.Submitted == 0 {
			return nil, 0, nil
		}
		if s.Pending > 0 {
			unread, err = p.Rows.UnreadSince(ctx, s.GroupID, mark)
		}
		if err == nil {
			all, err = p.pageOf(ctx, userID, s.GroupID, filter)
		}
		if err != nil {
			return nil, 0, err
		}
		// Asked after the rows were read: if it is so now, it was then.
		if _, same, err := p.unchanged(ctx, s.GroupID); err != nil || same {
			return all, unread, err
		}
		if *s, err = p.stood(ctx, userID, s.GroupID); err != nil {
			return nil, 0, err
		}
		all, unread = nil, 0
	}
	if s.Role < domain.Admin {
		return nil, 0, nil
	}
	for _, a := range s.folded.applications {
		if all = append(all, seenBy(a, userID)); a.State == groupview.Pending && a.Position > mark {
			unread++
		}
	}
	return all, unread, nil
}

// pageOf is what a page can have of the applications that the rows know to one group,
// and one more, by which the page knows that it is not the last.
func (p *Past) pageOf(ctx context.Context, viewer, groupID string, filter groupview.ApplicationFilter) ([]groupview.Application, error) {
	if filter.GroupID != "" && filter.GroupID != groupID {
		return nil, nil
	}
	limit := filter.Size() + 1
	filter.Limit = limit
	var page []groupview.Application
	for a, err := range p.Rows.GroupApplications(ctx, groupID, filter) {
		if err != nil {
			return nil, err
		}
		if page = append(page, seenBy(&a, viewer)); len(page) == limit {
			break
		}
	}
	return page, nil
}

// GroupApplications yields the applications to a group's newest incarnation, newest
// first, as nobody in particular sees them. Filter.Cursor is where to begin;
// Filter.GroupID is not used.
func (p *Past) GroupApplications(ctx context.Context, groupID string, filter groupview.ApplicationFilter) iter.Seq2[groupview.Application, error] {
	return func(yield func(groupview.Application, error) bool) {
		filter.GroupID = ""
		more, err := p.applicationsNow(ctx, groupID, &filter, yield)
		if err != nil {
			yield(groupview.Application{}, err)
		}
		if err != nil || !more {
			return
		}
		h, err := p.existing(ctx, groupID)
		if err != nil {
			yield(groupview.Application{}, err)
			return
		}
		all := make([]groupview.Application, len(h.applications))
		for i, a := range h.applications {
			all[i] = seenBy(a, "")
		}
		groupview.NewestFirst(all)
		for {
			page, next, err := filter.Page(all)
			if err != nil {
				yield(groupview.Application{}, fmt.Errorf("applications to group: %w", err))
				return
			}
			for _, a := range page {
				if !yield(a, nil) {
					return
				}
			}
			if filter.Cursor = next; next == "" {
				return
			}
		}
	}
}

// applicationsNow yields the applications from the rows, as long as nothing has happened
// to the group since the moment. If something has, there are more, from the filter's
// cursor on.
func (p *Past) applicationsNow(ctx context.Context, groupID string, filter *groupview.ApplicationFilter, yield func(groupview.Application, error) bool) (more bool, err error) {
	for {
		page, next, err := p.Rows.GroupApplicationPage(ctx, groupID, *filter)
		if err != nil && !errors.Is(err, groupview.ErrNotFound) {
			return false, err
		}
		if _, same, err := p.unchanged(ctx, groupID); err != nil || !same {
			return true, err
		}
		for _, a := range page {
			if !yield(a, nil) {
				return false, nil
			}
		}
		if filter.Cursor = next; next == "" {
			return false, nil
		}
	}
}

// Application is one application as it was, open or closed. The error of an ID that was
// not there yet is a groupview.ErrNotFound.
func (p *Past) Application(ctx context.Context, applicationID string) (groupview.Application, error) {
	unknown := fmt.Errorf("there was no application %q as of %s: %w", applicationID, p.moment, groupview.ErrNotFound)
	now, err := p.Rows.Application(ctx, applicationID)
	if errors.Is(err, groupview.ErrNotFound) {
		return now, unknown // what there was, there is
	}
	if err != nil {
		return now, err
	}
	if _, same, err := p.unchanged(ctx, now.GroupID); err != nil || same {
		return now, err
	}
	h, err := p.history(ctx, now.GroupID)
	if err != nil {
		return groupview.Application{}, err
	}
	all := h.everyApplication()
	if i := slices.IndexFunc(all, func(a groupview.Application) bool { return a.ApplicationID == applicationID }); i >= 0 {
		return seenBy(&all[i], ""), nil
	}
	return groupview.Application{}, unknown
}
