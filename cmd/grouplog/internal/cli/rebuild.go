package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
)

func (a *app) rebuildCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the read models anew from the log",
		Long: `Makes the read models anew from the whole log and takes them in place of the old ones,
while other processes go on; and the index of the audit, where there is one. It is needed
only where "grouplog verify" says so. Where one of the files is damaged, it is deleted
first. Refused attempts and the progress of listeners are not derived, and left as they are.

Before the old rows are replaced, their digest is compared with that of the new ones, and
it is told whether they were equal. To see the rows that differ, run it with --check first.

Whatever interrupts it, run it again: it goes on from where it was, or after a crash from
the last million events.

With --check, the old rows stay: they are compared with the new ones, and what differs is
told row by row, the first ones of each table. Exit code 1 says that some do.`,
		Args: exactly(),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if check {
				return a.checkViews(ctx)
			}
			info, err := os.Stat(a.viewsPath())
			gone := rowless{models: errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0}
			err = a.rebuildAll(ctx, gone)
			for range 2 { // files that can be damaged
				path := a.derivedPath(err)
				if !isCorrupt(err) || path == "" {
					return err
				}
				if failed := a.deleteDamaged(path, err); failed != nil {
					return failed
				}
				gone.models, gone.index = gone.models || path == a.viewsPath(), gone.index || path == a.auditPath()
				err = a.rebuildAll(ctx, gone)
			}
			return err
		}),
	}
	cmd.Flags().BoolVar(&check, "check", false, "compare only, and change nothing")
	return cmd
}

// rebuildAll rebuilds what is derived from the log; where the audit's index was deleted,
// also that. Refused attempts are not derived, and where their file is damaged, that is in
// nobody's way.
func (a *app) rebuildAll(ctx context.Context, gone rowless) error {
	return a.openFor(ctx, &grouplog.Options{NoRefusals: true}, func(engine *grouplog.Engine) error {
		if gone.index { // it is made when it is asked, and otherwise would not be there to be compared
			if _, err := engine.AuditPage(ctx, audit.Query{Limit: 1}); err != nil {
				return err
			}
		}
		return a.rebuild(ctx, engine, gone)
	})
}

// checkViews compares the read models with what the log gives.
func (a *app) checkViews(ctx context.Context) error {
	v := verification{}
	err := a.withLog(ctx, func(log eventstore.Store) (err error) {
		if v.Events, err = log.Head(ctx); err != nil {
			return err
		}
		return a.verifyDerived(ctx, log, &v)
	})
	if err != nil && v.differs() {
		return errors.Join(err, a.derivedDiffer(&v, v.derived(true)+" not what the log gives"))
	}
	if err != nil {
		return err
	}
	if v.OK = !v.differs(); a.json {
		result := map[string]any{"ok": v.OK, "events": v.Events, "readModels": v.ReadModels, "differences": append([]projections.Difference{}, v.Differ...)}
		if v.AuditIndex != "" {
			result["auditIndex"] = v.AuditIndex
		}
		err = a.writeJSON(result)
	}
	switch {
	case err != nil:
		return err
	case !v.OK:
		return a.derivedDiffer(&v, v.derived(true)+" not what the log gives")
	case a.json:
		return nil
	case v.ReadModels == "absent" && v.AuditIndex == "":
		_, err = fmt.Fprintln(a.out, "there are no read models yet: they come with the first question")
	default:
		_, err = fmt.Fprintf(a.out, "OK  %s what %s give\n", v.derived(false), render.Count(v.Events, "event", "events"))
	}
	return err
}

// rowless are the files that had no rows before a rebuild: they were not there, or it has
// deleted them because they were damaged.
type rowless struct{ models, index bool }

func (a *app) rebuild(ctx context.Context, engine *grouplog.Engine, gone rowless) error {
	progress := render.NewProgress(a.talk, "rebuild", "events")
	defer progress.Done()
	start := time.Now()
	reports, err := engine.RebuildReport(ctx, func(done, total eventstore.Position) {
		progress.Update(int(done), float64(done)/float64(max(total, 1)))
	})
	if errors.Is(err, context.Canceled) {
		return hint(err, "run it again, and it goes on from where it was")
	}
	if err != nil {
		return err
	}
	progress.Done()
	for i, gone := range []bool{gone.models, gone.index} { // what the engine has made since are no old rows
		if gone {
			reports[i] = projections.Rebuilt{Position: reports[i].Position, Unknown: "there were no rows"}
		}
	}
	took, events := time.Since(start), eventstore.Position(0)
	for _, r := range reports {
		events = max(events, r.Position)
	}
	if a.json {
		return a.writeJSON(map[string]any{"ok": true, "events": events, "seconds": took.Seconds(), "compared": reports})
	}
	if _, err = fmt.Fprintf(a.out, "the read models are made anew from %s in %s\n", render.Count(events, "event", "events"), render.Seconds(took)); err != nil {
		return err
	}
	return a.tellCompared(reports)
}

// tellCompared tells what a rebuild has found of the rows that it has replaced.
func (a *app) tellCompared(reports []projections.Rebuilt) error {
	differed := false
	for _, r := range reports {
		for _, p := range r.Projections {
			verdict := "equal to the old rows"
			if differed = differed || len(p.Differ) > 0; len(p.Differ) > 0 {
				verdict = "the old rows differed in " + strings.Join(p.Differ, ", ") + ": " + p.Old
			}
			if _, err := fmt.Fprintf(a.out, "%-10s  %s  %s\n", p.Projection, p.New, verdict); err != nil {
				return err
			}
		}
		if r.Unknown != "" {
			a.say("not compared with the old rows: %s", render.Line(r.Unknown))
		}
	}
	if differed {
		a.say("hint: the old rows are gone; where it happens again, \"grouplog rebuild --check\" shows the rows before they are replaced")
	}
	return nil
}

// deleteDamaged deletes a file that an error says is damaged, which has been recognised as
// what it is.
func (a *app) deleteDamaged(path string, damage error) (err error) {
	a.say("%s is damaged and is deleted: %v", path, damage)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if failed := os.Remove(path + suffix); failed != nil && !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return err
}
