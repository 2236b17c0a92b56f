package past

import (
	"context"
	"fmt"
	"iter"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
)

// place is where a user stood in a group that they had been in.
type place struct {
	groupview.Standing
	folded *history // nil: nothing has happened to the group since, and the rows answer
}

// places yields where a user stood in each group that they had been in, live or not,
// in the order in which the IDs were first used. It costs the events of those that have
// changed since.
func (p *Past) places(ctx context.Context, userID string) iter.Seq2[place, error] {
	return func(yield func(place, error) bool) {
		rows, err := p.Rows.EverIn(ctx, userID, p.bound.position)
		if err != nil {
			yield(place{}, err)
			return
		}
		for _, row := range rows {
			s, err := place{Standing: row}, error(nil)
			if !p.bound.covers(row.Position, row.LastEventAt) {
				s, err = p.stood(ctx, userID, row.GroupID)
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// stood is a place by the events of the group.
func (p *Past) stood(ctx context.Context, userID, groupID string) (place, error) {
	h, err := p.history(ctx, groupID)
	if err != nil {
		return place{}, err
	}
	g := h.group
	m, _ := g.Membership(userID)
	return place{folded: h, Standing: groupview.Standing{
		JoinedGroup: groupview.JoinedGroup{
			GroupID: g.ID(), Incarnation: g.Incarnation(), GroupType: g.Type(), Name: g.Profile().Name, FaceURL: g.Profile().FaceURL,
			Owner: g.Owner(), MemberCount: g.Count(), AllMuted: g.AllMuted(), Role: m.Role, JoinedAt: m.JoinedAt,
			CreatedAt: g.CreatedAt().UTC(), LastEventAt: g.LastEventAt().UTC(),
		},
		SupportTopic: g.SupportsTopics(), Began: h.born, Position: h.position,
	}}, nil
}

// groupsOf is how many live groups a user was in, listed or not. It costs the events of
// those that have changed since.
func (p *Past) groupsOf(ctx context.Context, userID string) (n int, err error) {
	for s, err := range p.places(ctx, userID) {
		if err != nil {
			return 0, err
		}
		if s.Role != domain.NotMember {
			n++
		}
	}
	return n, nil
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
