package commands

import "github.com/grouplog/grouplog/domain"

// About is for those who call Decide without a Handler: the command, with an ID in the
// place of one that the handler would assign, and the ID of the group that it is about;
// empty for a command about a user.
func About(policies domain.Policies, as domain.Actor, cmd Command) (ready Command, groupID string) {
	if c, ok := cmd.(identified); ok {
		cmd = c.assign(policies, func() string { return "assigned-when-it-is-done-0" })
	}
	groupID, _ = domain.GroupOf(cmd.stream(as))
	return cmd, groupID
}
