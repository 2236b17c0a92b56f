package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/consumers"
)

func (a *app) listenerRetryCommand() *cobra.Command {
	return a.releaseCommand("retried", (*consumers.Registry).Retry, nil, &cobra.Command{
		Use:   "retry NAME",
		Short: "Try again what could not be handled",
		Long: `Has what could not be handled tried at once, and as often as in the beginning. When it is
handled, what its group has missed follows.`,
		Example: "  grouplog listener retry mailer --group chess\n  grouplog listener retry mailer --all",
	})
}

func (a *app) listenerDiscardCommand() *cobra.Command {
	return a.releaseCommand("discarded", (*consumers.Registry).Discard, mustHaveFailed, &cobra.Command{
		Use:   "discard NAME",
		Short: "Give up what could not be handled",
		Long: `Gives up the one notification of each group that could not be handled. The listener goes on
with what follows it in the group: that is tried by itself, and cannot be discarded before it
has failed.`,
		Example: "  grouplog listener discard mailer --group chess --dry-run\n  grouplog listener discard mailer --group chess",
	})
}

// mustHaveFailed refuses to discard what the listener tries by itself.
func mustHaveFailed(h *consumers.Hold) error {
	if h.Failed() {
		return nil
	}
	line := holdLineOf(h)
	return &wordsError{consumers.ErrNotFailed, fmt.Sprintf(
		"%s of group %q has not failed, and cannot be discarded: the listener tries it by itself", line.Notification, line.GroupID)}
}

// releaseCommand is what retry and discard have in common. Where check is not nil, it says
// what cannot be done with a group that is named.
func (a *app) releaseCommand(done string, verb func(*consumers.Registry, context.Context, string, ...string) ([]consumers.Hold, error),
	check func(*consumers.Hold) error, c *cobra.Command,
) *cobra.Command {
	var (
		groups      []string
		all, dryRun bool
	)
	c.Args, c.ValidArgsFunction = exactly("NAME"), a.completeListeners
	c.Flags().StringArrayVar(&groups, "group", nil, "of this `GROUP`; repeat for more")
	c.Flags().BoolVar(&all, "all", false, "of all groups that are parked")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be "+done+", and change nothing")
	must(c.RegisterFlagCompletionFunc("group", a.completeGroups))
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		if all == (len(groups) > 0) {
			return usage(errors.New("of which groups: give --group GROUP or --all"))
		}
		err := a.withConsumer(ctx, args[0], func(_ eventstore.Store, registry *consumers.Registry, status *consumers.Status) error {
			streams, holds, err := chosen(status, groups, check)
			if err == nil && !dryRun {
				holds, err = verb(registry, ctx, args[0], streams...)
			}
			if err != nil {
				return err
			}
			return a.writeReleased(done, holds, dryRun)
		})
		if errors.Is(err, consumers.ErrNotHeld) || errors.Is(err, consumers.ErrNotFailed) {
			err = hint(err, fmt.Sprintf("\"grouplog listener parked %s --all\" lists the groups that are held, with the errors of what has failed", args[0]))
		}
		return err
	})
	return c
}

// chosen are the streams of groups, and what a listener holds of them; where none is named,
// all that is parked.
func chosen(status *consumers.Status, groups []string, check func(*consumers.Hold) error) (streams []string, holds []consumers.Hold, err error) {
	for _, group := range groups {
		stream := domain.GroupStream(group)
		i := slices.IndexFunc(status.Holds, func(h consumers.Hold) bool { return h.Stream == stream })
		if i < 0 {
			return nil, nil, &wordsError{consumers.ErrNotHeld, fmt.Sprintf("listener %q does not hold group %q", status.Name, group)}
		}
		if check != nil {
			if err := check(&status.Holds[i]); err != nil {
				return nil, nil, err
			}
		}
		streams = append(streams, stream)
	}
	holds = slices.DeleteFunc(status.Holds, func(h consumers.Hold) bool {
		return len(groups) == 0 && !h.Parked() || len(groups) > 0 && !slices.Contains(streams, h.Stream)
	})
	return streams, holds, nil
}

func (a *app) writeReleased(done string, holds []consumers.Hold, dryRun bool) error {
	if a.json {
		answer := map[string]any{"ok": true, done: holdLines(holds)}
		if dryRun {
			answer["dryRun"] = true
		}
		return a.writeJSON(answer)
	}
	if len(holds) == 0 {
		a.say("nothing is parked")
		return nil
	}
	if dryRun {
		a.say("dry run, nothing is changed")
	}
	for _, h := range holdLines(holds) {
		text := fmt.Sprintf("%s: %s of group %s, tried %s", done, h.Notification, h.GroupID, render.Count(h.Attempts, "time", "times"))
		if h.Error != "" {
			text += ": " + render.Line(h.Error)
		}
		if _, err := fmt.Fprintln(a.out, text); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) listenerResetCommand() *cobra.Command {
	var (
		to     = moment{only: onlyStops}
		dryRun bool
	)
	c := &cobra.Command{
		Use:   "reset NAME --to POSITION",
		Short: "Have a listener go on from somewhere else",
		Long: `Has a listener go on after a position of the log. Back: what it has handled before comes again,
as a replay. Forward: what lies between is never told. Groups that it holds are let go.

After a log was restored from a backup, this says where to go on.`,
		Example: `  grouplog listener reset mailer --to start
  grouplog listener reset mailer --to now --dry-run
  grouplog listener reset mailer --to 1200`,
		Args:              exactly("NAME"),
		ValidArgsFunction: a.completeListeners,
	}
	c.Flags().Var(&to, "to", "go on after this `POSITION`, from the start, or from now (required)")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would come of it, and change nothing")
	must(c.MarkFlagRequired("to"))
	must(c.RegisterFlagCompletionFunc("to", cobra.FixedCompletions([]string{"start", "now"}, cobra.ShellCompDirectiveNoFileComp)))
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return a.withConsumer(ctx, args[0], func(log eventstore.Store, registry *consumers.Registry, status *consumers.Status) error {
			head, err := log.Head(ctx)
			if err != nil {
				return err
			}
			position, err := positionOf(&to, head)
			if err != nil {
				return err
			}
			skipped := slices.DeleteFunc(status.Holds, func(h consumers.Hold) bool { return !h.Before(consumers.After(position)) })
			if !dryRun {
				if skipped, err = registry.Reset(ctx, args[0], position); err != nil {
					return err
				}
			}
			return a.writeReset(args[0], position, skipped, dryRun)
		})
	})
	return c
}

// positionOf is where to go on.
func positionOf(to *moment, head eventstore.Position) (eventstore.Position, error) {
	position, ok := to.Position()
	if !ok {
		return head, nil
	}
	if position > head {
		return 0, usage(fmt.Errorf("--to %d: the log ends at %d", position, head))
	}
	return position, nil
}

func (a *app) writeReset(name string, to eventstore.Position, skipped []consumers.Hold, dryRun bool) error {
	if a.json {
		answer := map[string]any{"ok": true, "name": name, "position": to, "skipped": holdLines(skipped)}
		if dryRun {
			answer["dryRun"] = true
		}
		return a.writeJSON(answer)
	}
	if dryRun {
		a.say("dry run, nothing is changed")
	}
	for _, h := range holdLines(skipped) {
		a.say("never told: %s of group %s, and what follows in the group up to position %d", h.Notification, h.GroupID, to)
	}
	_, err := fmt.Fprintf(a.out, "%s goes on after position %d\n", name, to)
	return err
}
