package groupview

import (
	"fmt"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

type event = projections.Event

// apply brings one event into the rows.
func (r *rows) apply(e *event) error {
	if _, ok := domain.UserOf(e.Stream); ok {
		return r.applyUser(e)
	}
	if _, ok := projections.TopicOf(e.Stream); ok {
		return nil // a message, which is nothing to groups
	}
	id, ok := domain.GroupOf(e.Stream)
	if !ok {
		return fmt.Errorf("stream %q is neither a group's nor a user's", e.Stream)
	}
	g, err := r.applyGroup(id, e)
	if err != nil {
		return err
	}
	g.lastAt, g.position, g.version = micros(e.Time), uint64(e.Position), uint64(e.Version)
	r.touchGroup(g)
	return nil
}

// applyUser applies an event of a user's stream.
func (r *rows) applyUser(e *event) error {
	f, ok := e.Fact.(domain.ApplicationsRead)
	if !ok {
		return unknown(e)
	}
	u, err := r.user(f.UserID)
	if err != nil {
		return err
	}
	u.readPosition, u.readAt = uint64(e.Position), micros(e.Time)
	r.touchUser(u)
	return nil
}

// applyGroup applies an event of a group's stream, and returns the group.
func (r *rows) applyGroup(id string, e *event) (*group, error) {
	switch f := e.Fact.(type) {
	case domain.GroupCreated:
		return r.create(id, &f, e, e.Time)
	case domain.GroupImported:
		return r.create(id, &f.GroupCreated, e, f.CreatedAt)
	}
	g, err := r.group(id)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, fmt.Errorf("group %q was never created", id)
	}
	return g, r.applyTo(g, e)
}

