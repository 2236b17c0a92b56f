package domain

import "time"

// Membership is one user's standing in one group, from joining to leaving.
// Everything in it ends with the membership.
type Membership struct {
	UserID     string
	Role       Role
	JoinedAt   time.Time
	Order      int // how many had joined this incarnation of the group before, the owner being 0
	NameCard   string
	Custom     map[string]string // not to be changed
	MutedUntil time.Time         // zero: not muted
}

// Muted reports whether the member is muted at that time.
func (m *Membership) Muted(at time.Time) bool { return m.MutedUntil.After(at) }

// member is a Membership as a group holds it: small, for there may be a million. The
// user ID is the key of the map that it is in.
type member struct {
	role     Role  // NotMember in a sparse group: it is known that there is none
	joinedAt int64 // microseconds since 1970
	order    int
	extra    *extra // nil for most
}

// extra is what few members have.
type extra struct {
	nameCard   string
	custom     map[string]string
	mutedUntil time.Time
}

// membership is a member as others see them.
func (m member) membership(userID string) Membership {
	e := m.extra
	if e == nil {
		e = &extra{}
	}
	return Membership{
		UserID: userID, Role: m.role, JoinedAt: time.UnixMicro(m.joinedAt).UTC(), Order: m.order,
		NameCard: e.nameCard, Custom: e.custom, MutedUntil: e.mutedUntil,
	}
}

// member is the reverse of membership.
func (m *Membership) member() member {
	held := member{role: m.Role, joinedAt: m.JoinedAt.UnixMicro(), order: m.Order}
	if m.NameCard != "" || m.Custom != nil || !m.MutedUntil.IsZero() {
		held.extra = &extra{nameCard: m.NameCard, custom: m.Custom, mutedUntil: m.MutedUntil}
	}
	return held
}

// before reports whether m has been in the group longer than other.
func (m member) before(other member) bool {
	if m.joinedAt != other.joinedAt {
		return m.joinedAt < other.joinedAt
	}
	return m.order < other.order
}

// annotate changes what few members have, of a member.
func (g *Group) annotate(userID string, change func(*extra)) {
	m := g.members[userID]
	if m.role == NotMember {
		return
	}
	if m.extra == nil {
		m.extra = &extra{}
		g.members[userID] = m
	}
	change(m.extra)
}

// InitialMember is somebody who is to be a member of a new group from the start.
// A role that is not given is Member.
type InitialMember struct {
	UserID string `json:"userID"`
	Role   Role   `json:"role,omitzero"`
}
