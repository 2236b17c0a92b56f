package domain

import "time"

// Event is a fact about a group (or, for ApplicationsRead, about a user). The set
// is sealed: the compiler proves that every event has its effect. An event's
// effect is total: a decoded event never fails to apply.
type Event interface {
	// EventName is the name on disk, typed by hand and never changed.
	EventName() string
	evolve(g *Group, m Meta)
}

// Meta is who recorded an event and when, which the log keeps beside every event.
type Meta struct {
	Actor Actor
	At    time.Time
}

// Apply folds one event into the group, in place. Its cost does not depend on the
// number of members, but for the events that end every membership. What is not
// live cannot change: only the next creation has an effect then.
func (g *Group) Apply(e Event, m Meta) {
	g.version++
	g.lastAt = m.At
	if g.status == Live || begins(e) {
		e.evolve(g, m)
	}
}

func begins(e Event) bool {
	switch e.(type) {
	case GroupCreated, GroupImported, Several: // each of whose facts is asked again
		return true
	default:
		return false
	}
}

// begin starts the next incarnation, which inherits nothing.
func (g *Group) begin(at time.Time) {
	*g = Group{
		id:          g.id,
		version:     g.version,
		incarnation: g.incarnation + 1,
		lastAt:      g.lastAt,
		status:      Live,
		createdAt:   at,
		members:     map[string]member{},
	}
}

// end is for ever. What the group was stays readable; who was in it does not.
func (g *Group) end(at time.Time) {
	if g.status == Dismissed {
		return
	}
	g.status, g.endedAt = Dismissed, at
	g.owner, g.admins, g.count = "", 0, 0
	g.members, g.bans, g.topics, g.attributes = nil, nil, nil, nil
	g.applications = applications{}
}

// admit begins a membership. It closes the user's open applications, which are
// superseded, and lifts a ban: only an app admin can have let a banned user in.
func (g *Group) admit(userID string, role Role, at time.Time) {
	if g.IsMember(userID) {
		return
	}
	if role == NotMember {
		role = Member // a role that is not given
	}
	g.members[userID] = member{role: role, joinedAt: at.UnixMicro(), order: g.joins}
	g.joins++
	g.count++
	switch role {
	case Owner:
		g.owner = userID
	case Admin:
		g.admins++
	}
	g.applications.closeFor(userID)
	delete(g.bans, userID)
}

// remove ends a membership and everything attached to it. The group ends with its
// last member.
func (g *Group) remove(userID string, at time.Time) {
	switch g.Role(userID) {
	case NotMember:
		return
	case Owner:
		g.owner = ""
	case Admin:
		g.admins--
	}
	g.forget(userID)
	if g.count--; g.count == 0 {
		g.end(at)
	}
}

// rank gives a member a role.
func (g *Group) rank(userID string, role Role) {
	m := g.members[userID]
	if m.role == NotMember || role == NotMember {
		return
	}
	switch m.role {
	case Admin:
		g.admins--
	case Owner:
		g.owner = ""
	}
	m.role = role
	g.members[userID] = m
	switch role {
	case Admin:
		g.admins++
	case Owner:
		g.owner = userID
	}
}
