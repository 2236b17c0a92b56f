package commands

import (
	"fmt"
	"maps"
	"slices"

	"github.com/grouplog/grouplog/domain"
)

// SetGroupInfo changes the given fields of a group's profile, and no others. An
// empty value deletes a custom field. Each field has its own right.
type SetGroupInfo struct {
	GroupID      string            `json:"groupID"`
	Name         *string           `json:"name,omitempty"`
	Introduction *string           `json:"introduction,omitempty"`
	Notification *string           `json:"notification,omitempty"`
	FaceURL      *string           `json:"faceURL,omitempty"`
	JoinOption   domain.Option     `json:"joinOption,omitzero"`
	InviteOption domain.Option     `json:"inviteOption,omitzero"`
	Custom       map[string]string `json:"custom,omitempty"`
}

func (SetGroupInfo) CommandName() string { return "SetGroupInfo" }

func (c SetGroupInfo) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }

func (c SetGroupInfo) check(s *Situation) *domain.Refusal {
	l := &s.limits
	refusal := first(l.CheckGroupID(c.GroupID), checkPresentation(l, c.Introduction, c.Notification, c.FaceURL), l.CheckCustom(c.Custom))
	if refusal == nil && c.Name != nil {
		refusal = checkName(l, *c.Name)
	}
	return refusal
}

func (c SetGroupInfo) decide(s *Situation, d *Decision) error {
	if err := or(s.live(), c.permitted(s), c.optionsAllowed(s)); err != nil {
		return err
	}
	old := s.Group.Profile()
	custom := changed(old.Custom, c.Custom)
	if after := keysAfter(old.Custom, custom); after > s.policy.Limits.CustomKeys && after > len(old.Custom) {
		return tooManyCustomFields(&s.policy.Limits)
	}
	event := domain.GroupProfileChanged{
		Name: unlessEqual(c.Name, old.Name), Introduction: unlessEqual(c.Introduction, old.Introduction),
		Notification: unlessEqual(c.Notification, old.Notification), FaceURL: unlessEqual(c.FaceURL, old.FaceURL),
		Custom: custom,
	}
	if c.JoinOption != old.JoinOption {
		event.JoinOption = c.JoinOption
	}
	if c.InviteOption != old.InviteOption {
		event.InviteOption = c.InviteOption
	}
	if !event.Empty() {
		d.record(event)
	}
	return nil
}

// permitted refuses who may not change one of the given fields.
func (c SetGroupInfo) permitted(s *Situation) *domain.Refusal {
	presentation := c.Name != nil || c.Introduction != nil || c.Notification != nil || c.FaceURL != nil
	switch p := s.policy; {
	case presentation && !s.may(p.EditPresentation):
		return s.notPermitted("who may edit the name, introduction, notification and face URL here: "+p.EditPresentation.String(), p.EditPresentation)
	case c.JoinOption != 0 && !s.may(p.ChangeJoinOption):
		return s.notPermitted("who may change the join option here: "+p.ChangeJoinOption.String(), p.ChangeJoinOption)
	case (c.InviteOption != 0 || len(c.Custom) > 0) && !s.may(p.EditProfile):
		return s.notPermitted("who may edit the rest of the profile here: "+p.EditProfile.String(), p.EditProfile)
	case s.role() == domain.NotMember:
		return s.notPermitted("only members edit a group", domain.AnyMember)
	default:
		return nil
	}
}

// optionsAllowed refuses an option that groups of the type cannot be changed to.
// What the group has already is no change.
func (c SetGroupInfo) optionsAllowed(s *Situation) *domain.Refusal {
	old := s.Group.Profile()
	if o := c.JoinOption; o != 0 && o != old.JoinOption && !slices.Contains(s.policy.JoinOptions, o) {
		return optionNotAllowed("join option", o, s.policy.JoinOptions)
	}
	if o := c.InviteOption; o != 0 && o != old.InviteOption && !slices.Contains(s.policy.InviteOptions, o) {
		return optionNotAllowed("invite option", o, s.policy.InviteOptions)
	}
	return nil
}

func checkName(l *domain.Limits, name string) *domain.Refusal {
	if name == "" {
		return domain.Refuse(domain.CodeInvalidName, "a name is required", "give one")
	}
	return domain.CheckLine(domain.CodeInvalidName, "name", name, l.Name)
}

