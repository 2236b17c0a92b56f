package cli

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/spf13/cobra"

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
		none := user + " is in no group that is listed"
		if at.given {
			none = fmt.Sprintf("%s was in no group that is listed, as of %s", user, &at)
		}
		return a.withAnswers(ctx, &at, func(asked answers, log eventstore.Store) error {
			return writeList(a, orUnknown(ctx, log, user, asked.JoinedGroups(ctx, user)), table, func(g groupview.JoinedGroup) {
				table.Row(g.GroupID, string(g.GroupType), g.Role.String(), render.Time(g.JoinedAt), render.Number(g.MemberCount), g.Name)
			}, none)
		})
	})
	return c
}

// orUnknown yields what a list about a user has, or an error where it has nothing and no
// event names them.
func orUnknown[T any](ctx context.Context, log eventstore.Store, user string, list iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		listed := false
		for item, err := range list {
			listed = true
			if !yield(item, err) {
				return
			}
		}
		if listed {
			return
		}
		if err := known(ctx, log, user); err != nil {
			var none T
			yield(none, err)
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
