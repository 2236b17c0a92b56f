package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/eventstore"
)

func (a *app) toldCommand() *cobra.Command {
	since := moment{only: onlyPositions}
	c := &cobra.Command{
		Use:   "told USER",
		Short: "List what a user was told",
		Long: `Lists everything that a user should have been told, oldest first: what a listener of theirs is
told, with the same IDs. It is derived from the log; nothing is stored for it.`,
		Example:           "  grouplog told bob\n  grouplog told bob --since 1200 --json",
		Args:              exactly("USER"),
		ValidArgsFunction: a.completeUsers,
	}
	c.Flags().Var(&since, "since", "only what came after this `POSITION`")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return a.withEngine(ctx, func(engine *grouplog.Engine) error {
			return a.writeTold(ctx, engine, args[0], since.position())
		})
	})
	return c
}

func (a *app) writeTold(ctx context.Context, engine *grouplog.Engine, user string, since eventstore.Position) error {
	out, style, none := flusher(a.out), render.StyleFor(a.out), true
	for n, err := range engine.As(user).CatchUp(ctx, since) {
		if err != nil {
			return err
		}
		none = false
		if a.json {
			err = render.JSON(out, n)
		} else {
			line := told{Notification: n}
			_, err = fmt.Fprintf(out, "%s  %s  %s\n", style.Dim(n.ID), style.Dim(render.Time(n.At)), line.text())
		}
		if err != nil {
			return err
		}
	}
	if none {
		if err := known(ctx, engine.Log(), user); err != nil {
			return err
		}
		a.say("%s was told nothing", user)
	}
	return out.Flush()
}
