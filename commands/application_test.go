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

func accept(id string) commands.AcceptApplication {
	return commands.AcceptApplication{ApplicationID: id}
}
func refuse(id string) commands.RefuseApplication {
	return commands.RefuseApplication{ApplicationID: id}
}

var asks = commands.RequestJoin{GroupID: GroupID, Message: "hello"}

// pending is a group of a type that has admins, to which Sven has applied.
func pending(t *testing.T, p domain.Policies) *Scene {
	return Given(t, p, with(p, domain.Public, domain.Auth, domain.Auth)...).When(User(Sven), asks).Afterwards()
}

func TestAcceptApplication(t *testing.T) {
	t.Run("the applicant becomes a member", func(t *testing.T) {
		v := pending(t, classic).Later(time.Hour).
			When(User(Adam), commands.AcceptApplication{ApplicationID: "chess/1/1", Reason: "welcome"}).
			Then(domain.ApplicationAccepted{ApplicationID: "chess/1/1", Kind: domain.JoinRequest, From: Sven, UserID: Sven, Reason: "welcome"}).
			ThenApplication("chess/1/1").ThenOutcome(commands.Done)
		m, _ := v.Group().Membership(Sven)
		assert.Equal(t, domain.Membership{UserID: Sven, Role: domain.Member, JoinedAt: Noon.Add(time.Hour), Order: 4}, m)
	})
	t.Run("the invitee becomes a member, and not the inviter", func(t *testing.T) {
		v := pending(t, classic).When(User(Mary), invite(Sara)).When(User(Olga), accept("chess/1/2")).
			Then(domain.ApplicationAccepted{ApplicationID: "chess/1/2", Kind: domain.InvitationForApprover, From: Mary, UserID: Sara})
		assert.True(t, v.Group().IsMember(Sara))
		assert.False(t, v.Group().IsMember(Sven))
	})
	t.Run("full or over quota: it stays pending", func(t *testing.T) {
		full := Changed(classic, domain.Public, func(p *domain.Policy) { p.MemberLimit = 5; p.Limits.GroupsPerUser = 2 })
		scene := pending(t, full)
		v := scene.When(AppAdmin(Root), invite(Sara)).When(User(Olga), accept("chess/1/1")).ThenRefused(domain.CodeGroupFull)
		v.When(User(Sara), commands.Quit{GroupID: GroupID}).When(User(Olga), accept("chess/1/1")).ThenOutcome(commands.Done)

		scene.Counting(map[string]int{Sven: 2}).When(User(Olga), accept("chess/1/1")).ThenRefused(domain.CodeQuotaExceeded).
			Afterwards().Counting(nil).When(User(Olga), accept("chess/1/1")).ThenOutcome(commands.Done)
		down := errors.New("down")
		scene.CountingFails(down).When(User(Olga), accept("chess/1/1")).ThenFails(down)
	})
	t.Run("the join option of today does not matter", func(t *testing.T) {
		pending(t, classic).When(User(Olga), commands.SetGroupInfo{GroupID: GroupID, JoinOption: domain.Forbid}).
			When(User(Olga), accept("chess/1/1")).ThenOutcome(commands.Done)
	})
}

func TestRefuseApplication(t *testing.T) {
	v := pending(t, classic).When(User(Adam), commands.RefuseApplication{ApplicationID: "chess/1/1", Reason: "no"}).
		Then(domain.ApplicationRefused{ApplicationID: "chess/1/1", Kind: domain.JoinRequest, From: Sven, UserID: Sven, Reason: "no"}).
		ThenApplication("chess/1/1")
	assert.False(t, v.Group().IsMember(Sven))

	t.Run("also where the group is full", func(t *testing.T) {
		full := Changed(classic, domain.Public, func(p *domain.Policy) { p.MemberLimit = 5 })
		pending(t, full).When(AppAdmin(Root), invite(Sara)).When(User(Olga), refuse("chess/1/1")).ThenOutcome(commands.Done)
	})
}

// deciders are the two commands that decide an application, however it is named.
func deciders(id, from string) map[string]commands.Command {
	return map[string]commands.Command{
		"accept by ID":         accept(id),
		"refuse by ID":         refuse(id),
		"accept by ID, group":  commands.AcceptApplication{ApplicationID: id, GroupID: GroupID},
		"refuse by ID, group":  commands.RefuseApplication{ApplicationID: id, GroupID: GroupID},
		"accept by who asked":  commands.AcceptApplication{GroupID: GroupID, FromUser: from},
		"refuse by who asked":  commands.RefuseApplication{GroupID: GroupID, FromUser: from},
		"accept by everything": commands.AcceptApplication{ApplicationID: id, GroupID: GroupID, FromUser: from},
	}
}

func TestApprovers(t *testing.T) {
	for name, cmd := range deciders("chess/1/1", Sven) {
		t.Run(name, func(t *testing.T) {
			for _, who := range everybody(true) {
				v := pending(t, classic).When(who.actor, cmd)
				if who.rank >= isAdmin {
					assert.True(t, v.Permitted(), who.name)
				} else {
					v.ThenRefused(domain.CodeNotPermitted)
				}
			}
			pending(t, classic).When(User(Sven), cmd).ThenRefused(domain.CodeNotPermitted)
		})
	}
	t.Run("owner and admins at the time of the decision", func(t *testing.T) {
		scene := pending(t, classic)
		scene.When(User(Olga), commands.SetMemberRole{GroupID: GroupID, UserID: Mary, Role: domain.Admin}).
			When(User(Mary), accept("chess/1/1")).ThenOutcome(commands.Done)
		scene.When(User(Olga), commands.SetMemberRole{GroupID: GroupID, UserID: Adam, Role: domain.Member}).
			When(User(Adam), accept("chess/1/1")).ThenRefused(domain.CodeNotPermitted)
	})
}

