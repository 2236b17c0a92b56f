package domain

import (
	"slices"
	"time"
)

// GroupType names a policy. An embedder may add types of their own.
type GroupType string

// The group types of the group document.
const (
	Work       GroupType = "Work"
	Public     GroupType = "Public"
	Meeting    GroupType = "Meeting"
	Community  GroupType = "Community"
	AVChatRoom GroupType = "AVChatRoom"
)

// Policies are the rules in force: one policy for each group type. Classic and
// Current return fresh copies, so any cell may be changed and any type added:
//
//	policies := domain.Classic()
//	clan := policies[domain.Public]
//	clan.MemberLimit = 50
//	policies["Clan"] = clan
//
// Policies are read while the engine runs and must not be changed then.
type Policies map[GroupType]Policy

// Policy holds every rule that differs from one group type to another: a column
// of the policy table. The code asks the policy, never the type.
type Policy struct {
	Admins              bool     // whether there are admins beside owner and members
	DefaultJoinOption   Option   // of a new group
	JoinOptions         []Option // it may be changed to
	ChangeJoinOption    Right    // who may change it
	DefaultInviteOption Option   // of a new group: whom members may invite
	InviteOptions       []Option // it may be changed to; who may: EditProfile
	Invitations         bool     // whether anybody can be invited at all, even by an app admin
	InitialMembers      bool     // whether a new group may have members beside its owner
	OwnerQuit           OwnerQuit
	Dismiss             Right
	EditPresentation    Right // name, introduction, notification, face URL
	EditProfile         Right // the rest of the profile
	Kick                Right // only those of lower rank
	Mute                Right // one member of lower rank, or all
	SetAdmins           Right
	TransferOwner       Right
	JoinedList          JoinedList    // whether the group shows in its members' joined-group lists
	Topics              bool          // whether a group may be created with topic support
	MemberLimit         int           // 0: none
	AnnounceMembership  bool          // tell members of enter, leave, invited, kicked
	AnnounceModeration  bool          // tell members of admin granted or revoked, and of mutes
	CustomIDPrefix      string        // a custom group ID must start with this
	ReservedIDPrefix    string        // a custom group ID must not start with this
	AssignedIDPrefix    string        // an assigned group ID starts with this
	RecycleAfter        time.Duration // an idle group may be recycled after this long; 0: never
	Limits              Limits
}

// Right says who in a group may do something. An app admin may do what the owner
// may, so nothing that nobody may do.
type Right uint8

// The rights of the policy table.
const (
	Nobody Right = iota
	OwnerOnly
	OwnerAndAdmins
	AnyMember
)

// Allows reports whether somebody with that role has the right.
func (r Right) Allows(role Role) bool {
	switch r {
	case OwnerOnly:
		return role >= Owner
	case OwnerAndAdmins:
		return role >= Admin
	case AnyMember:
		return role >= Member
	default:
		return false
	}
}

// String says the right in words, as the policy table does.
func (r Right) String() string {
	switch r {
	case OwnerOnly:
		return "owner"
	case OwnerAndAdmins:
		return "owner, admin"
	case AnyMember:
		return "any member"
	default:
		return "nobody"
	}
}

// OwnerQuit says what happens when the owner quits.
type OwnerQuit uint8

// The ways of an owner's quitting.
const (
	OwnerStays      OwnerQuit = iota // the owner may not quit
	OwnerPassesOn                    // ownership passes to the member who has been in the group longest
	OwnerLeavesNone                  // the group is ownerless until an app admin names an owner
)

// String says it as the policy table does.
func (q OwnerQuit) String() string {
	switch q {
	case OwnerPassesOn:
		return "yes: ownership passes on"
	case OwnerLeavesNone:
		return "yes: group becomes ownerless"
	default:
		return "no"
	}
}

// JoinedList says whether groups of a type show in their members' joined-group
// lists.
type JoinedList uint8

// The values of the policy table's row.
const (
	Unlisted JoinedList = iota
	Listed
	ListedWithoutTopics // listed unless the group supports topics
)

// String says it as the policy table does.
func (l JoinedList) String() string {
	switch l {
	case Listed:
		return "yes"
	case ListedWithoutTopics:
		return "yes, unless it supports topics"
	default:
		return "no"
	}
}

// Shows reports whether a group with or without topics is listed.
func (l JoinedList) Shows(topics bool) bool {
	return l == Listed || l == ListedWithoutTopics && !topics
}

// Limits are the bounds on what a command may carry. Lengths are bytes of UTF-8.
type Limits struct {
	GroupID, UserID                           int
	Name, Introduction, Notification, FaceURL int
	NameCard                                  int
	Message                                   int // join message, decision reason, kick reason
	CustomKeys, CustomKey, CustomValue        int // fields; bytes of a key; bytes of a value
	Attributes, AttributeKey, AttributeValue  int // attributes; bytes of a key; bytes of a value
	AttributesTotal                           int // bytes of all keys and values together
	Invite, Initial, Kick                     int // users in one command
	InviteByAppAdmin, InitialByAppAdmin       int
	KickByAppAdmin                            int
	Notify                                    int // users that one custom notification may list
	CustomData                                int // bytes of a custom notification
	TopicID                                   int
	GroupsPerUser                             int // created and joined; 0: no limit
}

// InviteBy is how many users the actor may invite in one command.
func (l *Limits) InviteBy(a Actor) int { return byActor(a, l.Invite, l.InviteByAppAdmin) }

// InitialBy is how many initial members the actor may give a new group.
func (l *Limits) InitialBy(a Actor) int { return byActor(a, l.Initial, l.InitialByAppAdmin) }

// KickBy is how many users the actor may kick in one command.
func (l *Limits) KickBy(a Actor) int { return byActor(a, l.Kick, l.KickByAppAdmin) }

func byActor(a Actor, user, appAdmin int) int {
	if a.AppAdmin {
		return appAdmin
	}
	return user
}

// Clone returns a copy that shares nothing with p.
func (p Policies) Clone() Policies {
	clone := make(Policies, len(p))
	for name, policy := range p {
		policy.JoinOptions = slices.Clone(policy.JoinOptions)
		policy.InviteOptions = slices.Clone(policy.InviteOptions)
		clone[name] = policy
	}
	return clone
}

// Types lists the group types in the order of the group document, then the others
// by name.
func (p Policies) Types() []GroupType {
	builtin := []GroupType{Work, Public, Meeting, Community, AVChatRoom}
	var types, others []GroupType
	for _, name := range builtin {
		if _, ok := p[name]; ok {
			types = append(types, name)
		}
	}
	for name := range p {
		if !slices.Contains(builtin, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(types, others...)
}
