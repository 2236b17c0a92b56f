package commands_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

func invite(users ...string) commands.InviteUsers {
	return commands.InviteUsers{GroupID: GroupID, UserIDs: users}
}

func TestInviteUsers(t *testing.T) {
	for _, kind := range types[:4] {
		t.Run(string(kind), func(t *testing.T) {
			t.Run("Any: added at once, no consent", func(t *testing.T) {
				for _, who := range []string{Olga, Adam, Mary} {
					v := Given(t, classic, with(classic, kind, domain.Forbid, domain.Any)...).When(User(who), invite(Sven, Sara)).
						ThenUsers(commands.Succeeded, commands.Succeeded).Then(domain.MembersInvited{UserIDs: []string{Sven, Sara}})
					assert.Equal(t, domain.Member, v.Group().Role(Sven))
					assert.Equal(t, domain.Member, v.Group().Role(Sara))
				}
			})
			t.Run("Auth: an application for each invitee", func(t *testing.T) {
				v := Given(t, classic, with(classic, kind, domain.Forbid, domain.Auth)...).When(User(Mary), invite(Sven, Sara)).
					ThenUsers(commands.Waiting, commands.Waiting).
					Then(
						domain.ApplicationSubmitted{ApplicationID: "chess/1/1", Kind: domain.InvitationForApprover, From: Mary, UserID: Sven},
						domain.ApplicationSubmitted{ApplicationID: "chess/1/2", Kind: domain.InvitationForApprover, From: Mary, UserID: Sara})
				assert.False(t, v.Group().IsMember(Sven))
			})
			t.Run("Auth: who may approve adds at once", func(t *testing.T) {
				for _, who := range []domain.Actor{User(Olga), User(Adam), AppAdmin(Root), AppAdmin(Mary)} {
					v := Given(t, classic, with(classic, kind, domain.Forbid, domain.Auth)...).When(who, invite(Sven))
					if who.UserID == Adam && !classic[kind].Admins {
						v.ThenUsers(commands.Waiting)
						continue
					}
					v.ThenUsers(commands.Succeeded).Then(domain.MembersInvited{UserIDs: []string{Sven}})
				}
			})
			t.Run("Forbid: no member, of no rank", func(t *testing.T) {
				for _, who := range []string{Olga, Adam, Mary, Sven} {
					Given(t, classic, with(classic, kind, domain.Any, domain.Forbid)...).When(User(who), invite(Sara)).
						ThenRefused(domain.CodeNotPermitted)
				}
			})
			t.Run("a stranger, whatever the option", func(t *testing.T) {
				for _, o := range allOptions {
					Given(t, classic, with(classic, kind, domain.Any, o)...).When(User(Sven), invite(Sara)).ThenRefused(domain.CodeNotPermitted)
				}
			})
			t.Run("an empty list", func(t *testing.T) {
				Given(t, classic, with(classic, kind, domain.Any, domain.Any)...).When(User(Mary), invite()).ThenRefused(domain.CodeEmptyInvitation)
			})
		})
	}
	t.Run("nobody into an AVChatRoom", func(t *testing.T) {
		for _, who := range everybody(true) {
			for _, o := range allOptions {
				Given(t, current, with(current, domain.AVChatRoom, domain.Any, o)...).When(who.actor, invite(Sara)).ThenRefused(domain.CodeNotPermitted)
			}
		}
	})
}

func TestInviteUsersAnswersForEachInTheirOrder(t *testing.T) {
	quota := Changed(classic, domain.Work, func(p *domain.Policy) { p.Limits.GroupsPerUser = 2 })
	scene := func(o domain.Option) *Scene {
		return Given(t, quota, with(quota, domain.Work, domain.Forbid, o)...).
			And(domain.MembersKicked{UserIDs: []string{Max}, BannedUntil: Noon.AddDate(0, 0, 1)}).
			Counting(map[string]int{Sara: 2})
	}
	all := invite(Mary, Sven, Sara, Max, Sven, Sara, Max, Mary)
	scene(domain.Any).When(User(Mary), all).
		ThenUsers(commands.Invalid, commands.Succeeded, commands.OverQuota, commands.Failed, commands.Invalid, commands.OverQuota, commands.Failed, commands.Invalid).
		Then(domain.MembersInvited{UserIDs: []string{Sven}})
	scene(domain.Auth).When(User(Mary), all).
		ThenUsers(commands.Invalid, commands.Waiting, commands.OverQuota, commands.Failed, commands.Waiting, commands.OverQuota, commands.Failed, commands.Invalid).
		Then(domain.ApplicationSubmitted{ApplicationID: "chess/1/1", Kind: domain.InvitationForApprover, From: Mary, UserID: Sven})
	scene(domain.Any).When(User(Mary), invite(Mary, Adam)).ThenUsers(commands.Invalid, commands.Invalid).ThenNothing()
	scene(domain.Any).When(User(Mary), invite(Mary, Max, Sara)).
		ThenUsers(commands.Invalid, commands.Failed, commands.OverQuota).ThenNothing()
	down := errors.New("down")
	scene(domain.Any).CountingFails(down).When(User(Mary), invite(Sven)).ThenFails(down)
}

