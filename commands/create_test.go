package commands_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

var (
	classic = domain.Classic()
	current = domain.Current()
)

func TestCreateGroup(t *testing.T) {
	t.Run("the actor is owner and first member", func(t *testing.T) {
		v := Given(t, classic).When(User(Olga), commands.CreateGroup{
			GroupType: domain.Public, GroupID: GroupID, Name: "Chess", Introduction: "for all", Notification: "tonight",
			FaceURL: "https://example.org", Custom: map[string]string{"elo": "1800", "rank": ""},
		}).Then(domain.GroupCreated{
			GroupType: domain.Public, Owner: Olga, Name: "Chess", Introduction: "for all", Notification: "tonight",
			FaceURL: "https://example.org", JoinOption: domain.Auth, InviteOption: domain.Forbid, Custom: map[string]string{"elo": "1800"},
		}).ThenOutcome(commands.Done)
		assert.Equal(t, Olga, v.Group().Owner())
		assert.Equal(t, 1, v.Group().Count())
		assert.Equal(t, Noon, v.Group().CreatedAt())
	})

	t.Run("initial members are members at once, in the roles given", func(t *testing.T) {
		v := Given(t, classic).When(User(Olga), commands.CreateGroup{
			GroupType: domain.Public, GroupID: GroupID, Name: "Chess",
			Members: []domain.InitialMember{{UserID: Adam, Role: domain.Admin}, {UserID: Mary}, {UserID: Max, Role: domain.Member}},
		}).ThenUsers(commands.Succeeded, commands.Succeeded, commands.Succeeded)
		assert.Equal(t, domain.Admin, v.Group().Role(Adam))
		assert.Equal(t, domain.Member, v.Group().Role(Mary))
		assert.Equal(t, domain.Member, v.Group().Role(Max))
		assert.Equal(t, 4, v.Group().Count())
	})

	t.Run("the creator and repetitions among the members are ignored", func(t *testing.T) {
		v := Given(t, classic).When(User(Olga), commands.CreateGroup{
			GroupType: domain.Public, GroupID: GroupID, Name: "Chess",
			Members: []domain.InitialMember{{UserID: Olga}, {UserID: Mary}, {UserID: Mary, Role: domain.Admin}},
		}).ThenUsers(commands.Succeeded)
		assert.Equal(t, domain.Owner, v.Group().Role(Olga))
		assert.Equal(t, domain.Member, v.Group().Role(Mary))
		assert.Equal(t, 2, v.Group().Count())
	})

	t.Run("a type that is unknown", func(t *testing.T) {
		Given(t, classic).When(User(Olga), commands.CreateGroup{GroupType: "Clan", GroupID: GroupID, Name: "Chess"}).
			ThenRefused(domain.CodeInvalidArgument, "Clan", "Public")
	})

	t.Run("a member with the role owner, in any type", func(t *testing.T) {
		for _, kind := range types {
			cmd := create(kind)
			cmd.Members = []domain.InitialMember{{UserID: Mary, Role: domain.Owner}}
			Given(t, classic).InGroup(cmd.GroupID).When(User(Olga), cmd).ThenRefused(domain.CodeOwnerNotGrantable)
		}
	})

	t.Run("a member with a role that there is not", func(t *testing.T) {
		cmd := create(domain.Public)
		cmd.Members = []domain.InitialMember{{UserID: Mary, Role: 250}}
		Given(t, classic).When(User(Olga), cmd).ThenRefused(domain.CodeInvalidArgument)
	})

	t.Run("members in an AVChatRoom, even by an app admin", func(t *testing.T) {
		cmd := create(domain.AVChatRoom)
		cmd.Members = []domain.InitialMember{{UserID: Mary}}
		Given(t, classic).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeNotPermitted)
	})

	t.Run("more members than the type has room for", func(t *testing.T) {
		small := Changed(classic, domain.Public, func(p *domain.Policy) { p.MemberLimit = 3 })
		cmd := create(domain.Public)
		cmd.Members = []domain.InitialMember{{UserID: Adam}, {UserID: Mary}, {UserID: Max}}
		Given(t, small).When(User(Olga), cmd).ThenRefused(domain.CodeTooManyInitialMembers)
		cmd.Members = []domain.InitialMember{{UserID: Adam}, {UserID: Mary}, {UserID: Mary}, {UserID: Olga}}
		Given(t, small).When(User(Olga), cmd).ThenUsers(commands.Succeeded, commands.Succeeded)
	})
}

