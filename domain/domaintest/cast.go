package domaintest

import (
	"time"

	"github.com/grouplog/grouplog/domain"
)

// The people of the examples. The initial tells the role.
const (
	Olga = "olga" // the owner
	Adam = "adam" // an admin where the type has admins, otherwise a plain member
	Mary = "mary" // a plain member, longer in the group than Max
	Max  = "max"  // a plain member
	Sven = "sven" // a stranger
	Sara = "sara" // a stranger
	Root = "root" // the operator of the application; a stranger to the group
)

// GroupID is the group of the examples.
const GroupID = "chess"

// The times of the examples: the group is founded in the morning, and commands
// are given at noon.
var (
	Morning = time.Date(2024, time.May, 1, 8, 0, 0, 0, time.UTC)
	Noon    = time.Date(2024, time.May, 1, 12, 0, 0, 0, time.UTC)
)

// User is somebody who acts for themselves.
func User(userID string) domain.Actor { return domain.Actor{UserID: userID} }

// AppAdmin is somebody who acts as the operator of the application.
func AppAdmin(userID string) domain.Actor { return domain.Actor{UserID: userID, AppAdmin: true} }

// Founded is the first event of the group of the examples, with the defaults of
// its type.
func Founded(p domain.Policies, kind domain.GroupType) domain.GroupCreated {
	policy := p[kind]
	return domain.GroupCreated{
		GroupType: kind, Owner: Olga, Name: "Chess",
		JoinOption: policy.DefaultJoinOption, InviteOption: policy.DefaultInviteOption,
	}
}

// Live are the events of the group of the examples: Olga, Adam, Mary and Max are
// in it, in this order of joining.
func Live(p domain.Policies, kind domain.GroupType) []domain.Event {
	return Populated(p, Founded(p, kind))
}

// Populated are the events of Live for a group that was founded in another way.
func Populated(p domain.Policies, founded domain.GroupCreated) []domain.Event {
	events := []domain.Event{
		founded, domain.MemberJoined{UserID: Adam}, domain.MemberJoined{UserID: Mary}, domain.MemberJoined{UserID: Max},
	}
	if p[founded.GroupType].Admins {
		events = append(events, domain.MemberRoleChanged{UserID: Adam, Role: domain.Admin})
	}
	return events
}

// Changed is a copy of the policies in which the policy of one type is changed.
func Changed(p domain.Policies, kind domain.GroupType, change func(*domain.Policy)) domain.Policies {
	p = p.Clone()
	policy := p[kind]
	change(&policy)
	p[kind] = policy
	return p
}
