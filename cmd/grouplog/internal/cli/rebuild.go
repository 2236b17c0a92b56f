package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

func (a *app) rebuildCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the read models anew from the log",
		Long: `Makes the read models anew from the whole log and takes them in place of the old ones,
while other processes go on. It is needed only where "grouplog verify" says so. A file of
read models that is damaged is deleted first.

Whatever interrupts it, run it again: it goes on from where it was, or after a crash from
the last million events.

With --check, the old read models stay: they are compared with the new ones, and what
differs is told row by row, the first ones of each table. Exit code 1 says that some do.`,
		Args: exactly(),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if check {
				return a.checkViews(ctx)
			}
			again := func(engine *grouplog.Engine) error { return a.rebuild(ctx, engine) }
			err := a.withEngine(ctx, again)
			if !isCorrupt(err) {
				return err
			}
			a.say("the old read models are damaged and are deleted: %v", err)
			if err := a.deleteViews(); err != nil {
				return err
			}
			return a.withEngine(ctx, again)
		}),
	}
	cmd.Flags().BoolVar(&check, "check", false, "compare only, and change nothing")
	return cmd
}

// checkViews compares the read models with what the log gives.
func (a *app) checkViews(ctx context.Context) error {
	v := verification{}
	err := a.withLog(ctx, func(log eventstore.Store) (err error) {
		if v.Events, err = log.Head(ctx); err != nil {
			return err
		}
		return a.verifyViews(ctx, log, &v)
	})
	if err != nil {
		return err
	}
	if v.OK = v.ReadModels != "differ"; a.json {
		err = a.writeJSON(map[string]any{"ok": v.OK, "events": v.Events, "readModels": v.ReadModels, "differences": append([]projections.Difference{}, v.Differ...)})
	}
	switch {
	case err != nil:
		return err
	case !v.OK:
		return a.readModelsDiffer(&v, "the read models are not what the log gives")
	case a.json:
		return nil
	case v.ReadModels == "absent":
		_, err = fmt.Fprintln(a.out, "there are no read models yet: they come with the first question")
	default:
		_, err = fmt.Fprintf(a.out, "OK  the read models are what %s give\n", render.Count(v.Events, "event", "events"))
	}
	return err
}

func (a *app) rebuild(ctx context.Context, engine *grouplog.Engine) error {
	progress := render.NewProgress(a.talk, "rebuild", "events")
	defer progress.Done()
	start, events := time.Now(), eventstore.Position(0)
	err := engine.Rebuild(ctx, func(done, total eventstore.Position) {
		events = done
		progress.Update(int(done), float64(done)/float64(max(total, 1)))
	})
	if err != nil {
		return err
	}
	progress.Done()
	took := time.Since(start)
	if a.json {
		return a.writeJSON(map[string]any{"ok": true, "events": events, "seconds": took.Seconds()})
	}
	_, err = fmt.Fprintf(a.out, "the read models are made anew from %s in %s\n", render.Count(events, "event", "events"), render.Seconds(took))
	return err
}

// deleteViews deletes the file of the read models, which has been recognised as that.
func (a *app) deleteViews() error {
	var failures []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(a.viewsPath() + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}
