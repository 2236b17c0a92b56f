package commands_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

func TestSetMemberRole(t *testing.T) {
	past := Live(classic, domain.Public)
	set := func(user string, role domain.Role) commands.SetMemberRole {
		return commands.SetMemberRole{GroupID: GroupID, UserID: user, Role: role}
	}
	v := Given(t, classic, past...).When(User(Olga), set(Mary, domain.Admin)).
		Then(domain.MemberRoleChanged{UserID: Mary, Role: domain.Admin})
	assert.Equal(t, 2, v.Group().AdminCount())
	v.When(User(Olga), set(Mary, domain.Member)).Then(domain.MemberRoleChanged{UserID: Mary, Role: domain.Member})

	t.Run("is that role already", func(t *testing.T) {
		Given(t, classic, past...).When(User(Olga), set(Adam, domain.Admin)).ThenNothing()
		Given(t, classic, past...).When(User(Olga), set(Mary, domain.Member)).ThenNothing()
	})
	t.Run("other roles", func(t *testing.T) {
		for _, role := range []domain.Role{domain.Owner, domain.NotMember, 250, -1} {
			Given(t, classic, past...).When(User(Olga), set(Mary, role)).ThenRefused(domain.CodeInvalidArgument)
		}
	})
	t.Run("who is not there", func(t *testing.T) {
		Given(t, classic, past...).When(User(Olga), set(Sven, domain.Admin)).ThenRefused(domain.CodeInvalidArgument)
	})
	t.Run("the owner's", func(t *testing.T) {
		for _, who := range []domain.Actor{User(Olga), AppAdmin(Root)} {
			Given(t, classic, past...).When(who, set(Olga, domain.Admin)).ThenRefused(domain.CodeNotPermitted)
			Given(t, classic, past...).When(who, set(Olga, domain.Member)).ThenRefused(domain.CodeNotPermitted)
		}
	})
	t.Run("one's own", func(t *testing.T) {
		Given(t, classic, past...).When(User(Adam), set(Adam, domain.Member)).ThenRefused(domain.CodeNotPermitted)
		Given(t, classic, past...).When(AppAdmin(Mary), set(Mary, domain.Admin)).ThenOutcome(commands.Done)
	})
}

func TestTransferOwner(t *testing.T) {
	past := Live(classic, domain.Public)
	transfer := func(user string) commands.TransferOwner {
		return commands.TransferOwner{GroupID: GroupID, UserID: user}
	}
	t.Run("to an admin, who is one no longer", func(t *testing.T) {
		g := Given(t, classic, past...).When(User(Olga), transfer(Adam)).Then(domain.OwnerTransferred{From: Olga, To: Adam}).Group()
		assert.Equal(t, Adam, g.Owner())
		assert.Equal(t, domain.Owner, g.Role(Adam))
		assert.Equal(t, domain.Member, g.Role(Olga))
		assert.Zero(t, g.AdminCount())
	})
	t.Run("to who is no member", func(t *testing.T) {
		Given(t, classic, past...).When(User(Olga), transfer(Sven)).ThenRefused(domain.CodeNotPermitted)
	})
	t.Run("to oneself", func(t *testing.T) {
		Given(t, classic, past...).When(User(Olga), transfer(Olga)).ThenRefused(domain.CodeInvalidArgument)
		Given(t, classic, past...).When(AppAdmin(Olga), transfer(Olga)).ThenRefused(domain.CodeInvalidArgument)
	})
	t.Run("by an app admin, to who is the owner", func(t *testing.T) {
		Given(t, classic, past...).When(AppAdmin(Root), transfer(Olga)).ThenNothing()
	})
	t.Run("by an app admin, to themselves", func(t *testing.T) {
		Given(t, classic, past...).When(AppAdmin(Mary), transfer(Mary)).Then(domain.OwnerTransferred{From: Olga, To: Mary})
		Given(t, classic, past...).When(AppAdmin(Root), transfer(Root)).ThenRefused(domain.CodeNotPermitted)
	})
}

func TestMuteMember(t *testing.T) {
	past := Live(classic, domain.Public)
	mute := func(user string, d time.Duration) commands.MuteMember {
		return commands.MuteMember{GroupID: GroupID, UserID: user, Duration: d}
	}
	v := Given(t, classic, past...).When(User(Adam), mute(Mary, time.Hour)).
		Then(domain.MemberMuted{UserID: Mary, Until: Noon.Add(time.Hour)})
	m, _ := v.Group().Membership(Mary)
	assert.True(t, m.Muted(Noon))
	assert.True(t, m.Muted(Noon.Add(time.Hour-1)))
	assert.False(t, m.Muted(Noon.Add(time.Hour)), "until a time")

	t.Run("again: until another time", func(t *testing.T) {
		v.When(User(Adam), mute(Mary, time.Minute)).Then(domain.MemberMuted{UserID: Mary, Until: Noon.Add(time.Minute)})
		v.Afterwards().Later(time.Minute).When(User(Adam), mute(Mary, 59*time.Minute)).ThenNothing()
	})
	t.Run("zero unmutes", func(t *testing.T) {
		v.Afterwards().At(Noon).When(User(Olga), mute(Mary, 0)).Then(domain.MemberUnmuted{UserID: Mary})
		Given(t, classic, past...).When(User(Olga), mute(Mary, 0)).ThenNothing()
		v.Afterwards().At(Noon.Add(time.Hour)).When(User(Olga), mute(Mary, 0)).ThenNothing()
	})
	t.Run("who is not there", func(t *testing.T) {
		Given(t, classic, past...).When(User(Olga), mute(Sven, time.Hour)).ThenRefused(domain.CodeInvalidArgument)
		Given(t, classic, past...).When(User(Mary), mute(Sven, time.Hour)).ThenRefused(domain.CodeNotPermitted)
	})
	t.Run("a negative time", func(t *testing.T) {
		Given(t, classic, past...).When(User(Olga), mute(Mary, -1)).ThenRefused(domain.CodeInvalidParameter)
	})
	t.Run("for ever, nearly", func(t *testing.T) {
		assert.True(t, Given(t, classic, past...).When(User(Olga), mute(Mary, 1<<63-1)).Permitted())
	})
}

func TestMuteAll(t *testing.T) {
	past := Live(classic, domain.Public)
	mute := func(on bool) commands.MuteAll { return commands.MuteAll{GroupID: GroupID, Muted: on} }
	v := Given(t, classic, past...).When(User(Adam), mute(true)).Then(domain.GroupMuted{Muted: true})
	assert.True(t, v.Group().AllMuted())
	v.When(User(Olga), mute(true)).ThenNothing()
	assert.False(t, v.When(User(Olga), mute(false)).Then(domain.GroupMuted{}).Group().AllMuted())
	Given(t, classic, past...).When(User(Olga), mute(false)).ThenNothing()
}
