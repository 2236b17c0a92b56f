package commands

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grouplog/grouplog/domain"
)

// CreateGroup makes the actor owner and first member of a new group. An empty
// GroupID is assigned. Options that are not given take the type's defaults.
// Initial members are members at once; the creator and repetitions among them are
// ignored, and those over their quota are left out.
type CreateGroup struct {
	GroupType    domain.GroupType       `json:"groupType"`
	GroupID      string                 `json:"groupID,omitempty"`
	Name         string                 `json:"name"`
	Introduction string                 `json:"introduction,omitempty"`
	Notification string                 `json:"notification,omitempty"`
	FaceURL      string                 `json:"faceURL,omitempty"`
	JoinOption   domain.Option          `json:"joinOption,omitzero"`
	InviteOption domain.Option          `json:"inviteOption,omitzero"`
	Custom       map[string]string      `json:"custom,omitempty"`
	SupportTopic bool                   `json:"supportTopic,omitempty"`
	Members      []domain.InitialMember `json:"members,omitempty"`

	assigned bool // the engine chose the ID
}

func (CreateGroup) CommandName() string { return "CreateGroup" }

func (c CreateGroup) stream(domain.Actor) string  { return domain.GroupStream(c.GroupID) }
func (c CreateGroup) groupType() domain.GroupType { return c.GroupType }
func (c CreateGroup) assign(policies domain.Policies, random func() string) Command {
	c.assignID(policies, random)
	return c
}

func (c *CreateGroup) assignID(policies domain.Policies, random func() string) {
	if policy, known := policies[c.GroupType]; known && c.GroupID == "" {
		c.GroupID, c.assigned = policy.AssignID(random()), true
	}
}

// fresh reports whether the ID was assigned: then no group has had it.
func (c CreateGroup) fresh() bool { return c.assigned }

func (c CreateGroup) check(s *Situation) *domain.Refusal { return c.checkFor(s, s.Actor.UserID) }

// checkFor refuses what is malformed in the creation of a group with that owner.
func (c CreateGroup) checkFor(s *Situation, owner string) *domain.Refusal {
	policy, known := s.Policies[c.GroupType]
	if !known {
		return unknownType(c.GroupType, s.Policies.Types())
	}
	s.policy = policy
	l := &policy.Limits
	refusal := first(l.CheckUserID(owner), checkName(l, c.Name),
		checkPresentation(l, &c.Introduction, &c.Notification, &c.FaceURL), l.CheckCustom(c.Custom))
	if refusal == nil && !c.assigned {
		refusal = policy.CheckCustomGroupID(c.GroupID)
	}
	if refusal == nil && len(c.Members) > l.InitialBy(s.Actor) {
		refusal = domain.Refuse(domain.CodeTooManyUsers,
			fmt.Sprintf("a group is created with at most %d initial members, and this names %d", l.InitialBy(s.Actor), len(c.Members)),
			"create it with fewer and invite the others")
	}
	if refusal == nil && keysLeft(c.Custom) > l.CustomKeys {
		refusal = tooManyCustomFields(l)
	}
	for i := 0; refusal == nil && i < len(c.Members); i++ {
		refusal = checkInitialMember(l, c.Members[i])
	}
	return refusal
}

func checkInitialMember(l *domain.Limits, m domain.InitialMember) *domain.Refusal {
	switch m.Role {
	case domain.NotMember, domain.Member, domain.Admin:
		return l.CheckUserID(m.UserID)
	case domain.Owner:
		return domain.Refuse(domain.CodeOwnerNotGrantable, fmt.Sprintf("%q cannot be an initial member with the role owner", m.UserID),
			"whoever creates the group owns it; transfer it afterwards")
	default:
		return domain.Refuse(domain.CodeInvalidArgument, fmt.Sprintf("there is no role %q", m.Role), "use member or admin, or leave the role out")
	}
}

func (c CreateGroup) decide(s *Situation, d *Decision) error {
	event, err := c.found(s, d, s.Actor.UserID)
	if err == nil {
		d.record(event)
	}
	return err
}

