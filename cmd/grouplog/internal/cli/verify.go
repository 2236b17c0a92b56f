package cli

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/groupview"
)

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check the whole log, and what is derived from it",
		Long: `Checks that every record is as it was written (by its checksum), that positions and
versions have no gap, that every event can be read, and that the file itself is sound.
Then folds the log anew and compares the read models with that, and the index of the audit
where there is one. Of the files that nothing makes anew, those of refused attempts and of
the listeners' progress, it checks that they are sound.

Exit code 6 says that the log is damaged; the message says where first. Exit code 1 says
that only what is derived from it differs, which "grouplog rebuild" makes anew, or that
another file beside it is damaged; the message says which, and what is in it.`,
		Args: exactly(),
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.verify(ctx) }),
	}
}

// verification is what verify has found, in the wire form.
type verification struct {
	OK          bool                     `json:"ok"`
	LogID       string                   `json:"logID,omitempty"`
	Events      eventstore.Position      `json:"events"`
	Groups      int                      `json:"groups"`               // live and dismissed
	ReadModels  string                   `json:"readModels"`           // "equal", "differ", "absent" or "unchecked"
	AuditIndex  string                   `json:"auditIndex,omitempty"` // the same of the audit's index; empty where there is none
	Damage      *damage                  `json:"damage,omitempty"`
	Differ      []projections.Difference `json:"differences,omitempty"`
	Unreadable  string                   `json:"readModelsDamage,omitempty"` // what SQLite says of their file
	AuditDamage string                   `json:"auditIndexDamage,omitempty"`
	Damaged     []damagedFile            `json:"damagedFiles,omitempty"` // that nothing makes anew
	Failure     string                   `json:"failure,omitempty"`      // what kept derived things from being checked

	readable bool // every record can be read
	sound    bool // nothing is wrong with the log
}

// damagedFile is a file beside the log that SQLite cannot read.
type damagedFile struct {
	File    string `json:"file"`
	Message string `json:"message"`
}

// differs reports whether anything derived is not what the log gives.
func (v *verification) differs() bool { return v.ReadModels == "differ" || v.AuditIndex == "differ" }

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
		v.readable = true
		if file, ok := log.(interface{ Check(context.Context) error }); ok {
			if err := file.Check(ctx); err != nil {
				return err
			}
		}
		v.sound = true
		return errors.Join(a.verifyDerived(ctx, log, &v), a.verifyKept(ctx, &v))
	})
	v.OK = err == nil && !v.differs() && len(v.Damaged) == 0
	var found *eventstore.DamageError
	if errors.As(err, &found) {
		v.Damage = &damage{Position: found.Position, Stream: found.Stream, SoundUpTo: v.Events, Message: err.Error()}
	} else if err != nil {
		v.Failure = err.Error()
	}
	if a.json && (v.sound || v.Damage != nil) {
		if err := a.writeJSON(v); err != nil {
			return err
		}
	}
	switch {
	case v.Damage != nil:
		return hint(err, v.advice())
	case errors.Is(err, eventstore.ErrNotALog):
		return hint(err, "name the log with --db; if it is this file, restore a backup")
	case err != nil && v.sound:
		err = fmt.Errorf("the log is sound (%s), and not all that is beside it can be checked: %w", render.Count(v.Events, "event", "events"), err)
		if v.differs() {
			err = errors.Join(err, a.derivedDiffer(&v, v.derived(true)+" not what the log gives"))
		}
		return err
	case err != nil:
		return err
	case v.differs():
		return a.derivedDiffer(&v, "the log is sound, and "+v.derived(true)+" not what it gives")
	case len(v.Damaged) > 0:
		return errors.New("the log is sound, and a file beside it is damaged")
	case a.json:
		return nil
	}
	text := fmt.Sprintf("%s, %s", render.Count(v.Events, "event", "events"), render.Count(v.Groups, "group", "groups"))
	models := map[string]string{
		"equal":     "read models equal the log",
		"absent":    "no read models yet: they come with the first question",
		"unchecked": "read models not checked",
	}
	index := map[string]string{"equal": "; so does the index of the audit", "unchecked": "; the index of the audit is not checked"}
	_, err = fmt.Fprintf(a.out, "OK  %s, no gaps; %s%s\n", text, models[v.ReadModels], index[v.AuditIndex])
	return err
}

// advice is what to do about a log that is damaged.
func (v *verification) advice() string {
	switch {
	case v.LogID == "":
		return "it cannot be opened; restore a backup"
	case v.readable:
		return fmt.Sprintf("all of its events can be read (%s); restore a backup for the rest", render.Number(v.Events))
	default:
		return fmt.Sprintf("events up to position %d can be read; restore a backup for the rest", v.Events)
	}
}

