package past

import (
	"context"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// Reason is a fact, and the events that made it so.
type Reason struct {
	GroupID string `json:"groupID"`
	UserID  string `json:"userID,omitempty"`
	Fact    string `json:"fact"`  // in words: "bob is an admin of chess"
	Holds   bool   `json:"holds"` // whether it is as the question supposed
	// Events are the chain, oldest first: without any one of them, the fact would be
	// another. It is empty where nothing has ever happened that bears on it.
	Events []projections.Event `json:"-"`
}

// WhyMember says why a user was a member of a group, or was not.
func (p *Past) WhyMember(ctx context.Context, groupID, userID string) (Reason, error) {
	return why(ctx, p, groupID, userID, func(g *domain.Group) time.Time {
		m, _ := g.Membership(userID)
		return m.JoinedAt
	}, func(joined time.Time) (string, bool) {
		if joined.IsZero() {
			return fmt.Sprintf("%s is not a member of %s", userID, groupID), false
		}
		return fmt.Sprintf("%s is a member of %s, since %s", userID, groupID, words(joined)), true
	})
}

// WhyRole says why a user had the role in a group that they had, in the membership that
// they had it in.
func (p *Past) WhyRole(ctx context.Context, groupID, userID string) (Reason, error) {
	type standing struct {
		role   domain.Role
		joined time.Time
	}
	return why(ctx, p, groupID, userID, func(g *domain.Group) standing {
		m, _ := g.Membership(userID)
		return standing{m.Role, m.JoinedAt}
	}, func(s standing) (string, bool) {
		if s.role == domain.NotMember {
			return fmt.Sprintf("%s has no role in %s", userID, groupID), false
		}
		return fmt.Sprintf("%s is %s of %s", userID, s.role, groupID), true
	})
}

// WhyBanned says why a user was banned from a group, or was not. A ban that had passed
// by the moment does not hold.
func (p *Past) WhyBanned(ctx context.Context, groupID, userID string) (Reason, error) {
	now, err := p.now(ctx)
	if err != nil {
		return Reason{}, err
	}
	return why(ctx, p, groupID, userID, func(g *domain.Group) time.Time { return g.BannedUntil(userID) },
		func(until time.Time) (string, bool) {
			return ending(fmt.Sprintf("%s is %%sbanned from %s", userID, groupID), until, now)
		})
}

// WhyMuted says why a member was muted, or was not. A mute that had passed by the moment
// does not hold.
func (p *Past) WhyMuted(ctx context.Context, groupID, userID string) (Reason, error) {
	now, err := p.now(ctx)
	if err != nil {
		return Reason{}, err
	}
	return why(ctx, p, groupID, userID, func(g *domain.Group) time.Time {
		m, _ := g.Membership(userID)
		return m.MutedUntil
	}, func(until time.Time) (string, bool) {
		return ending(fmt.Sprintf("%s is %%smuted in %s", userID, groupID), until, now)
	})
}

// ending is a state that ends by itself, in words.
func ending(format string, until, now time.Time) (string, bool) {
	switch {
	case until.IsZero():
		return fmt.Sprintf(format, "not "), false
	case !until.After(now):
		return fmt.Sprintf(format, "no longer ") + ": that ended " + words(until), false
	default:
		return fmt.Sprintf(format, "") + " until " + words(until), true
	}
}

func words(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// why finds the chain of a fact about one user in one group.
func why[F comparable](ctx context.Context, p *Past, groupID, userID string, fact func(*domain.Group) F, say func(F) (string, bool)) (Reason, error) {
	events, err := p.incarnation(ctx, groupID)
	if err != nil {
		return Reason{}, err
	}
	about := concerning(events, userID)
	q := question[F]{groupID: groupID, userID: userID, fact: fact}
	r := Reason{GroupID: groupID, UserID: userID, Events: q.chain(about)}
	r.Fact, r.Holds = say(q.answer(about))
	return r, nil
}

// incarnation are the events of a group's newest incarnation. An ID that no group had
// had is a groupview.ErrNotFound.
func (p *Past) incarnation(ctx context.Context, groupID string) ([]projections.Event, error) {
	var events []projections.Event
	for event, err := range p.events(ctx, domain.GroupStream(groupID)) {
		if err != nil {
			return nil, fmt.Errorf("read group %q as of %s: %w", groupID, p.moment, err)
		}
		if begins(event.Fact) {
			events = events[:0:0]
		}
		events = append(events, event)
	}
	if len(events) == 0 {
		return nil, p.notYet(ctx, groupID)
	}
	return events, nil
}

func begins(fact domain.Event) bool {
	switch fact.(type) {
	case domain.GroupCreated, domain.GroupImported:
		return true
	default:
		return false
	}
}

// now is the time at the moment: that of the event at the position, the time itself, or
// what the clock says.
func (p *Past) now(ctx context.Context) (time.Time, error) {
	switch {
	case p.bound.timed:
		return p.bound.time, nil
	case p.moment.kind == present || p.bound.position == 0:
		return p.Now, nil
	}
	for record, err := range p.Log.ReadAll(ctx, p.bound.position-1) {
		return record.Time, err
	}
	return p.Now, nil
}
