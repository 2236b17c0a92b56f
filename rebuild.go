package grouplog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// Rebuild derives all that is derived anew from the whole log, while commands and queries
// go on, and then takes it in place of the old rows, one file after the other: the read
// models, the index of the audit where there is one, and the projections of
// Options.Projections. It calls progress, where that is not nil, from time to time; done
// and total count every event once for each file. One that is interrupted goes on with
// the next call, which begins with the first file again.
//
// Options.Logger is warned where the old rows were not what the log gives.
//
// A projection of Options.Projections that fails keeps its old rows. That does not keep
// the others from being rebuilt, and Rebuild returns its error after that.
func (e *Engine) Rebuild(ctx context.Context, progress func(done, total eventstore.Position)) error {
	_, err := e.RebuildReport(ctx, progress)
	return err
}

// RebuildReport is Rebuild, and tells of each file, the read models' first, whether the old
// rows were those that the log gives, with a digest for each projection.
func (e *Engine) RebuildReport(ctx context.Context, progress func(done, total eventstore.Position)) ([]projections.Rebuilt, error) {
	all, err := e.derived(ctx)
	if err != nil {
		return nil, err
	}
	var reports []projections.Rebuilt
	var failures []error
	for i, views := range all {
		report, err := views.RebuildReport(ctx, share(progress, i, len(all)))
		if err != nil {
			failures = append(failures, closedAs(err))
			if i < len(all)-len(e.own) || ctx.Err() != nil || errors.Is(err, projections.ErrClosed) {
				break
			}
			continue
		}
		reports = append(reports, report)
	}
	return reports, errors.Join(failures...)
}

// derived are the files of all that is derived from the log, the embedder's last.
func (e *Engine) derived(ctx context.Context) ([]*projections.Views, error) {
	all := []*projections.Views{e.views}
	index, err := e.audit.made(ctx, e)
	if err != nil {
		return nil, err
	}
	if index != nil {
		all = append(all, index)
	}
	for _, own := range e.own {
		all = append(all, own.views)
	}
	return all, nil
}

// made is the index of the audit if somebody has asked for it, now or in another process;
// nil if nobody has.
func (a *auditing) made(ctx context.Context, e *Engine) (*projections.Views, error) {
	a.mu.Lock()
	open := a.views != nil
	a.mu.Unlock()
	if !open {
		if a.path == Memory {
			return nil, nil
		}
		if _, err := os.Stat(a.path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		} else if err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
	}
	return a.index(ctx, e)
}

// share is progress as one of several parts has it.
func share(progress func(done, total eventstore.Position), part, parts int) func(done, total eventstore.Position) {
	if progress == nil {
		return nil
	}
	return func(done, total eventstore.Position) {
		progress(eventstore.Position(part)*total+done, eventstore.Position(parts)*total)
	}
}
