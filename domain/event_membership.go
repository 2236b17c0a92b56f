package domain

import "time"

// MemberJoined is somebody who came in by themselves.
type MemberJoined struct {
	UserID string `json:"userID"`
}

func (MemberJoined) EventName() string { return "member.joined" }

func (e MemberJoined) evolve(g *Group, m Meta) { g.admit(e.UserID, Member, m.At) }

// MembersInvited are the users whom one invitation brought in at once.
type MembersInvited struct {
	UserIDs []string `json:"userIDs"`
}

func (MembersInvited) EventName() string { return "members.invited" }

func (e MembersInvited) evolve(g *Group, m Meta) {
	for _, id := range e.UserIDs {
		g.admit(id, Member, m.At)
	}
}

// MemberImported is a member with a past: nobody is told.
type MemberImported struct {
	UserID   string    `json:"userID"`
	Role     Role      `json:"role"`
	JoinedAt time.Time `json:"joinedAt"`
}

func (MemberImported) EventName() string { return "member.imported" }

func (e MemberImported) evolve(g *Group, _ Meta) { g.admit(e.UserID, e.Role, e.JoinedAt) }

// MemberLeft is somebody who quit.
type MemberLeft struct {
	UserID string `json:"userID"`
}

func (MemberLeft) EventName() string { return "member.left" }

func (e MemberLeft) evolve(g *Group, m Meta) { g.remove(e.UserID, m.At) }

// MembersKicked are the users whom one command removed. With BannedUntil they are
// kept out until then.
type MembersKicked struct {
	UserIDs     []string  `json:"userIDs"`
	Reason      string    `json:"reason,omitempty"`
	BannedUntil time.Time `json:"bannedUntil,omitzero"`
}

func (MembersKicked) EventName() string { return "members.kicked" }

func (e MembersKicked) evolve(g *Group, m Meta) {
	for _, id := range e.UserIDs {
		if !e.BannedUntil.IsZero() {
			g.ban(id, e.BannedUntil)
		}
	}
	for _, id := range e.UserIDs {
		g.remove(id, m.At)
	}
}

func (g *Group) ban(userID string, until time.Time) {
	if g.bans == nil {
		g.bans = map[string]time.Time{}
	}
	g.bans[userID] = until
	g.applications.closeFor(userID)
}