func TestCreateGroupWithAnIDInUse(t *testing.T) {
	live := Live(classic, domain.Public)
	cmd := create(domain.Public)
	Given(t, classic, live...).When(User(Olga), cmd).ThenRefused(domain.CodeGroupIDYours)
	for _, who := range []domain.Actor{User(Adam), User(Mary), User(Sven), AppAdmin(Root)} {
		Given(t, classic, live...).When(who, cmd).ThenRefused(domain.CodeGroupIDTaken)
	}

	t.Run("free again after dismissal: a new incarnation that inherits nothing", func(t *testing.T) {
		past := append(Live(current, domain.Community),
			domain.GroupProfileChanged{Custom: map[string]string{"elo": "1800"}, JoinOption: domain.Auth},
			domain.AttributesChanged{Set: map[string]string{"board": "1"}},
			domain.TopicCreated{Topic: domain.Topic{ID: "x", Name: "X"}},
			domain.GroupMuted{Muted: true},
			domain.MembersKicked{UserIDs: []string{Max}, BannedUntil: Noon.AddDate(1, 0, 0)},
			domain.ApplicationSubmitted{ApplicationID: "chess/1/1", From: Sven, UserID: Sven},
			domain.GroupDismissed{Cause: domain.Asked})
		v := Given(t, current, past...).When(User(Mary), commands.CreateGroup{GroupType: domain.Meeting, GroupID: GroupID, Name: "Go"}).
			Then(domain.GroupCreated{GroupType: domain.Meeting, Owner: Mary, Name: "Go", JoinOption: domain.Any, InviteOption: domain.Forbid})
		g := v.Group()
		assert.Equal(t, 2, g.Incarnation())
		assert.Equal(t, len(past)+1, g.Version(), "the versions go on")
		assert.Equal(t, 1, g.Count())
		assert.False(t, g.AllMuted())
		assert.False(t, g.Banned(Max, Noon))
		assert.Zero(t, g.ApplicationsSubmitted())
		assert.Zero(t, g.AttributesVersion())
		assert.Zero(t, g.EndedAt())
		assert.Empty(t, g.Topics())
		assert.Equal(t, domain.Profile{Name: "Go", JoinOption: domain.Any, InviteOption: domain.Forbid}, g.Profile())
		v.When(User(Max), commands.RequestJoin{GroupID: GroupID}).ThenOutcome(commands.Joined)
		v.When(AppAdmin(Root), commands.AcceptApplication{ApplicationID: "chess/1/1"}).ThenRefused(domain.CodeGroupDismissed)
	})
}

func TestCreateGroupAndQuotas(t *testing.T) {
	quota := Changed(classic, domain.Public, func(p *domain.Policy) { p.Limits.GroupsPerUser = 3 })
	cmd := create(domain.Public)
	cmd.Members = []domain.InitialMember{{UserID: Mary}, {UserID: Max}}

	t.Run("the creator's", func(t *testing.T) {
		Given(t, quota).Counting(map[string]int{Olga: 3}).When(User(Olga), cmd).ThenRefused(domain.CodeQuotaExceeded)
		Given(t, quota).Counting(map[string]int{Olga: 2}).When(User(Olga), cmd).ThenOutcome(commands.Done)
	})
	t.Run("a member over theirs is left out, and the group created", func(t *testing.T) {
		v := Given(t, quota).Counting(map[string]int{Mary: 3, Max: 2}).When(User(Olga), cmd).
			ThenUsers(commands.OverQuota, commands.Succeeded)
		assert.False(t, v.Group().IsMember(Mary))
		assert.True(t, v.Group().IsMember(Max))
	})
	t.Run("one type's quota is no other's", func(t *testing.T) {
		Given(t, quota).Counting(map[string]int{Olga: 100}).When(User(Olga), create(domain.Work)).ThenOutcome(commands.Done)
	})
	t.Run("nobody knows", func(t *testing.T) {
		down := errors.New("down")
		Given(t, quota).CountingFails(down).When(User(Olga), cmd).ThenFails(down)
	})
}

func TestCreateGroupNamesAtMostSoManyMembers(t *testing.T) {
	for _, test := range []struct {
		era   era
		actor domain.Actor
		limit int
	}{
		{eras[0], User(Olga), 20},
		{eras[0], AppAdmin(Root), 20},
		{eras[1], User(Olga), 20},
		{eras[1], AppAdmin(Root), 100},
	} {
		cmd := create(domain.Public)
		cmd.Members = initial(test.limit)
		v := Given(t, test.era.policies).When(test.actor, cmd)
		assert.Truef(t, v.Permitted(), "%s: %d members by %v", test.era.name, test.limit, test.actor)
		assert.Equal(t, test.limit+1, v.Group().Count())
		cmd.Members = initial(test.limit + 1)
		Given(t, test.era.policies).When(test.actor, cmd).ThenRefused(domain.CodeTooManyUsers)
	}
}

// names are n user IDs.
func names(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("user%d", i)
	}
	return ids
}

func initial(n int) []domain.InitialMember {
	members := make([]domain.InitialMember, n)
	for i, id := range names(n) {
		members[i].UserID = id
	}
	return members
}
