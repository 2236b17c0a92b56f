package commands

import (
	"fmt"

	"github.com/grouplog/grouplog/domain"
)

// SetMemberRole makes a member an admin, or an admin a plain member.
type SetMemberRole struct {
	GroupID string      `json:"groupID"`
	UserID  string      `json:"userID"`
	Role    domain.Role `json:"role"`
}

func (SetMemberRole) CommandName() string { return "SetMemberRole" }

func (c SetMemberRole) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }
func (c SetMemberRole) about() []string            { return []string{c.UserID} }

func (c SetMemberRole) check(s *Situation) *domain.Refusal {
	if c.Role != domain.Admin && c.Role != domain.Member {
		return domain.Refuse(domain.CodeInvalidArgument, fmt.Sprintf("a member's role is set to admin or member, not to %q", c.Role),
			"an owner is named by TransferOwner")
	}
	return first(s.limits.CheckGroupID(c.GroupID), s.checkUserID(c.UserID))
}

func (c SetMemberRole) decide(s *Situation, d *Decision) error {
	if err := or(s.live()); err != nil {
		return err
	}
	if !s.may(s.policy.SetAdmins) {
		return s.notPermitted("who may set admins here: "+s.policy.SetAdmins.String(), s.policy.SetAdmins)
	}
	switch s.Group.Role(c.UserID) {
	case domain.NotMember:
		return noSuchMember(c.UserID)
	case domain.Owner:
		return domain.Refuse(domain.CodeNotPermitted, "the owner's role is not set", "transfer ownership instead")
	case c.Role:
		return nil
	}
	d.record(domain.MemberRoleChanged{UserID: c.UserID, Role: c.Role})
	return nil
}

// TransferOwner names a new owner; the old one becomes a plain member.
type TransferOwner struct {
	GroupID string `json:"groupID"`
	UserID  string `json:"userID"`
}

func (TransferOwner) CommandName() string { return "TransferOwner" }

func (c TransferOwner) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }
func (c TransferOwner) about() []string            { return []string{c.UserID} }

func (c TransferOwner) check(s *Situation) *domain.Refusal {
	return first(s.limits.CheckGroupID(c.GroupID), s.checkUserID(c.UserID))
}

func (c TransferOwner) decide(s *Situation, d *Decision) error {
	if err := or(s.live()); err != nil {
		return err
	}
	if !s.may(s.policy.TransferOwner) {
		return s.notPermitted("who may transfer ownership here: "+s.policy.TransferOwner.String(), s.policy.TransferOwner)
	}
	owner := s.Group.Owner()
	switch {
	case !s.Group.IsMember(c.UserID):
		return domain.Refuse(domain.CodeNotPermitted, fmt.Sprintf("%q is not a member, and only a member becomes owner", c.UserID), "invite them first")
	case c.UserID == owner && owner == s.Actor.UserID:
		return domain.Refuse(domain.CodeInvalidArgument, "ownership is not transferred to oneself", "name another member")
	case c.UserID == owner:
		return nil
	}
	d.record(domain.OwnerTransferred{From: owner, To: c.UserID})
	return nil
}
