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

// field is a text of section 2 of the rules: its limits in Classic and Current,
// the refusal of a longer one, and the commands that carry it.
type field struct {
	name             string
	classic, current int
	code             domain.Code
	carry            func(text string) []commands.Command
}

func creating(change func(*commands.CreateGroup)) commands.CreateGroup {
	cmd := create(domain.Public)
	cmd.GroupID = "fresh"
	change(&cmd)
	return cmd
}

var textFields = []field{
	{"name", 30, 100, domain.CodeInvalidName, func(s string) []commands.Command {
		return []commands.Command{
			creating(func(c *commands.CreateGroup) { c.Name = s }),
			commands.ImportGroup{CreateGroup: creating(func(c *commands.CreateGroup) { c.Name = s })},
			commands.SetGroupInfo{GroupID: GroupID, Name: &s},
			commands.CreateTopic{GroupID: GroupID, Name: s},
			commands.SetTopicInfo{GroupID: GroupID, TopicID: openings, Name: &s},
		}
	}},
	{"introduction", 240, 400, domain.CodeInvalidIntroduction, func(s string) []commands.Command {
		return []commands.Command{
			creating(func(c *commands.CreateGroup) { c.Introduction = s }),
			commands.SetGroupInfo{GroupID: GroupID, Introduction: &s},
			commands.CreateTopic{GroupID: GroupID, Name: "X", Introduction: s},
			commands.SetTopicInfo{GroupID: GroupID, TopicID: openings, Introduction: &s},
		}
	}},
	{"notification", 300, 400, domain.CodeInvalidNotification, func(s string) []commands.Command {
		return []commands.Command{
			creating(func(c *commands.CreateGroup) { c.Notification = s }),
			commands.SetGroupInfo{GroupID: GroupID, Notification: &s},
			commands.CreateTopic{GroupID: GroupID, Name: "X", Notification: s},
			commands.SetTopicInfo{GroupID: GroupID, TopicID: openings, Notification: &s},
		}
	}},
	{"face URL", 100, 500, domain.CodeInvalidFaceURL, func(s string) []commands.Command {
		return []commands.Command{
			creating(func(c *commands.CreateGroup) { c.FaceURL = s }),
			commands.SetGroupInfo{GroupID: GroupID, FaceURL: &s},
			commands.CreateTopic{GroupID: GroupID, Name: "X", FaceURL: s},
			commands.SetTopicInfo{GroupID: GroupID, TopicID: openings, FaceURL: &s},
		}
	}},
	{"name card", 50, 50, domain.CodeInvalidNameCard, func(s string) []commands.Command {
		return []commands.Command{
			commands.SetMemberInfo{GroupID: GroupID, UserID: Mary, NameCard: &s},
		}
	}},
	{"message or reason", 1000, 1000, domain.CodeInvalidParameter, func(s string) []commands.Command {
		return []commands.Command{
			commands.RequestJoin{GroupID: GroupID, Message: s},
			commands.AcceptApplication{ApplicationID: "chess/1/1", Reason: s},
			commands.RefuseApplication{ApplicationID: "chess/1/1", Reason: s},
			commands.KickMembers{GroupID: GroupID, UserIDs: []string{Mary}, Reason: s},
		}
	}},
	{"value of a custom field", 512, 512, domain.CodeInvalidParameter, func(s string) []commands.Command {
		return []commands.Command{
			creating(func(c *commands.CreateGroup) { c.Custom = map[string]string{"k": s} }),
			commands.SetGroupInfo{GroupID: GroupID, Custom: map[string]string{"k": s}},
			commands.SetMemberInfo{GroupID: GroupID, UserID: Mary, Custom: map[string]string{"k": s}},
		}
	}},
}

// lively is a group in which the app admin Root may give any command, with an open
// application and a topic.
func lively(t *testing.T, p domain.Policies, cmd commands.Command) *Scene {
	p = Changed(p, domain.Public, func(p *domain.Policy) { p.Topics = true })
	founded := Founded(p, domain.Public)
	founded.SupportTopic = true
	if GroupOf(cmd) != GroupID {
		return Given(t, p).InGroup(GroupOf(cmd))
	}
	return Given(t, p, Populated(p, founded)...).And(
		domain.ApplicationSubmitted{ApplicationID: "chess/1/1", From: Sven, UserID: Sven},
		domain.TopicCreated{Topic: domain.Topic{ID: openings, Name: "Openings"}})
}

