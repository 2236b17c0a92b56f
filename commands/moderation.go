package commands

import (
	"fmt"
	"time"

	"github.com/grouplog/grouplog/domain"
)

// KickMembers removes members of lower rank. With a BanTime they are kept out for
// that long; without, they may come back at once.
type KickMembers struct {
	GroupID string        `json:"groupID"`
	UserIDs []string      `json:"userIDs"`
	Reason  string        `json:"reason,omitempty"`
	BanTime time.Duration `json:"duration,omitzero"`
}

func (KickMembers) CommandName() string { return "KickMembers" }

func (c KickMembers) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }
func (c KickMembers) about() []string            { return c.UserIDs }

func (c KickMembers) check(s *Situation) *domain.Refusal {
	if len(c.UserIDs) == 0 {
		return domain.Refuse(domain.CodeInvalidArgument, "the command names nobody", "name whom to kick")
	}
	return first(s.limits.CheckGroupID(c.GroupID), s.checkUsers(c.UserIDs, s.limits.KickBy(s.Actor)),
		checkReason(s, c.Reason), checkDuration("ban time", c.BanTime))
}

func checkDuration(what string, d time.Duration) *domain.Refusal {
	if d < 0 {
		return domain.Refuse(domain.CodeInvalidParameter, fmt.Sprintf("the %s is negative", what), "give how long from now")
	}
	return nil
}

func (c KickMembers) decide(s *Situation, d *Decision) error {
	if err := or(s.live()); err != nil {
		return err
	}
	if !s.may(s.policy.Kick) {
		return s.notPermitted("who may kick here: "+s.policy.Kick.String(), s.policy.Kick)
	}
	event := domain.MembersKicked{Reason: c.Reason}
	kicked := make(map[string]bool, len(c.UserIDs))
	for _, user := range c.UserIDs {
		answer := UserResult{UserID: user}
		switch {
		case kicked[user] || !s.Group.IsMember(user):
			answer.Result = Invalid
		case !s.outranks(user):
			answer.Code, answer.Rule = domain.CodeNotPermitted, "one kicks only those of lower rank, and not oneself"
		default:
			answer.Result, kicked[user] = Succeeded, true
			event.UserIDs = append(event.UserIDs, user)
		}
		d.Users = append(d.Users, answer)
	}
	if len(event.UserIDs) == 0 {
		return nil
	}
	if c.BanTime > 0 {
		event.BannedUntil = s.Now.Add(c.BanTime).Truncate(time.Microsecond)
	}
	d.record(event)
	if len(event.UserIDs) == s.Group.Count() {
		d.record(domain.GroupDismissed{Cause: domain.Emptied})
	}
	return nil
}

// MuteMember silences a member of lower rank for a time; zero lets them speak.
type MuteMember struct {
	GroupID  string        `json:"groupID"`
	UserID   string        `json:"userID"`
	Duration time.Duration `json:"duration"`
}

func (MuteMember) CommandName() string { return "MuteMember" }

func (c MuteMember) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }
func (c MuteMember) about() []string            { return []string{c.UserID} }

func (c MuteMember) check(s *Situation) *domain.Refusal {
	return first(s.limits.CheckGroupID(c.GroupID), s.checkUserID(c.UserID), checkDuration("duration", c.Duration))
}

func (c MuteMember) decide(s *Situation, d *Decision) error {
	if err := or(s.live()); err != nil {
		return err
	}
	if !s.may(s.policy.Mute) {
		return s.notPermitted("who may mute here: "+s.policy.Mute.String(), s.policy.Mute)
	}
	member, found := s.Group.Membership(c.UserID)
	if !found {
		return noSuchMember(c.UserID)
	}
	if !s.outranks(c.UserID) {
		return domain.Refuse(domain.CodeNotPermitted, "one mutes only those of lower rank, and not oneself", "ask somebody of higher rank")
	}
	until := s.Now.Add(c.Duration).Truncate(time.Microsecond)
	switch {
	case c.Duration == 0 && member.Muted(s.Now):
		d.record(domain.MemberUnmuted{UserID: c.UserID})
	case c.Duration > 0 && !member.MutedUntil.Equal(until):
		d.record(domain.MemberMuted{UserID: c.UserID, Until: until})
	}
	return nil
}

// MuteAll silences all plain members, or lets them speak. It spares owner and
// admins.
type MuteAll struct {
	GroupID string `json:"groupID"`
	Muted   bool   `json:"muted"`
}

func (MuteAll) CommandName() string { return "MuteAll" }

func (c MuteAll) stream(domain.Actor) string         { return domain.GroupStream(c.GroupID) }
func (c MuteAll) check(s *Situation) *domain.Refusal { return s.limits.CheckGroupID(c.GroupID) }

func (c MuteAll) decide(s *Situation, d *Decision) error {
	if err := or(s.live()); err != nil {
		return err
	}
	if !s.may(s.policy.Mute) {
		return s.notPermitted("who may mute all here: "+s.policy.Mute.String(), s.policy.Mute)
	}
	if s.Group.AllMuted() != c.Muted {
		d.record(domain.GroupMuted{Muted: c.Muted})
	}
	return nil
}
