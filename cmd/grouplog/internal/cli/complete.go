package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections/groupview"
)

// maxCompletions is how many IDs a shell is offered: more help nobody.
const maxCompletions = 200

// completeGroups offers the IDs of the groups in the log.
func (a *app) completeGroups(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	if takesArgument(cmd) && len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	a.quietly(cmd, func(engine *grouplog.Engine) error {
		for group, err := range engine.Groups(cmd.Context(), groupview.GroupFilter{Prefix: begun}) {
			if err != nil || len(found) == maxCompletions {
				return err
			}
			found = append(found, cobra.CompletionWithDesc(group.GroupID, group.Name))
		}
		return nil
	})
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeUsers offers the members of the group that is named on the same line; where
// none is, the owners of groups. A list of all users would cost more than it helps.
func (a *app) completeUsers(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	seen := map[string]bool{}
	offer := func(userID string) {
		if userID != "" && strings.HasPrefix(userID, begun) && len(seen) < maxCompletions {
			seen[userID] = true
		}
	}
	groupID := ""
	if flag := cmd.Flags().Lookup("group"); flag != nil {
		groupID = typed(flag.Value)
	}
	a.quietly(cmd, func(engine *grouplog.Engine) error {
		if groupID != "" {
			for member, err := range engine.Members(cmd.Context(), groupID, groupview.MemberFilter{}) {
				if err != nil {
					return err
				}
				offer(member.UserID)
			}
			return nil
		}
		for group, err := range engine.Groups(cmd.Context(), groupview.GroupFilter{}) {
			if err != nil {
				return err
			}
			offer(group.Owner)
		}
		return nil
	})
	found := make([]cobra.Completion, 0, len(seen))
	for userID := range seen {
		found = append(found, userID)
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// typed is the text of a flag that has been given.
func typed(value interface{ String() string }) string {
	if field, ok := value.(*fieldValue); ok {
		return field.Value.String()
	}
	return value.String()
}

func takesArgument(cmd *cobra.Command) bool { return strings.Contains(cmd.Use, " ") }

// quietly opens the log for a completion, if there is one. What goes wrong only means
// that there is nothing to offer.
func (a *app) quietly(cmd *cobra.Command, f func(*grouplog.Engine) error) {
	a.locate(cmd)
	if _, err := os.Stat(a.db); err != nil { // with a store too: a shell does not wait for a replica to be filled
		return
	}
	_ = a.withEngine(cmd.Context(), f)
}

func completeTypes(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var types []cobra.Completion
	for _, t := range domain.Classic().Types() {
		types = append(types, string(t))
	}
	return types, cobra.ShellCompDirectiveNoFileComp
}
