package commands_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

func TestSendCustomNotification(t *testing.T) {
	data := []byte{0, 0xff, 'x'}
	send := func(users ...string) commands.SendCustomNotification {
		return commands.SendCustomNotification{GroupID: GroupID, Data: data, UserIDs: users}
	}
	for _, kind := range types {
		past := Live(classic, kind)
		for _, who := range everybody(classic[kind].Admins) {
			allowed(Given(t, classic, past...).When(who.actor, send()), who.rank == isOperator, domain.NotificationSent{Data: data})
		}
		Given(t, classic, past...).When(AppAdmin(Root), send(Sven, Mary, Max, Mary)).
			ThenUsers(commands.Invalid, commands.Succeeded, commands.Succeeded, commands.Invalid).
			Then(domain.NotificationSent{Data: data, UserIDs: []string{Mary, Max}})
		Given(t, classic, past...).When(AppAdmin(Root), send(Sven)).ThenUsers(commands.Invalid).ThenNothing()
		Given(t, classic, past...).When(AppAdmin(Root), send(names(1000)...)).ThenNothing()
	}
	limit := commands.SendCustomNotification{GroupID: GroupID, Data: make([]byte, 8<<10)}
	Given(t, classic, Live(classic, domain.Public)...).When(AppAdmin(Root), limit).ThenOutcome(commands.Done)
	limit.Data = make([]byte, 8<<10+1)
	Given(t, classic, Live(classic, domain.Public)...).When(AppAdmin(Root), limit).ThenRefused(domain.CodeInvalidParameter)
}

func TestImportGroup(t *testing.T) {
	cmd := commands.ImportGroup{CreateGroup: create(domain.Public), CreatedAt: Morning}

	t.Run("is for app admins", func(t *testing.T) {
		Given(t, classic).When(User(Olga), cmd).ThenRefused(domain.CodeNotPermitted)
	})
	t.Run("with a past, of which nobody is told", func(t *testing.T) {
		cmd := cmd
		cmd.Members = []domain.InitialMember{{UserID: Mary, Role: domain.Admin}, {UserID: Olga, Role: domain.Owner}, {UserID: Max}}
		v := Given(t, classic).When(AppAdmin(Root), cmd).Then(domain.GroupImported{CreatedAt: Morning, GroupCreated: domain.GroupCreated{
			GroupType: domain.Public, Owner: Olga, Name: "Chess", JoinOption: domain.Auth, InviteOption: domain.Forbid,
			Members: []domain.InitialMember{{UserID: Mary, Role: domain.Admin}, {UserID: Max, Role: domain.Member}},
		}})
		assert.Equal(t, Morning, v.Group().CreatedAt())
		m, _ := v.Group().Membership(Max)
		assert.Equal(t, Morning, m.JoinedAt)
		assert.Equal(t, Olga, v.Group().Owner())
		assert.False(t, v.Group().IsMember(Root))
		assert.Equal(t, domain.Owner, cmd.Members[1].Role, "the command is not changed")
	})
	t.Run("without an owner among the members, the actor's", func(t *testing.T) {
		assert.Equal(t, Root, Given(t, classic).When(AppAdmin(Root), cmd).Group().Owner())
	})
	t.Run("with two owners", func(t *testing.T) {
		cmd := cmd
		cmd.Members = []domain.InitialMember{{UserID: Mary, Role: domain.Owner}, {UserID: Olga, Role: domain.Owner}}
		Given(t, classic).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeOwnerNotGrantable)
	})
	t.Run("a time of the future, and none", func(t *testing.T) {
		cmd := cmd
		cmd.CreatedAt = Noon.Add(time.Microsecond)
		Given(t, classic).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeInvalidArgument, "future")
		cmd.CreatedAt = Noon
		assert.True(t, Given(t, classic).When(AppAdmin(Root), cmd).Permitted())
		cmd.CreatedAt = time.Time{}
		assert.Equal(t, Noon, Given(t, classic).When(AppAdmin(Root), cmd).Group().CreatedAt())
	})
	t.Run("as CreateGroup otherwise", func(t *testing.T) {
		Given(t, classic, Live(classic, domain.Public)...).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeGroupIDTaken)
		Given(t, classic, Live(classic, domain.Public)...).When(AppAdmin(Olga), cmd).ThenRefused(domain.CodeGroupIDYours)
		long := cmd
		long.Name = strings.Repeat("x", 31)
		Given(t, classic).When(AppAdmin(Root), long).ThenRefused(domain.CodeInvalidName)
		room := commands.ImportGroup{CreateGroup: create(domain.AVChatRoom)}
		room.Members = []domain.InitialMember{{UserID: Mary}}
		Given(t, classic).When(AppAdmin(Root), room).ThenRefused(domain.CodeNotPermitted)
		room.Members = []domain.InitialMember{{UserID: Olga, Role: domain.Owner}}
		assert.Equal(t, Olga, Given(t, classic).When(AppAdmin(Root), room).Group().Owner())
	})
	t.Run("quotas", func(t *testing.T) {
		quota := Changed(classic, domain.Public, func(p *domain.Policy) { p.Limits.GroupsPerUser = 1 })
		cmd := cmd
		cmd.Members = []domain.InitialMember{{UserID: Olga, Role: domain.Owner}}
		Given(t, quota).Counting(map[string]int{Olga: 1}).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeQuotaExceeded)
		assert.True(t, Given(t, quota).Counting(map[string]int{Root: 1}).When(AppAdmin(Root), cmd).Permitted())
	})
}

