package domain

import "maps"

// GroupProfileChanged holds the fields that changed, with their new values.
type GroupProfileChanged struct {
	Name         *string           `json:"name,omitempty"`
	Introduction *string           `json:"introduction,omitempty"`
	Notification *string           `json:"notification,omitempty"`
	FaceURL      *string           `json:"faceURL,omitempty"`
	JoinOption   Option            `json:"joinOption,omitzero"`
	InviteOption Option            `json:"inviteOption,omitzero"`
	Custom       map[string]string `json:"custom,omitempty"` // empty values: deleted fields
}

func (GroupProfileChanged) EventName() string { return "group.profile_changed" }

// Empty reports whether nothing changed.
func (e GroupProfileChanged) Empty() bool {
	return e.Name == nil && e.Introduction == nil && e.Notification == nil && e.FaceURL == nil &&
		e.JoinOption == 0 && e.InviteOption == 0 && len(e.Custom) == 0
}

func (e GroupProfileChanged) evolve(g *Group, _ Meta) {
	p := &g.profile
	set(&p.Name, e.Name)
	set(&p.Introduction, e.Introduction)
	set(&p.Notification, e.Notification)
	set(&p.FaceURL, e.FaceURL)
	if e.JoinOption != 0 {
		p.JoinOption = e.JoinOption
	}
	if e.InviteOption != 0 {
		p.InviteOption = e.InviteOption
	}
	p.Custom = merged(p.Custom, e.Custom)
}

func set(field, value *string) {
	if value != nil {
		*field = *value
	}
}

// merged is a copy of fields with the changes made; an empty value deletes.
func merged(fields, changes map[string]string) map[string]string {
	if len(changes) == 0 {
		return fields
	}
	result := make(map[string]string, len(fields)+len(changes))
	maps.Copy(result, fields)
	maps.Copy(result, changes)
	maps.DeleteFunc(result, func(_, value string) bool { return value == "" })
	return result
}

// MemberInfoChanged holds what changed of a member's own data in the group.
type MemberInfoChanged struct {
	UserID   string            `json:"userID"`
	NameCard *string           `json:"nameCard,omitempty"`
	Custom   map[string]string `json:"custom,omitempty"` // empty values: deleted fields
}

func (MemberInfoChanged) EventName() string { return "member.info_changed" }

func (e MemberInfoChanged) evolve(g *Group, _ Meta) {
	g.annotate(e.UserID, func(x *extra) {
		set(&x.nameCard, e.NameCard)
		x.custom = merged(x.custom, e.Custom)
	})
}

// AttributesChanged holds the attributes that were set and those deleted. Unlike
// a custom field, an attribute may be empty.
type AttributesChanged struct {
	Set     map[string]string `json:"set,omitempty"`
	Deleted []string          `json:"deleted,omitempty"`
}

func (AttributesChanged) EventName() string { return "attributes.changed" }

func (e AttributesChanged) evolve(g *Group, _ Meta) {
	g.attributes = e.After(g.attributes)
	g.attributesVersion++
}

// After is a copy of attributes with the change made.
func (e AttributesChanged) After(attributes map[string]string) map[string]string {
	result := make(map[string]string, len(attributes)+len(e.Set))
	maps.Copy(result, attributes)
	maps.Copy(result, e.Set)
	for _, key := range e.Deleted {
		delete(result, key)
	}
	return result
}