func TestTextLimits(t *testing.T) {
	for _, f := range textFields {
		t.Run(f.name, func(t *testing.T) {
			for _, e := range eras {
				limit := f.classic
				if e.newer {
					limit = f.current
				}
				check := func(text string, code domain.Code) {
					t.Helper()
					for _, cmd := range f.carry(text) {
						v := lively(t, e.policies, cmd).When(AppAdmin(Root), cmd)
						if code != 0 {
							v.ThenRefused(code)
						} else {
							assert.Truef(t, v.Permitted(), "%s: %s with %d bytes: %v", e.name, cmd.CommandName(), len(text), v.Err)
						}
					}
				}
				check(strings.Repeat("x", limit), 0)
				check(strings.Repeat("x", limit+1), f.code)
				wide := strings.Repeat("囲", limit/3)
				check(wide+strings.Repeat("x", limit-len(wide)), 0) // bytes count, not letters
				check(wide+"囲", f.code)
				check("tab\tand\nnewline", 0)
				check("\xff", domain.CodeInvalidParameter)
				check("half of 囲: \xe5\x9b", domain.CodeInvalidParameter)
				for _, control := range []string{"\x00", "\x01", "\b", "\r", "\x1b[2J", "\x7f", "\u0080", "\u009f"} {
					check("a"+control+"b", domain.CodeInvalidParameter)
				}
				check("no control: \u00a0\u2028é", 0)
			}
		})
	}
}

// users carry a user ID in each place of each command that has one.
func users(id string) []commands.Command {
	return []commands.Command{
		creating(func(c *commands.CreateGroup) { c.Members = []domain.InitialMember{{UserID: id}} }),
		commands.ImportGroup{CreateGroup: creating(func(c *commands.CreateGroup) { c.Members = []domain.InitialMember{{UserID: id, Role: domain.Owner}} })},
		commands.InviteUsers{GroupID: GroupID, UserIDs: []string{Sara, id}},
		commands.AcceptApplication{GroupID: GroupID, FromUser: id},
		commands.KickMembers{GroupID: GroupID, UserIDs: []string{Max, id}},
		commands.SetMemberRole{GroupID: GroupID, UserID: id, Role: domain.Admin},
		commands.TransferOwner{GroupID: GroupID, UserID: id},
		commands.MuteMember{GroupID: GroupID, UserID: id},
		commands.SetMemberInfo{GroupID: GroupID, UserID: id},
		commands.SendCustomNotification{GroupID: GroupID, UserIDs: []string{Max, id}},
		commands.ImportMember{GroupID: GroupID, UserID: id},
	}
}

func TestUserIDs(t *testing.T) {
	for _, id := range []string{"x", "a b~!", strings.Repeat("x", 32)} {
		for _, cmd := range users(id) {
			v := lively(t, classic, cmd).When(AppAdmin(Root), cmd)
			assert.NotErrorIs(t, v.Err, domain.ErrInvalidUserID, "%s: %q", cmd.CommandName(), id)
		}
		Given(t, classic).When(User(id), commands.MarkApplicationsRead{}).ThenOutcome(commands.Done)
	}
	for _, id := range []string{"", strings.Repeat("x", 33), "ö", "a\x00", "a\n", "\x7f", "\xff"} {
		for _, cmd := range users(id) {
			if id == "" && (cmd.CommandName() == "SetMemberInfo" || cmd.CommandName() == "AcceptApplication") {
				continue // there, none is not an ID that is empty
			}
			lively(t, classic, cmd).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeInvalidUserID)
		}
		for _, cmd := range commands.All() {
			lively(t, classic, cmd).When(AppAdmin(id), cmd).ThenRefused(domain.CodeInvalidUserID)
		}
	}
}

func TestGroupIDs(t *testing.T) {
	for _, id := range []string{"x", "a b~!/", strings.Repeat("x", 48)} {
		cmd := create(domain.Public)
		cmd.GroupID = id
		assert.True(t, Given(t, classic).InGroup(id).When(User(Olga), cmd).Permitted(), id)
		Given(t, classic).InGroup(id).When(User(Olga), commands.Quit{GroupID: id}).ThenRefused(domain.CodeUnknownGroup)
	}
	for _, id := range []string{strings.Repeat("x", 49), "ö", "a\x00", "a\n", "\xff"} {
		for _, cmd := range inGroup(id) {
			Given(t, classic).InGroup(id).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeInvalidGroupID)
		}
	}
}

