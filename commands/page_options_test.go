package commands_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

var allOptions = []domain.Option{domain.Forbid, domain.Auth, domain.Any}

func create(kind domain.GroupType) commands.CreateGroup {
	return commands.CreateGroup{GroupType: kind, GroupID: idFor(kind), Name: "Chess"}
}

func TestPageDefaultJoinOption(t *testing.T) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		byDefault := option(t, e.cell("default join option", kind))
		v := Given(t, e.policies).InGroup(idFor(kind)).When(User(Olga), create(kind))
		assert.Equal(t, byDefault, v.Group().Profile().JoinOption)

		join := v.When(User(Sven), commands.RequestJoin{GroupID: idFor(kind), Message: "hello"})
		switch byDefault {
		case domain.Forbid:
			join.ThenRefused(domain.CodeNotPermitted)
		case domain.Auth:
			id := domain.ApplicationID(idFor(kind), 1, 1)
			join.ThenOutcome(commands.Pending).ThenApplication(id).
				Then(domain.ApplicationSubmitted{ApplicationID: id, Kind: domain.JoinRequest, From: Sven, UserID: Sven, Message: "hello"})
		case domain.Any:
			join.ThenOutcome(commands.Joined).Then(domain.MemberJoined{UserID: Sven})
		}
	})
}

func TestPageDefaultInviteOption(t *testing.T) {
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		whose, byDefault, _ := strings.Cut(e.cell("who may invite (default invite option)", kind), ": ")
		permitted := who.rank == isOperator
		switch whose {
		case "any member":
			permitted = permitted || who.rank >= isMember
		case "nobody":
		case "nobody, and not changeable":
			permitted, byDefault = false, "Forbid"
		default:
			require.Fail(t, whose)
		}
		scene := Given(t, e.policies, Live(e.policies, kind)...)
		assert.Equal(t, option(t, byDefault), scene.Group().Profile().InviteOption)
		allowed(scene.When(who.actor, commands.InviteUsers{GroupID: GroupID, UserIDs: []string{Sara}}),
			permitted, domain.MembersInvited{UserIDs: []string{Sara}})
	})
}

func TestPageChangingTheJoinOption(t *testing.T) {
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		now := option(t, e.cell("default join option", kind))
		changeable := options(t, e.cell("join options it may be changed to", kind))
		permitted := may(t, e.cell("who may change it", kind), who.rank)
		for _, o := range allOptions {
			v := Given(t, e.policies, Live(e.policies, kind)...).
				When(who.actor, commands.SetGroupInfo{GroupID: GroupID, JoinOption: o})
			switch {
			case !permitted:
				v.ThenRefused(domain.CodeNotPermitted)
			case o == now:
				v.ThenNothing()
			case slices.Contains(changeable, o):
				v.Then(domain.GroupProfileChanged{JoinOption: o})
			default:
				v.ThenRefused(domain.CodeNotPermitted)
			}
		}
	})
}

func TestPageChangingTheInviteOption(t *testing.T) {
	eachStanding(t, func(t *testing.T, e era, kind domain.GroupType, who standing) {
		changeable := options(t, e.cell("invite option may be changed to", kind))
		permitted := may(t, e.cell("edit the rest of the profile", kind), who.rank)
		for _, o := range allOptions {
			scene := Given(t, e.policies, Live(e.policies, kind)...)
			now := scene.Group().Profile().InviteOption
			v := scene.When(who.actor, commands.SetGroupInfo{GroupID: GroupID, InviteOption: o})
			switch {
			case !permitted:
				v.ThenRefused(domain.CodeNotPermitted)
			case o == now:
				v.ThenNothing()
			case slices.Contains(changeable, o):
				v.Then(domain.GroupProfileChanged{InviteOption: o})
			default:
				v.ThenRefused(domain.CodeNotPermitted)
			}
		}
	})
}

// A group is created with an option that it could be changed to, or the default.
func TestPageOptionsAtCreation(t *testing.T) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		for _, o := range allOptions {
			cmd := create(kind)
			cmd.JoinOption = o
			v := Given(t, e.policies).InGroup(cmd.GroupID).When(User(Olga), cmd)
			if o == option(t, e.cell("default join option", kind)) || slices.Contains(options(t, e.cell("join options it may be changed to", kind)), o) {
				require.True(t, v.Permitted(), o)
				assert.Equal(t, o, v.Group().Profile().JoinOption)
			} else {
				v.ThenRefused(domain.CodeNotPermitted)
			}

			cmd = create(kind)
			cmd.InviteOption = o
			v = Given(t, e.policies).InGroup(cmd.GroupID).When(User(Olga), cmd)
			_, byDefault, _ := strings.Cut(e.cell("who may invite (default invite option)", kind), ": ")
			if o.String() == byDefault || byDefault == "" && o == domain.Forbid ||
				slices.Contains(options(t, e.cell("invite option may be changed to", kind)), o) {
				require.True(t, v.Permitted(), o)
				assert.Equal(t, o, v.Group().Profile().InviteOption)
			} else {
				v.ThenRefused(domain.CodeNotPermitted)
			}
		}
	})
}

func TestPageInitialMembers(t *testing.T) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		cmd := create(kind)
		cmd.Members = []domain.InitialMember{{UserID: Mary}}
		v := Given(t, e.policies).InGroup(cmd.GroupID).When(User(Olga), cmd)
		if !yes(t, e.cell("initial members at creation", kind)) {
			v.ThenRefused(domain.CodeNotPermitted)
			return
		}
		v.ThenUsers(commands.Succeeded)
		assert.Equal(t, domain.Member, v.Group().Role(Mary), "a role that is not given is member; no consent is asked, whatever the type")
		assert.Equal(t, domain.Owner, v.Group().Role(Olga))
	})
}

