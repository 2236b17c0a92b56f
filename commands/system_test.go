package commands_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	. "github.com/grouplog/grouplog/domain/domaintest"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// The system's user ID is nobody else's.
func TestSystemIsReserved(t *testing.T) {
	system := domain.System.UserID
	policies := domain.Classic()
	live := Given(t, policies, Live(policies, domain.Public)...)
	live.When(User(system), commands.Quit{GroupID: GroupID}).ThenRefused(domain.CodeInvalidUserID)
	live.When(AppAdmin("root"), commands.InviteUsers{GroupID: GroupID, UserIDs: []string{system}}).ThenRefused(domain.CodeInvalidUserID)
	live.When(domain.System, commands.Recycle{GroupID: GroupID}).ThenNothing()
}

func TestSystemIsNoMember(t *testing.T) {
	for _, option := range []domain.Option{domain.Any, domain.Auth} {
		Given(t, classic, with(classic, domain.Public, option, domain.Forbid)...).
			When(domain.System, commands.RequestJoin{GroupID: GroupID}).ThenRefused(domain.CodeInvalidUserID, "reserved")
	}
	founded := commands.ImportGroup{CreateGroup: create(domain.Public)}
	Given(t, classic).When(domain.System, founded.CreateGroup).ThenRefused(domain.CodeInvalidUserID, "reserved")
	Given(t, classic).When(domain.System, founded).ThenRefused(domain.CodeInvalidUserID, "reserved")
	founded.Members = []domain.InitialMember{{UserID: Olga, Role: domain.Owner}}
	Given(t, classic).When(domain.System, founded).ThenOutcome(commands.Done)
}

// There are logs in which the system came in: they are as they were, and it can go.
func TestSystemThatIsAMemberCanGo(t *testing.T) {
	system := domain.System.UserID
	past := append(Live(classic, domain.Public), domain.ApplicationSubmitted{ApplicationID: "chess/1/1", From: system, UserID: system})
	Given(t, classic, past...).When(User(Olga), accept("chess/1/1")).ThenRefused(domain.CodeInvalidUserID, "reserved")
	Given(t, classic, past...).When(User(Olga), refuse("chess/1/1")).ThenOutcome(commands.Done)

	inside := Given(t, classic, past...).And(domain.MemberJoined{UserID: system})
	assert.True(t, inside.Group().IsMember(system))
	inside.When(User(system), commands.Quit{GroupID: GroupID}).ThenRefused(domain.CodeInvalidUserID, "reserved")
	inside.When(User(Olga), commands.TransferOwner{GroupID: GroupID, UserID: system}).ThenRefused(domain.CodeInvalidUserID, "reserved")
	inside.When(domain.System, commands.Quit{GroupID: GroupID}).Then(domain.MemberLeft{UserID: system})
	inside.And(domain.OwnerTransferred{From: Olga, To: system}).
		When(domain.System, commands.TransferOwner{GroupID: GroupID, UserID: Olga}).
		When(domain.System, commands.Quit{GroupID: GroupID}).Then(domain.MemberLeft{UserID: system})
}
