package domain

import (
	"maps"
	"time"
)

// GroupCreated begins an incarnation of a group, with its owner and its initial
// members. It holds every option as it was then, so that a later change of policy
// does not change history.
type GroupCreated struct {
	GroupType    GroupType         `json:"groupType"`
	Owner        string            `json:"owner"`
	Name         string            `json:"name"`
	Introduction string            `json:"introduction,omitempty"`
	Notification string            `json:"notification,omitempty"`
	FaceURL      string            `json:"faceURL,omitempty"`
	JoinOption   Option            `json:"joinOption"`
	InviteOption Option            `json:"inviteOption"`
	Custom       map[string]string `json:"custom,omitempty"`
	SupportTopic bool              `json:"supportTopic,omitempty"`
	Members      []InitialMember   `json:"members,omitempty"`
}

func (GroupCreated) EventName() string { return "group.created" }

func (e GroupCreated) evolve(g *Group, m Meta) { e.found(g, m.At) }

func (e GroupCreated) found(g *Group, at time.Time) {
	g.begin(at)
	g.kind, g.topicsOn = e.GroupType, e.SupportTopic
	g.profile = Profile{
		Name: e.Name, Introduction: e.Introduction, Notification: e.Notification, FaceURL: e.FaceURL,
		JoinOption: e.JoinOption, InviteOption: e.InviteOption, Custom: maps.Clone(e.Custom),
	}
	g.admit(e.Owner, Owner, at)
	for _, member := range e.Members {
		g.admit(member.UserID, member.Role, at)
	}
}

// GroupImported begins an incarnation with a past: nobody is told.
type GroupImported struct {
	GroupCreated
	CreatedAt time.Time `json:"createdAt"`
}

func (GroupImported) EventName() string { return "group.imported" }

func (e GroupImported) evolve(g *Group, _ Meta) { e.found(g, e.CreatedAt) }

// GroupDismissed ends the group. Cause is Asked or Emptied.
type GroupDismissed struct {
	Cause DismissalCause `json:"cause"`
}

// DismissalCause says why a group was dismissed.
type DismissalCause string

// The causes of a dismissal.
const (
	Asked   DismissalCause = "asked"   // somebody dismissed it
	Emptied DismissalCause = "emptied" // the last member had left: the system's doing
)

func (GroupDismissed) EventName() string { return "group.dismissed" }

func (e GroupDismissed) evolve(g *Group, m Meta) { g.end(m.At) }

// GroupRecycled ends a group in which nothing had happened since IdleSince.
type GroupRecycled struct {
	IdleSince time.Time `json:"idleSince"`
}

func (GroupRecycled) EventName() string { return "group.recycled" }

func (e GroupRecycled) evolve(g *Group, m Meta) { g.end(m.At) }
