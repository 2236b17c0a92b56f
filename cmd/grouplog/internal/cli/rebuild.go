package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/eventstore"
)

func (a *app) rebuildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild",
		Short: "Make the read models anew from the log",
		Long: `Makes the read models anew from the whole log and takes them in place of the old ones,
while other processes go on. It is needed only where "grouplog verify" says so.`,
		Args: exactly(),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.withEngine(ctx, func(engine *grouplog.Engine) error { return a.rebuild(ctx, engine) })
		}),
	}
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
