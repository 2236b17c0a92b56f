package cli

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/groupview"
)

func (a *app) joinedCommand() *cobra.Command {
	var at moment
	c := &cobra.Command{
		Use:               "joined USER",
		Short:             "List the groups that a user is in",
		Example:           "  grouplog joined bob\n  grouplog joined bob --at 2020-06-30",
		Args:              exactly("USER"),
		ValidArgsFunction: a.completeUsers,
	}
	addAt(c, &at)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		user := args[0]
		table := render.NewTable("group", "type", "role", "joined", "#members", "name")
		return a.withEngine(ctx, func(engine *grouplog.Engine) error {
			asked, none := answers(engine), user+" is in no group that is listed"
			if at.given {
				asOf, err := engine.AsOf(ctx, at.Moment)
				if err != nil {
					return err
				}
				asked, none = asOf, fmt.Sprintf("%s was in no group that is listed, as of %s", user, &at)
			}
			return writeList(a, joinedOf(ctx, engine, asked, user), table, func(g groupview.JoinedGroup) {
				table.Row(g.GroupID, string(g.GroupType), g.Role.String(), render.Time(g.JoinedAt), render.Number(g.MemberCount), g.Name)
			}, none)
		})
	})
	return c
}

// joinedOf yields the groups that a user is in, or an error where no event names them.
func joinedOf(ctx context.Context, engine *grouplog.Engine, asked answers, user string) iter.Seq2[groupview.JoinedGroup, error] {
	return func(yield func(groupview.JoinedGroup, error) bool) {
		listed := false
		for group, err := range asked.JoinedGroups(ctx, user) {
			listed = true
			if !yield(group, err) {
				return
			}
		}
		if listed {
			return
		}
		if err := known(ctx, engine.Log(), user); err != nil {
			yield(groupview.JoinedGroup{}, err)
		}
	}
}

// known tells a user who is in no group from one of whom no event has ever told. It
// reads the log, so it is asked only where there is nothing else to say.
func known(ctx context.Context, log eventstore.Store, user string) error {
	for record, err := range log.ReadAll(ctx, 0) {
		if err != nil {
			return err
		}
		event, err := projections.Decode(record)
		if err != nil {
			return err
		}
		if record.Actor == user || slices.Contains(audit.Subjects(event), user) {
			return nil
		}
	}
	return fmt.Errorf("user %q: %w", user, errUnknownUser)
}