// derived names what was compared, or what differs of it.
func (v *verification) derived(differing bool) string {
	models, index := v.ReadModels != "absent", v.AuditIndex != ""
	if differing {
		models, index = v.ReadModels == "differ", v.AuditIndex == "differ"
	}
	switch {
	case models && index:
		return "the read models and the index of the audit are"
	case index:
		return "the index of the audit is"
	default:
		return "the read models are"
	}
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

// verifyDerived compares all that stands in files of its own with what the log gives: the
// read models, and the index of the audit. Where there are none, none are made.
func (a *app) verifyDerived(ctx context.Context, log eventstore.Store, v *verification) error {
	var failures [2]error
	v.ReadModels, v.Unreadable, failures[0] = a.verifyViews(ctx, log, v, "read models", a.viewsPath(), groupview.New())
	v.AuditIndex, v.AuditDamage, failures[1] = a.verifyViews(ctx, log, v, "index of the audit", a.auditPath(), audit.New())
	if v.AuditIndex == "absent" {
		v.AuditIndex = ""
	}
	return errors.Join(failures[:]...)
}

// verifyViews compares the rows of a projection with what the log gives, and adds to v how
// they differ. State is as in verification.
func (a *app) verifyViews(ctx context.Context, log eventstore.Store, v *verification, what, path string, p projections.Projection) (state, unreadable string, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "absent", "", nil
	}
	progress := render.NewProgress(a.talk, "verify "+what, "events")
	defer progress.Done()
	views, err := projections.Open(ctx, path, log, &projections.Options{
		Projections: []projections.Projection{p}, Manual: true,
		Logger: newLogger(progress),
	})
	switch {
	case isCorrupt(err):
		return "differ", err.Error(), nil
	case isSQLite(err, sqlite3.ErrCantOpen, sqlite3.ErrReadonly): // where nothing can be written
		a.say("not checked: %s: %v", what, err)
		return "unchecked", "", nil
	case err != nil:
		return "unchecked", "", err
	}
	defer func() { err = errors.Join(err, views.Close()) }()
	if err := views.CatchUp(ctx); err != nil && !isCorrupt(err) {
		return "unchecked", "", fmt.Errorf("%s: %w", what, err)
	}
	differ, err := views.Compare(ctx, func(done, total eventstore.Position) {
		progress.Update(int(done), float64(done)/float64(max(total, 1)))
	})
	if err == nil {
		// Compare reads the rows. Their indexes are what queries read first.
		unreadable, err = checkFile(ctx, views)
	}
	switch {
	case isCorrupt(err):
		unreadable = err.Error()
	case err != nil:
		return "unchecked", "", err
	}
	v.Differ = append(v.Differ, differ...)
	if len(differ) > 0 || unreadable != "" {
		return "differ", unreadable, nil
	}
	return "equal", "", nil
}

// verifyKept has SQLite check the files beside the log that are not derived from it, where
// there are any.
func (a *app) verifyKept(ctx context.Context, v *verification) error {
	for _, file := range []struct {
		path  string
		about func(string) string
	}{{a.refusalsPath(), aboutRefusals}, {a.consumersPath(), aboutConsumers}} {
		if _, err := os.Stat(file.path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		problem, err := checkAlone(ctx, file.path)
		switch {
		case isSQLite(err, sqlite3.ErrCorrupt, sqlite3.ErrNotADB):
			problem = err.Error()
		case isSQLite(err, sqlite3.ErrCantOpen, sqlite3.ErrReadonly): // where nothing can be written
			a.say("not checked: %s: %v", file.path, err)
		case err != nil:
			return fmt.Errorf("check %s: %w", file.path, err)
		}
		if problem == "" {
			continue
		}
		if v.Damaged = append(v.Damaged, damagedFile{file.path, problem}); !a.json {
			a.say("%s is damaged: %s", file.path, render.Line(problem))
			a.say("hint: %s", file.about(file.path))
		}
	}
	return nil
}

// checkAlone has SQLite check a file that nothing has open here; empty if it is sound.
func checkAlone(ctx context.Context, path string) (problem string, err error) {
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()+"?mode=rw&_busy_timeout=5000")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return integrity(db.QueryRowContext(ctx, checkIntegrity))
}

const checkIntegrity = "PRAGMA integrity_check(1)"

// integrity is what a check has found; empty where that is nothing.
func integrity(found *sql.Row) (problem string, err error) {
	if err = found.Scan(&problem); problem == "ok" {
		problem = ""
	}
	return problem, err
}

// checkFile has SQLite check the file of the read models; empty if it is sound.
func checkFile(ctx context.Context, views *projections.Views) (problem string, err error) {
	err = views.Read(ctx, func(tx *sql.Tx) (err error) {
		problem, err = integrity(tx.QueryRowContext(ctx, checkIntegrity))
		return err
	})
	return problem, err
}

// isCorrupt reports whether SQLite cannot read a file beside the log.
func isCorrupt(err error) bool {
	return isSQLite(err, sqlite3.ErrCorrupt) && !errors.Is(err, eventstore.ErrDamaged)
}

func isSQLite(err error, codes ...sqlite3.ErrNo) bool {
	var failure sqlite3.Error
	return errors.As(err, &failure) && slices.Contains(codes, failure.Code)
}

func (a *app) derivedDiffer(v *verification, verdict string) error {
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
		if v.AuditDamage != "" {
			a.say("the file of the index of the audit is damaged: %s", render.Line(v.AuditDamage))
		}
	}
	return hint(errors.New(verdict), `"grouplog rebuild" makes them anew`)
}
