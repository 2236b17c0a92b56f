package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/mattn/go-sqlite3"

	"github.com/grouplog/grouplog/eventstore"
)

// ParkedError says that a projection has failed at an event, and that its rows stay as
// they are before it: see Options.Park.
type ParkedError struct {
	Projection string              `json:"projection"`
	Version    int                 `json:"version"`
	Position   eventstore.Position `json:"position"` // of the event at which it failed
	Reason     string              `json:"reason"`
	stack      []byte
}

func (e *ParkedError) Error() string {
	return fmt.Sprintf("projection %s, version %d, is parked at position %d of the log: %s; correct it and raise its version, or try again",
		e.Projection, e.Version, e.Position, e.Reason)
}

// applyError is a page that a projection could not apply.
type applyError struct {
	projection  Projection
	first, last eventstore.Position
	err         error
}

func (e *applyError) Error() string {
	return fmt.Sprintf("projection %s, positions %d to %d: %v", e.projection.Name(), e.first, e.last, e.err)
}

func (e *applyError) Unwrap() error { return e.err }

// panicError is a panic of a projection.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// guarded runs a projection's code, and makes an error of its panic.
func guarded(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value, debug.Stack()}
		}
	}()
	return f()
}

// stackOf is where a projection panicked, for the logger.
func stackOf(err error) []any {
	var panicked *panicError
	var parked *ParkedError
	switch {
	case errors.As(err, &panicked):
		return []any{"stack", string(panicked.stack)}
	case errors.As(err, &parked) && len(parked.stack) > 0:
		return []any{"stack", string(parked.stack)}
	}
	return nil
}

// blamed is the failure of a projection, nil if it is none of its fault: what has to do
// with the disk, the memory or a context passes without it.
func blamed(err error) *applyError {
	var failed *applyError
	if !errors.As(err, &failed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	var failure sqlite3.Error
	if errors.As(err, &failure) {
		switch failure.Code {
		case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrNomem, sqlite3.ErrReadonly, sqlite3.ErrInterrupt,
			sqlite3.ErrIoErr, sqlite3.ErrCorrupt, sqlite3.ErrFull, sqlite3.ErrCantOpen, sqlite3.ErrNotADB:
			return nil
		}
	}
	return failed
}

// applyPart is applyPage, and where rows are parked, it takes a page that fails apart, so
// that they come to stand right before the event at which it does.
func (v *Views) applyPart(ctx context.Context, page []Event) (reached eventstore.Position, err error) {
	reached, err = v.applyPage(ctx, page)
	if !v.opts.Park || len(page) == 1 || blamed(err) == nil {
		return reached, err
	}
	half := len(page) / 2
	reached, err = v.applyPart(ctx, page[:half])
	if err != nil || reached != page[half-1].Position {
		return reached, err
	}
	return v.applyPart(ctx, page[half:])
}

// parkIf parks the rows if a projection is to blame for a failure, and returns what is to
// be told of it.
func (v *Views) parkIf(ctx context.Context, failure error) error {
	failed := blamed(failure)
	if !v.opts.Park || failed == nil || failed.first != failed.last {
		return failure
	}
	parked := &ParkedError{
		Projection: failed.projection.Name(), Version: failed.projection.Version(), Position: failed.first, Reason: failed.err.Error(),
	}
	var panicked *panicError
	if errors.As(failed.err, &panicked) {
		parked.stack = panicked.stack
	}
	err := v.write(func() error {
		return v.writer.transact(ctx, func() error {
			return v.writer.exec("INSERT OR REPLACE INTO projection_parked (name, version, position, reason) VALUES (?, ?, ?, ?)",
				parked.Projection, parked.Version, uint64(parked.Position), parked.Reason)
		})
	})
	if err != nil {
		return errors.Join(failure, fmt.Errorf("park projection %s: %w", parked.Projection, err))
	}
	v.setParked(true)
	return parked
}

func (v *Views) setParked(parked bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.parked = parked
}

// parkedStill is why the rows are parked; nil if they are not. Another process, or a
// rebuild, may have ended it.
func (v *Views) parkedStill(ctx context.Context) error {
	v.mu.Lock()
	parked := v.parked
	v.mu.Unlock()
	if !parked || !v.opts.Park {
		return nil
	}
	var e ParkedError
	err := v.Read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT name, version, position, reason FROM projection_parked LIMIT 1").
			Scan(&e.Projection, &e.Version, &e.Position, &e.Reason)
	})
	if errors.Is(err, sql.ErrNoRows) {
		v.setParked(false)
		return nil
	}
	if err != nil {
		return err
	}
	return &e
}

// anyParked reports whether the rows of the file are parked.
func (w *writer) anyParked() (parked bool, err error) {
	err = w.queryRow("SELECT EXISTS (SELECT 1 FROM projection_parked)").Scan(&parked)
	return parked, err
}

// Retry has parked rows go on from the event at which their projection failed. If it fails
// again, they are parked again. It returns at once: WaitFor says what came of it.
func (v *Views) Retry(ctx context.Context) error {
	err := v.write(func() error {
		return v.writer.transact(ctx, func() error { return v.writer.exec("DELETE FROM projection_parked") })
	})
	if err != nil {
		return fmt.Errorf("retry views %s: %w", v.place, err)
	}
	v.restart(v.Position())
	return nil
}
