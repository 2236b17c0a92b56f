package domaintest

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

// CheckRepetition says what is wrong with the answer to a command that was given
// again by the same actor at the same time; nil if it is as the rules say. What
// came to nothing comes to nothing again.
func CheckRepetition(first, again Step) error {
	name := first.Command.CommandName()
	if first.Refusal != nil {
		return nil
	}
	codes, nothing, events := repetitions(first.Command)
	if len(first.Decision.Events) == 0 {
		codes, nothing, events = nil, true, nil
	}
	switch {
	case again.Refusal != nil && !slices.Contains(codes, again.Refusal.Code):
		return fmt.Errorf("%s again: %w", name, again.Refusal)
	case again.Refusal == nil && len(again.Decision.Events) == 0 && !nothing:
		return fmt.Errorf("%s again comes to nothing", name)
	}
	for _, e := range again.Decision.Events {
		if !slices.Contains(events, e.EventName()) {
			return fmt.Errorf("%s again records %s", name, e.EventName())
		}
	}
	return nil
}

// checkRepetition gives the command of a spec again.
func (v *Verdict) checkRepetition() {
	v.t.Helper()
	again := Step{Command: v.command}
	var err error
	if again.Decision, err = v.after.decide(v.after.Group(), v.actor, v.command); err != nil {
		require.ErrorAs(v.t, err, &again.Refusal)
	}
	assert.NoError(v.t, CheckRepetition(Step{Command: v.command, Decision: v.Decision}, again))
}
