package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
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
		Use:   "tail",
		Short: "Show the newest events, and those to come",
		Long: `Shows the newest events, oldest first, and with --follow those that any process appends,
until Ctrl-C. A group or a user that is in no event yet is waited for with --follow, and not
found without.`,
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
			seen, written, err := a.writeNewest(ctx, log, &filter, lines)
			if err == nil && written == 0 && lines > 0 {
				err = a.nothingListed(ctx, log, &filter)
			}
			if follow && notFound(err) {
				a.say("%v yet: waiting", err)
				err = nil
			}
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

// notFound reports whether a group or a user is in no event.
func notFound(err error) bool {
	return errors.Is(err, groupview.ErrNotFound) || errors.Is(err, errUnknownUser)
}

// writeNewest writes the last events that the filter lets through, and says up to which
// position it has looked, and how many they were.
func (a *app) writeNewest(ctx context.Context, log eventstore.Store, f *logFilter, lines int) (seen eventstore.Position, written int, err error) {
	head, err := log.Head(ctx)
	if err != nil || head == 0 {
		return 0, 0, err
	}
	var events []projections.Event
	if lines > 0 {
		for record, err := range backward(ctx, log, head) {
			if err != nil {
				return head, 0, err
			}
			event, err := projections.Decode(record)
			if err != nil {
				return head, 0, err
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
			return head, len(events), err
		}
	}
	return head, len(events), out.Flush()
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
