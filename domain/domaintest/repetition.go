package domaintest

import (
	"errors"
	"slices"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// Repetitions say what the same wish by the same actor at the same time may come
// to when it has been fulfilled: refusals with these codes, nothing, or these
// events (rules.md, 3.1 and 3.2).
func repetitions(cmd commands.Command) (codes []domain.Code, nothing bool, events []string) {
	gone := domain.CodeGroupDismissed
	switch c := cmd.(type) {
	case commands.CreateGroup, commands.ImportGroup:
		return []domain.Code{domain.CodeGroupIDYours, domain.CodeGroupIDTaken}, false, nil
	case commands.RequestJoin:
		return []domain.Code{domain.CodeAlreadyMember}, false, []string{"application.refreshed"}
	case commands.InviteUsers:
		return nil, true, []string{"application.refreshed"}
	case commands.AcceptApplication:
		return decidedAgain(c.ApplicationID), false, nil
	case commands.RefuseApplication:
		return decidedAgain(c.ApplicationID), false, nil
	case commands.MarkApplicationsRead:
		return nil, false, []string{"applications.read"}
	case commands.Quit:
		return []domain.Code{domain.CodeNotPermitted, gone}, false, nil
	case commands.KickMembers:
		return []domain.Code{gone}, true, nil
	case commands.TransferOwner:
		return []domain.Code{domain.CodeNotPermitted, domain.CodeInvalidArgument}, true, nil
	case commands.SetAttributes:
		return conflictIf(c.Version), c.Version == nil, nil
	case commands.DeleteAttributes:
		return conflictIf(c.Version), c.Version == nil, nil
	case commands.Dismiss:
		return []domain.Code{gone}, false, nil
	case commands.Recycle:
		return []domain.Code{gone}, false, nil
	case commands.SendCustomNotification:
		return nil, false, []string{"notification.sent"}
	case commands.CreateTopic:
		if c.TopicID == "" {
			return nil, false, []string{"topic.created"}
		}
		return []domain.Code{domain.CodeInvalidArgument}, false, nil
	case commands.DeleteTopics:
		return []domain.Code{domain.CodeInvalidArgument}, false, nil
	case commands.ImportMember:
		return []domain.Code{domain.CodeAlreadyMember}, false, nil
	default:
		return nil, true, nil
	}
}

// decidedAgain is the answer to who decides an application twice: by its ID it is
// known to be decided, by who asked it is no longer found.
func decidedAgain(applicationID string) []domain.Code {
	if applicationID == "" {
		return []domain.Code{domain.CodeInvalidArgument}
	}
	return []domain.Code{domain.CodeApplicationDecided}
}

func conflictIf(version *int) []domain.Code {
	if version == nil {
		return nil
	}
	return []domain.Code{domain.CodeAttributeConflict}
}

// checkRepetition gives the same command again. What recorded nothing records
// nothing again; what recorded something is answered as the rules say.
func (v *Verdict) checkRepetition() {
	v.t.Helper()
	again, err := v.after.decide(v.after.Group(), v.actor, v.command)
	if len(v.Decision.Events) == 0 {
		assert.NoError(v.t, err, "%s: what came to nothing comes to nothing again", v.command.CommandName())
		assert.Equal(v.t, v.Decision, again)
		return
	}
	codes, nothing, events := repetitions(v.command)
	var refusal *domain.Refusal
	switch {
	case errors.As(err, &refusal):
		assert.Contains(v.t, codes, refusal.Code, "%s again: %v", v.command.CommandName(), err)
	case err != nil:
		assert.NoError(v.t, err)
	case len(again.Events) == 0:
		assert.True(v.t, nothing, "%s again comes to nothing", v.command.CommandName())
	default:
		for _, e := range again.Events {
			assert.True(v.t, slices.Contains(events, e.EventName()), "%s again records %s", v.command.CommandName(), e.EventName())
		}
	}
}
