package audit

import (
	"slices"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// Subjects are the users whom an event is about, each once, in the order in which
// the event names them; who acted is one only where the event names them too. A
// change of the group itself is about nobody.
func Subjects(e projections.Event) []string {
	var users []string
	switch fact := e.Fact.(type) {
	case domain.Several:
		for part := range e.Parts() {
			users = append(users, Subjects(part)...)
		}
	case domain.GroupCreated:
		users = founders(fact)
	case domain.GroupImported:
		users = founders(fact.GroupCreated)
	case domain.MemberJoined:
		users = []string{fact.UserID}
	case domain.MembersInvited:
		users = fact.UserIDs
	case domain.MemberImported:
		users = []string{fact.UserID}
	case domain.MemberLeft:
		users = []string{fact.UserID}
	case domain.MembersKicked:
		users = fact.UserIDs
	case domain.MemberRoleChanged:
		users = []string{fact.UserID}
	case domain.OwnerTransferred:
		users = []string{fact.From, fact.To}
	case domain.MemberMuted:
		users = []string{fact.UserID}
	case domain.MemberUnmuted:
		users = []string{fact.UserID}
	case domain.MemberInfoChanged:
		users = []string{fact.UserID}
	case domain.ApplicationSubmitted:
		users = []string{fact.From, fact.UserID}
	case domain.ApplicationRefreshed:
		users = []string{fact.From, fact.UserID}
	case domain.ApplicationAccepted:
		users = []string{fact.From, fact.UserID}
	case domain.ApplicationRefused:
		users = []string{fact.From, fact.UserID}
	case domain.ApplicationsRead:
		users = []string{fact.UserID}
	case domain.NotificationSent:
		users = fact.UserIDs
	}
	return once(users)
}

func founders(fact domain.GroupCreated) []string {
	users := []string{fact.Owner}
	for _, m := range fact.Members {
		users = append(users, m.UserID)
	}
	return users
}

// once is the users without the empty ones and without repetitions.
func once(users []string) []string {
	seen := make(map[string]bool, len(users))
	return slices.DeleteFunc(slices.Clone(users), func(id string) bool {
		repeated := id == "" || seen[id]
		seen[id] = true
		return repeated
	})
}
