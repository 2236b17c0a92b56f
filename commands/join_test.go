package commands_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

// with sets the join and the invite option of a group of the examples.
func with(p domain.Policies, kind domain.GroupType, join, invite domain.Option) []domain.Event {
	founded := Founded(p, kind)
	founded.JoinOption, founded.InviteOption = join, invite
	return Populated(p, founded)
}

func TestRequestJoin(t *testing.T) {
	join := commands.RequestJoin{GroupID: GroupID, Message: "it's me!"}
	for _, kind := range types {
		t.Run(string(kind), func(t *testing.T) {
			t.Run("Any: a member at once", func(t *testing.T) {
				v := Given(t, classic, with(classic, kind, domain.Any, domain.Forbid)...).When(User(Sven), join).
					Then(domain.MemberJoined{UserID: Sven}).ThenOutcome(commands.Joined)
				m, _ := v.Group().Membership(Sven)
				assert.Equal(t, domain.Membership{UserID: Sven, Role: domain.Member, JoinedAt: Noon, Order: 4}, m)
			})
			t.Run("Auth: an application is pending", func(t *testing.T) {
				v := Given(t, classic, with(classic, kind, domain.Auth, domain.Forbid)...).When(User(Sven), join).
					Then(domain.ApplicationSubmitted{ApplicationID: "chess/1/1", Kind: domain.JoinRequest, From: Sven, UserID: Sven, Message: "it's me!"}).
					ThenOutcome(commands.Pending).ThenApplication("chess/1/1")
				assert.False(t, v.Group().IsMember(Sven))
			})
			t.Run("Forbid: refused, even to an app admin", func(t *testing.T) {
				for _, who := range []domain.Actor{User(Sven), AppAdmin(Root)} {
					Given(t, classic, with(classic, kind, domain.Forbid, domain.Any)...).When(who, join).ThenRefused(domain.CodeNotPermitted)
				}
			})
			t.Run("a member already, whatever the option", func(t *testing.T) {
				for _, o := range allOptions {
					for _, who := range []domain.Actor{User(Mary), User(Olga), AppAdmin(Mary)} {
						Given(t, classic, with(classic, kind, o, o)...).When(who, join).ThenRefused(domain.CodeAlreadyMember)
					}
				}
			})
		})
	}

	t.Run("no such group, dismissed group", func(t *testing.T) {
		Given(t, classic).When(User(Sven), join).ThenRefused(domain.CodeUnknownGroup)
		Given(t, classic, append(Live(classic, domain.Public), domain.GroupDismissed{Cause: domain.Asked})...).
			When(User(Sven), join).ThenRefused(domain.CodeGroupDismissed)
		Given(t, classic, append(Live(classic, domain.Public), domain.GroupRecycled{})...).
			When(User(Sven), join).ThenRefused(domain.CodeGroupDismissed)
	})
}

func TestRequestJoinAgain(t *testing.T) {
	auth := with(classic, domain.Public, domain.Auth, domain.Forbid)

	t.Run("while pending: refreshes the one application", func(t *testing.T) {
		v := Given(t, classic, auth...).When(User(Sven), commands.RequestJoin{GroupID: GroupID, Message: "hello"}).
			Afterwards().Later(time.Hour).When(User(Sven), commands.RequestJoin{GroupID: GroupID, Message: "hello?"}).
			Then(domain.ApplicationRefreshed{ApplicationID: "chess/1/1", Kind: domain.JoinRequest, From: Sven, UserID: Sven, Message: "hello?"}).
			ThenOutcome(commands.Pending).ThenApplication("chess/1/1")
		a, open := v.Group().Application("chess/1/1")
		assert.True(t, open)
		assert.Equal(t, "hello?", a.Message)
		assert.Equal(t, Noon.Add(time.Hour), a.At)
		assert.Equal(t, 1, v.Group().ApplicationsSubmitted())
	})

	t.Run("after a refusal: a new one", func(t *testing.T) {
		v := Given(t, classic, auth...).When(User(Sven), commands.RequestJoin{GroupID: GroupID}).
			When(User(Olga), commands.RefuseApplication{ApplicationID: "chess/1/1"}).
			When(User(Sven), commands.RequestJoin{GroupID: GroupID}).ThenApplication("chess/1/2").ThenOutcome(commands.Pending)
		v.When(User(Olga), commands.AcceptApplication{ApplicationID: "chess/1/1"}).ThenRefused(domain.CodeApplicationDecided)
		v.When(User(Olga), commands.AcceptApplication{ApplicationID: "chess/1/2"}).ThenOutcome(commands.Done)
	})

	t.Run("while pending, and the option has become Any: joins, and the application is superseded", func(t *testing.T) {
		v := Given(t, classic, auth...).When(User(Sven), commands.RequestJoin{GroupID: GroupID}).
			When(User(Adam), commands.SetGroupInfo{GroupID: GroupID, JoinOption: domain.Any}).
			When(User(Sven), commands.RequestJoin{GroupID: GroupID}).ThenOutcome(commands.Joined)
		v.When(User(Olga), commands.AcceptApplication{ApplicationID: "chess/1/1"}).ThenRefused(domain.CodeApplicationDecided)
	})

	t.Run("coming back is a new membership", func(t *testing.T) {
		v := Given(t, classic, with(classic, domain.Meeting, domain.Any, domain.Forbid)...).
			And(domain.MemberInfoChanged{UserID: Adam, NameCard: ptr("the great"), Custom: map[string]string{"elo": "1"}},
				domain.MemberMuted{UserID: Adam, Until: Noon.AddDate(1, 0, 0)}).
			When(User(Adam), commands.Quit{GroupID: GroupID}).
			When(User(Adam), commands.RequestJoin{GroupID: GroupID}).ThenOutcome(commands.Joined)
		m, _ := v.Group().Membership(Adam)
		assert.Equal(t, domain.Membership{UserID: Adam, Role: domain.Member, JoinedAt: Noon, Order: 4}, m)
		assert.Zero(t, v.Group().AdminCount())
	})
}

