package commands

import (
	"fmt"
	"time"

	"github.com/grouplog/grouplog/domain"
)

// SendCustomNotification tells all members, or the listed ones, what the
// application likes: opaque bytes. Users who are not members are skipped and
// reported.
type SendCustomNotification struct {
	GroupID string   `json:"groupID"`
	Data    []byte   `json:"data"`
	UserIDs []string `json:"userIDs,omitempty"`
}

func (SendCustomNotification) CommandName() string { return "SendCustomNotification" }

func (c SendCustomNotification) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }
func (c SendCustomNotification) about() []string            { return c.UserIDs }

func (c SendCustomNotification) check(s *Situation) *domain.Refusal {
	if len(c.Data) > s.limits.CustomData {
		return domain.Refuse(domain.CodeInvalidParameter,
			fmt.Sprintf("a custom notification has at most %d bytes, and this has %d", s.limits.CustomData, len(c.Data)), "send a reference instead")
	}
	return first(s.limits.CheckGroupID(c.GroupID), s.checkUsers(c.UserIDs, s.limits.Notify))
}

func (c SendCustomNotification) decide(s *Situation, d *Decision) error {
	if err := or(s.live()); err != nil {
		return err
	}
	if !s.Actor.AppAdmin {
		return appAdminOnly("send custom notifications")
	}
	event := domain.NotificationSent{Data: c.Data}
	listed := make(map[string]bool, len(c.UserIDs))
	for _, user := range c.UserIDs {
		answer := UserResult{UserID: user, Result: Invalid}
		if s.Group.IsMember(user) && !listed[user] {
			answer.Result, listed[user] = Succeeded, true
			event.UserIDs = append(event.UserIDs, user)
		}
		d.Users = append(d.Users, answer)
	}
	if len(c.UserIDs) == 0 || len(event.UserIDs) > 0 {
		d.record(event)
	}
	return nil
}

// ImportMember is somebody who became a member at JoinedAt, in the past, and of
// whom nobody is told. A role that is not given is member; a JoinedAt that is not
// given is now.
type ImportMember struct {
	GroupID  string      `json:"groupID"`
	UserID   string      `json:"userID"`
	Role     domain.Role `json:"role,omitzero"`
	JoinedAt time.Time   `json:"joinedAt,omitzero"`
}

func (ImportMember) CommandName() string { return "ImportMember" }

func (c ImportMember) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }
func (c ImportMember) about() []string            { return []string{c.UserID} }

func (c ImportMember) check(s *Situation) *domain.Refusal {
	return first(s.limits.CheckGroupID(c.GroupID), checkInitialMember(&s.limits, domain.InitialMember{UserID: c.UserID, Role: c.Role}))
}

func (c ImportMember) decide(s *Situation, d *Decision) error {
	if err := or(s.live(), s.notMember(c.UserID)); err != nil {
		return err
	}
	if c.Role == domain.NotMember {
		c.Role = domain.Member
	}
	if c.JoinedAt.IsZero() {
		c.JoinedAt = s.Now
	}
	switch {
	case !s.Actor.AppAdmin:
		return appAdminOnly("import members")
	case c.Role == domain.Admin && !s.policy.Admins:
		return domain.Refuse(domain.CodeNotPermitted, fmt.Sprintf("a %s group has no admins", s.Group.Type()), "leave the role out")
	case c.JoinedAt.After(s.Now):
		return inTheFuture("joining", c.JoinedAt)
	case c.JoinedAt.Before(s.Group.CreatedAt()):
		return domain.Refuse(domain.CodeInvalidArgument,
			fmt.Sprintf("nobody joined before the group was created, at %s", s.Group.CreatedAt().Format(time.RFC3339)), "give a later time")
	}
	if err := s.withinQuota(&s.policy, c.UserID); err != nil {
		return err
	}
	if err := or(s.full(1)); err != nil {
		return err
	}
	d.record(domain.MemberImported{UserID: c.UserID, Role: c.Role, JoinedAt: c.JoinedAt.UTC().Truncate(time.Microsecond)})
	return nil
}
