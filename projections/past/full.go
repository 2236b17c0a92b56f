package past

import (
	"cmp"
	"slices"
	"sort"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// crowd finds the chain of a refusal because the group is full: what bears on the users
// concerned, the few events, would the group be full with them, and what made members of
// the others, the latest of them that are enough.
func crowd(s commands.Situation, cmd commands.Command, events, few []projections.Event) []projections.Event {
	limit := s.Policies[s.Group.Type()].MemberLimit
	// The refusal holds up to a limit that is higher by spare.
	spare := sort.Search(s.Group.Count(), func(n int) bool {
		return verdict(limited(s, limit+n+1), cmd).fact(s.Group) != full
	})
	among := replay(s.Group.ID(), few, "", nil)
	links := verdict(limited(s, max(1, limit-s.Group.Count()+among.Count())), cmd).chain(few)
	base := replay(s.Group.ID(), links, "", nil)
	missing := s.Group.Count() - spare - base.Count()

	about := byUser(events)
	members := slices.Collect(s.Group.Memberships())
	for _, m := range slices.Backward(members) {
		if missing <= 0 {
			break
		}
		if base.IsMember(m.UserID) {
			continue
		}
		q := question[bool]{groupID: s.Group.ID(), userID: m.UserID, fact: func(g *domain.Group) bool { return g.IsMember(m.UserID) }}
		links = append(links, q.chain(slices.Concat(events[:1], about[m.UserID]))...)
		missing--
	}
	slices.SortFunc(links, func(a, b projections.Event) int { return cmp.Compare(a.Position, b.Position) })
	return slices.CompactFunc(links, func(a, b projections.Event) bool { return a.Position == b.Position })
}

// limited is a situation in which groups of the type have another limit of members.
func limited(s commands.Situation, limit int) commands.Situation {
	s.Policies = s.Policies.Clone()
	policy := s.Policies[s.Group.Type()]
	policy.MemberLimit = limit
	s.Policies[s.Group.Type()] = policy
	return s
}

// byUser are the events about each user, but for the first, with which the group begins.
func byUser(events []projections.Event) map[string][]projections.Event {
	about := map[string][]projections.Event{}
	for _, e := range events[1:] {
		for _, id := range domain.Concerned(e.Fact) {
			about[id] = append(about[id], e)
		}
	}
	return about
}
