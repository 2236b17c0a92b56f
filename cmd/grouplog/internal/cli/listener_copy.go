package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections/consumers"
)

func (a *app) listenerCopyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "copy FILE",
		Short: "Have listeners go on where those of the same log in a file are",
		Long: `For a log that was moved with "store copy": FILE is where it was, with the listeners' progress
beside it. Each of them goes on here after the position to which it has come there; one that
holds groups, from the first event that it could not handle, so that some comes again. A
listener that is here already is left as it is.

End the programs that listen to the log in FILE before, and start them here afterwards.`,
		Example: "  grouplog listener copy groups.db --store nats://n1:4222/chess?sync=always",
		Args:    exactly("FILE"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			progress, id, err := progressBeside(ctx, args[0])
			if err != nil {
				return err
			}
			return a.withLog(ctx, func(log eventstore.Store) error {
				if log.ID() != id {
					return fmt.Errorf("%w: %s is log %s, and not %s", eventstore.ErrOtherLog, args[0], id, log.ID())
				}
				return a.enroll(ctx, log, progress)
			})
		}),
	}
}

// progressBeside reads how far the listeners of a log in a file are, and which log it is.
func progressBeside(ctx context.Context, path string) (list []consumers.Status, id string, err error) {
	log, err := sqlite.Open(ctx, path, &sqlite.Options{ReadOnly: true})
	if err != nil {
		return nil, "", noLog(path, err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	beside := consumersBeside(path)
	if _, err := os.Stat(beside); err != nil {
		return nil, "", err
	}
	defer func() { err = hintOnConsumers(err, beside) }()
	registry, err := consumers.Open(ctx, beside, log)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, registry.Close()) }()
	list, err = registry.List(ctx)
	return list, log.ID(), err
}

// enroll has listeners begin where others are, and says so.
func (a *app) enroll(ctx context.Context, log eventstore.Store, progress []consumers.Status) (err error) {
	defer func() { err = hintOnConsumers(err, a.consumersPath()) }()
	registry, err := a.openConsumers(ctx, log)
	if err == nil && registry == nil {
		registry, err = consumers.Open(ctx, a.consumersPath(), log)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, registry.Close()) }()
	there, err := registry.List(ctx)
	if err != nil {
		return err
	}
	for _, s := range progress {
		if slices.ContainsFunc(there, func(other consumers.Status) bool { return other.Name == s.Name }) {
			a.say("%s is here already, and left as it is", s.Name)
			continue
		}
		start := s.Position
		for _, h := range s.Holds {
			start = min(start, h.Position-1)
		}
		if err := registry.Enroll(ctx, s.Name, start); err != nil {
			return err
		}
		if a.json {
			err = a.writeJSON(map[string]any{"ok": true, "name": s.Name, "position": start})
		} else {
			_, err = fmt.Fprintf(a.out, "%s goes on after position %d\n", s.Name, start)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
