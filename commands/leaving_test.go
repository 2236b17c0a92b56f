package commands_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

var quits = commands.Quit{GroupID: GroupID}

func TestQuit(t *testing.T) {
	t.Run("who is not a member", func(t *testing.T) {
		for _, kind := range types {
			for _, who := range []domain.Actor{User(Sven), AppAdmin(Root)} {
				Given(t, classic, Live(classic, kind)...).When(who, quits).ThenRefused(domain.CodeNotPermitted)
			}
		}
	})
	t.Run("the owner, as an app admin", func(t *testing.T) {
		Given(t, classic, Live(classic, domain.Public)...).When(AppAdmin(Olga), quits).ThenRefused(domain.CodeOwnerMustStay)
	})
	t.Run("ends everything attached to the membership", func(t *testing.T) {
		v := Given(t, classic, Live(classic, domain.Public)...).
			And(domain.MemberMuted{UserID: Adam, Until: Noon.Add(time.Hour)}, domain.MemberInfoChanged{UserID: Adam, NameCard: ptr("x")}).
			When(User(Adam), quits).Then(domain.MemberLeft{UserID: Adam})
		_, found := v.Group().Membership(Adam)
		assert.False(t, found)
		assert.Zero(t, v.Group().AdminCount())
		assert.Equal(t, 3, v.Group().Count())
	})
	t.Run("a former owner like anybody", func(t *testing.T) {
		Given(t, classic, Live(classic, domain.Public)...).
			When(User(Olga), commands.TransferOwner{GroupID: GroupID, UserID: Mary}).
			When(User(Olga), quits).Then(domain.MemberLeft{UserID: Olga})
	})
}

func TestOwnerQuitsAndOwnershipPassesOn(t *testing.T) {
	t.Run("to who has been in the group longest, again and again, until nobody is left", func(t *testing.T) {
		v := Given(t, classic, Live(classic, domain.Work)...).
			When(User(Olga), quits).Then(domain.OwnerTransferred{From: Olga, To: Adam}, domain.MemberLeft{UserID: Olga}).
			When(User(Adam), quits).Then(domain.OwnerTransferred{From: Adam, To: Mary}, domain.MemberLeft{UserID: Adam}).
			When(User(Mary), quits).Then(domain.OwnerTransferred{From: Mary, To: Max}, domain.MemberLeft{UserID: Mary}).
			When(User(Max), quits).Then(domain.MemberLeft{UserID: Max}, domain.GroupDismissed{Cause: domain.Emptied})
		assert.Equal(t, domain.Dismissed, v.Group().Status())
		v.When(User(Max), quits).ThenRefused(domain.CodeGroupDismissed)
	})
	t.Run("coming back is a new membership: one is no longer the oldest", func(t *testing.T) {
		Given(t, classic, Live(classic, domain.Work)...).When(User(Adam), quits).When(User(Olga), invite(Adam)).
			When(User(Olga), quits).Then(domain.OwnerTransferred{From: Olga, To: Mary}, domain.MemberLeft{UserID: Olga})
	})
	t.Run("an admin is no heir before an older member", func(t *testing.T) {
		clan := Changed(classic, domain.Public, func(p *domain.Policy) { p.OwnerQuit = domain.OwnerPassesOn })
		Given(t, clan, Live(clan, domain.Public)...).
			When(User(Olga), commands.SetMemberRole{GroupID: GroupID, UserID: Adam, Role: domain.Member}).
			When(User(Olga), commands.SetMemberRole{GroupID: GroupID, UserID: Max, Role: domain.Admin}).
			When(User(Olga), quits).Then(domain.OwnerTransferred{From: Olga, To: Adam}, domain.MemberLeft{UserID: Olga})
	})
	t.Run("who was imported with a longer past comes first", func(t *testing.T) {
		Given(t, classic, Live(classic, domain.Work)...).
			When(AppAdmin(Root), commands.ImportMember{GroupID: GroupID, UserID: Sven, JoinedAt: Morning.Add(time.Second)}).
			When(User(Olga), quits).Then(domain.OwnerTransferred{From: Olga, To: Sven}, domain.MemberLeft{UserID: Olga})
	})
	t.Run("of members of the same age, who came first", func(t *testing.T) {
		Given(t, classic).InGroup("x").When(User(Olga), commands.CreateGroup{
			GroupType: domain.Work, GroupID: "x", Name: "X", Members: []domain.InitialMember{{UserID: Max}, {UserID: Adam}, {UserID: Mary}},
		}).When(User(Olga), commands.Quit{GroupID: "x"}).Then(domain.OwnerTransferred{From: Olga, To: Max}, domain.MemberLeft{UserID: Olga})
	})
}