func TestBan(t *testing.T) {
	kick := func(d time.Duration) commands.KickMembers {
		return commands.KickMembers{GroupID: GroupID, UserIDs: []string{Max}, BanTime: d}
	}
	join := commands.RequestJoin{GroupID: GroupID}
	anyone := with(classic, domain.Public, domain.Any, domain.Any)

	t.Run("a plain kick does not ban", func(t *testing.T) {
		Given(t, classic, anyone...).When(User(Olga), kick(0)).When(User(Max), join).ThenOutcome(commands.Joined)
	})
	t.Run("against joining, until it is over", func(t *testing.T) {
		for _, join := range []domain.Option{domain.Any, domain.Auth, domain.Forbid} {
			banned := Given(t, classic, with(classic, domain.Public, join, domain.Any)...).When(User(Olga), kick(time.Hour)).Afterwards()
			banned.When(User(Max), commands.RequestJoin{GroupID: GroupID}).ThenRefused(domain.CodeNotPermitted, "banned", "13:00")
		}
		banned := Given(t, classic, anyone...).When(User(Olga), kick(time.Hour)).Afterwards()
		banned.Later(time.Hour-time.Microsecond).When(User(Max), join).ThenRefused(domain.CodeNotPermitted)
		banned.Later(time.Hour).When(User(Max), join).ThenOutcome(commands.Joined)
	})
	t.Run("against being invited by members, whatever their rank", func(t *testing.T) {
		for _, who := range []string{Olga, Adam, Mary} {
			v := Given(t, classic, anyone...).When(User(Olga), kick(time.Hour)).
				When(User(who), commands.InviteUsers{GroupID: GroupID, UserIDs: []string{Max, Sven}})
			v.ThenUsers(commands.Failed, commands.Succeeded).Then(domain.MembersInvited{UserIDs: []string{Sven}})
			assert.Equal(t, domain.CodeNotPermitted, v.Decision.Users[0].Code)
		}
	})
	t.Run("not against an app admin's invitation, which lifts it", func(t *testing.T) {
		Given(t, classic, anyone...).When(User(Olga), kick(time.Hour)).
			When(AppAdmin(Root), commands.InviteUsers{GroupID: GroupID, UserIDs: []string{Max}}).ThenUsers(commands.Succeeded).
			When(User(Max), commands.Quit{GroupID: GroupID}).
			When(User(Max), join).ThenOutcome(commands.Joined)
	})
	t.Run("against accepting", func(t *testing.T) {
		banned := Given(t, classic, with(classic, domain.Public, domain.Auth, domain.Any)...).
			And(domain.MembersKicked{UserIDs: []string{Max}, BannedUntil: Noon.Add(time.Hour)},
				domain.ApplicationSubmitted{ApplicationID: "chess/1/1", From: Max, UserID: Max})
		for _, who := range []domain.Actor{User(Olga), AppAdmin(Root)} {
			banned.When(who, commands.AcceptApplication{ApplicationID: "chess/1/1"}).ThenRefused(domain.CodeNotPermitted, "banned")
		}
		banned.Later(time.Hour).When(User(Olga), commands.AcceptApplication{ApplicationID: "chess/1/1"}).ThenOutcome(commands.Done)
	})
	t.Run("voids the open applications of the banned", func(t *testing.T) {
		Given(t, classic, anyone...).
			And(domain.ApplicationSubmitted{ApplicationID: "chess/1/1", From: Sven, UserID: Sven},
				domain.MembersKicked{UserIDs: []string{Sven}, BannedUntil: Noon.Add(time.Hour)}).
			When(User(Olga), commands.AcceptApplication{ApplicationID: "chess/1/1"}).ThenRefused(domain.CodeApplicationDecided)
	})
}

func TestRoomAndQuotaOfWhoJoins(t *testing.T) {
	full := Changed(classic, domain.Meeting, func(p *domain.Policy) { p.MemberLimit = 4; p.Limits.GroupsPerUser = 2 })
	room := Changed(full, domain.Meeting, func(p *domain.Policy) { p.MemberLimit = 5 })
	join := commands.RequestJoin{GroupID: GroupID}
	for _, o := range []domain.Option{domain.Any, domain.Auth} {
		past := with(classic, domain.Meeting, o, domain.Forbid)
		Given(t, full, past...).When(User(Sven), join).ThenRefused(domain.CodeGroupFull)
		assert.True(t, Given(t, room, past...).When(User(Sven), join).Permitted())
		Given(t, room, past...).Counting(map[string]int{Sven: 2}).When(User(Sven), join).ThenRefused(domain.CodeQuotaExceeded)
		assert.True(t, Given(t, room, past...).Counting(map[string]int{Sven: 1}).When(User(Sven), join).Permitted())
		down := errors.New("down")
		Given(t, room, past...).CountingFails(down).When(User(Sven), join).ThenFails(down)
	}
}