// create applies the event that begins an incarnation.
func (r *rows) create(id string, f *domain.GroupCreated, e *event, at time.Time) (*group, error) {
	g, err := r.found(id, f, at, uint64(e.Position))
	if err != nil {
		return nil, err
	}
	if err := r.admit(g, f.Owner, domain.Owner, at, e); err != nil {
		return nil, err
	}
	for _, m := range f.Members {
		if err := r.admit(g, m.UserID, m.Role, at, e); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// applyTo applies an event to a group that has begun. Each case is the effect that
// domain.Group gives the event.
func (r *rows) applyTo(g *group, e *event) error {
	switch f := e.Fact.(type) {
	case domain.MemberJoined:
		return r.admit(g, f.UserID, domain.Member, e.Time, e)
	case domain.MembersInvited:
		return each(f.UserIDs, func(id string) error { return r.admit(g, id, domain.Member, e.Time, e) })
	case domain.MemberImported:
		return r.admit(g, f.UserID, f.Role, f.JoinedAt, e)
	case domain.MemberLeft:
		return r.remove(g, f.UserID, e)
	case domain.MembersKicked:
		return r.kick(g, &f, e)
	case domain.MemberRoleChanged:
		return r.rank(g, f.UserID, f.Role)
	case domain.OwnerTransferred:
		if err := r.rank(g, f.From, domain.Member); err != nil {
			return err
		}
		return r.rank(g, f.To, domain.Owner)
	case domain.MemberMuted:
		return r.change(g, f.UserID, func(m *member) error { m.mutedUntil = micros(f.Until); return nil })
	case domain.MemberUnmuted:
		return r.change(g, f.UserID, func(m *member) error { m.mutedUntil = 0; return nil })
	case domain.MemberInfoChanged:
		return r.change(g, f.UserID, func(m *member) error { return m.inform(&f) })
	case domain.ApplicationSubmitted:
		return r.submit(g, f, e)
	case domain.ApplicationRefreshed:
		return r.refresh(g, f, e)
	case domain.ApplicationAccepted:
		if err := r.decide(g, f.ApplicationID, Accepted, f.Reason, e); err != nil {
			return err
		}
		return r.admit(g, f.UserID, domain.Member, e.Time, e)
	case domain.ApplicationRefused:
		return r.decide(g, f.ApplicationID, Refused, f.Reason, e)
	default:
		return r.applyToSelf(g, e)
	}
}

// applyToSelf applies the events that are about the group and none of its members.
func (r *rows) applyToSelf(g *group, e *event) error {
	switch f := e.Fact.(type) {
	case domain.GroupDismissed:
		return r.dissolve(g, string(f.Cause), e)
	case domain.GroupRecycled:
		return r.dissolve(g, Recycled, e)
	case domain.GroupMuted:
		g.muted = f.Muted
		return nil
	case domain.GroupProfileChanged:
		return r.present(g, &f)
	case domain.AttributesChanged:
		p, err := r.profileOf(g)
		if err != nil {
			return err
		}
		p.attributes, p.changed = f.After(p.attributes), true
		g.attributes++
		return nil
	case domain.TopicCreated:
		return r.openTopic(g, f.Topic)
	case domain.TopicChanged:
		return r.changeTopic(g, &f)
	case domain.TopicsDeleted:
		return each(f.TopicIDs, func(id string) error {
			return r.tx.Exec("DELETE FROM topics WHERE gid = ? AND id = ?", g.gid, id)
		})
	case domain.NotificationSent:
		return nil
	default:
		return unknown(e)
	}
}

// unknown refuses an event that a newer version of domain has and this package does
// not know: rows without its effect would be wrong.
func unknown(e *event) error {
	return fmt.Errorf("projection groupview does not know what %s does in %s", e.Type, e.Stream)
}

func (r *rows) kick(g *group, f *domain.MembersKicked, e *event) error {
	if !f.BannedUntil.IsZero() {
		if err := each(f.UserIDs, func(id string) error { return r.ban(g, id, f.BannedUntil, e) }); err != nil {
			return err
		}
	}
	return each(f.UserIDs, func(id string) error { return r.remove(g, id, e) })
}

// change applies what an event changes in a membership, if there is one.
func (r *rows) change(g *group, userID string, effect func(*member) error) error {
	m, err := r.member(g, userID)
	if err != nil || m == nil {
		return err
	}
	r.touchMember(m)
	return effect(m)
}

func (m *member) inform(f *domain.MemberInfoChanged) error {
	if f.NameCard != nil {
		m.nameCard = *f.NameCard
	}
	custom, err := object(m.custom)
	if err != nil {
		return err
	}
	m.custom = text(merged(custom, f.Custom))
	return nil
}

func (r *rows) present(g *group, f *domain.GroupProfileChanged) error {
	set(&g.name, f.Name)
	set(&g.faceURL, f.FaceURL)
	if f.JoinOption != 0 {
		g.joinOption = f.JoinOption
	}
	if f.InviteOption != 0 {
		g.inviteOption = f.InviteOption
	}
	if f.Introduction == nil && f.Notification == nil && len(f.Custom) == 0 {
		return nil
	}
	p, err := r.profileOf(g)
	if err != nil {
		return err
	}
	set(&p.introduction, f.Introduction)
	set(&p.notification, f.Notification)
	p.custom, p.changed = merged(p.custom, f.Custom), true
	return nil
}

func set(field, value *string) {
	if value != nil {
		*field = *value
	}
}

// Topics are few and change seldom: they are written at once.

func (r *rows) openTopic(g *group, t domain.Topic) error {
	return r.tx.Exec("INSERT OR REPLACE INTO topics (gid, id, name, introduction, notification, face_url) VALUES (?, ?, ?, ?, ?, ?)",
		g.gid, t.ID, t.Name, t.Introduction, t.Notification, t.FaceURL)
}

func (r *rows) changeTopic(g *group, f *domain.TopicChanged) error {
	return r.tx.Exec(`UPDATE topics SET name = coalesce(?, name), introduction = coalesce(?, introduction),
			notification = coalesce(?, notification), face_url = coalesce(?, face_url) WHERE gid = ? AND id = ?`,
		f.Name, f.Introduction, f.Notification, f.FaceURL, g.gid, f.TopicID)
}

func each(ids []string, do func(id string) error) error {
	for _, id := range ids {
		if err := do(id); err != nil {
			return err
		}
	}
	return nil
}
