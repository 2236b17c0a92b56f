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

// before reports whether m has been in the group longer than other.
func (m *Membership) before(other *Membership) bool {
	if !m.JoinedAt.Equal(other.JoinedAt) {
		return m.JoinedAt.Before(other.JoinedAt)
	}
	return m.Order < other.Order
}

// InitialMember is somebody who is to be a member of a new group from the start.
// A role that is not given is Member.
type InitialMember struct {
	UserID string `json:"userID"`
	Role   Role   `json:"role,omitzero"`
}
