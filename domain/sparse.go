package domain

import "time"

// Header is what can be said of a group without looking at its members: what a
// sparse group starts from.
type Header struct {
	ID                    string
	Version               int // of the stream
	Incarnation           int
	Status                Status
	Type                  GroupType
	SupportsTopics        bool
	CreatedAt             time.Time
	LastEventAt           time.Time
	EndedAt               time.Time
	Profile               Profile
	AllMuted              bool
	Owner                 string
	Count, Admins, Joins  int // members; admins among them; memberships begun
	ApplicationsSubmitted int
	Attributes            map[string]string
	AttributesVersion     int
	Topics                map[string]Topic
}

// Person is all that a group holds of one user.
type Person struct {
	Membership   *Membership // nil: not a member
	BannedUntil  time.Time
	Applications []Application // the open ones in which the user is who asked or the candidate
}

// NewSparse is a group of which nobody is known yet, so that a decision about three
// users need not load a million. Whom a rule or an event is about must be made
// known by Learn before: see Concerned. A rule that looks at all members needs a
// whole group.
//
// Decisions on a sparse group are those on the whole one.
func NewSparse(h Header) *Group {
	g := &Group{
		id: h.ID, version: h.Version, incarnation: h.Incarnation, status: h.Status, kind: h.Type, topicsOn: h.SupportsTopics,
		createdAt: h.CreatedAt, lastAt: h.LastEventAt, endedAt: h.EndedAt, profile: h.Profile, muted: h.AllMuted,
		owner: h.Owner, count: h.Count, admins: h.Admins, joins: h.Joins,
		attributes: h.Attributes, attributesVersion: h.AttributesVersion, topics: h.Topics,
		applications: applications{submitted: h.ApplicationsSubmitted},
		members:      map[string]member{}, sparse: true, since: h.Version,
	}
	return g
}

// Whole reports whether every member is known.
func (g *Group) Whole() bool { return !g.sparse }

// Since is the version from which on a sparse group may learn how users are.
func (g *Group) Since() int { return g.since }

// Knows reports whether the group knows all there is to know of a user.
func (g *Group) Knows(userID string) bool {
	if !g.sparse || g.status != Live {
		return true
	}
	_, known := g.members[userID]
	return known
}

// Learn makes a user known, as they were at any version from Since to the present
// one: since every event applied concerned only
// users who were known, nothing has happened to this one meanwhile. Learning who is
// known already changes nothing.
func (g *Group) Learn(userID string, p Person) {
	if g.Knows(userID) {
		return
	}
	for _, app := range p.Applications {
		other := app.From
		if other == userID {
			other = app.Candidate
		}
		// What is open between the two is known from the other side already, if it still is.
		if _, known := g.members[other]; !known || other == userID {
			g.applications.put(&app)
		}
	}
	g.members[userID] = member{}
	if p.Membership != nil {
		g.members[userID] = p.Membership.member()
	}
	if !p.BannedUntil.IsZero() {
		if g.bans == nil {
			g.bans = map[string]time.Time{}
		}
		g.bans[userID] = p.BannedUntil
	}
}

// forget ends a membership: in a sparse group, by knowing that there is none.
func (g *Group) forget(userID string) {
	if g.sparse {
		g.members[userID] = member{}
		return
	}
	delete(g.members, userID)
}

// Known is how many users the group holds something of: a measure of its size in
// memory.
func (g *Group) Known() int { return len(g.members) + len(g.bans) + len(g.applications.byID) }

// Concerned lists the users whom an event is about: those whose standing it reads
// or changes. A sparse group must know them before the event is applied.
func Concerned(e Event) []string {
	switch e := e.(type) {
	case Several:
		var all []string
		for _, fact := range e.Facts {
			all = append(all, Concerned(fact)...)
		}
		return all
	case MemberJoined:
		return []string{e.UserID}
	case MembersInvited:
		return e.UserIDs
	case MemberImported:
		return []string{e.UserID}
	case MemberLeft:
		return []string{e.UserID}
	case MembersKicked:
		return e.UserIDs
	case MemberRoleChanged:
		return []string{e.UserID}
	case OwnerTransferred:
		return []string{e.From, e.To}
	case MemberMuted:
		return []string{e.UserID}
	case MemberUnmuted:
		return []string{e.UserID}
	case MemberInfoChanged:
		return []string{e.UserID}
	case ApplicationSubmitted:
		return []string{e.From, e.UserID}
	case ApplicationRefreshed:
		return []string{e.From, e.UserID}
	case ApplicationAccepted:
		return []string{e.From, e.UserID}
	case ApplicationRefused:
		return []string{e.From, e.UserID}
	default:
		// Events of a whole group, and of no user.
		return nil
	}
}
