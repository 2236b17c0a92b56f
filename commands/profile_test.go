package commands_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

func TestSetGroupInfo(t *testing.T) {
	past := append(Live(classic, domain.Public), domain.GroupProfileChanged{
		Introduction: ptr("for all"), Custom: map[string]string{"elo": "1800", "side": "white"},
	})
	set := func(change func(*commands.SetGroupInfo)) *Verdict {
		cmd := commands.SetGroupInfo{GroupID: GroupID}
		change(&cmd)
		return Given(t, classic, past...).When(User(Olga), cmd)
	}
	t.Run("only the given fields change", func(t *testing.T) {
		v := set(func(c *commands.SetGroupInfo) { c.Name, c.JoinOption = ptr("Go"), domain.Any }).
			Then(domain.GroupProfileChanged{Name: ptr("Go"), JoinOption: domain.Any})
		assert.Equal(t, domain.Profile{
			Name: "Go", Introduction: "for all", JoinOption: domain.Any, InviteOption: domain.Forbid,
			Custom: map[string]string{"elo": "1800", "side": "white"},
		}, v.Group().Profile())
	})
	t.Run("of the given fields, only what differs", func(t *testing.T) {
		set(func(c *commands.SetGroupInfo) {
			c.Name, c.Introduction, c.Notification = ptr("Chess"), ptr("for all"), ptr("tonight")
			c.JoinOption, c.InviteOption = domain.Auth, domain.Forbid
			c.Custom = map[string]string{"elo": "1800", "side": "black"}
		}).Then(domain.GroupProfileChanged{Notification: ptr("tonight"), Custom: map[string]string{"side": "black"}})
	})
	t.Run("setting everything to what it is changes nothing", func(t *testing.T) {
		set(func(c *commands.SetGroupInfo) {
			c.Name, c.Introduction, c.Notification, c.FaceURL = ptr("Chess"), ptr("for all"), ptr(""), ptr("")
			c.JoinOption, c.InviteOption = domain.Auth, domain.Forbid
			c.Custom = map[string]string{"elo": "1800", "never": ""}
		}).ThenNothing()
	})
	t.Run("an empty text empties", func(t *testing.T) {
		assert.Empty(t, set(func(c *commands.SetGroupInfo) { c.Introduction = ptr("") }).Group().Profile().Introduction)
	})
	t.Run("an empty custom field is deleted", func(t *testing.T) {
		v := set(func(c *commands.SetGroupInfo) { c.Custom = map[string]string{"elo": ""} }).
			Then(domain.GroupProfileChanged{Custom: map[string]string{"elo": ""}})
		assert.Equal(t, map[string]string{"side": "white"}, v.Group().Profile().Custom)
	})
	t.Run("the name is required", func(t *testing.T) {
		set(func(c *commands.SetGroupInfo) { c.Name = ptr("") }).ThenRefused(domain.CodeInvalidName)
	})
	t.Run("an option that there is not", func(t *testing.T) {
		set(func(c *commands.SetGroupInfo) { c.JoinOption = 9 }).ThenRefused(domain.CodeNotPermitted)
		set(func(c *commands.SetGroupInfo) { c.InviteOption = 9 }).ThenRefused(domain.CodeNotPermitted)
	})
	t.Run("nothing at all", func(t *testing.T) {
		set(func(*commands.SetGroupInfo) {}).ThenNothing()
		Given(t, classic, past...).When(User(Sven), commands.SetGroupInfo{GroupID: GroupID}).ThenRefused(domain.CodeNotPermitted)
	})
	t.Run("each field has its own right, and one without spoils all", func(t *testing.T) {
		work := Live(classic, domain.Work)
		both := commands.SetGroupInfo{GroupID: GroupID, Name: ptr("Go"), Custom: map[string]string{"elo": "1"}}
		Given(t, classic, work...).When(User(Mary), both).ThenRefused(domain.CodeNotPermitted)
		Given(t, classic, work...).When(User(Olga), both).ThenOutcome(commands.Done)
	})
	t.Run("at most ten custom fields, whenever they were set", func(t *testing.T) {
		ten := fields(8) // beside the two there are
		v := set(func(c *commands.SetGroupInfo) { c.Custom = ten }).ThenOutcome(commands.Done)
		v.When(User(Olga), commands.SetGroupInfo{GroupID: GroupID, Custom: map[string]string{"x": "1"}}).ThenRefused(domain.CodeInvalidParameter)
		v.When(User(Olga), commands.SetGroupInfo{GroupID: GroupID, Custom: map[string]string{"x": "1", "elo": ""}}).ThenOutcome(commands.Done)
		v.When(User(Olga), commands.SetGroupInfo{GroupID: GroupID, Custom: map[string]string{"x": ""}}).ThenNothing()
		set(func(c *commands.SetGroupInfo) { c.Custom = fields(9) }).ThenRefused(domain.CodeInvalidParameter)
	})
}

