package domain

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"
)

// Group is the state of one group ID: all of its incarnations so far, folded from
// its events. The zero value, with NewGroup, is an ID that was never used.
//
// A group is changed by Apply alone and is not safe for concurrent use. Looking at
// one member costs the same in a group of ten and of a million.
type Group struct {
	id      string
	version int // number of events applied, over all incarnations

	incarnation int // 1 for the first group with this ID; 0: none yet
	status      Status
	kind        GroupType
	topicsOn    bool
	createdAt   time.Time
	lastAt      time.Time // of the last event applied
	endedAt     time.Time

	profile Profile
	muted   bool

	owner   string
	count   int // members
	admins  int
	joins   int // memberships begun in this incarnation
	members map[string]member
	sparse  bool // members holds only those known
	since   int  // the version at which a sparse group knew nobody
	bans    map[string]time.Time

	applications applications

	attributes        map[string]string
	attributesVersion int

	topics map[string]Topic
}

// Status is where an incarnation of a group is in its life.
type Status uint8

// The statuses.
const (
	Unused    Status = iota // no group has had this ID
	Live                    // from creation
	Dismissed               // for ever: a later group with the ID is another one
)

// String is the status in words.
func (s Status) String() string { return [...]string{"unused", "live", "dismissed"}[s] }

// Profile is what a group says of itself, and how people come in.
type Profile struct {
	Name         string            `json:"name"`
	Introduction string            `json:"introduction,omitempty"`
	Notification string            `json:"notification,omitempty"`
	FaceURL      string            `json:"faceURL,omitempty"`
	JoinOption   Option            `json:"joinOption"`
	InviteOption Option            `json:"inviteOption"`
	Custom       map[string]string `json:"custom,omitempty"`
}

// Topic is a conversation inside a Community that supports topics.
type Topic struct {
	ID           string `json:"topicID"`
	Name         string `json:"name"`
	Introduction string `json:"introduction,omitempty"`
	Notification string `json:"notification,omitempty"`
	FaceURL      string `json:"faceURL,omitempty"`
}

// NewGroup is the state of a group ID before its first event.
func NewGroup(id string) *Group { return &Group{id: id} }

// ID is the group's ID.
func (g *Group) ID() string { return g.id }

// Version is the number of events applied, which is the version of its stream.
func (g *Group) Version() int { return g.version }

// Incarnation counts the groups that have had this ID, from 1.
func (g *Group) Incarnation() int { return g.incarnation }

// Status is that of the newest incarnation.
func (g *Group) Status() Status { return g.status }

// Type is the group's type.
func (g *Group) Type() GroupType { return g.kind }

// SupportsTopics reports whether the group was created with topic support.
func (g *Group) SupportsTopics() bool { return g.topicsOn }

// Profile is what the group says of itself. Its map is not to be changed.
func (g *Group) Profile() Profile { return g.profile }

// CreatedAt is when the group was created; for an imported one, in its past life.
func (g *Group) CreatedAt() time.Time { return g.createdAt }

// LastEventAt is the time of the last event: nothing in this group is recorded
// with an earlier one.
func (g *Group) LastEventAt() time.Time { return g.lastAt }

// EndedAt is when the group was dismissed; zero while it is live.
func (g *Group) EndedAt() time.Time { return g.endedAt }

// AllMuted reports whether plain members are muted.
func (g *Group) AllMuted() bool { return g.muted }

// Owner is the owner's user ID; empty in an ownerless group.
func (g *Group) Owner() string { return g.owner }

// Count is the number of members.
func (g *Group) Count() int { return g.count }

// AdminCount is the number of admins, without the owner.
func (g *Group) AdminCount() int { return g.admins }

// Role is a user's role; NotMember for a stranger.
func (g *Group) Role(userID string) Role { return g.members[userID].role }

// IsMember reports whether the user is in the group.
func (g *Group) IsMember(userID string) bool { return g.Role(userID) != NotMember }

