package past

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections/groupview"
)

// What has changed, in Change.Kind.
const (
	Began   = "group.began"         // To is its name
	Ended   = "group.ended"         // To is why
	Edited  = "group.edited"        // Field, From, To
	Joined  = "member.joined"       // To is the role
	Left    = "member.left"         // From is the role
	Ranked  = "member.role"         // From, To: roles
	Informs = "member.edited"       // Field, From, To
	Opened  = "application.opened"  // Field is its ID, To the message
	Decided = "application.decided" // Field is its ID, To what has become of it, By who decided
)

// Change is one difference between two moments.
type Change struct {
	Kind    string `json:"change"`
	GroupID string `json:"groupID"`
	UserID  string `json:"userID,omitempty"` // of a membership; whom an application is about
	Field   string `json:"field,omitempty"`  // what was edited, or the application's ID
	From    string `json:"from,omitempty"`   // as it was
	To      string `json:"to,omitempty"`     // as it came to be
	By      string `json:"by,omitempty"`     // who decided an application

	// Of what was edited: whether there was nothing before, or is nothing any more. What
	// is there may be empty: an attribute.
	Added   bool `json:"added,omitempty"`
	Removed bool `json:"removed,omitempty"`
}

// String is the change in plain English, on one line.
func (c Change) String() string {
	switch c.Kind {
	case Began:
		return fmt.Sprintf("%s began, as %q", c.GroupID, c.To)
	case Ended:
		return fmt.Sprintf("%s ended: %s", c.GroupID, c.To)
	case Edited:
		return fmt.Sprintf("%s: %s %s → %s", c.GroupID, c.Field, shown(c.From, c.Added), shown(c.To, c.Removed))
	case Joined:
		return fmt.Sprintf("%s joined %s, as %s", c.UserID, c.GroupID, c.To)
	case Left:
		return fmt.Sprintf("%s left %s, having been %s", c.UserID, c.GroupID, c.From)
	case Ranked:
		return fmt.Sprintf("%s in %s: %s → %s", c.UserID, c.GroupID, c.From, c.To)
	case Informs:
		return fmt.Sprintf("%s in %s: %s %s → %s", c.UserID, c.GroupID, c.Field, shown(c.From, c.Added), shown(c.To, c.Removed))
	case Opened:
		return fmt.Sprintf("application %s about %s was made: %q", c.Field, c.UserID, c.To)
	default:
		text := fmt.Sprintf("application %s about %s: %s", c.Field, c.UserID, c.To)
		if c.By != "" {
			text += " by " + c.By
		}
		return text
	}
}

func shown(value string, nothing bool) string {
	if nothing {
		return "nothing"
	}
	return fmt.Sprintf("%q", value)
}

// Ordered refuses two moments, by an ErrOrder, of which it is plain that the first is
// the later one. Of a position and a time that is not plain before a group is read:
// DiffGroup and DiffUser refuse those.
func Ordered(from, to Moment) error {
	later := from.kind == present && to.kind != present
	switch {
	case from.kind == byPosition && to.kind == byPosition:
		later = from.position > to.position
	case from.kind >= byTime && to.kind >= byTime:
		later = from.time.After(to.time)
	}
	if later {
		return fmt.Errorf("from %s to %s: %w: swap them", from, to, ErrOrder)
	}
	return nil
}

// inOrder refuses two moments, by an ErrOrder, of which the first is the later one for a group.
func inOrder(from, to *Past, before, after *history) error {
	if before.group.Version() > after.group.Version() {
		return fmt.Errorf("from %s to %s: %w for group %q: swap them, or give two positions or two times",
			from.moment, to.moment, ErrOrder, before.group.ID())
	}
	return nil
}

// DiffGroup is what has changed in a group from one moment to another: first the group
// itself, then members by user ID, then applications in the order of submission. What
// changed and changed back is no difference; who left and came back is. The error of an
// ID that no group had at either is a groupview.ErrNotFound. It costs the group's events
// up to each of the moments; none, if nothing has happened to it since the first.
func DiffGroup(ctx context.Context, from, to *Past, groupID string) ([]Change, error) {
	if g, same, err := to.unchanged(ctx, groupID); err != nil || same && from.bound.covers(g.Position, g.LastEventAt) {
		return nil, err
	}
	before, err := from.history(ctx, groupID)
	if err != nil {
		return nil, err
	}
	after, err := to.history(ctx, groupID)
	if err != nil {
		return nil, err
	}
	if err := inOrder(from, to, before, after); err != nil {
		return nil, err
	}
	if !after.exists() {
		return nil, to.notYet(ctx, groupID)
	}
	d := diff{groupID: groupID}
	d.group(before, after)
	d.members(before, after)
	d.applications(before.everyApplication(), after.everyApplication())
	return d.changes, nil
}

