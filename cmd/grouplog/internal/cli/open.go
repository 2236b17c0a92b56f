package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/mattn/go-sqlite3"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/overlay"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/internal/files"
)

// viewsPath is where the read models are: beside the log, as the engine would choose.
func (a *app) viewsPath() string { return files.Beside(a.db, files.Views) }

// auditPath is where the index of the audit is, if anybody has asked for it.
func (a *app) auditPath() string { return files.Beside(a.db, files.Audit) }

// refusalsPath is where attempts that rules have refused are.
func (a *app) refusalsPath() string { return files.Beside(a.db, files.Refusals) }

// derivedPath is which of the files of what is derived an error is about; empty where it
// does not say, or there is none.
func (a *app) derivedPath(err error) string {
	if err == nil {
		return ""
	}
	for _, path := range []string{a.viewsPath(), a.auditPath()} {
		if abs, failed := filepath.Abs(path); failed == nil && strings.Contains(err.Error(), abs) {
			return path
		}
	}
	return ""
}

// withRows opens the log for a question to the read models, and closes it. Where they have
// to be made first, it shows how far they are.
func (a *app) withRows(ctx context.Context, f func(*grouplog.Engine) error) error {
	var options grouplog.Options
	progress := a.progressOf("read models", &options)
	defer progress.Done()
	return a.openFor(ctx, &options, func(engine *grouplog.Engine) error {
		head, err := engine.Log().Head(ctx)
		if err == nil {
			_ = engine.WaitFor(ctx, head) // the question says what is wrong
		}
		progress.Done()
		return f(engine)
	})
}

// withEngine opens the log for what does not wait for the read models, and closes it.
func (a *app) withEngine(ctx context.Context, f func(*grouplog.Engine) error) error {
	return a.openFor(ctx, &grouplog.Options{}, f)
}

// openFor opens a log, which there must be, for reading, so that nobody who writes to it
// is in the way. Where the file of the read models cannot be written, they are made in
// memory, which takes longer.
func (a *app) openFor(ctx context.Context, options *grouplog.Options, f func(*grouplog.Engine) error) error {
	return a.withLog(ctx, func(log eventstore.Store) error {
		options.Store, options.ViewsPath = log, a.viewsPath()
		engine, err := a.openEngine(ctx, options)
		if isSQLite(err, sqlite3.ErrCantOpen, sqlite3.ErrReadonly) {
			options.ViewsPath = grouplog.Memory
			engine, err = a.openEngine(ctx, options)
		}
		return use(engine, err, f)
	})
}

// withWriter opens a log for writing, and closes it. Where there is none, one is made,
// unless the options say otherwise.
func (a *app) withWriter(ctx context.Context, options *grouplog.Options, f func(*grouplog.Engine) error) (err error) {
	options.ViewsPath = a.viewsPath()
	if options.Store == nil {
		log, err := a.openLog(ctx, &sqlite.Options{MustExist: options.MustExist})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, log.Close()) }()
		options.Store, options.MustExist = log, false
	}
	engine, err := a.openEngine(ctx, options)
	return use(engine, err, f)
}

// progressOf shows how far what is asked is, where it has to be made first.
func (a *app) progressOf(what string, options *grouplog.Options) *render.Progress {
	progress := render.NewProgress(a.talk, what, "events")
	options.Progress = func(of string, done, total eventstore.Position) {
		if of == what {
			progress.Update(int(done), float64(done)/float64(max(total, 1)))
		}
	}
	return progress
}

func (a *app) openEngine(ctx context.Context, options *grouplog.Options) (*grouplog.Engine, error) {
	options.Logger = newLogger(a.talk)
	return grouplog.Open(ctx, a.db, options)
}

func use(engine *grouplog.Engine, err error, f func(*grouplog.Engine) error) error {
	if err != nil {
		return err
	}
	return errors.Join(f(engine), engine.Close())
}

// withLog opens the log alone, for reading, and closes it.
func (a *app) withLog(ctx context.Context, f func(eventstore.Store) error) (err error) {
	log, err := a.openLog(ctx, &sqlite.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	return f(log)
}

// withPlan gives a handler whose commands have the effect that they would have on the
// log, and leave it as it is. Where there is no log, none is made.
func (a *app) withPlan(ctx context.Context, f func(*commands.Handler, eventstore.Store) error) error {
	err := a.withLog(ctx, func(log eventstore.Store) error { return planOn(ctx, log, f) })
	if errors.Is(err, errNoLog) {
		return planOn(ctx, memory.New(), f)
	}
	return err
}

func planOn(ctx context.Context, log eventstore.Store, f func(*commands.Handler, eventstore.Store) error) (err error) {
	plan, err := overlay.New(ctx, log)
	if err != nil {
		return err
	}
	handler, err := commands.NewHandler(ctx, commands.Config{
		Store: plan, Policies: domain.Classic(), Random: func() string { return "assigned-when-it-is-done-0" },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, handler.Close(), plan.Close()) }()
	return f(handler, plan)
}
