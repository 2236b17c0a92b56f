package past

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
)

// Groups yields the groups that there were and that the filter lets through, by ID and
// incarnation. It costs the events of those that have changed since.
func (p *Past) Groups(ctx context.Context, filter groupview.GroupFilter) iter.Seq2[groupview.Group, error] {
	return func(yield func(groupview.Group, error) bool) {
		var rows []groupview.Group // the incarnations of one ID
		for g, err := range p.Rows.Groups(ctx, groupview.GroupFilter{Prefix: filter.Prefix, IncludeDismissed: true}) {
			if err != nil {
				yield(g, err)
				return
			}
			if len(rows) > 0 && rows[0].GroupID != g.GroupID {
				if !p.incarnations(ctx, rows, filter, yield) {
					return
				}
				rows = rows[:0]
			}
			rows = append(rows, g)
		}
		if len(rows) > 0 {
			p.incarnations(ctx, rows, filter, yield)
		}
	}
}

// incarnations yields the groups that had had an ID, of which rows are those that have
// had it by now.
func (p *Past) incarnations(ctx context.Context, rows []groupview.Group, filter groupview.GroupFilter, yield func(groupview.Group, error) bool) bool {
	if newest := &rows[len(rows)-1]; !p.bound.covers(newest.Position, newest.LastEventAt) {
		h, err := p.history(ctx, newest.GroupID)
		if err != nil {
			yield(groupview.Group{}, err)
			return false
		}
		rows = slices.Clone(h.earlier)
		if h.exists() {
			rows = append(rows, h.view())
		}
	}
	for _, g := range rows {
		wanted := (filter.IncludeDismissed || g.Status == domain.Live.String()) && (filter.Type == "" || g.GroupType == filter.Type)
		if wanted && !yield(g, nil) {
			return false
		}
	}
	return true
}

// histories yields the groups that a user had been in, live ones and others.
func (p *Past) histories(ctx context.Context, userID string) iter.Seq2[*history, error] {
	return func(yield func(*history, error) bool) {
		ids, err := p.Rows.EverIn(ctx, userID, p.bound.position)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, id := range ids {
			if h, err := p.history(ctx, id); !yield(h, err) || err != nil {
				return
			}
		}
	}
}

// JoinedGroups yields the live groups that a user was in, in the order in which the
// groups were created, as far as the policies have them listed. It costs the events of
// every group that the user was ever in.
func (p *Past) JoinedGroups(ctx context.Context, userID string) iter.Seq2[groupview.JoinedGroup, error] {
	type joined struct {
		born  eventstore.Position
		group groupview.JoinedGroup
	}
	return func(yield func(groupview.JoinedGroup, error) bool) {
		var all []joined
		for h, err := range p.histories(ctx, userID) {
			if err != nil {
				yield(groupview.JoinedGroup{}, err)
				return
			}
			g := h.group
			m, member := g.Membership(userID)
			policy := p.Policies[g.Type()]
			if member && policy.JoinedList.Shows(g.SupportsTopics()) {
				all = append(all, joined{h.born, joinedView(g, &m)})
			}
		}
		slices.SortFunc(all, func(a, b joined) int { return cmp.Compare(a.born, b.born) })
		for _, j := range all {
			if !yield(j.group, nil) {
				return
			}
		}
	}
}

func joinedView(g *domain.Group, m *domain.Membership) groupview.JoinedGroup {
	return groupview.JoinedGroup{
		GroupID: g.ID(), Incarnation: g.Incarnation(), GroupType: g.Type(), Name: g.Profile().Name, FaceURL: g.Profile().FaceURL,
		Owner: g.Owner(), MemberCount: g.Count(), AllMuted: g.AllMuted(), Role: m.Role, JoinedAt: m.JoinedAt,
		CreatedAt: g.CreatedAt().UTC(), LastEventAt: g.LastEventAt().UTC(),
	}
}

// groupsOf is how many live groups a user was in, listed or not. It costs the events of
// those that have changed since.
func (p *Past) groupsOf(ctx context.Context, userID string) (n int, err error) {
	ids, err := p.Rows.EverIn(ctx, userID, p.bound.position)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		switch _, err := p.Member(ctx, id, userID); {
		case err == nil:
			n++
		case !errors.Is(err, groupview.ErrNotFound):
			return 0, err
		}
	}
	return n, nil
}

// Applications is a page of the applications, pending and handled, to the live groups
// in which the user was owner or admin, newest first, with how many of them all the user
// had not read. It costs the events of every group that the user was ever in.
func (p *Past) Applications(ctx context.Context, userID string, filter groupview.ApplicationFilter) (groupview.ApplicationPage, error) {
	mark, err := p.readMark(ctx, userID)
	if err != nil {
		return groupview.ApplicationPage{}, err
	}
	var page groupview.ApplicationPage
	var all []groupview.Application
	for h, err := range p.histories(ctx, userID) {
		if err != nil {
			return groupview.ApplicationPage{}, err
		}
		if h.group.Role(userID) < domain.Admin {
			continue
		}
		for _, a := range h.applications {
			if all = append(all, seenBy(a, userID)); a.State == groupview.Pending && a.Position > mark {
				page.UnreadCount++
			}
		}
	}
	groupview.NewestFirst(all)
	page.Applications, page.Next, err = filter.Page(all)
	if err != nil {
		return groupview.ApplicationPage{}, fmt.Errorf("applications: %w", err)
	}
	return page, nil
}

// readMark is the position of the user's last applications.read.
func (p *Past) readMark(ctx context.Context, userID string) (mark eventstore.Position, err error) {
	for event, err := range p.events(ctx, domain.UserStream(userID)) {
		if err != nil {
			return 0, fmt.Errorf("read mark of %q as of %s: %w", userID, p.moment, err)
		}
		mark = event.Position
	}
	return mark, nil
}

// GroupApplications yields the applications to a group's newest incarnation, newest
// first, as nobody in particular sees them. Filter.Cursor is where to begin;
// Filter.GroupID is not used.
func (p *Past) GroupApplications(ctx context.Context, groupID string, filter groupview.ApplicationFilter) iter.Seq2[groupview.Application, error] {
	return func(yield func(groupview.Application, error) bool) {
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
		filter.GroupID = ""
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

// Application is one application as it was, open or closed. The error of an ID that was
// not there yet is a groupview.ErrNotFound.
func (p *Past) Application(ctx context.Context, applicationID string) (groupview.Application, error) {
	groupID, _, _, ok := domain.ParseApplicationID(applicationID)
	if ok {
		h, err := p.history(ctx, groupID)
		if err != nil {
			return groupview.Application{}, err
		}
		for _, a := range h.applications {
			if a.ApplicationID == applicationID {
				return seenBy(a, ""), nil
			}
		}
		for i := range h.closed {
			if h.closed[i].ApplicationID == applicationID {
				return seenBy(&h.closed[i], ""), nil
			}
		}
	}
	return groupview.Application{}, fmt.Errorf("there was no application %q as of %s: %w", applicationID, p.moment, groupview.ErrNotFound)
}
