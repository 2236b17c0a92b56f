package commands_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

// Every right may be given to anybody in any type: the code asks the policy.
func TestRightsOfATypeOfOnesOwn(t *testing.T) {
	rights := []struct {
		name    string
		give    func(*domain.Policy, domain.Right)
		command commands.Command
	}{
		{"ChangeJoinOption", func(p *domain.Policy, r domain.Right) { p.ChangeJoinOption = r }, commands.SetGroupInfo{GroupID: GroupID, JoinOption: domain.Forbid}},
		{"Dismiss", func(p *domain.Policy, r domain.Right) { p.Dismiss = r }, commands.Dismiss{GroupID: GroupID}},
		{"EditPresentation", func(p *domain.Policy, r domain.Right) { p.EditPresentation = r }, commands.SetGroupInfo{GroupID: GroupID, Name: ptr("Go")}},
		{"EditProfile", func(p *domain.Policy, r domain.Right) { p.EditProfile = r }, commands.SetGroupInfo{GroupID: GroupID, InviteOption: domain.Any}},
		{"Kick", func(p *domain.Policy, r domain.Right) { p.Kick = r }, commands.KickMembers{GroupID: GroupID, UserIDs: []string{Max}}},
		{"Mute", func(p *domain.Policy, r domain.Right) { p.Mute = r }, commands.MuteMember{GroupID: GroupID, UserID: Max, Duration: time.Hour}},
		{"Mute", func(p *domain.Policy, r domain.Right) { p.Mute = r }, commands.MuteAll{GroupID: GroupID, Muted: true}},
		{"SetAdmins", func(p *domain.Policy, r domain.Right) { p.SetAdmins = r }, commands.SetMemberRole{GroupID: GroupID, UserID: Max, Role: domain.Admin}},
		{"TransferOwner", func(p *domain.Policy, r domain.Right) { p.TransferOwner = r }, commands.TransferOwner{GroupID: GroupID, UserID: Max}},
	}
	least := map[domain.Right]int{
		domain.Nobody: isOperator + 1, domain.OwnerOnly: isOwner, domain.OwnerAndAdmins: isAdmin, domain.AnyMember: isMember,
	}
	for _, test := range rights {
		for right, rank := range least {
			p := Changed(SmallPolicies(classic, 10), Clan, func(p *domain.Policy) { test.give(p, right) })
			if senseless := map[string]domain.Right{
				"Kick": domain.AnyMember, "Mute": domain.AnyMember, // a plain member outranks nobody
				"ChangeJoinOption": domain.Nobody, "EditProfile": domain.Nobody, // and there are options to change to
			}; senseless[test.name] == right && p.Validate() != nil {
				continue
			}
			require.NoError(t, p.Validate())
			for _, who := range everybody(true) {
				v := Given(t, p, Live(p, Clan)...).When(who.actor, test.command)
				operator := test.name == "Dismiss" && who.rank == isOperator
				if who.rank >= rank || operator {
					assert.Truef(t, v.Permitted(), "%s for %s: %s: %v", test.name, right, who.name, v.Err)
				} else {
					v.ThenRefused(domain.CodeNotPermitted)
				}
			}
		}
	}
}

func TestATypeOfOnesOwn(t *testing.T) {
	p := SmallPolicies(classic, 10)
	clan := commands.CreateGroup{GroupType: Clan, GroupID: GroupID, Name: "Clan", SupportTopic: true}

	t.Run("members propose, admins approve, ownership passes on", func(t *testing.T) {
		Given(t, p).When(User(Olga), clan).
			When(User(Adam), commands.RequestJoin{GroupID: GroupID}).ThenOutcome(commands.Pending).
			When(User(Olga), accept("chess/1/1")).
			When(User(Adam), invite(Mary)).ThenUsers(commands.Waiting).
			When(User(Olga), accept("chess/1/2")).
			When(User(Olga), commands.Quit{GroupID: GroupID}).
			Then(domain.OwnerTransferred{From: Olga, To: Adam}, domain.MemberLeft{UserID: Olga})
	})
	t.Run("topics, as the cell says", func(t *testing.T) {
		Given(t, p).When(User(Olga), clan).When(User(Olga), commands.CreateTopic{GroupID: GroupID, Name: "X"}).ThenOutcome(commands.Done)
	})
	t.Run("idle ones are recycled", func(t *testing.T) {
		Given(t, p).When(User(Olga), clan).Afterwards().Later(21*time.Hour).
			When(domain.System, commands.Recycle{GroupID: GroupID}).Then(domain.GroupRecycled{IdleSince: Noon})
	})
	t.Run("an ownerless group with admins", func(t *testing.T) {
		v := Given(t, p, Live(p, Guild)...).When(User(Olga), commands.Quit{GroupID: GroupID}).Then(domain.MemberLeft{UserID: Olga})
		v.When(User(Adam), commands.KickMembers{GroupID: GroupID, UserIDs: []string{Max}}).ThenUsers(commands.Succeeded)
		v.When(User(Adam), commands.TransferOwner{GroupID: GroupID, UserID: Adam}).ThenRefused(domain.CodeNotPermitted)
		v.When(User(Mary), commands.Dismiss{GroupID: GroupID}).ThenOutcome(commands.Done)
	})
	t.Run("prefixes", func(t *testing.T) {
		prefixed := Changed(p, Clan, func(p *domain.Policy) { p.CustomIDPrefix, p.ReservedIDPrefix = "clan-", "clan-x" })
		require.NoError(t, prefixed.Validate())
		for id, fits := range map[string]bool{"chess": false, "clan-": true, "clan-a": true, "clan-x": false, "clan-xy": false} {
			cmd := clan
			cmd.GroupID = id
			assert.Equal(t, fits, Given(t, prefixed).InGroup(id).When(User(Olga), cmd).Permitted(), id)
		}
	})
}

// An engine opened without the policy of a group's type answers so, and goes on
// with the other groups.
func TestATypeWithoutAPolicy(t *testing.T) {
	p := SmallPolicies(classic, 10)
	past := Live(p, Clan)
	for _, cmd := range inGroup(GroupID)[2:] {
		_, err := commands.Decide(commands.Situation{Policies: classic, Actor: AppAdmin(Root), Now: Noon, Group: groupOf(past)}, cmd)
		require.ErrorIs(t, err, domain.ErrNoPolicy, cmd.CommandName())
	}
	Given(t, classic, append(past, domain.GroupDismissed{Cause: domain.Asked})...).
		When(User(Olga), commands.Quit{GroupID: GroupID}).ThenRefused(domain.CodeGroupDismissed)
}

func groupOf(events []domain.Event) *domain.Group {
	g := domain.NewGroup(GroupID)
	for _, e := range events {
		g.Apply(e, domain.Meta{Actor: domain.System, At: Morning})
	}
	return g
}
