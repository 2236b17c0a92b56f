package cli

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	"github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check the whole log, and the read models against it",
		Long: `Checks that every record is as it was written (by its checksum), that positions and
versions have no gap, that every event can be read, and that the file itself is sound.
Then folds the log anew and compares the read models with that.

Exit code 6 says that the log is damaged; the message says where first. Exit code 1 says
that only the read models differ: "grouplog rebuild" makes them anew.`,
		Args: exactly(),
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.verify(ctx) }),
	}
}

// verification is what verify has found, in the wire form.
type verification struct {
	OK         bool                     `json:"ok"`
	LogID      string                   `json:"logID,omitempty"`
	Events     eventstore.Position      `json:"events"`
	Groups     int                      `json:"groups"`     // live and dismissed
	ReadModels string                   `json:"readModels"` // "equal", "differ", "absent" or "unchecked"
	Damage     *damage                  `json:"damage,omitempty"`
	Differ     []projections.Difference `json:"differences,omitempty"`
	Unreadable string                   `json:"readModelsDamage,omitempty"` // what SQLite says of their file
}

// damage is where a log is damaged, as far as that can be told.
type damage struct {
	Position  eventstore.Position `json:"position,omitempty"`
	Stream    string              `json:"stream,omitempty"`
	SoundUpTo eventstore.Position `json:"soundUpTo"` // events up to there can be read
	Message   string              `json:"message"`
}

func (a *app) verify(ctx context.Context) error {
	v := verification{ReadModels: "unchecked"}
	err := a.withLog(ctx, func(log eventstore.Store) error {
		v.LogID = log.ID()
		if err := a.verifyRecords(ctx, log, &v); err != nil {
			return err
		}
		if file, ok := log.(interface{ Check(context.Context) error }); ok {
			if err := file.Check(ctx); err != nil {
				return err
			}
		}
		return a.verifyViews(ctx, log, &v)
	})
	v.OK = err == nil && v.ReadModels != "differ"
	var found *eventstore.DamageError
	if errors.As(err, &found) {
		v.Damage = &damage{Position: found.Position, Stream: found.Stream, SoundUpTo: v.Events, Message: err.Error()}
	}
	if a.json && (err == nil || v.Damage != nil) {
		if err := a.writeJSON(v); err != nil {
			return err
		}
	}
	switch {
	case v.Damage != nil:
		return hint(err, fmt.Sprintf("events up to position %d can be read; restore a backup for the rest", v.Events))
	case err != nil:
		return err
	case v.ReadModels == "differ":
		return a.readModelsDiffer(&v, "the log is sound, and the read models are not what it gives")
	case a.json:
		return nil
	}
	text := fmt.Sprintf("%s, %s", render.Count(v.Events, "event", "events"), render.Count(v.Groups, "group", "groups"))
	models := map[string]string{
		"equal":     "read models equal the log",
		"absent":    "no read models yet: they come with the first question",
		"unchecked": "read models not checked",
	}
	_, err = fmt.Fprintf(a.out, "OK  %s, no gaps; %s\n", text, models[v.ReadModels])
	return err
}

// verifyRecords reads the whole log.
func (a *app) verifyRecords(ctx context.Context, log eventstore.Store, v *verification) error {
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	progress := render.NewProgress(a.talk, "verify log", "events")
	defer progress.Done()
	decode := func(r eventstore.Record) error {
		event, err := projections.Decode(r)
		switch event.Fact.(type) {
		case domain.GroupCreated, domain.GroupImported:
			v.Groups++
		}
		return errors.Unwrap(err) // where it stands, the damage says
	}
	summary, err := eventstore.Verify(ctx, log, decode, func(p eventstore.Position) {
		progress.Update(int(p), float64(p)/float64(head))
	})
	v.Events = summary.Records
	return err
}

// verifyViews compares the read models with what the log gives. Where there are none,
// none are made.
func (a *app) verifyViews(ctx context.Context, log eventstore.Store, v *verification) (err error) {
	path := a.viewsPath()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		v.ReadModels = "absent"
		return nil
	}
	progress := render.NewProgress(a.talk, "verify read models", "events")
	defer progress.Done()
	views, err := projections.Open(ctx, path, log, &projections.Options{
		Projections: []projections.Projection{groupview.New()}, Manual: true,
		Logger: slog.New(slog.NewTextHandler(progress, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	switch {
	case isCorrupt(err):
		v.ReadModels, v.Unreadable = "differ", err.Error()
		return nil
	case isSQLite(err, sqlite3.ErrCantOpen, sqlite3.ErrReadonly): // where nothing can be written
		a.say("the read models are not checked: %v", err)
		return nil
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, views.Close()) }()
	if err := views.CatchUp(ctx); err != nil && !isCorrupt(err) {
		return err
	}
	v.Differ, err = views.Compare(ctx, func(done, total eventstore.Position) {
		progress.Update(int(done), float64(done)/float64(max(total, 1)))
	})
	if err == nil {
		// Compare reads the rows. Their indexes are what queries read first.
		v.Unreadable, err = checkFile(ctx, views)
	}
	switch {
	case isCorrupt(err):
		v.Unreadable = err.Error()
	case err != nil:
		return err
	}
	v.ReadModels = "equal"
	if len(v.Differ) > 0 || v.Unreadable != "" {
		v.ReadModels = "differ"
	}
	return nil
}

// checkFile has SQLite check the file of the read models; empty if it is sound.
func checkFile(ctx context.Context, views *projections.Views) (problem string, err error) {
	err = views.Read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&problem)
	})
	if problem == "ok" {
		problem = ""
	}
	return problem, err
}

// isCorrupt reports whether SQLite cannot read the file of the read models.
func isCorrupt(err error) bool {
	return isSQLite(err, sqlite3.ErrCorrupt) && !errors.Is(err, eventstore.ErrDamaged)
}

func isSQLite(err error, codes ...sqlite3.ErrNo) bool {
	var failure sqlite3.Error
	return errors.As(err, &failure) && slices.Contains(codes, failure.Code)
}

func (a *app) readModelsDiffer(v *verification, verdict string) error {
	if !a.json {
		for _, d := range v.Differ {
			a.say("table %s of %s: %s too many, %d missing", d.Table, d.Projection, render.Count(d.Extra, "row", "rows"), d.Missing)
			for _, row := range d.Rows {
				a.say("  %s", render.Line(row.Key))
				a.say("    live:    %s", render.Line(cmp.Or(row.Live, "no such row")))
				a.say("    rebuilt: %s", render.Line(cmp.Or(row.Rebuilt, "no such row")))
			}
			if more := max(d.Extra, d.Missing) - len(d.Rows); more > 0 {
				a.say("  and %s more", render.Count(more, "row", "rows"))
			}
		}
		if v.Unreadable != "" {
			a.say("the file of the read models is damaged: %s", render.Line(v.Unreadable))
		}
	}
	return hint(errors.New(verdict), `"grouplog rebuild" makes them anew`)
}
