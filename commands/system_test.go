package commands_test

import (
	"testing"

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
