package commands_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

// allowed says that a command records the events, or is refused because of who
// gives it.
func allowed(v *Verdict, permitted bool, events ...domain.Event) {
	if permitted {
		v.Then(events...)
	} else {
		v.ThenRefused(domain.CodeNotPermitted)
	}
}

func ptr[T any](value T) *T { return &value }

func TestPageWhoMayDismiss(t *testing.T) {
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		permitted := may(t, e.cell("who may dismiss", kind), who.rank) || who.rank == isOperator
		allowed(Given(t, e.policies, Live(e.policies, kind)...).When(who.actor, commands.Dismiss{GroupID: GroupID}),
			permitted, domain.GroupDismissed{Cause: domain.Asked})
	})
}

func TestPageWhoMayEditThePresentation(t *testing.T) {
	changes := map[string]struct {
		command commands.SetGroupInfo
		event   domain.GroupProfileChanged
	}{
		"name":         {commands.SetGroupInfo{Name: ptr("Go")}, domain.GroupProfileChanged{Name: ptr("Go")}},
		"introduction": {commands.SetGroupInfo{Introduction: ptr("x")}, domain.GroupProfileChanged{Introduction: ptr("x")}},
		"notification": {commands.SetGroupInfo{Notification: ptr("x")}, domain.GroupProfileChanged{Notification: ptr("x")}},
		"face URL":     {commands.SetGroupInfo{FaceURL: ptr("x")}, domain.GroupProfileChanged{FaceURL: ptr("x")}},
	}
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		permitted := may(t, e.cell("edit name, introduction, notification, face URL", kind), who.rank)
		for field, change := range changes {
			t.Run(field, func(t *testing.T) {
				change.command.GroupID = GroupID
				allowed(Given(t, e.policies, Live(e.policies, kind)...).When(who.actor, change.command), permitted, change.event)
			})
		}
	})
}

func TestPageWhoMayEditTheRestOfTheProfile(t *testing.T) {
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		permitted := may(t, e.cell("edit the rest of the profile", kind), who.rank)
		custom := map[string]string{"elo": "1800"}
		allowed(Given(t, e.policies, Live(e.policies, kind)...).
			When(who.actor, commands.SetGroupInfo{GroupID: GroupID, Custom: custom}),
			permitted, domain.GroupProfileChanged{Custom: custom})
	})
}

// The operator has the owner's rank; an admin of one type is a member of another.
func (s standing) over(target int) bool { return min(s.rank, isOwner) > target }

func TestPageWhoMayKick(t *testing.T) {
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		permitted := may(t, e.cell("kick", kind), who.rank)
		for _, target := range everybody(e.policies[kind].Admins)[1:4] {
			t.Run("kicks "+target.name, func(t *testing.T) {
				v := Given(t, e.policies, Live(e.policies, kind)...).
					When(who.actor, commands.KickMembers{GroupID: GroupID, UserIDs: []string{target.actor.UserID}})
				switch {
				case !permitted:
					v.ThenRefused(domain.CodeNotPermitted)
				case who.over(target.rank) && who.actor.UserID != target.actor.UserID:
					v.ThenUsers(commands.Succeeded).Then(domain.MembersKicked{UserIDs: []string{target.actor.UserID}})
				default:
					v.ThenUsers(commands.Failed).ThenNothing()
				}
			})
		}
	})
}

func TestPageWhoMayMuteAMember(t *testing.T) {
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		permitted := may(t, e.cell("mute a member / mute all", kind), who.rank)
		for _, target := range everybody(e.policies[kind].Admins)[1:4] {
			t.Run("mutes "+target.name, func(t *testing.T) {
				v := Given(t, e.policies, Live(e.policies, kind)...).
					When(who.actor, commands.MuteMember{GroupID: GroupID, UserID: target.actor.UserID, Duration: time.Hour})
				outranks := who.over(target.rank) && who.actor.UserID != target.actor.UserID
				allowed(v, permitted && outranks, domain.MemberMuted{UserID: target.actor.UserID, Until: Noon.Add(time.Hour)})
			})
		}
	})
}

func TestPageWhoMayMuteAll(t *testing.T) {
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		allowed(Given(t, e.policies, Live(e.policies, kind)...).When(who.actor, commands.MuteAll{GroupID: GroupID, Muted: true}),
			may(t, e.cell("mute a member / mute all", kind), who.rank), domain.GroupMuted{Muted: true})
	})
}

func TestPageWhoMaySetAdmins(t *testing.T) {
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		permitted := may(t, e.cell("set and unset admins", kind), who.rank)
		scene := func() *Scene { return Given(t, e.policies, Live(e.policies, kind)...) }
		allowed(scene().When(who.actor, commands.SetMemberRole{GroupID: GroupID, UserID: Max, Role: domain.Admin}),
			permitted, domain.MemberRoleChanged{UserID: Max, Role: domain.Admin})
		unset := scene().When(who.actor, commands.SetMemberRole{GroupID: GroupID, UserID: Adam, Role: domain.Member})
		allowed(unset, permitted, domain.MemberRoleChanged{UserID: Adam, Role: domain.Member})
	})
}

func TestPageWhoMayTransferOwnership(t *testing.T) {
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		v := Given(t, e.policies, Live(e.policies, kind)...).When(who.actor, commands.TransferOwner{GroupID: GroupID, UserID: Max})
		permitted := may(t, e.cell("transfer ownership", kind), who.rank)
		allowed(v, permitted, domain.OwnerTransferred{From: Olga, To: Max})
		if permitted {
			assert.Equal(t, Max, v.Group().Owner())
			assert.Equal(t, domain.Member, v.Group().Role(Olga), "the old owner becomes a plain member")
		}
	})
}

func TestPageRoles(t *testing.T) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		admins := e.cell("roles beside owner and member", kind) == "admin"
		if yes(t, e.cell("initial members at creation", kind)) {
			v := Given(t, e.policies).InGroup(idFor(kind)).When(User(Olga), commands.CreateGroup{
				GroupType: kind, GroupID: idFor(kind), Name: "Chess", Members: []domain.InitialMember{{UserID: Adam, Role: domain.Admin}},
			})
			assert.Equal(t, admins, v.Permitted(), "an initial admin")
		}
		v := Given(t, e.policies, Live(e.policies, kind)...).
			When(AppAdmin(Root), commands.ImportMember{GroupID: GroupID, UserID: Sven, Role: domain.Admin})
		allowed(v, admins, domain.MemberImported{UserID: Sven, Role: domain.Admin, JoinedAt: Noon})
	})
}
