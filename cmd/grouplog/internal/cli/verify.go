package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
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
}

// damage is where a log is damaged, as far as that can be told.
type damage struct {
	Position eventstore.Position `json:"position,omitempty"`
	Stream   string              `json:"stream,omitempty"`
	Message  string              `json:"message"`
}

func (a *app) verify(ctx context.Context) error {
	v := verification{ReadModels: "unchecked"}
	err := a.withLog(ctx, func(log *sqlite.DB) error {
		v.LogID = log.ID()
		if err := a.verifyRecords(ctx, log, &v); err != nil {
			return err
		}
		if err := log.Check(ctx); err != nil {
			return err
		}
		return a.verifyViews(ctx, log, &v)
	})
	v.OK = err == nil
	var found *eventstore.DamageError
	if errors.As(err, &found) {
		v.Damage = &damage{Position: found.Position, Stream: found.Stream, Message: err.Error()}
	}
	if a.json && !errors.Is(err, context.Canceled) && !errors.Is(err, errNoLog) {
		if err := a.writeJSON(v); err != nil {
			return err
		}
	}
	switch {
	case v.ReadModels == "differ" && err == nil:
		return a.readModelsDiffer(v.Differ)
	case err != nil:
		if v.Damage != nil {
			return hint(err, "restore a backup; the events before the damage can still be read")
		}
		return err
	case a.json:
		return nil
	}
	text := fmt.Sprintf("%s, %s", render.Count(v.Events, "event", "events"), render.Count(v.Groups, "group", "groups"))
	models := map[string]string{"equal": "read models equal the log", "absent": "no read models yet: they come with the first question"}
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
		fact, err := domain.Decode(r.Type, r.Schema, r.Data)
		switch fact.(type) {
		case domain.GroupCreated, domain.GroupImported:
			v.Groups++
		}
		return err
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
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, views.Close()) }()
	if err := views.CatchUp(ctx); err != nil {
		return err
	}
	v.Differ, err = views.Compare(ctx, func(done, total eventstore.Position) {
		progress.Update(int(done), float64(done)/float64(max(total, 1)))
	})
	if err != nil {
		return err
	}
	v.ReadModels = "equal"
	if len(v.Differ) > 0 {
		v.ReadModels, v.OK = "differ", false
	}
	return nil
}

func (a *app) readModelsDiffer(differences []projections.Difference) error {
	for _, d := range differences {
		a.say("table %s of %s: %d rows too many, %d missing", d.Table, d.Projection, d.Extra, d.Missing)
		for _, example := range d.Examples {
			a.say("  %s", render.Line(example))
		}
	}
	return hint(errors.New("the log is sound, and the read models are not what it gives"), `"grouplog rebuild" makes them anew`)
}
