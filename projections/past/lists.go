package past

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/grouplog/grouplog/domain"
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

// JoinedGroups yields the live groups that a user was in, in the order in which the
// groups were created, as far as the policies have them listed. It costs the events of
// those groups that the user was ever in and that have changed since.
func (p *Past) JoinedGroups(ctx context.Context, userID string) iter.Seq2[groupview.JoinedGroup, error] {
	return func(yield func(groupview.JoinedGroup, error) bool) {
		var joined []place
		for s, err := range p.places(ctx, userID) {
			if err != nil {
				yield(groupview.JoinedGroup{}, err)
				return
			}
			policy := p.Policies[s.GroupType]
			if s.Role != domain.NotMember && policy.JoinedList.Shows(s.SupportTopic) {
				s.folded = nil // what is listed needs no group in memory
				joined = append(joined, s)
			}
		}
		slices.SortFunc(joined, func(a, b place) int { return cmp.Compare(a.Began, b.Began) })
		for i := range joined {
			if !yield(joined[i].JoinedGroup, nil) {
				return
			}
		}
	}
}
