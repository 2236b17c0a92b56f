package grouplog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/files"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// ErrUnknownProjection: no projection of the engine has the name.
var ErrUnknownProjection = errors.New("no such projection")

// ownViews is a projection of the embedder's, in a file of its own: whatever becomes of
// it, nothing else waits.
type ownViews struct {
	name  string
	views *projections.Views
}

// ownName is what the name of a projection may be, for it is part of a file's.
var ownName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// builtIn are the names of the engine's own projections.
var builtIn = []string{groupview.New().Name(), "audit"}

// checkOwn reports every mistake in the projections of an embedder.
func checkOwn(own []projections.Projection) error {
	if len(own) == 0 {
		return nil
	}
	var mistakes []error
	if err := (&projections.Options{Projections: own}).Validate(); err != nil {
		mistakes = append(mistakes, err)
	}
	for i, p := range own {
		switch {
		case p == nil || p.Name() == "": // said already
		case slices.Contains(builtIn, p.Name()):
			mistakes = append(mistakes, fmt.Errorf("Projections[%d] has the name %q, which is one of the engine's: give another", i, p.Name()))
		case !ownName.MatchString(p.Name()):
			mistakes = append(mistakes, fmt.Errorf("Projections[%d] has the name %q, which cannot be part of a file's name: use up to 40 of a-z, 0-9 and _, a letter first", i, p.Name()))
		}
	}
	return errors.Join(mistakes...)
}

// openOwn opens the embedder's projections.
func (e *Engine) openOwn(ctx context.Context, path string) error {
	o := &e.options
	for _, p := range o.Projections {
		views, err := projections.Open(ctx, o.ownPath(path, p.Name()), e.log, &projections.Options{
			Projections: []projections.Projection{p}, Poll: o.Poll, Logger: o.Logger, Progress: o.progressOf(p.Name()), Park: true,
		})
		if err != nil {
			return fmt.Errorf("projection %s: %w", p.Name(), err)
		}
		e.own = append(e.own, ownViews{p.Name(), views})
	}
	return nil
}

// Read asks a projection of Options.Projections. fn sees one state of its rows, with the
// effect of every command that has been answered by this engine; it cannot change them,
// and should not take long. It waits while the projection is filled for the first time,
// or anew for a new version.
//
// If the projection is parked, the error is a *projections.ParkedError. An unknown name is
// an ErrUnknownProjection.
func (e *Engine) Read(ctx context.Context, name string, fn func(tx *sql.Tx) error) error {
	views, err := e.ownViews(name)
	if err != nil {
		return err
	}
	if err := views.WaitFor(ctx, e.handler.Position()); err != nil {
		return closedAs(err)
	}
	return closedAs(views.Read(ctx, fn))
}

// closedAs is an error in the words of the engine.
func closedAs(err error) error {
	if errors.Is(err, projections.ErrClosed) {
		return ErrClosed
	}
	return err
}

// Projections tells how far each projection has come, the engine's own first, and what is
// the matter with those that do not follow the log.
func (e *Engine) Projections(ctx context.Context) ([]projections.Status, error) {
	all, err := e.views.Status(ctx)
	for _, own := range e.own {
		if err != nil {
			break
		}
		var status []projections.Status
		status, err = own.views.Status(ctx)
		all = append(all, status...)
	}
	if err != nil {
		return nil, closedAs(err)
	}
	return all, nil
}

// RetryProjection has a parked projection of Options.Projections try again, from the event
// at which it failed. It returns at once.
func (e *Engine) RetryProjection(ctx context.Context, name string) error {
	views, err := e.ownViews(name)
	if err != nil {
		return err
	}
	return closedAs(views.Retry(ctx))
}

// RebuildProjection makes the rows of a projection of Options.Projections anew, as Rebuild
// does those of the engine. It ends a parking, if the projection does not fail again.
func (e *Engine) RebuildProjection(ctx context.Context, name string, progress func(done, total eventstore.Position)) error {
	views, err := e.ownViews(name)
	if err != nil {
		return err
	}
	return closedAs(views.Rebuild(ctx, progress))
}

func (e *Engine) ownViews(name string) (*projections.Views, error) {
	for _, own := range e.own {
		if own.name == name {
			return own.views, nil
		}
	}
	names := "none is"
	if len(e.own) > 0 {
		list := make([]string, len(e.own))
		for i, own := range e.own {
			list[i] = own.name
		}
		names = strings.Join(list, ", ")
	}
	return nil, fmt.Errorf("%w as %q in Options.Projections (%s)", ErrUnknownProjection, name, names)
}

// ownPath is where the rows of an embedder's projection are kept.
func (o *Options) ownPath(logPath, name string) string {
	if o.ViewsPath != "" {
		logPath = o.ViewsPath
	}
	if logPath == Memory || logPath == "" {
		return Memory
	}
	return files.Own(logPath, name)
}
