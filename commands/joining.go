package commands

import (
	"fmt"
	"slices"

	"github.com/grouplog/grouplog/domain"
)

// RequestJoin asks to become a member: at once where the join option is Any, by an
// application where it is Auth. Asking again refreshes the open application.
type RequestJoin struct {
	GroupID string `json:"groupID"`
	Message string `json:"message,omitempty"`
}

func (RequestJoin) CommandName() string { return "RequestJoin" }

func (c RequestJoin) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }

func (c RequestJoin) check(s *Situation) *domain.Refusal {
	return first(s.limits.CheckGroupID(c.GroupID), s.limits.CheckUserID(s.Actor.UserID),
		domain.CheckLine(domain.CodeInvalidParameter, "message", c.Message, s.limits.Message))
}

func (c RequestJoin) decide(s *Situation, d *Decision) error {
	user := s.Actor.UserID
	if err := or(s.live(), s.notBanned(user), s.notMember(user)); err != nil {
		return err
	}
	if s.Group.Profile().JoinOption == domain.Forbid {
		return domain.Refuse(domain.CodeNotPermitted, "nobody can join this group by themselves", "ask to be invited")
	}
	if err := s.withinQuota(&s.policy, user); err != nil {
		return err
	}
	if err := or(s.full(1)); err != nil {
		return err
	}
	if s.Group.Profile().JoinOption == domain.Any {
		d.record(domain.MemberJoined{UserID: user})
		d.Outcome = Joined
		return nil
	}
	d.ApplicationID = d.apply(s, domain.JoinRequest, user, c.Message)
	d.Outcome = Pending
	return nil
}

func (s *Situation) notBanned(userID string) *domain.Refusal {
	if !s.Group.Banned(userID, s.Now) {
		return nil
	}
	return domain.Refuse(domain.CodeNotPermitted,
		fmt.Sprintf("%q is banned from this group until %s", userID, s.Group.BannedUntil(userID).Format("2006-01-02 15:04:05 MST")),
		"wait until then, or ask an app admin for an invitation")
}

func (s *Situation) notMember(userID string) *domain.Refusal {
	if !s.Group.IsMember(userID) {
		return nil
	}
	return domain.Refuse(domain.CodeAlreadyMember, fmt.Sprintf("%q is a member of this group already", userID), "there is nothing to do")
}

// apply opens an application of the actor for a candidate, or refreshes the open
// one, and gives its ID.
func (d *Decision) apply(s *Situation, kind domain.ApplicationKind, candidate, message string) string {
	from := s.Actor.UserID
	if open, ok := s.Group.OpenApplication(kind, from, candidate); ok {
		d.record(domain.ApplicationRefreshed{ApplicationID: open.ID, Kind: kind, From: from, UserID: candidate, Message: message})
		return open.ID
	}
	number := s.Group.ApplicationsSubmitted() + 1
	for _, e := range d.Events {
		if _, ok := e.(domain.ApplicationSubmitted); ok {
			number++
		}
	}
	id := domain.ApplicationID(s.Group.ID(), s.Group.Incarnation(), number)
	d.record(domain.ApplicationSubmitted{ApplicationID: id, Kind: kind, From: from, UserID: candidate, Message: message})
	return id
}

// InviteUsers brings users in: at once where the invite option is Any or who
// invites could approve, by an application for each where it is Auth.
type InviteUsers struct {
	GroupID string   `json:"groupID"`
	UserIDs []string `json:"userIDs"`
}

func (InviteUsers) CommandName() string { return "InviteUsers" }

func (c InviteUsers) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }
func (c InviteUsers) about() []string            { return c.UserIDs }

func (c InviteUsers) check(s *Situation) *domain.Refusal {
	if len(c.UserIDs) == 0 {
		return domain.Refuse(domain.CodeEmptyInvitation, "an invitation names at least one user", "name whom to invite")
	}
	return first(s.limits.CheckGroupID(c.GroupID), s.checkUsers(c.UserIDs, s.limits.InviteBy(s.Actor)))
}