// inGroup is one well-formed command of each kind that is about a group.
func inGroup(id string) []commands.Command {
	group := create(domain.Public)
	group.GroupID = id
	return []commands.Command{
		group, commands.ImportGroup{CreateGroup: group}, commands.RequestJoin{GroupID: id}, commands.InviteUsers{GroupID: id, UserIDs: []string{Sara}},
		commands.AcceptApplication{GroupID: id, FromUser: Sven}, commands.RefuseApplication{GroupID: id, FromUser: Sven},
		commands.SetGroupInfo{GroupID: id, Name: ptr("Go")}, commands.Quit{GroupID: id},
		commands.KickMembers{GroupID: id, UserIDs: []string{Mary}}, commands.SetMemberRole{GroupID: id, UserID: Mary, Role: domain.Admin},
		commands.TransferOwner{GroupID: id, UserID: Mary}, commands.MuteMember{GroupID: id, UserID: Mary}, commands.MuteAll{GroupID: id, Muted: true},
		commands.SetMemberInfo{GroupID: id, UserID: Mary, NameCard: ptr("x")},
		commands.SetAttributes{GroupID: id, Attributes: map[string]string{"a": "b"}}, commands.DeleteAttributes{GroupID: id},
		commands.Dismiss{GroupID: id}, commands.Recycle{GroupID: id}, commands.SendCustomNotification{GroupID: id},
		commands.CreateTopic{GroupID: id, Name: "X"}, commands.SetTopicInfo{GroupID: id, TopicID: openings}, commands.DeleteTopics{GroupID: id, TopicIDs: []string{openings}},
		commands.ImportMember{GroupID: id, UserID: Sara},
	}
}

func TestCustomFieldKeys(t *testing.T) {
	carry := func(key string) []commands.Command {
		custom := map[string]string{key: "x"}
		return []commands.Command{
			creating(func(c *commands.CreateGroup) { c.Custom = custom }),
			commands.SetGroupInfo{GroupID: GroupID, Custom: custom}, commands.SetMemberInfo{GroupID: GroupID, UserID: Mary, Custom: custom},
		}
	}
	for _, key := range []string{"k", "AZ_az09", strings.Repeat("k", 16)} {
		for _, cmd := range carry(key) {
			assert.True(t, lively(t, classic, cmd).When(AppAdmin(Root), cmd).Permitted(), key)
		}
	}
	for _, key := range []string{"", strings.Repeat("k", 17), "a-b", "a b", "é", "a\x00", "{", "`", "@", "[", "/", ":"} {
		for _, cmd := range carry(key) {
			lively(t, classic, cmd).When(AppAdmin(Root), cmd).ThenRefused(domain.CodeInvalidParameter)
		}
	}
	group := create(domain.Public)
	group.Custom = fields(10)
	assert.True(t, Given(t, classic).When(User(Olga), group).Permitted())
	group.Custom = fields(11)
	Given(t, classic).When(User(Olga), group).ThenRefused(domain.CodeInvalidParameter)
	group.Custom["field0"] = ""
	assert.True(t, Given(t, classic).When(User(Olga), group).Permitted(), "an empty value is no field")
}

// A group's own type says what is malformed in it; where there is no group, what
// no type allows.
func TestLimitsAreThoseOfTheType(t *testing.T) {
	mixed := Changed(classic, domain.Work, func(p *domain.Policy) { p.Limits.Message = 5 })
	join := commands.RequestJoin{GroupID: GroupID, Message: "123456"}
	Given(t, mixed, Live(mixed, domain.Work)...).When(User(Sven), join).ThenRefused(domain.CodeInvalidParameter)
	Given(t, mixed, Live(mixed, domain.Public)...).When(User(Sven), join).ThenOutcome(commands.Pending)
	Given(t, mixed).When(User(Sven), join).ThenRefused(domain.CodeUnknownGroup)
	join.Message = strings.Repeat("x", 1001)
	Given(t, mixed).When(User(Sven), join).ThenRefused(domain.CodeInvalidParameter)
}

