package notify

import (
	"fmt"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// Notification is one thing that users are told: a callback of the group document
// with its parameters. It shows the state after its own event. Its JSON is the
// same wherever notifications are sent.
type Notification struct {
	// ID is stable: deriving the log again gives the same. It is the position of the
	// event and the place among the notifications of that event.
	ID       string              `json:"id"`
	Kind     Kind                `json:"kind"`
	GroupID  string              `json:"groupID"`
	Position eventstore.Position `json:"position"` // of the event
	At       time.Time           `json:"at"`

	By          *domain.Actor     `json:"by,omitempty"`      // who did it
	Members     []Member          `json:"members,omitempty"` // whom it is about
	Changes     []Change          `json:"changes,omitempty"`
	Muted       *bool             `json:"muted,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"` // all of them, after the change
	Application string            `json:"applicationID,omitempty"`
	Message     string            `json:"message,omitempty"`
	Agreed      *bool             `json:"agreed,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	Data        []byte            `json:"data,omitempty"`
	Topics      []domain.Topic    `json:"topics,omitempty"`
	Incarnation int               `json:"incarnation"`
	index       int               // place among the notifications of its event
}

// Member is a user as a notification shows them. One who has left has an ID alone.
type Member struct {
	UserID     string      `json:"userID"`
	Role       domain.Role `json:"role,omitzero"`
	NameCard   string      `json:"nameCard,omitempty"`
	MutedUntil time.Time   `json:"mutedUntil,omitzero"`
}

// Change is one field of a group's profile that changed, with its new value.
type Change struct {
	Field string `json:"field"` // as in the wire form: "name", "joinOption", "owner", "custom.KEY", …
	Value string `json:"value"` // empty for a custom field that was deleted
}

// Kind is the callback's name in the group document.
type Kind string

// The callbacks.
const (
	OnGroupCreated              Kind = "OnGroupCreated"
	OnMemberEnter               Kind = "OnMemberEnter"
	OnMemberInvited             Kind = "OnMemberInvited"
	OnMemberLeave               Kind = "OnMemberLeave"
	OnQuitFromGroup             Kind = "OnQuitFromGroup"
	OnMemberKicked              Kind = "OnMemberKicked"
	OnMemberInfoChanged         Kind = "OnMemberInfoChanged"
	OnAllMembersMuted           Kind = "OnAllMembersMuted"
	OnGrantAdministrator        Kind = "OnGrantAdministrator"
	OnRevokeAdministrator       Kind = "OnRevokeAdministrator"
	OnGroupInfoChanged          Kind = "OnGroupInfoChanged"
	OnGroupAttributeChanged     Kind = "OnGroupAttributeChanged"
	OnReceiveJoinApplication    Kind = "OnReceiveJoinApplication"
	OnApplicationProcessed      Kind = "OnApplicationProcessed"
	OnGroupDismissed            Kind = "OnGroupDismissed"
	OnGroupRecycled             Kind = "OnGroupRecycled"
	OnReceiveCustomNotification Kind = "OnReceiveCustomNotification"
	OnTopicCreated              Kind = "OnTopicCreated"
	OnTopicDeleted              Kind = "OnTopicDeleted"
	OnTopicInfoChanged          Kind = "OnTopicInfoChanged"
)

func notificationID(p eventstore.Position, index int) string { return fmt.Sprintf("%d/%d", p, index) }

// after reports whether n comes after the notification with that place in the log.
func (n *Notification) after(p eventstore.Position, index int) bool {
	return n.Position > p || n.Position == p && n.index > index
}
