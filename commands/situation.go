package commands

import (
	"fmt"
	"time"

	"github.com/grouplog/grouplog/domain"
)

// Situation is everything that a decision may depend on.
type Situation struct {
	Policies domain.Policies
	Actor    domain.Actor
	Now      time.Time // never before the group's last event
	// Group is the state of the command's group; nil for a command about a user.
	Group *domain.Group
	// GroupsOf is the number of groups that a user is in. It is asked only where a
	// policy limits it, and may fail.
	GroupsOf func(userID string) (int, error)

	policy domain.Policy // of the group's type, once live has found it
	limits domain.Limits
}

// Decision is what a command comes to: the events to record, none if the wish
// already holds, and what there is to say beside them.
type Decision struct {
	Events        []domain.Event
	Outcome       Outcome
	ApplicationID string       // of the application that a RequestJoin submitted or refreshed
	Users         []UserResult // for commands that name several users, in their order
}

// Decide judges a command in a situation. The error is a *domain.Refusal where a
// rule forbids the wish, and anything else where GroupsOf failed. Decide is pure:
// it changes neither the situation nor the group.
func Decide(s Situation, cmd Command) (Decision, error) {
	s.limits = s.limitsFor(cmd)
	if refusal := s.checkUserID(s.Actor.UserID); refusal != nil && s.Actor != domain.System {
		return Decision{}, refusal
	}
	if refusal := cmd.check(&s); refusal != nil {
		return Decision{}, refusal
	}
	var d Decision
	if err := cmd.decide(&s, &d); err != nil {
		return Decision{}, err
	}
	if d.Outcome == "" {
		d.Outcome = Done
	}
	if len(d.Events) == 0 {
		d.Outcome = Nothing
	}
	return d, nil
}

// limitsFor are the limits that say what is malformed: those of the group's type;
// where there is no such group, what no policy allows. A group that there is may have
// a longer ID: limits may have been lowered, and there must be a way out of it.
func (s *Situation) limitsFor(cmd Command) domain.Limits {
	kind := domain.GroupType("")
	if typed, ok := cmd.(interface{ groupType() domain.GroupType }); ok {
		kind = typed.groupType()
	} else if s.Group != nil {
		kind = s.Group.Type()
	}
	policy, ok := s.Policies[kind]
	if !ok {
		policy.Limits = s.Policies.Widest()
	}
	if s.Group != nil && s.Group.Status() != domain.Unused {
		policy.Limits.GroupID = max(policy.Limits.GroupID, len(s.Group.ID()))
	}
	return policy.Limits
}

// checkUserID refuses what is no user ID. A member may have one that is longer than
// anybody's who comes in now: the limit may have been lowered since.
func (s *Situation) checkUserID(id string) *domain.Refusal {
	limits := s.limits
	if s.Group != nil && s.Group.IsMember(id) {
		limits.UserID = max(limits.UserID, len(id))
	}
	return limits.CheckUserID(id)
}

// live finds the policy of a live group, and refuses where there is none.
func (s *Situation) live() *domain.Refusal {
	switch s.Group.Status() {
	case domain.Unused:
		return domain.Refuse(domain.CodeUnknownGroup, fmt.Sprintf("there is no group %q", s.Group.ID()),
			"check the ID, or create the group")
	case domain.Dismissed:
		return domain.Refuse(domain.CodeGroupDismissed, fmt.Sprintf("the group %q was dismissed", s.Group.ID()),
			"it is gone for good; its ID is free for a new group")
	}
	policy, ok := s.Policies[s.Group.Type()]
	if !ok {
		return domain.Refuse(domain.CodeNoPolicy, fmt.Sprintf("the engine has no policy for the type %q", s.Group.Type()),
			"open the engine with the policies that the group was created under")
	}
	s.policy = policy
	return nil
}

// role is the rank with which the actor acts: an app admin has the owner's.
func (s *Situation) role() domain.Role {
	if s.Actor.AppAdmin {
		return domain.Owner
	}
	return s.Group.Role(s.Actor.UserID)
}

// may reports whether the actor has a right in the group.
func (s *Situation) may(r domain.Right) bool { return r.Allows(s.role()) }

// outranks reports whether the actor stands above a member, so that they may kick
// or mute them. Nobody outranks themselves or an owner.
func (s *Situation) outranks(userID string) bool {
	return userID != s.Actor.UserID && s.role() > s.Group.Role(userID)
}

// full refuses n more members where they do not fit. For nobody there is always room:
// the limit may have been lowered.
func (s *Situation) full(n int) *domain.Refusal {
	limit := s.policy.MemberLimit
	if limit == 0 || n == 0 || s.Group.Count()+n <= limit {
		return nil
	}
	return domain.Refuse(domain.CodeGroupFull,
		fmt.Sprintf("a %s group has at most %d members, this one has %d, and %d would come", s.Group.Type(), limit, s.Group.Count(), n),
		"wait until somebody leaves, or ask the operator to raise the limit")
}

// overQuota reports whether a user is in as many groups as the policy allows.
func (s *Situation) overQuota(policy *domain.Policy, userID string) (bool, error) {
	limit := policy.Limits.GroupsPerUser
	if limit == 0 || s.GroupsOf == nil {
		return false, nil
	}
	count, err := s.GroupsOf(userID)
	if err != nil {
		return false, fmt.Errorf("count the groups of %q: %w", userID, err)
	}
	return count >= limit, nil
}

// withinQuota refuses a user who is over it.
func (s *Situation) withinQuota(policy *domain.Policy, userID string) error {
	over, err := s.overQuota(policy, userID)
	if err != nil {
		return err
	}
	if over {
		return domain.Refuse(domain.CodeQuotaExceeded,
			fmt.Sprintf("a user is in at most %d groups, and %q is", policy.Limits.GroupsPerUser, userID),
			"leave a group first, or ask the operator to raise the quota")
	}
	return nil
}

// notPermitted is the refusal of somebody without a right.
func (s *Situation) notPermitted(rule string, r domain.Right) *domain.Refusal {
	hint := "nobody may, in a group of this type"
	if r != domain.Nobody {
		hint = "ask somebody who may: " + r.String()
	}
	return domain.Refuse(domain.CodeNotPermitted, rule, hint)
}

func (d *Decision) record(events ...domain.Event) { d.Events = append(d.Events, events...) }

// or turns a refusal into an error, keeping "none" untyped.
func or(refusals ...*domain.Refusal) error {
	for _, r := range refusals {
		if r != nil {
			return r
		}
	}
	return nil
}

// first is the first refusal there is.
func first(refusals ...*domain.Refusal) *domain.Refusal {
	for _, r := range refusals {
		if r != nil {
			return r
		}
	}
	return nil
}