// found judges the creation of a group with that owner.
func (c CreateGroup) found(s *Situation, d *Decision, owner string) (domain.GroupCreated, error) {
	event := domain.GroupCreated{
		GroupType: c.GroupType, Owner: owner, Name: c.Name, Introduction: c.Introduction, Notification: c.Notification,
		FaceURL: c.FaceURL, Custom: withoutEmpty(c.Custom), SupportTopic: c.SupportTopic,
		JoinOption: c.JoinOption, InviteOption: c.InviteOption,
	}
	if err := or(c.fits(s, &event), c.idFree(s)); err != nil {
		return event, err
	}
	if err := s.withinQuota(&s.policy, owner); err != nil {
		return event, err
	}
	for _, m := range c.Members {
		listed := slices.ContainsFunc(event.Members, func(other domain.InitialMember) bool { return other.UserID == m.UserID })
		if m.UserID == owner || listed {
			continue
		}
		over, err := s.overQuota(&s.policy, m.UserID)
		if err != nil {
			return event, err
		}
		if over {
			d.Users = append(d.Users, UserResult{UserID: m.UserID, Result: OverQuota})
			continue
		}
		if m.Role == domain.NotMember {
			m.Role = domain.Member
		}
		event.Members = append(event.Members, m)
		d.Users = append(d.Users, UserResult{UserID: m.UserID, Result: Succeeded})
	}
	if limit := s.policy.MemberLimit; limit > 0 && 1+len(event.Members) > limit {
		return event, domain.Refuse(domain.CodeTooManyInitialMembers,
			fmt.Sprintf("a %s group has at most %d members, and this would have %d", c.GroupType, limit, 1+len(event.Members)),
			"name fewer initial members")
	}
	return event, nil
}

// idFree refuses an ID that a live group has.
func (c CreateGroup) idFree(s *Situation) *domain.Refusal {
	switch {
	case s.Group.Status() != domain.Live:
		return nil
	case s.Group.Owner() == s.Actor.UserID:
		return domain.Refuse(domain.CodeGroupIDYours, fmt.Sprintf("you own a live group %q", c.GroupID),
			"dismiss it first, or choose another ID")
	default:
		return domain.Refuse(domain.CodeGroupIDTaken, fmt.Sprintf("a live group has the ID %q", c.GroupID), "choose another ID")
	}
}

// fits refuses what the type does not have, and fills in its defaults.
func (c CreateGroup) fits(s *Situation, event *domain.GroupCreated) *domain.Refusal {
	if len(c.Members) > 0 && !s.policy.InitialMembers {
		return domain.Refuse(domain.CodeNotPermitted, fmt.Sprintf("a %s group is created without initial members", c.GroupType),
			"create it with nobody else and let people join")
	}
	hasAdmin := slices.ContainsFunc(c.Members, func(m domain.InitialMember) bool { return m.Role == domain.Admin })
	if hasAdmin && !s.policy.Admins {
		return domain.Refuse(domain.CodeNotPermitted, fmt.Sprintf("a %s group has no admins", c.GroupType), "leave the role out")
	}
	if c.SupportTopic && !s.policy.Topics {
		return domain.Refuse(domain.CodeNotPermitted, fmt.Sprintf("a %s group has no topics", c.GroupType), "leave supportTopic out")
	}
	return first(
		chooseOption(&event.JoinOption, s.policy.DefaultJoinOption, s.policy.JoinOptions, "join option"),
		chooseOption(&event.InviteOption, s.policy.DefaultInviteOption, s.policy.InviteOptions, "invite option"),
	)
}

func chooseOption(o *domain.Option, byDefault domain.Option, allowed []domain.Option, name string) *domain.Refusal {
	if *o == 0 {
		*o = byDefault
	}
	if *o == byDefault || slices.Contains(allowed, *o) {
		return nil
	}
	return optionNotAllowed(name, *o, append([]domain.Option{byDefault}, allowed...))
}

func unknownType(t domain.GroupType, types []domain.GroupType) *domain.Refusal {
	hint := oneOf(types)
	for _, known := range types {
		if strings.EqualFold(string(known), string(t)) {
			hint = fmt.Sprintf("do you mean %q?", known)
		}
	}
	return domain.Refuse(domain.CodeInvalidArgument, fmt.Sprintf("there is no group type %q", t), hint)
}

func oneOf[T any](all []T) string {
	words := make([]string, len(all))
	for i, one := range all {
		words[i] = fmt.Sprint(one)
	}
	if len(words) == 1 {
		return "use " + words[0]
	}
	return "use one of " + strings.Join(words, ", ")
}