// fields are n custom fields.
func fields(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m["field"+strconv.Itoa(i)] = "x"
	}
	return m
}

func TestSetMemberInfo(t *testing.T) {
	card := func(user string) commands.SetMemberInfo {
		return commands.SetMemberInfo{GroupID: GroupID, UserID: user, NameCard: ptr("the great")}
	}
	for _, kind := range types {
		past := Live(classic, kind)
		admins := classic[kind].Admins
		for _, who := range everybody(admins)[1:5] {
			for _, whose := range everybody(admins)[1:4] {
				own := who.actor.UserID == whose.actor.UserID
				v := Given(t, classic, past...).When(who.actor, card(whose.actor.UserID))
				allowed(v, own || who.rank >= isAdmin, domain.MemberInfoChanged{UserID: whose.actor.UserID, NameCard: ptr("the great")})
			}
		}
		Given(t, classic, past...).When(User(Sven), card("")).ThenRefused(domain.CodeNotPermitted)
		Given(t, classic, past...).When(User(Sven), card(Mary)).ThenRefused(domain.CodeNotPermitted)
		Given(t, classic, past...).When(AppAdmin(Root), card("")).ThenRefused(domain.CodeNotPermitted)
		Given(t, classic, past...).When(User(Mary), card(Sven)).ThenRefused(domain.CodeNotPermitted)
		Given(t, classic, past...).When(User(Olga), card(Sven)).ThenRefused(domain.CodeInvalidArgument)
		Given(t, classic, past...).When(AppAdmin(Root), card(Sven)).ThenRefused(domain.CodeInvalidArgument)
		Given(t, classic, past...).When(User(Mary), card("")).Then(domain.MemberInfoChanged{UserID: Mary, NameCard: ptr("the great")})
	}

	t.Run("only what differs", func(t *testing.T) {
		scene := Given(t, classic, Live(classic, domain.Public)...).
			And(domain.MemberInfoChanged{UserID: Mary, NameCard: ptr("the great"), Custom: map[string]string{"elo": "1", "side": "white"}})
		scene.When(User(Mary), commands.SetMemberInfo{GroupID: GroupID, NameCard: ptr("the great"), Custom: map[string]string{"elo": "1", "none": ""}}).
			ThenNothing()
		v := scene.When(User(Mary), commands.SetMemberInfo{GroupID: GroupID, NameCard: ptr("the great"), Custom: map[string]string{"elo": "", "side": "white"}}).
			Then(domain.MemberInfoChanged{UserID: Mary, Custom: map[string]string{"elo": ""}})
		m, _ := v.Group().Membership(Mary)
		assert.Equal(t, map[string]string{"side": "white"}, m.Custom)
		assert.Equal(t, "the great", m.NameCard)
	})
	t.Run("at most ten custom fields", func(t *testing.T) {
		scene := Given(t, classic, Live(classic, domain.Public)...)
		scene.When(User(Mary), commands.SetMemberInfo{GroupID: GroupID, Custom: fields(11)}).ThenRefused(domain.CodeInvalidParameter)
		v := scene.When(User(Mary), commands.SetMemberInfo{GroupID: GroupID, Custom: fields(10)}).ThenOutcome(commands.Done)
		v.When(User(Mary), commands.SetMemberInfo{GroupID: GroupID, Custom: map[string]string{"x": "1"}}).ThenRefused(domain.CodeInvalidParameter)
	})
}
