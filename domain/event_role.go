package domain

// MemberRoleChanged makes a member an admin or an admin a plain member.
type MemberRoleChanged struct {
	UserID string `json:"userID"`
	Role   Role   `json:"role"`
}

func (MemberRoleChanged) EventName() string { return "member.role_changed" }

func (e MemberRoleChanged) evolve(g *Group, _ Meta) { g.rank(e.UserID, e.Role) }

// OwnerTransferred names a new owner; the old one becomes a plain member. From is
// empty where the group had none.
type OwnerTransferred struct {
	From string `json:"from,omitempty"`
	To   string `json:"to"`
}

func (OwnerTransferred) EventName() string { return "owner.transferred" }

func (e OwnerTransferred) evolve(g *Group, _ Meta) {
	g.rank(e.From, Member)
	g.rank(e.To, Owner)
}