func TestOwnerQuitsAndTheGroupIsOwnerless(t *testing.T) {
	ownerless := Given(t, current, Live(current, domain.Work)...).When(User(Olga), quits).Then(domain.MemberLeft{UserID: Olga}).Afterwards()

	t.Run("members go on", func(t *testing.T) {
		ownerless.When(User(Mary), invite(Sven)).ThenUsers(commands.Succeeded)
		ownerless.When(User(Mary), commands.SetGroupInfo{GroupID: GroupID, Name: ptr("Go")}).ThenOutcome(commands.Done)
		ownerless.When(User(Mary), commands.KickMembers{GroupID: GroupID, UserIDs: []string{Max}}).ThenRefused(domain.CodeNotPermitted)
		ownerless.When(User(Mary), commands.TransferOwner{GroupID: GroupID, UserID: Mary}).ThenRefused(domain.CodeNotPermitted)
	})
	t.Run("until an app admin names an owner", func(t *testing.T) {
		v := ownerless.When(AppAdmin(Root), commands.TransferOwner{GroupID: GroupID, UserID: Mary}).
			Then(domain.OwnerTransferred{To: Mary})
		assert.Equal(t, Mary, v.Group().Owner())
		v.When(User(Mary), commands.KickMembers{GroupID: GroupID, UserIDs: []string{Max}}).ThenUsers(commands.Succeeded)
	})
	t.Run("an app admin names oneself", func(t *testing.T) {
		ownerless.When(AppAdmin(Mary), commands.TransferOwner{GroupID: GroupID, UserID: Mary}).Then(domain.OwnerTransferred{To: Mary})
	})
	t.Run("or the last member leaves", func(t *testing.T) {
		ownerless.When(User(Adam), quits).When(User(Mary), quits).When(User(Max), quits).
			Then(domain.MemberLeft{UserID: Max}, domain.GroupDismissed{Cause: domain.Emptied})
	})
	t.Run("or all are kicked", func(t *testing.T) {
		v := ownerless.When(AppAdmin(Root), commands.KickMembers{GroupID: GroupID, UserIDs: []string{Adam, Mary, Max}, BanTime: time.Hour}).
			Then(domain.MembersKicked{UserIDs: []string{Adam, Mary, Max}, BannedUntil: Noon.Add(time.Hour)}, domain.GroupDismissed{Cause: domain.Emptied})
		assert.Equal(t, domain.Dismissed, v.Group().Status())
	})
}