// DiffUser is what has changed for a user from one moment to another: which groups they
// joined and left, what they were there, and which applications about them were made and
// what has become of those, group by group in the order in which the groups began. A user
// whom no event names has no changes. It costs the events of every group that the user was
// ever in or applied to and that has changed since the first moment.
func DiffUser(ctx context.Context, from, to *Past, userID string) ([]Change, error) {
	near, err := to.Rows.EverNear(ctx, userID, max(from.bound.position, to.bound.position))
	if err != nil {
		return nil, err
	}
	var d diff
	for _, now := range near {
		if from.bound.covers(now.Position, now.LastEventAt) && to.bound.covers(now.Position, now.LastEventAt) {
			continue
		}
		id := now.GroupID
		before, err := from.history(ctx, id)
		if err != nil {
			return nil, err
		}
		after, err := to.history(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := inOrder(from, to, before, after); err != nil {
			return nil, err
		}
		d.groupID = id
		d.member(userID, before, after)
		d.applications(before.applicationsOf(userID), after.applicationsOf(userID))
	}
	return d.changes, nil
}

// diff collects changes.
type diff struct {
	groupID string
	changes []Change
}

func (d *diff) add(c Change) {
	c.GroupID = d.groupID
	d.changes = append(d.changes, c)
}

// edits adds a change for each field that differs.
func (d *diff) edits(kind, userID string, from, to map[string]string) {
	names := maps.Clone(from)
	maps.Copy(names, to)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, was := from[name]
		now, is := to[name]
		if was != is || old != now {
			d.add(Change{Kind: kind, UserID: userID, Field: name, From: old, To: now, Added: !was, Removed: !is})
		}
	}
}

func (d *diff) group(before, after *history) {
	old, now := before.view(), after.view()
	same := old.Incarnation == now.Incarnation
	if before.exists() && old.EndedAt.IsZero() && (!same || !now.EndedAt.IsZero()) {
		cause := now.Cause
		if i := slices.IndexFunc(after.earlier, func(g groupview.Group) bool { return g.Incarnation == old.Incarnation }); i >= 0 {
			cause = after.earlier[i].Cause
		}
		d.add(Change{Kind: Ended, To: cause})
	}
	if same {
		// Attributes and topics end with the group: nobody edits them then.
		lasting := old.EndedAt.IsZero() && now.EndedAt.IsZero()
		d.edits(Edited, "", groupFields(&old, lasting), groupFields(&now, lasting))
		return
	}
	d.add(Change{Kind: Began, To: now.Name})
	if !now.EndedAt.IsZero() {
		d.add(Change{Kind: Ended, To: now.Cause})
	}
}

// groupFields is what can be edited of a group, by name in the wire form, with or without
// what only a live group has.
func groupFields(g *groupview.Group, live bool) map[string]string {
	all := given(map[string]string{
		"name": g.Name, "introduction": g.Introduction, "notification": g.Notification, "faceURL": g.FaceURL,
		"joinOption": g.JoinOption.String(), "inviteOption": g.InviteOption.String(),
	})
	if g.AllMuted {
		all["allMuted"] = "true"
	}
	for key, value := range g.Custom {
		all["custom."+key] = value
	}
	if !live {
		return all
	}
	for key, value := range g.Attributes {
		all["attributes."+key] = value
	}
	for _, topic := range g.Topics {
		id := "topics." + topic.ID
		maps.Copy(all, given(map[string]string{
			id + ".name": topic.Name, id + ".introduction": topic.Introduction, id + ".notification": topic.Notification, id + ".faceURL": topic.FaceURL,
		}))
	}
	return all
}

// given are the texts that are not empty: of these fields, an empty one is none.
func given(fields map[string]string) map[string]string {
	maps.DeleteFunc(fields, func(_, value string) bool { return value == "" })
	return fields
}

func (d *diff) members(before, after *history) {
	users := map[string]bool{}
	for _, h := range []*history{before, after} {
		for m := range h.group.Memberships() {
			users[m.UserID] = true
		}
	}
	for _, userID := range slices.Sorted(maps.Keys(users)) {
		d.member(userID, before, after)
	}
}

// member adds what has become of a user in a group.
func (d *diff) member(userID string, before, after *history) {
	old, was := before.group.Membership(userID)
	now, is := after.group.Membership(userID)
	stayed := was && is && before.group.Incarnation() == after.group.Incarnation() && old.Order == now.Order
	if was && !stayed {
		d.add(Change{Kind: Left, UserID: userID, From: old.Role.String()})
	}
	if is && !stayed {
		d.add(Change{Kind: Joined, UserID: userID, To: now.Role.String()})
	}
	if !stayed {
		return
	}
	if old.Role != now.Role {
		d.add(Change{Kind: Ranked, UserID: userID, From: old.Role.String(), To: now.Role.String()})
	}
	d.edits(Informs, userID, memberFields(&old), memberFields(&now))
}

// memberFields is what can be edited of a membership, by name in the wire form.
func memberFields(m *domain.Membership) map[string]string {
	all := given(map[string]string{"nameCard": m.NameCard})
	if !m.MutedUntil.IsZero() {
		all["mutedUntil"] = m.MutedUntil.UTC().Format(time.RFC3339Nano)
	}
	for key, value := range m.Custom {
		all["custom."+key] = value
	}
	return all
}

func (d *diff) applications(before, after []groupview.Application) {
	known := map[string]groupview.ApplicationState{}
	for _, a := range before {
		known[a.ApplicationID] = a.State
	}
	for _, a := range after {
		state, was := known[a.ApplicationID]
		if !was {
			d.add(Change{Kind: Opened, UserID: a.UserID, Field: a.ApplicationID, To: a.Message})
		}
		if state == groupview.Pending && a.State != groupview.Pending {
			d.add(Change{Kind: Decided, UserID: a.UserID, Field: a.ApplicationID, To: a.State.String(), By: a.HandledBy})
		}
	}
}

// everyApplication are the applications to all incarnations, in the order of submission.
func (h *history) everyApplication() []groupview.Application {
	all := slices.Clone(h.closed)
	for _, a := range h.applications {
		all = append(all, *a)
	}
	return all
}

// applicationsOf are those by which a user would have become a member.
func (h *history) applicationsOf(userID string) []groupview.Application {
	return slices.DeleteFunc(h.everyApplication(), func(a groupview.Application) bool { return a.UserID != userID })
}
