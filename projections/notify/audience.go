package notify

import (
	"iter"
	"slices"

	"github.com/grouplog/grouplog/domain"
)

// Audience says who receives a notification. It looks at the group as it is at the
// moment of the notification and is good only until the next event.
type Audience struct {
	group  *domain.Group // all members of it, unless users or approvers say otherwise
	plus   []string      // and these
	except string        // but not this one

	users     []string // these alone, where only is set
	only      bool
	approvers bool // owner and admins alone
}

func everyone(g *domain.Group) Audience { return Audience{group: g} }

func just(users ...string) Audience { return Audience{users: users, only: true} }

func approversOf(g *domain.Group) Audience { return Audience{group: g, approvers: true} }

// Has reports whether a user receives the notification. It does not look at the
// other members.
func (a Audience) Has(userID string) bool {
	switch {
	case a.only:
		return slices.Contains(a.users, userID)
	case a.approvers:
		return a.group.Role(userID) >= domain.Admin
	default:
		return userID != a.except && (a.group.IsMember(userID) || slices.Contains(a.plus, userID))
	}
}

// Size is how many receive the notification, at most.
func (a Audience) Size() int {
	if a.only {
		return len(a.users)
	}
	return a.group.Count() + len(a.plus)
}

// Users yields everybody who receives the notification.
func (a Audience) Users() iter.Seq[string] {
	return func(yield func(string) bool) {
		if a.only {
			for _, user := range a.users {
				if !yield(user) {
					return
				}
			}
			return
		}
		for m := range a.group.Memberships() {
			if a.Has(m.UserID) && !yield(m.UserID) {
				return
			}
		}
		if a.approvers {
			return
		}
		for _, user := range a.plus {
			if !a.group.IsMember(user) && user != a.except && !yield(user) {
				return
			}
		}
	}
}