// checkPresentation checks the fields that are given.
func checkPresentation(l *domain.Limits, introduction, notification, faceURL *string) *domain.Refusal {
	for _, field := range []struct {
		code  domain.Code
		name  string
		value *string
		limit int
	}{
		{domain.CodeInvalidIntroduction, "introduction", introduction, l.Introduction},
		{domain.CodeInvalidNotification, "notification", notification, l.Notification},
		{domain.CodeInvalidFaceURL, "face URL", faceURL, l.FaceURL},
	} {
		if field.value == nil {
			continue
		}
		if refusal := domain.CheckLine(field.code, field.name, *field.value, field.limit); refusal != nil {
			return refusal
		}
	}
	return nil
}

func tooManyCustomFields(l *domain.Limits) *domain.Refusal {
	return domain.Refuse(domain.CodeInvalidParameter, fmt.Sprintf("there are at most %d custom fields", l.CustomKeys),
		"delete one by setting it to an empty value")
}

// unlessEqual is the value that is given, nil where it would change nothing.
func unlessEqual(given *string, old string) *string {
	if given == nil || *given == old {
		return nil
	}
	return given
}

// changed are those of the given fields that differ from what there is.
func changed(fields, given map[string]string) map[string]string {
	var result map[string]string
	for key, value := range given {
		if fields[key] == value {
			continue
		}
		if result == nil {
			result = map[string]string{}
		}
		result[key] = value
	}
	return result
}

// keysAfter counts the fields once the changes are made.
func keysAfter(fields, changes map[string]string) int {
	after := maps.Clone(fields)
	if after == nil {
		after = map[string]string{}
	}
	maps.Copy(after, changes)
	return keysLeft(after)
}

// keysLeft counts the fields that have a value.
func keysLeft(fields map[string]string) int { return len(withoutEmpty(fields)) }

func withoutEmpty(fields map[string]string) map[string]string {
	left := maps.Clone(fields)
	maps.DeleteFunc(left, func(_, value string) bool { return value == "" })
	if len(left) == 0 {
		return nil
	}
	return left
}

// SetMemberInfo changes the given fields of a member's data in the group: the
// actor's own, or somebody's whose UserID is given, for owner and admins.
type SetMemberInfo struct {
	GroupID  string            `json:"groupID"`
	UserID   string            `json:"userID,omitempty"`
	NameCard *string           `json:"nameCard,omitempty"`
	Custom   map[string]string `json:"custom,omitempty"`
}

func (SetMemberInfo) CommandName() string { return "SetMemberInfo" }

func (c SetMemberInfo) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }
func (c SetMemberInfo) about() []string            { return []string{c.UserID} }

func (c SetMemberInfo) check(s *Situation) *domain.Refusal {
	refusal := first(s.limits.CheckGroupID(c.GroupID), s.limits.CheckCustom(c.Custom))
	if refusal == nil && c.UserID != "" {
		refusal = s.checkUserID(c.UserID)
	}
	if refusal == nil && c.NameCard != nil {
		refusal = domain.CheckLine(domain.CodeInvalidNameCard, "name card", *c.NameCard, s.limits.NameCard)
	}
	return refusal
}

func (c SetMemberInfo) decide(s *Situation, d *Decision) error {
	if err := or(s.live()); err != nil {
		return err
	}
	user := c.UserID
	if user == "" {
		user = s.Actor.UserID
	}
	member, found := s.Group.Membership(user)
	switch {
	case user != s.Actor.UserID && s.role() < domain.Admin:
		return s.notPermitted("a member edits their own data, owner and admins also others'", domain.OwnerAndAdmins)
	case !found && user == s.Actor.UserID:
		return domain.Refuse(domain.CodeNotPermitted, "only members have data in a group", "join the group first")
	case !found:
		return noSuchMember(user)
	}
	event := domain.MemberInfoChanged{
		UserID: user, NameCard: unlessEqual(c.NameCard, member.NameCard), Custom: changed(member.Custom, c.Custom),
	}
	if after := keysAfter(member.Custom, event.Custom); after > s.policy.Limits.CustomKeys && after > len(member.Custom) {
		return tooManyCustomFields(&s.policy.Limits)
	}
	if event.NameCard != nil || len(event.Custom) > 0 {
		d.record(event)
	}
	return nil
}

func noSuchMember(userID string) *domain.Refusal {
	return domain.Refuse(domain.CodeInvalidArgument, fmt.Sprintf("%q is not a member of this group", userID), "list the members")
}
