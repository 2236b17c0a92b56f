package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/projections/past"
)

func (a *app) diffCommand() *cobra.Command {
	c := parent(&cobra.Command{
		Use:   "diff",
		Short: "What has changed between two moments",
		Example: `  grouplog diff group chess --from 2020-01-01 --to 2020-06-30
  grouplog diff user bob --from position:12345`,
	})
	c.AddCommand(
		a.diffOf("group GROUP", "Who joined a group, left it or has another role, and what was edited", a.completeGroups,
			func(ctx context.Context, engine *grouplog.Engine, id string, from, to grouplog.Moment) ([]past.Change, error) {
				return engine.DiffGroup(ctx, id, from, to)
			}),
		a.diffOf("user USER", "Which groups a user joined and left, what they are there, and where they applied", a.completeUsers,
			func(ctx context.Context, engine *grouplog.Engine, id string, from, to grouplog.Moment) ([]past.Change, error) {
				changes, err := engine.DiffUser(ctx, id, from, to)
				if err == nil && len(changes) == 0 {
					err = known(ctx, engine.Log(), id)
				}
				return changes, err
			}),
	)
	return c
}

// diffOf is the command for one kind of thing.
func (a *app) diffOf(use, short string, complete cobra.CompletionFunc,
	diff func(ctx context.Context, engine *grouplog.Engine, id string, from, to grouplog.Moment) ([]past.Change, error),
) *cobra.Command {
	var from, to moment
	kind, name, _ := cut(use)
	example := "  grouplog diff " + kind + " " + map[string]string{"group": "chess", "user": "bob"}[kind] + " --from 2020-01-01 --to 2020-06-30"
	c := &cobra.Command{Use: use, Short: short, Example: example, Args: exactly(name), ValidArgsFunction: complete}
	c.Flags().Var(&from, "from", "the earlier moment: `WHEN` "+whenHelp+" (required)")
	c.Flags().Var(&to, "to", "the later moment, `WHEN`; the present where not given")
	must(c.MarkFlagRequired("from"))
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return a.withRows(ctx, func(engine *grouplog.Engine) error {
			changes, err := diff(ctx, engine, args[0], from.Moment, to.Moment)
			if err != nil {
				return err
			}
			for _, change := range changes {
				if a.json {
					err = errors.Join(err, a.writeJSON(change))
					continue
				}
				_, failed := fmt.Fprintln(a.out, render.Line(change.String()))
				err = errors.Join(err, failed)
			}
			if len(changes) == 0 && !a.json {
				a.say("no difference")
			}
			return err
		})
	})
	return c
}
