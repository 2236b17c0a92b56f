package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// tailPoll is how often to look for what other processes have appended.
const tailPoll = 200 * time.Millisecond

func (a *app) logTailCommand() *cobra.Command {
	var (
		filter logFilter
		lines  int
		follow bool
	)
	c := &cobra.Command{
		Use:     "tail",
		Short:   "Show the newest events, and those to come",
		Long:    "Shows the newest events, oldest first, and with --follow those that any process appends,\nuntil Ctrl-C.",
		Example: "  grouplog log tail\n  grouplog log tail --follow --group chess",
		Args:    exactly(),
	}
	filter.addTo(a, c)
	c.Flags().IntVarP(&lines, "lines", "n", 10, "how many events to begin with")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "wait for more, until Ctrl-C")
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		if lines < 0 {
			return usage(errors.New("--lines is negative"))
		}
		return a.withLog(ctx, func(log eventstore.Store) error {
			seen, err := a.writeNewest(ctx, log, &filter, lines)
			if err == nil && follow {
				err = a.writeFollowing(ctx, log, &filter, seen)
			}
			if errors.Is(err, context.Canceled) {
				return &toldError{exitInterrupted} // that is how following ends
			}
			return err
		})
	})
	return c
}

// writeNewest writes the last events that the filter lets through, and says up to which
// position it has looked.
func (a *app) writeNewest(ctx context.Context, log eventstore.Store, f *logFilter, lines int) (eventstore.Position, error) {
	head, err := log.Head(ctx)
	if err != nil || head == 0 {
		return 0, err
	}
	var events []projections.Event
	if lines > 0 {
		for record, err := range backward(ctx, log, head) {
			if err != nil {
				return head, err
			}
			event, err := projections.Decode(record)
			if err != nil {
				return head, err
			}
			if !f.wants(&event) {
				continue
			}
			if events = append(events, event); len(events) == lines {
				break
			}
		}
	}
	out := flusher(a.out)
	for _, event := range slices.Backward(events) {
		if err := a.writeEvent(out, &event, head); err != nil {
			return head, err
		}
	}
	return head, out.Flush()
}

// writeFollowing writes the events after a position as they come, until the context
// ends or something fails.
func (a *app) writeFollowing(ctx context.Context, log eventstore.Store, f *logFilter, seen eventstore.Position) error {
	for record, err := range eventstore.Follow(ctx, log, seen, tailPoll) {
		if err != nil {
			return err
		}
		event, err := projections.Decode(record)
		if err != nil {
			return err
		}
		if f.wants(&event) {
			if err := a.writeEvent(a.out, &event, record.Position); err != nil {
				return err
			}
		}
	}
	return nil
}