// Membership is a user's membership, and whether there is one.
func (g *Group) Membership(userID string) (Membership, bool) {
	if m := g.members[userID]; m.role != NotMember {
		return m.membership(userID), true
	}
	return Membership{}, false
}

// Memberships yields every membership in the order of joining. It sorts: use it
// where all members are wanted anyway, and not on a sparse group.
func (g *Group) Memberships() iter.Seq[Membership] {
	return func(yield func(Membership) bool) {
		inOrder := make([]Membership, 0, g.count)
		for id, m := range g.members {
			if m.role != NotMember {
				inOrder = append(inOrder, m.membership(id))
			}
		}
		slices.SortFunc(inOrder, func(a, b Membership) int { return cmp.Compare(a.Order, b.Order) })
		for _, m := range inOrder {
			if !yield(m) {
				return
			}
		}
	}
}

// Successor is the member who has been in the group longest, the owner aside;
// empty if there is nobody else. It looks at every member: not for a sparse group.
func (g *Group) Successor() (userID string) {
	var longest member
	for id, m := range g.members {
		if m.role != NotMember && m.role != Owner && (userID == "" || m.before(longest)) {
			userID, longest = id, m
		}
	}
	return userID
}

// Banned reports whether the user is banned at that time.
func (g *Group) Banned(userID string, at time.Time) bool { return g.bans[userID].After(at) }

// BannedUntil is the end of a user's ban; zero if they were never banned. It may
// have passed.
func (g *Group) BannedUntil(userID string) time.Time { return g.bans[userID] }

// Application finds an open application.
func (g *Group) Application(id string) (Application, bool) {
	if app, ok := g.applications.byID[id]; ok {
		return *app, true
	}
	return Application{}, false
}

// OpenApplication finds the open application of a kind by who asked for whom.
func (g *Group) OpenApplication(kind ApplicationKind, from, candidate string) (Application, bool) {
	for _, app := range g.applications.byCandidate[candidate] {
		if app.Kind == kind && app.From == from {
			return *app, true
		}
	}
	return Application{}, false
}

// OpenApplicationsFrom lists the open applications of who asked, oldest first.
func (g *Group) OpenApplicationsFrom(from string) []Application {
	var open []Application
	for _, app := range g.applications.byFrom[from] {
		open = append(open, *app)
	}
	return open
}

// OpenApplications yields the open ones in the order of submission. It sorts: use
// it where all are wanted anyway.
func (g *Group) OpenApplications() iter.Seq[Application] {
	return func(yield func(Application) bool) {
		number := func(app *Application) int {
			_, _, n, _ := ParseApplicationID(app.ID)
			return n
		}
		inOrder := slices.SortedFunc(maps.Values(g.applications.byID), func(a, b *Application) int {
			return cmp.Compare(number(a), number(b))
		})
		for _, app := range inOrder {
			if !yield(*app) {
				return
			}
		}
	}
}

// ApplicationsSubmitted is how many applications this incarnation has seen, open
// or not.
func (g *Group) ApplicationsSubmitted() int { return g.applications.submitted }

// Attributes are the group's attributes. The map is not to be changed.
func (g *Group) Attributes() map[string]string { return g.attributes }

// AttributesVersion counts the changes to the attributes, for compare-and-set.
func (g *Group) AttributesVersion() int { return g.attributesVersion }

// Topic finds a topic.
func (g *Group) Topic(id string) (Topic, bool) {
	topic, ok := g.topics[id]
	return topic, ok
}

// Topics are the group's topics by ID. The map is not to be changed.
func (g *Group) Topics() map[string]Topic { return g.topics }

// AdminsAndOwner yields the users who may approve, in the order of joining. It
// looks at every member.
func (g *Group) AdminsAndOwner() iter.Seq[string] {
	return func(yield func(string) bool) {
		for m := range g.Memberships() {
			if m.Role >= Admin && !yield(m.UserID) {
				return
			}
		}
	}
}
