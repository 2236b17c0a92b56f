package domaintest

import (
	"time"

	"github.com/grouplog/grouplog/domain"
)

// Types that an embedder might add. No column of the policy table is like them.
const (
	// Clan: members propose, admins approve; ownership passes on; idle ones are
	// recycled.
	Clan domain.GroupType = "Clan"
	// Guild: anybody joins; the owner leaves none; any member may dismiss.
	Guild domain.GroupType = "Guild"
)

// SmallPolicies are policies with both kinds of custom types, in which limits are
// low enough to be met in a short history: at most limit members in a group.
func SmallPolicies(p domain.Policies, limit int) domain.Policies {
	p = p.Clone()
	clan := p[domain.Public]
	clan.InviteOptions = []domain.Option{domain.Forbid, domain.Auth, domain.Any}
	clan.DefaultInviteOption = domain.Auth
	clan.OwnerQuit = domain.OwnerPassesOn
	clan.RecycleAfter = 20 * time.Hour
	clan.Topics = true
	p[Clan] = clan
	guild := p[domain.Meeting]
	guild.OwnerQuit = domain.OwnerLeavesNone
	guild.Dismiss = domain.AnyMember
	guild.EditProfile = domain.AnyMember
	guild.DefaultInviteOption = domain.Any
	p[Guild] = guild
	for name, policy := range p {
		policy.MemberLimit = limit
		policy.Limits.CustomKeys = 2
		policy.Limits.Attributes = 2
		policy.Limits.Invite, policy.Limits.InviteByAppAdmin = 3, 4
		p[name] = policy
	}
	clan = p[Clan]
	clan.Limits.GroupsPerUser = 2
	p[Clan] = clan
	return p.Clone()
}