func optionNotAllowed(name string, o domain.Option, allowed []domain.Option) *domain.Refusal {
	hint := "it cannot be changed for this type"
	if len(allowed) > 0 {
		hint = oneOf(allowed)
	}
	return domain.Refuse(domain.CodeNotPermitted, fmt.Sprintf("the %s of this group type cannot be %s", name, o), hint)
}

// Dismiss ends a group for good.
type Dismiss struct {
	GroupID string `json:"groupID"`
}

func (Dismiss) CommandName() string { return "Dismiss" }

func (c Dismiss) stream(domain.Actor) string         { return domain.GroupStream(c.GroupID) }
func (c Dismiss) check(s *Situation) *domain.Refusal { return s.limits.CheckGroupID(c.GroupID) }

func (c Dismiss) decide(s *Situation, d *Decision) error {
	if err := or(s.live()); err != nil {
		return err
	}
	if !s.Actor.AppAdmin && !s.may(s.policy.Dismiss) {
		return domain.Refuse(domain.CodeNotPermitted, "who may dismiss this group: "+s.policy.Dismiss.String(), "an app admin may as well")
	}
	d.record(domain.GroupDismissed{Cause: domain.Asked})
	return nil
}

// Recycle ends a group in which nothing has happened for longer than its policy
// says. It is the system's and the app admin's to give.
type Recycle struct {
	GroupID string `json:"groupID"`
}

func (Recycle) CommandName() string { return "Recycle" }

func (c Recycle) stream(domain.Actor) string         { return domain.GroupStream(c.GroupID) }
func (c Recycle) check(s *Situation) *domain.Refusal { return s.limits.CheckGroupID(c.GroupID) }

func (c Recycle) decide(s *Situation, d *Decision) error {
	if err := or(s.live()); err != nil {
		return err
	}
	if !s.Actor.AppAdmin {
		return appAdminOnly("recycle groups")
	}
	idle := s.Now.Sub(s.Group.LastEventAt())
	if s.policy.RecycleAfter == 0 || idle <= s.policy.RecycleAfter {
		return nil
	}
	d.record(domain.GroupRecycled{IdleSince: s.Group.LastEventAt()})
	return nil
}

func appAdminOnly(what string) *domain.Refusal {
	return domain.Refuse(domain.CodeNotPermitted, "only the app admin may "+what, "act as an app admin")
}

// ImportGroup is CreateGroup for a group with a past: it was created at CreatedAt,
// and nobody is told. The member with the role owner, if one has it, is the owner;
// otherwise the actor is. A CreatedAt that is not given is now.
type ImportGroup struct {
	CreateGroup
	CreatedAt time.Time `json:"createdAt,omitzero"`
}

func (ImportGroup) CommandName() string { return "ImportGroup" }

func (c ImportGroup) assign(policies domain.Policies, random func() string) Command {
	c.assignID(policies, random)
	return c
}

// split takes the owner out of the members.
func (c ImportGroup) split(actor domain.Actor) (owner string, group CreateGroup) {
	owner, group = actor.UserID, c.CreateGroup
	i := slices.IndexFunc(c.Members, func(m domain.InitialMember) bool { return m.Role == domain.Owner })
	if i < 0 {
		return owner, group
	}
	group.Members = slices.Delete(slices.Clone(c.Members), i, i+1)
	return c.Members[i].UserID, group
}

func (c ImportGroup) check(s *Situation) *domain.Refusal {
	owner, group := c.split(s.Actor)
	return group.checkFor(s, owner)
}

func (c ImportGroup) decide(s *Situation, d *Decision) error {
	if !s.Actor.AppAdmin {
		return appAdminOnly("import groups")
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = s.Now
	}
	if c.CreatedAt.After(s.Now) {
		return inTheFuture("creation", c.CreatedAt)
	}
	owner, group := c.split(s.Actor)
	created, err := group.found(s, d, owner)
	if err != nil {
		return err
	}
	d.record(domain.GroupImported{GroupCreated: created, CreatedAt: c.CreatedAt.UTC().Truncate(time.Microsecond)})
	return nil
}

func inTheFuture(what string, at time.Time) *domain.Refusal {
	return domain.Refuse(domain.CodeInvalidArgument, fmt.Sprintf("the time of %s, %s, is in the future", what, at.UTC().Format(time.RFC3339)),
		"give a time of the past")
}
