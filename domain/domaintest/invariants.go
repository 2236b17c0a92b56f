package domaintest

import (
	"errors"
	"fmt"

	"github.com/grouplog/grouplog/domain"
)

// Invariants says what of the rules' invariants a group breaks, all of it at once;
// nil if it breaks none. They hold after every single event.
func Invariants(g *domain.Group, p domain.Policies) error {
	var broken []error
	when := func(wrong bool, format string, args ...any) {
		if wrong {
			broken = append(broken, fmt.Errorf(format, args...))
		}
	}
	if g.Status() != domain.Live {
		when(g.Count() != 0, "I4: a %s group has %d members", g.Status(), g.Count())
		when(g.Owner() != "", "I4: a %s group is owned by %q", g.Status(), g.Owner())
		for a := range g.OpenApplications() {
			when(true, "I4: a %s group has the open application %q", g.Status(), a.ID)
		}
		when(len(g.Topics())+len(g.Attributes()) > 0, "I4: a %s group has topics or attributes", g.Status())
		return errors.Join(broken...)
	}
	policy := p[g.Type()]
	seen, owners, admins := map[string]bool{}, 0, 0
	for m := range g.Memberships() {
		when(seen[m.UserID], "I1: %q is a member twice", m.UserID)
		seen[m.UserID] = true
		when(m.Role != domain.Member && m.Role != domain.Admin && m.Role != domain.Owner, "%q has the role %s", m.UserID, m.Role)
		when(m.Role == domain.Admin && !policy.Admins, "%q is an admin, and the type has none", m.UserID)
		when(m.Role == domain.Owner && g.Owner() != m.UserID, "I2: %q has the role owner, and the owner is %q", m.UserID, g.Owner())
		when(m.JoinedAt.Before(g.CreatedAt()), "%q joined before the group was created", m.UserID)
		switch m.Role {
		case domain.Owner:
			owners++
		case domain.Admin:
			admins++
		}
	}
	ownerless := policy.OwnerQuit == domain.OwnerLeavesNone
	when(owners > 1 || owners == 0 && !ownerless, "I2: the group has %d owners", owners)
	when(owners == 0 && g.Owner() != "", "I2: the owner %q is no member", g.Owner())
	when(g.Count() != len(seen), "I3: the count is %d, and there are %d members", g.Count(), len(seen))
	when(g.AdminCount() != admins, "the count of admins is %d, and there are %d", g.AdminCount(), admins)
	when(g.Count() == 0, "3.5: a live group has no members")
	when(policy.MemberLimit > 0 && g.Count() > policy.MemberLimit, "I16: %d members, and the limit is %d", g.Count(), policy.MemberLimit)
	when(len(g.Topics()) > 0 && !g.SupportsTopics(), "topics in a group without topic support")
	open := map[[3]string]bool{}
	for a := range g.OpenApplications() {
		key := [3]string{fmt.Sprint(a.Kind), a.From, a.Candidate}
		when(open[key], "3.2: %q has asked for %q twice", a.From, a.Candidate)
		open[key] = true
		when(g.IsMember(a.Candidate), "I5: the application %q of a member is open", a.ID)
		groupID, incarnation, n, ok := domain.ParseApplicationID(a.ID)
		when(!ok || groupID != g.ID() || incarnation != g.Incarnation(), "I15: the application %q is not of this incarnation", a.ID)
		when(n > g.ApplicationsSubmitted(), "the application %q is beyond the %d submitted", a.ID, g.ApplicationsSubmitted())
	}
	return errors.Join(broken...)
}
