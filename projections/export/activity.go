package export

import (
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
)

// activity is an event in the words of OCSF's class Group Management. Its groups have no
// UID yet.
type activity struct {
	id         int
	name       string
	users      []string
	role       string
	privileges []string
	detail     string // why
	group      ocsfGroup
	updated    *ocsfGroup
}

// The activities of the class that happen here. What it has no activity for is another
// one, with a name of its own.
const (
	assignPrivileges = 1
	revokePrivileges = 2
	addUser          = 3
	removeUser       = 4
	deleteGroup      = 5
	createGroup      = 6
	updateGroup      = 9
	assignRoles      = 12
	revokeRoles      = 13
	otherActivity    = 99
)

var activityNames = map[int]string{
	assignPrivileges: "Assign Privileges", revokePrivileges: "Revoke Privileges", addUser: "Add User", removeUser: "Remove User",
	deleteGroup: "Delete", createGroup: "Create", updateGroup: "Update", assignRoles: "Assign Roles", revokeRoles: "Revoke Roles",
}

func (a *activity) typeName() string {
	if a.id == otherActivity {
		return "Other"
	}
	return a.name
}

// speak is the privilege that a mute takes.
var speak = []string{"speak"}

// activityOf is what an event of a group is in OCSF.
func activityOf(fact domain.Event) activity {
	a := activity{id: updateGroup, users: audit.Subjects(projections.Event{Fact: fact})}
	switch fact := fact.(type) {
	case domain.GroupCreated:
		a.id, a.group = createGroup, founded(fact)
	case domain.GroupImported:
		a.id, a.group = createGroup, founded(fact.GroupCreated)
	case domain.GroupDismissed:
		a.id, a.detail = deleteGroup, string(fact.Cause)
	case domain.GroupRecycled:
		a.id, a.detail = deleteGroup, "idle"
	case domain.MemberJoined, domain.MembersInvited, domain.MemberImported:
		a.id = addUser
	case domain.ApplicationAccepted:
		a.id, a.users, a.detail = addUser, []string{fact.UserID}, fact.Reason
	case domain.MemberLeft:
		a.id = removeUser
	case domain.MembersKicked:
		a.id, a.detail = removeUser, fact.Reason
	case domain.MemberRoleChanged:
		if a.id, a.role = assignRoles, fact.Role.String(); fact.Role != domain.Admin {
			a.id, a.role = revokeRoles, domain.Admin.String()
		}
	case domain.OwnerTransferred:
		a.id, a.role, a.users = assignRoles, domain.Owner.String(), []string{fact.To}
	case domain.MemberMuted:
		a.id, a.privileges = revokePrivileges, speak
	case domain.MemberUnmuted:
		a.id, a.privileges = assignPrivileges, speak
	case domain.GroupMuted:
		if a.id, a.privileges = assignPrivileges, speak; fact.Muted {
			a.id = revokePrivileges
		}
	case domain.GroupProfileChanged:
		a.updated = &ocsfGroup{Name: given(fact.Name), Desc: given(fact.Introduction)}
	case domain.AttributesChanged, domain.TopicCreated, domain.TopicChanged, domain.TopicsDeleted:
	case domain.MemberInfoChanged:
		a.id, a.name = otherActivity, "Change Member Info"
	case domain.ApplicationSubmitted:
		a.id, a.name = otherActivity, "Submit Application"
	case domain.ApplicationRefreshed:
		a.id, a.name = otherActivity, "Refresh Application"
	case domain.ApplicationRefused:
		a.id, a.name, a.detail = otherActivity, "Refuse Application", fact.Reason
	case domain.NotificationSent:
		a.id, a.name = otherActivity, "Send Notification"
	default:
		a.id, a.name = otherActivity, "Other"
	}
	if a.id != otherActivity {
		a.name = activityNames[a.id]
	}
	return a
}

func founded(fact domain.GroupCreated) ocsfGroup {
	return ocsfGroup{Name: fact.Name, Desc: fact.Introduction, Type: string(fact.GroupType)}
}

func given(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
