package domain

import "time"

// MemberMuted silences a member until a time.
type MemberMuted struct {
	UserID string    `json:"userID"`
	Until  time.Time `json:"until"`
}

func (MemberMuted) EventName() string { return "member.muted" }

func (e MemberMuted) evolve(g *Group, _ Meta) {
	g.annotate(e.UserID, func(x *extra) { x.mutedUntil = e.Until })
}

// MemberUnmuted lets a member speak again.
type MemberUnmuted struct {
	UserID string `json:"userID"`
}

func (MemberUnmuted) EventName() string { return "member.unmuted" }

func (e MemberUnmuted) evolve(g *Group, _ Meta) {
	g.annotate(e.UserID, func(x *extra) { x.mutedUntil = time.Time{} })
}

// GroupMuted switches the silence of all plain members on or off.
type GroupMuted struct {
	Muted bool `json:"muted"`
}

func (GroupMuted) EventName() string { return "group.muted" }

func (e GroupMuted) evolve(g *Group, _ Meta) { g.muted = e.Muted }