func TestPageOwnerMayQuit(t *testing.T) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		v := Given(t, e.policies, Live(e.policies, kind)...).When(User(Olga), commands.Quit{GroupID: GroupID})
		switch cell := e.cell("owner may quit", kind); cell {
		case "no":
			v.ThenRefused(domain.CodeOwnerMustStay)
		case "yes: ownership passes on (see 3.6)":
			v.Then(domain.OwnerTransferred{From: Olga, To: Adam}, domain.MemberLeft{UserID: Olga})
		case "group becomes ownerless":
			v.Then(domain.MemberLeft{UserID: Olga})
			assert.Empty(t, v.Group().Owner())
		default:
			require.Fail(t, cell)
		}
		for _, who := range []string{Adam, Mary} {
			Given(t, e.policies, Live(e.policies, kind)...).When(User(who), commands.Quit{GroupID: GroupID}).
				Then(domain.MemberLeft{UserID: who})
		}
	})
}

func TestPageTopics(t *testing.T) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		cell := e.cell("topics", kind)
		require.Contains(t, []string{"no", "only if created with topic support"}, cell)
		without := Given(t, e.policies).InGroup(idFor(kind)).When(User(Olga), create(kind))
		without.When(User(Olga), commands.CreateTopic{GroupID: idFor(kind), TopicID: "openings", Name: "Openings"}).
			ThenRefused(domain.CodeNotPermitted)
		cmd := create(kind)
		cmd.SupportTopic = true
		with := Given(t, e.policies).InGroup(idFor(kind)).When(User(Olga), cmd)
		if cell == "no" {
			with.ThenRefused(domain.CodeNotPermitted)
			return
		}
		with.When(User(Olga), commands.CreateTopic{GroupID: idFor(kind), TopicID: "openings", Name: "Openings"}).
			Then(domain.TopicCreated{Topic: domain.Topic{ID: idFor(kind) + "@TOPIC#_openings", Name: "Openings"}})
	})
}

func TestPageMemberLimit(t *testing.T) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		cell := strings.ReplaceAll(e.cell("member limit", kind), " ", "")
		limit := 10_000 // none: as far as the test goes
		if cell != "none" {
			var err error
			limit, err = strconv.Atoi(cell)
			require.NoError(t, err)
		}
		founded := Founded(e.policies, kind)
		founded.JoinOption = domain.Any
		g := Fold(GroupID, Recorded{Event: founded})
		for g.Count() < limit-1 {
			g.Apply(domain.MemberJoined{UserID: "u" + strconv.Itoa(g.Count())}, domain.Meta{At: Morning})
		}
		join := func(userID string) error {
			_, err := commands.Decide(commands.Situation{Policies: e.policies, Actor: User(userID), Now: Noon, Group: g}, commands.RequestJoin{GroupID: GroupID})
			return err
		}
		require.NoError(t, join(Sven), "the last place")
		g.Apply(domain.MemberJoined{UserID: Sven}, domain.Meta{At: Morning})
		if cell == "none" {
			require.NoError(t, join(Sara))
			assert.Zero(t, e.policies[kind].MemberLimit)
			return
		}
		require.ErrorIs(t, join(Sara), domain.ErrGroupFull)
	})
}

func TestPageCustomGroupID(t *testing.T) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		cell := e.cell("custom group ID", kind)
		for _, id := range []string{"chess", "@TGS", "@TGS#", "@TGS#chess", "@TGS#_", "@TGS#_chess", "x@TGS#_"} {
			cmd := create(kind)
			cmd.GroupID = id
			v := Given(t, e.policies).InGroup(id).When(User(Olga), cmd)
			var fits bool
			switch cell {
			case "not starting with `@TGS#`":
				fits = !strings.HasPrefix(id, "@TGS#")
			case "must start with `@TGS#_`":
				fits = strings.HasPrefix(id, "@TGS#_")
			default:
				require.Fail(t, cell)
			}
			if fits {
				assert.True(t, v.Permitted(), id)
			} else {
				v.ThenRefused(domain.CodeInvalidGroupID)
			}
		}
	})
}

// These rows are for the read models and the notifications, whose tests hold them
// to the policy; here the policy is held to the page.
func TestPageRowsThatNoCommandAsks(t *testing.T) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		policy := e.policies[kind]
		listed, exception, _ := strings.Cut(e.cell("in the joined-group list", kind), ", ")
		assert.Equal(t, yes(t, listed), policy.JoinedList.Shows(false))
		assert.Equal(t, yes(t, listed) && exception != "unless it supports topics", policy.JoinedList.Shows(true))
		assert.Equal(t, yes(t, e.cell("members are told of enter / leave / invited / kicked", kind)), policy.AnnounceMembership)
		assert.Equal(t, yes(t, e.cell("members are told of admin granted / revoked, mutes", kind)), policy.AnnounceModeration)
	})
}

// An app admin may invite into any group, whatever its option; but nobody can be
// invited into an AVChatRoom.
func TestPageAppAdminInvites(t *testing.T) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		for _, o := range allOptions {
			founded := Founded(e.policies, kind)
			founded.InviteOption = o
			allowed(Given(t, e.policies, Populated(e.policies, founded)...).
				When(AppAdmin(Root), commands.InviteUsers{GroupID: GroupID, UserIDs: []string{Sara}}),
				kind != domain.AVChatRoom, domain.MembersInvited{UserIDs: []string{Sara}})
		}
	})
}