func TestKickMembers(t *testing.T) {
	past := Live(classic, domain.Public)
	kick := func(users ...string) commands.KickMembers {
		return commands.KickMembers{GroupID: GroupID, UserIDs: users}
	}
	t.Run("answers for each in their order, and records one event", func(t *testing.T) {
		v := Given(t, classic, past...).When(User(Adam), kick(Mary, Olga, Sven, Adam, Max, Mary)).
			ThenUsers(commands.Succeeded, commands.Failed, commands.Invalid, commands.Failed, commands.Succeeded, commands.Invalid).
			Then(domain.MembersKicked{UserIDs: []string{Mary, Max}})
		assert.Equal(t, domain.CodeNotPermitted, v.Decision.Users[1].Code)
		assert.Equal(t, 2, v.Group().Count())
	})
	t.Run("an admin is kicked by the owner, and not by an admin", func(t *testing.T) {
		twoAdmins := append(past, domain.MemberRoleChanged{UserID: Mary, Role: domain.Admin})
		Given(t, classic, twoAdmins...).When(User(Adam), kick(Mary)).ThenUsers(commands.Failed).ThenNothing()
		Given(t, classic, twoAdmins...).When(User(Olga), kick(Mary)).ThenUsers(commands.Succeeded)
		Given(t, classic, twoAdmins...).When(AppAdmin(Root), kick(Mary, Olga)).ThenUsers(commands.Succeeded, commands.Failed)
	})
	t.Run("with a reason and a ban", func(t *testing.T) {
		cmd := commands.KickMembers{GroupID: GroupID, UserIDs: []string{Mary}, Reason: "spam", BanTime: time.Hour}
		v := Given(t, classic, past...).When(User(Olga), cmd).
			Then(domain.MembersKicked{UserIDs: []string{Mary}, Reason: "spam", BannedUntil: Noon.Add(time.Hour)})
		assert.Equal(t, Noon.Add(time.Hour), v.Group().BannedUntil(Mary))
	})
	t.Run("only who is kicked is banned", func(t *testing.T) {
		cmd := commands.KickMembers{GroupID: GroupID, UserIDs: []string{Mary, Olga, Sven}, BanTime: time.Hour}
		g := Given(t, classic, past...).When(User(Adam), cmd).Group()
		assert.True(t, g.Banned(Mary, Noon))
		assert.False(t, g.Banned(Olga, Noon) || g.Banned(Sven, Noon))
	})
	t.Run("nobody named, negative ban", func(t *testing.T) {
		Given(t, classic, past...).When(User(Olga), kick()).ThenRefused(domain.CodeInvalidArgument)
		Given(t, classic, past...).When(User(Olga), commands.KickMembers{GroupID: GroupID, UserIDs: []string{Mary}, BanTime: -1}).
			ThenRefused(domain.CodeInvalidParameter)
	})
	t.Run("at most a hundred", func(t *testing.T) {
		for _, p := range []domain.Policies{classic, current} {
			for _, who := range []domain.Actor{User(Olga), AppAdmin(Root)} {
				assert.True(t, Given(t, p, past...).When(who, kick(names(100)...)).Permitted())
				Given(t, p, past...).When(who, kick(names(101)...)).ThenRefused(domain.CodeTooManyUsers)
			}
		}
	})
}

func TestDismiss(t *testing.T) {
	v := Given(t, classic, Live(classic, domain.Public)...).And(domain.ApplicationSubmitted{ApplicationID: "chess/1/1", From: Sven, UserID: Sven}).
		When(User(Olga), commands.Dismiss{GroupID: GroupID}).Then(domain.GroupDismissed{Cause: domain.Asked})
	g := v.Group()
	assert.Equal(t, domain.Dismissed, g.Status())
	assert.Equal(t, Noon, g.EndedAt())
	assert.Zero(t, g.Count())
	assert.Equal(t, "Chess", g.Profile().Name, "what it was stays readable")
	v.When(User(Olga), commands.Dismiss{GroupID: GroupID}).ThenRefused(domain.CodeGroupDismissed)
}

func TestRecycle(t *testing.T) {
	idle := Changed(classic, domain.Public, func(p *domain.Policy) { p.RecycleAfter = 24 * time.Hour })
	recycle := commands.Recycle{GroupID: GroupID}
	last := Morning.Add(4 * time.Minute) // of the five events of the group
	scene := func() *Scene { return Given(t, idle, Live(idle, domain.Public)...) }

	scene().At(last.Add(24*time.Hour)).When(domain.System, recycle).ThenNothing()
	v := scene().At(last.Add(24*time.Hour+time.Microsecond)).When(domain.System, recycle).Then(domain.GroupRecycled{IdleSince: last})
	assert.Equal(t, domain.Dismissed, v.Group().Status())
	scene().At(last.AddDate(1, 0, 0)).When(AppAdmin(Root), recycle).ThenOutcome(commands.Done)
	scene().At(last.AddDate(1, 0, 0)).When(User(Olga), recycle).ThenRefused(domain.CodeNotPermitted)
	for _, kind := range types {
		Given(t, classic, Live(classic, kind)...).At(last.AddDate(9, 0, 0)).When(domain.System, recycle).ThenNothing()
	}
}