func TestWhichApplication(t *testing.T) {
	t.Run("decided once", func(t *testing.T) {
		for _, first := range []commands.Command{accept("chess/1/1"), refuse("chess/1/1")} {
			for _, second := range []commands.Command{accept("chess/1/1"), refuse("chess/1/1")} {
				pending(t, classic).When(User(Olga), first).When(User(Adam), second).ThenRefused(domain.CodeApplicationDecided)
			}
		}
	})
	t.Run("closed because the applicant came in another way", func(t *testing.T) {
		for _, way := range []commands.Command{invite(Sven), commands.ImportMember{GroupID: GroupID, UserID: Sven}} {
			v := pending(t, classic).When(AppAdmin(Root), way)
			assert.True(t, v.Group().IsMember(Sven))
			v.When(User(Olga), accept("chess/1/1")).ThenRefused(domain.CodeApplicationDecided)
			v.When(User(Olga), refuse("chess/1/1")).ThenRefused(domain.CodeApplicationDecided)
		}
	})
	t.Run("void with the group, for ever", func(t *testing.T) {
		gone := pending(t, classic).When(User(Olga), commands.Dismiss{GroupID: GroupID})
		gone.When(User(Olga), accept("chess/1/1")).ThenRefused(domain.CodeGroupDismissed)
		again := gone.When(User(Olga), create(domain.Public))
		again.When(User(Olga), accept("chess/1/1")).ThenRefused(domain.CodeGroupDismissed)
		again.When(User(Olga), accept("chess/2/1")).ThenRefused(domain.CodeInvalidArgument)
		again.When(User(Sven), asks).ThenApplication("chess/2/1").
			When(User(Olga), accept("chess/2/1")).ThenOutcome(commands.Done)
	})
	t.Run("none that there is", func(t *testing.T) {
		for _, id := range []string{"chess/1/2", "chess/2/1", "chess/1/0", "chess/0/1", "chess/1/01", "chess/1/-1", "chess/1/x", "chess/1", "/1/1", "chess", "///"} {
			pending(t, classic).When(User(Olga), commands.AcceptApplication{ApplicationID: id, GroupID: GroupID}).ThenRefused(domain.CodeInvalidArgument)
			pending(t, classic).When(User(Olga), commands.RefuseApplication{ApplicationID: id, GroupID: GroupID}).ThenRefused(domain.CodeInvalidArgument)
		}
		pending(t, classic).When(User(Olga), commands.AcceptApplication{GroupID: GroupID}).ThenRefused(domain.CodeInvalidArgument)
		pending(t, classic).When(User(Olga), commands.AcceptApplication{GroupID: GroupID, FromUser: Sara}).ThenRefused(domain.CodeInvalidArgument)
		pending(t, classic).When(User(Olga), commands.AcceptApplication{GroupID: "go", ApplicationID: "chess/1/1"}).ThenRefused(domain.CodeInvalidArgument)
	})
	t.Run("somebody else's than the command says", func(t *testing.T) {
		scene := pending(t, classic).When(User(Mary), invite(Sara)).Afterwards()
		for id, other := range map[string]string{"chess/1/1": Sara, "chess/1/2": Sara} { // Mary has asked for Sara
			scene.When(User(Olga), commands.AcceptApplication{ApplicationID: id, FromUser: other}).ThenRefused(domain.CodeInvalidArgument, id)
			scene.When(User(Olga), commands.RefuseApplication{ApplicationID: id, FromUser: other}).ThenRefused(domain.CodeInvalidArgument, id)
		}
		scene.When(User(Olga), commands.AcceptApplication{ApplicationID: "chess/1/2", FromUser: Mary}).ThenOutcome(commands.Done)
	})
	t.Run("one of several by the same user needs its ID", func(t *testing.T) {
		scene := pending(t, classic).When(User(Mary), invite(Sara, Root)).Afterwards()
		scene.When(User(Olga), commands.AcceptApplication{GroupID: GroupID, FromUser: Mary}).ThenRefused(domain.CodeInvalidArgument, "2 open")
		scene.When(User(Olga), accept("chess/1/2")).
			When(User(Olga), commands.AcceptApplication{GroupID: GroupID, FromUser: Mary}).ThenApplication("chess/1/3")
	})
	t.Run("of no group, and of a dismissed one", func(t *testing.T) {
		for _, cmd := range deciders("chess/1/1", Sven) {
			Given(t, classic).When(User(Olga), cmd).ThenRefused(domain.CodeUnknownGroup)
			pending(t, classic).And(domain.GroupDismissed{}).When(User(Olga), cmd).ThenRefused(domain.CodeGroupDismissed)
		}
	})
	t.Run("in a group whose ID looks like an application's", func(t *testing.T) {
		id := "a/1/1"
		v := Given(t, classic).InGroup(id).When(User(Olga), commands.CreateGroup{GroupType: domain.Public, GroupID: id, Name: "Chess"}).
			When(User(Sven), commands.RequestJoin{GroupID: id}).ThenApplication("a/1/1/1/1")
		v.When(User(Olga), accept("a/1/1/1/1")).ThenOutcome(commands.Done)
	})
}

func TestMarkApplicationsRead(t *testing.T) {
	for _, who := range []domain.Actor{User(Sven), AppAdmin(Root)} {
		Given(t, classic).When(who, commands.MarkApplicationsRead{}).
			Then(domain.ApplicationsRead{UserID: who.UserID}).ThenOutcome(commands.Done)
	}
}
