package commands

import (
	"fmt"

	"github.com/grouplog/grouplog/domain"
)

// whichApplication names an open application: by its ID, or by its group and who
// asked, where that is one.
type whichApplication struct {
	ApplicationID, GroupID, FromUser string
}

func (w whichApplication) group() string {
	if groupID, _, _, ok := domain.ParseApplicationID(w.ApplicationID); ok {
		return groupID
	}
	return w.GroupID
}

func (w whichApplication) check(s *Situation) *domain.Refusal {
	if w.ApplicationID == "" && w.FromUser == "" {
		return domain.Refuse(domain.CodeInvalidArgument, "the command names no application", "give applicationID, or groupID and fromUser")
	}
	if w.ApplicationID == "" {
		return first(s.limits.CheckGroupID(w.GroupID), s.checkUserID(w.FromUser))
	}
	groupID, _, _, ok := domain.ParseApplicationID(w.ApplicationID)
	if !ok || w.GroupID != "" && w.GroupID != groupID {
		return unknownApplication(w.ApplicationID)
	}
	return s.limits.CheckGroupID(groupID)
}

func unknownApplication(which string) *domain.Refusal {
	return domain.Refuse(domain.CodeInvalidArgument, fmt.Sprintf("there is no application %q", which), "list the applications and use an ID from there")
}

// find is the open application, for an actor who may decide it.
func (w whichApplication) find(s *Situation) (domain.Application, *domain.Refusal) {
	none := domain.Application{}
	_, incarnation, number, byID := domain.ParseApplicationID(w.ApplicationID)
	if byID && s.Group.Incarnation() > incarnation {
		return none, domain.Refuse(domain.CodeGroupDismissed, "the group of this application was dismissed", "the application is void")
	}
	if refusal := s.live(); refusal != nil {
		return none, refusal
	}
	if s.role() < domain.Admin {
		return none, s.notPermitted("only approvers decide applications", domain.OwnerAndAdmins)
	}
	if !byID {
		return w.fromUser(s)
	}
	if application, open := s.Group.Application(w.ApplicationID); open {
		if w.FromUser != "" && w.FromUser != application.From {
			return none, domain.Refuse(domain.CodeInvalidArgument,
				fmt.Sprintf("it is not %q who asked for the application %q", w.FromUser, w.ApplicationID), "name it by its ID alone, or correct either")
		}
		return application, nil
	}
	if incarnation == s.Group.Incarnation() && number <= s.Group.ApplicationsSubmitted() {
		return none, domain.Refuse(domain.CodeApplicationDecided, "this application is closed already", "look at it to see by whom")
	}
	return none, unknownApplication(w.ApplicationID)
}

func (w whichApplication) fromUser(s *Situation) (domain.Application, *domain.Refusal) {
	open := s.Group.OpenApplicationsFrom(w.FromUser)
	switch len(open) {
	case 0:
		return domain.Application{}, domain.Refuse(domain.CodeInvalidArgument,
			fmt.Sprintf("%q has no open application to this group", w.FromUser), "list the applications to see what became of it")
	case 1:
		return open[0], nil
	default:
		return domain.Application{}, domain.Refuse(domain.CodeInvalidArgument,
			fmt.Sprintf("%q has %d open applications to this group", w.FromUser, len(open)), "name the application by its ID")
	}
}

// AcceptApplication makes the candidate of an open application a member.
type AcceptApplication struct {
	ApplicationID string `json:"applicationID,omitempty"`
	GroupID       string `json:"groupID,omitempty"` // with FromUser, in place of ApplicationID
	FromUser      string `json:"fromUser,omitempty"`
	Reason        string `json:"reason,omitempty"`
}

func (AcceptApplication) CommandName() string { return "AcceptApplication" }

func (c AcceptApplication) which() whichApplication {
	return whichApplication{c.ApplicationID, c.GroupID, c.FromUser}
}

func (c AcceptApplication) stream(domain.Actor) string { return domain.GroupStream(c.which().group()) }
func (c AcceptApplication) about() []string            { return []string{c.FromUser} }

func (c AcceptApplication) check(s *Situation) *domain.Refusal {
	return first(c.which().check(s), checkReason(s, c.Reason))
}

func checkReason(s *Situation, reason string) *domain.Refusal {
	return domain.CheckLine(domain.CodeInvalidParameter, "reason", reason, s.limits.Message)
}

func (c AcceptApplication) decide(s *Situation, d *Decision) error {
	a, refusal := c.which().find(s)
	if err := or(refusal); err != nil {
		return err
	}
	if err := or(s.limits.CheckUserID(a.Candidate), s.notBanned(a.Candidate)); err != nil {
		return err
	}
	if err := s.withinQuota(&s.policy, a.Candidate); err != nil {
		return err
	}
	if err := or(s.full(1)); err != nil {
		return err
	}
	d.ApplicationID = a.ID
	d.record(domain.ApplicationAccepted{ApplicationID: a.ID, Kind: a.Kind, From: a.From, UserID: a.Candidate, Reason: c.Reason})
	return nil
}

// RefuseApplication closes an open application without admitting anybody.
type RefuseApplication struct {
	ApplicationID string `json:"applicationID,omitempty"`
	GroupID       string `json:"groupID,omitempty"` // with FromUser, in place of ApplicationID
	FromUser      string `json:"fromUser,omitempty"`
	Reason        string `json:"reason,omitempty"`
}

func (RefuseApplication) CommandName() string { return "RefuseApplication" }

func (c RefuseApplication) which() whichApplication {
	return whichApplication{c.ApplicationID, c.GroupID, c.FromUser}
}

func (c RefuseApplication) stream(domain.Actor) string { return domain.GroupStream(c.which().group()) }
func (c RefuseApplication) about() []string            { return []string{c.FromUser} }

func (c RefuseApplication) check(s *Situation) *domain.Refusal {
	return first(c.which().check(s), checkReason(s, c.Reason))
}

func (c RefuseApplication) decide(s *Situation, d *Decision) error {
	a, refusal := c.which().find(s)
	if err := or(refusal); err != nil {
		return err
	}
	d.ApplicationID = a.ID
	d.record(domain.ApplicationRefused{ApplicationID: a.ID, Kind: a.Kind, From: a.From, UserID: a.Candidate, Reason: c.Reason})
	return nil
}

// MarkApplicationsRead moves the actor's read mark, over all groups, to now. It
// is not about whether applications are handled.
type MarkApplicationsRead struct{}

func (MarkApplicationsRead) CommandName() string { return "MarkApplicationsRead" }

func (MarkApplicationsRead) stream(a domain.Actor) string     { return domain.UserStream(a.UserID) }
func (MarkApplicationsRead) check(*Situation) *domain.Refusal { return nil }

func (MarkApplicationsRead) decide(s *Situation, d *Decision) error {
	d.record(domain.ApplicationsRead{UserID: s.Actor.UserID})
	return nil
}