func TestImportMember(t *testing.T) {
	past := Live(classic, domain.Public)
	sven := commands.ImportMember{GroupID: GroupID, UserID: Sven, JoinedAt: Morning.Add(time.Hour)}

	t.Run("is for app admins", func(t *testing.T) {
		for _, kind := range types {
			for _, who := range everybody(classic[kind].Admins) {
				allowed(Given(t, classic, Live(classic, kind)...).When(who.actor, sven), who.rank == isOperator,
					domain.MemberImported{UserID: Sven, Role: domain.Member, JoinedAt: Morning.Add(time.Hour)})
			}
		}
	})
	t.Run("when", func(t *testing.T) {
		for at, fits := range map[time.Time]bool{
			Morning.Add(-time.Microsecond): false, Morning: true, Noon: true, Noon.Add(time.Microsecond): false,
		} {
			cmd := sven
			cmd.JoinedAt = at
			v := Given(t, classic, past...).When(AppAdmin(Root), cmd)
			if !fits {
				v.ThenRefused(domain.CodeInvalidArgument)
				continue
			}
			v.Then(domain.MemberImported{UserID: Sven, Role: domain.Member, JoinedAt: at})
			m, _ := v.Group().Membership(Sven)
			assert.Equal(t, at, m.JoinedAt)
		}
		now := commands.ImportMember{GroupID: GroupID, UserID: Sven}
		Given(t, classic, past...).When(AppAdmin(Root), now).Then(domain.MemberImported{UserID: Sven, Role: domain.Member, JoinedAt: Noon})
	})
	t.Run("in what role", func(t *testing.T) {
		cmd := sven
		cmd.Role = domain.Admin
		assert.Equal(t, domain.Admin, Given(t, classic, past...).When(AppAdmin(Root), cmd).Group().Role(Sven))
		cmd.Role = domain.Owner
		Given(t, classic, past...).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeOwnerNotGrantable)
		cmd.Role = 250
		Given(t, classic, past...).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeInvalidArgument)
	})
	t.Run("a member already, full, over quota", func(t *testing.T) {
		cmd := sven
		cmd.UserID = Mary
		Given(t, classic, past...).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeAlreadyMember)
		full := Changed(classic, domain.Public, func(p *domain.Policy) { p.MemberLimit = 4; p.Limits.GroupsPerUser = 1 })
		Given(t, full, past...).When(AppAdmin(Root), sven).ThenRefused(domain.CodeGroupFull)
		Given(t, full, past...).Counting(map[string]int{Sven: 1}).When(AppAdmin(Root), sven).ThenRefused(domain.CodeQuotaExceeded)
	})
}