func TestInviteUsersAndRoom(t *testing.T) {
	limited := Changed(classic, domain.Work, func(p *domain.Policy) { p.MemberLimit = 6; p.Limits.GroupsPerUser = 2 })
	past := with(limited, domain.Work, domain.Forbid, domain.Any)

	t.Run("not enough for all that would be added: nobody is", func(t *testing.T) {
		Given(t, limited, past...).When(User(Mary), invite(Sven, Sara, Root)).ThenRefused(domain.CodeGroupFull)
		Given(t, limited, past...).When(AppAdmin(Root), invite(Sven, Sara, Root)).ThenRefused(domain.CodeGroupFull)
	})
	t.Run("enough for those that would be: the others do not count", func(t *testing.T) {
		Given(t, limited, past...).Counting(map[string]int{Root: 2}).When(User(Mary), invite(Sven, Sara, Root, Mary, Sven)).
			ThenUsers(commands.Succeeded, commands.Succeeded, commands.OverQuota, commands.Invalid, commands.Invalid)
	})
	t.Run("those that are members already need none, in a group over a limit that was lowered", func(t *testing.T) {
		low := Changed(classic, domain.Work, func(p *domain.Policy) { p.MemberLimit = 3 })
		group := Given(t, low, with(low, domain.Work, domain.Forbid, domain.Auth)...).Group()
		as := func(user string, cmd commands.Command) ([]commands.UserResult, error) {
			d, err := commands.Decide(commands.Situation{Policies: low, Actor: User(user), Now: Noon, Group: group}, cmd)
			return d.Users, err
		}
		users, err := as(Mary, invite(Max, Sven))
		assert.NoError(t, err)
		assert.Equal(t, []commands.UserResult{{UserID: Max, Result: commands.Invalid}, {UserID: Sven, Result: commands.Waiting}}, users)
		users, err = as(Olga, invite(Max))
		assert.NoError(t, err)
		assert.Equal(t, []commands.UserResult{{UserID: Max, Result: commands.Invalid}}, users)
		_, err = as(Olga, invite(Max, Sven))
		assert.ErrorIs(t, err, domain.ErrGroupFull)
	})
	t.Run("applications need none", func(t *testing.T) {
		full := Changed(limited, domain.Work, func(p *domain.Policy) { p.MemberLimit = 4 })
		Given(t, full, with(full, domain.Work, domain.Forbid, domain.Auth)...).When(User(Mary), invite(Sven)).ThenUsers(commands.Waiting)
		Given(t, full, with(full, domain.Work, domain.Forbid, domain.Auth)...).When(User(Olga), invite(Sven)).ThenRefused(domain.CodeGroupFull)
	})
}

func TestInviteUsersAgain(t *testing.T) {
	auth := with(classic, domain.Work, domain.Forbid, domain.Auth)
	pending := Given(t, classic, auth...).When(User(Mary), invite(Sven)).Afterwards()

	pending.When(User(Mary), invite(Sven)).ThenUsers(commands.Waiting).
		Then(domain.ApplicationRefreshed{ApplicationID: "chess/1/1", Kind: domain.InvitationForApprover, From: Mary, UserID: Sven})
	byTwo := pending.When(User(Max), invite(Sara, Sven)).ThenUsers(commands.Waiting, commands.Waiting).
		Then(
			domain.ApplicationSubmitted{ApplicationID: "chess/1/2", Kind: domain.InvitationForApprover, From: Max, UserID: Sara},
			domain.ApplicationSubmitted{ApplicationID: "chess/1/3", Kind: domain.InvitationForApprover, From: Max, UserID: Sven})

	t.Run("being added another way supersedes them all", func(t *testing.T) {
		v := byTwo.When(User(Olga), invite(Sven)).ThenUsers(commands.Succeeded)
		for _, id := range []string{"chess/1/1", "chess/1/3"} {
			v.When(User(Olga), commands.RefuseApplication{ApplicationID: id}).ThenRefused(domain.CodeApplicationDecided)
		}
		v.When(User(Olga), commands.AcceptApplication{ApplicationID: "chess/1/2"}).ThenOutcome(commands.Done)
	})
	t.Run("they stay valid when the inviter leaves", func(t *testing.T) {
		v := byTwo.When(User(Mary), commands.Quit{GroupID: GroupID}).
			When(User(Olga), commands.AcceptApplication{ApplicationID: "chess/1/1"}).
			Then(domain.ApplicationAccepted{ApplicationID: "chess/1/1", Kind: domain.InvitationForApprover, From: Mary, UserID: Sven})
		assert.True(t, v.Group().IsMember(Sven))
	})
}

func TestInviteUsersNamesAtMostSoMany(t *testing.T) {
	for _, test := range []struct {
		policies domain.Policies
		actor    domain.Actor
		limit    int
	}{
		{classic, User(Mary), 20}, {classic, AppAdmin(Root), 20},
		{current, User(Mary), 20}, {current, AppAdmin(Root), 300},
	} {
		roomy := Changed(test.policies, domain.Work, func(p *domain.Policy) { p.MemberLimit = 0 })
		past := with(roomy, domain.Work, domain.Forbid, domain.Any)
		assert.True(t, Given(t, roomy, past...).When(test.actor, invite(names(test.limit)...)).Permitted())
		Given(t, roomy, past...).When(test.actor, invite(names(test.limit+1)...)).ThenRefused(domain.CodeTooManyUsers)
	}
}
