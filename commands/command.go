package commands

import (
	"reflect"

	"github.com/grouplog/grouplog/domain"
)

// Command is a wish about a group (or, for MarkApplicationsRead, about a user).
// The set is sealed: each command's block holds what it carries and the rule that
// decides it.
type Command interface {
	// CommandName is the name in the wire form, such as "RequestJoin".
	CommandName() string
	// stream is the log's stream that the command would append to.
	stream(domain.Actor) string
	// check refuses what is malformed whatever the group's state.
	check(s *Situation) *domain.Refusal
	// decide records the events that fulfil the wish, or refuses. It is pure: it
	// looks at the situation and changes nothing but the decision.
	decide(s *Situation, d *Decision) error
}

// registry is every command there is, in the order of the rules' table. The wire
// form, the command line and docs/commands.md are made from it.
var registry = []Command{
	CreateGroup{}, RequestJoin{}, InviteUsers{}, AcceptApplication{}, RefuseApplication{}, MarkApplicationsRead{},
	SetGroupInfo{}, Quit{}, KickMembers{}, SetMemberRole{}, TransferOwner{}, MuteMember{}, MuteAll{}, SetMemberInfo{},
	SetAttributes{}, DeleteAttributes{}, Dismiss{}, Recycle{}, SendCustomNotification{},
	CreateTopic{}, SetTopicInfo{}, DeleteTopics{}, ImportGroup{}, ImportMember{},
}

var byName = func() map[string]reflect.Type {
	types := make(map[string]reflect.Type, len(registry))
	for _, c := range registry {
		types[c.CommandName()] = reflect.TypeOf(c)
	}
	return types
}()

// All lists a zero value of every command, in the order of the rules' table.
func All() []Command { return append([]Command(nil), registry...) }

// identified is a command that makes a group, whose ID may have to be assigned
// before its stream is known.
type identified interface {
	Command
	assign(policies domain.Policies, random func() string) Command
}