// Groups and members that there are go on, whatever limit of IDs was lowered since: it
// is for what is new.
func TestLoweredLimitsOfIDs(t *testing.T) {
	id, olga, mary, sven := strings.Repeat("g", 45), strings.Repeat("o", 30), strings.Repeat("m", 30), strings.Repeat("s", 30)
	lower := func(p *domain.Policy) { p.Limits.GroupID, p.Limits.UserID = 40, 20 }
	low := classic.Clone()
	for _, kind := range types {
		low = Changed(low, kind, lower)
	}
	founded := Founded(low, domain.Public)
	founded.Owner = olga
	scene := Given(t, low, founded).InGroup(id).And(
		domain.MemberJoined{UserID: mary}, domain.MemberJoined{UserID: Max},
		domain.ApplicationSubmitted{ApplicationID: id + "/1/1", From: sven, UserID: sven},
		domain.ApplicationSubmitted{ApplicationID: id + "/1/2", Kind: domain.InvitationForApprover, From: mary, UserID: Sara})

	create := commands.CreateGroup{GroupType: domain.Public, GroupID: id, Name: "X"}
	for _, test := range []struct {
		actor   domain.Actor
		command commands.Command
		refused domain.Code
	}{
		{User(olga), commands.Dismiss{GroupID: id}, 0},
		{AppAdmin(Root), commands.Dismiss{GroupID: id}, 0},
		{domain.System, commands.Recycle{GroupID: id}, 0},
		{User(mary), commands.Quit{GroupID: id}, 0},
		{User(olga), commands.TransferOwner{GroupID: id, UserID: mary}, 0},
		{User(olga), commands.SetMemberRole{GroupID: id, UserID: mary, Role: domain.Admin}, 0},
		{User(olga), commands.MuteMember{GroupID: id, UserID: mary, Duration: time.Hour}, 0},
		{User(olga), commands.SetMemberInfo{GroupID: id, UserID: mary, NameCard: ptr("M")}, 0},
		{User(olga), commands.KickMembers{GroupID: id, UserIDs: []string{Max, mary}}, 0},
		{AppAdmin(Root), commands.SendCustomNotification{GroupID: id, UserIDs: []string{mary}}, 0},
		{AppAdmin(Root), commands.InviteUsers{GroupID: id, UserIDs: []string{mary, Adam}}, 0},
		{User(olga), accept(id + "/1/2"), 0},
		{User(olga), commands.AcceptApplication{GroupID: id, FromUser: mary}, 0},
		{User(olga), refuse(id + "/1/1"), 0},
		{User(Adam), commands.RequestJoin{GroupID: id}, 0},

		{User(olga), accept(id + "/1/1"), domain.CodeInvalidUserID},
		{User(sven), commands.RequestJoin{GroupID: id}, domain.CodeInvalidUserID},
		{AppAdmin(Root), commands.InviteUsers{GroupID: id, UserIDs: []string{sven}}, domain.CodeInvalidUserID},
		{AppAdmin(Root), commands.ImportMember{GroupID: id, UserID: sven}, domain.CodeInvalidUserID},
		{User(Adam), create, domain.CodeInvalidGroupID},
		{User(olga), creating(func(*commands.CreateGroup) {}), domain.CodeInvalidUserID},
	} {
		_, err := commands.Decide(commands.Situation{Policies: low, Actor: test.actor, Now: Noon, Group: scene.Group()}, test.command)
		if test.refused == 0 {
			assert.NoError(t, err, test.command.CommandName())
		} else {
			assert.ErrorIs(t, err, &domain.Refusal{Code: test.refused}, test.command.CommandName())
		}
	}
	Given(t, low).InGroup(id).When(AppAdmin(Root), commands.Dismiss{GroupID: id}).ThenRefused(domain.CodeInvalidGroupID)
	dismissed := scene.And(domain.GroupDismissed{Cause: domain.Asked})
	dismissed.When(AppAdmin(Root), commands.Dismiss{GroupID: id}).ThenRefused(domain.CodeGroupDismissed)
	dismissed.When(User(Adam), create).ThenRefused(domain.CodeInvalidGroupID)
}