// checkUsers refuses a list of users that is too long or holds what is no user ID.
func (s *Situation) checkUsers(ids []string, limit int) *domain.Refusal {
	if len(ids) > limit {
		return domain.Refuse(domain.CodeTooManyUsers, fmt.Sprintf("this command names at most %d users, and has %d", limit, len(ids)),
			"split it into several commands")
	}
	for _, id := range ids {
		if refusal := s.checkUserID(id); refusal != nil {
			return refusal
		}
	}
	return nil
}

func (c InviteUsers) decide(s *Situation, d *Decision) error {
	if err := or(s.live(), c.permitted(s)); err != nil {
		return err
	}
	byApproval := s.Group.Profile().InviteOption == domain.Auth && s.role() < domain.Admin
	var added, waiting []string
	for i, user := range c.UserIDs {
		if before := slices.Index(c.UserIDs[:i], user); before >= 0 {
			d.Users = append(d.Users, d.Users[before].repeated())
			continue
		}
		answer, err := c.judge(s, user, byApproval)
		if err != nil {
			return err
		}
		switch answer.Result {
		case Succeeded:
			added = append(added, user)
		case Waiting:
			waiting = append(waiting, user)
		}
		d.Users = append(d.Users, answer)
	}
	if err := or(s.full(len(added))); err != nil {
		return err
	}
	if len(added) > 0 {
		d.record(domain.MembersInvited{UserIDs: added})
	}
	for _, user := range waiting {
		d.apply(s, domain.InvitationForApprover, user, "")
	}
	return nil
}

// permitted refuses who may not invite into this group, and what its option forbids.
func (c InviteUsers) permitted(s *Situation) *domain.Refusal {
	switch {
	case !s.policy.Invitations:
		return domain.Refuse(domain.CodeNotPermitted, "nobody can be invited into a group of this type", "users join by themselves")
	case s.Actor.AppAdmin:
		return nil
	case !s.Group.IsMember(s.Actor.UserID):
		return s.notPermitted("only members invite", domain.AnyMember)
	case s.Group.Profile().InviteOption == domain.Forbid:
		return domain.Refuse(domain.CodeNotPermitted, "members cannot invite into this group", "ask the app admin, or have the user join")
	default:
		return nil
	}
}

// judge is what becomes of one invited user.
func (c InviteUsers) judge(s *Situation, user string, byApproval bool) (UserResult, error) {
	answer := UserResult{UserID: user}
	if s.Group.IsMember(user) {
		answer.Result = Invalid
		return answer, nil
	}
	if refusal := s.notBanned(user); refusal != nil && !s.Actor.AppAdmin {
		answer.Code, answer.Rule = refusal.Code, refusal.Rule
		return answer, nil
	}
	over, err := s.overQuota(&s.policy, user)
	switch {
	case err != nil:
		return answer, err
	case over:
		answer.Result = OverQuota
	case byApproval:
		answer.Result = Waiting
	default:
		answer.Result = Succeeded
	}
	return answer, nil
}

// Quit ends the actor's own membership. What becomes of a group whose owner quits
// is the policy's to say; a group ends with its last member.
type Quit struct {
	GroupID string `json:"groupID"`
}

func (Quit) CommandName() string { return "Quit" }

func (c Quit) stream(domain.Actor) string         { return domain.GroupStream(c.GroupID) }
func (c Quit) check(s *Situation) *domain.Refusal { return s.limits.CheckGroupID(c.GroupID) }

func (c Quit) decide(s *Situation, d *Decision) error {
	user := s.Actor.UserID
	if err := or(s.live()); err != nil {
		return err
	}
	if !s.Group.IsMember(user) {
		return domain.Refuse(domain.CodeNotPermitted, "only a member can quit", "there is nothing to do: you are not in this group")
	}
	if s.Group.Owner() == user {
		switch s.policy.OwnerQuit {
		case domain.OwnerStays:
			return domain.Refuse(domain.CodeOwnerMustStay, "the owner may not quit a group of this type",
				"transfer ownership first, or dismiss the group")
		case domain.OwnerPassesOn:
			if heir := s.Group.Successor(); heir != "" {
				d.record(domain.OwnerTransferred{From: user, To: heir})
			}
		}
	}
	d.record(domain.MemberLeft{UserID: user})
	if s.Group.Count() == 1 {
		d.record(domain.GroupDismissed{Cause: domain.Emptied})
	}
	return nil
}
