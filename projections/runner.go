package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// After a failure the runner tries again, at first soon and then less and less often.
const (
	firstWait = 50 * time.Millisecond
	lastWait  = 10 * time.Second
)

// gatherTime is how long events gather for a page while nobody waits for their rows. A
// page of many costs half as much an event as many pages of one, and writes less to the
// disk that the log is on. Whoever waits is not made to: the page begins at once.
const gatherTime = 50 * time.Millisecond

// run follows the log until it is told to stop. While that fails, whoever waits for
// rows is told why, and it is tried again: most of what can fail passes, such as a
// full disk, and what does not costs little. A rebuild may set things right, too.
func (v *Views) run(ctx context.Context) {
	defer close(v.done)
	poll := time.NewTicker(v.opts.Poll)
	defer poll.Stop()
	for wait := firstWait; ; {
		restarts := v.restarted()
		changed := v.log.Changed() // before reading, so that no append falls between
		err := v.pass(ctx)
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return
		}
		if err != nil && !isBusy(err) { // a log that is locked is asked again
			err = v.parkIf(ctx, err)
			known := v.Err()
			// A log that was closed first is no news, nor is the same failure again.
			if !errors.Is(err, eventstore.ErrClosed) && (known == nil || known.Error() != err.Error()) {
				v.opts.Logger.ErrorContext(ctx, "views do not follow the log", append(stackOf(err),
					"views", v.place.String(), "position", v.Position(), "error", err)...)
			}
			v.fail(err, restarts)
			select {
			case <-ctx.Done():
				return
			case <-v.resume:
			case <-time.After(wait):
			}
			wait = min(2*wait, lastWait)
			continue
		}
		if err == nil && v.Err() != nil {
			v.fail(nil, restarts)
		}
		wait = firstWait
		select {
		case <-ctx.Done():
			return
		case <-changed:
			v.gather(ctx)
		case <-v.wanted:
		case <-poll.C:
		}
	}
}

// gather waits until enough may have come for a page, or somebody waits for rows.
func (v *Views) gather(ctx context.Context) {
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-v.wanted:
	case <-timer.C:
	}
}

// want tells the runner that somebody waits.
func (v *Views) want() {
	select {
	case v.wanted <- struct{}{}:
	default:
	}
}

// pass applies what the log holds beyond the rows, page by page.
func (v *Views) pass(ctx context.Context) (err error) {
	defer func() {
		if errors.Is(err, ErrBusy) {
			err = fmt.Errorf("views %s: %w", v.place, err)
		}
	}()
	if err := v.parkedStill(ctx); err != nil {
		return err
	}
	for {
		after := v.Position() // before the head, which only grows
		head, err := v.log.Head(ctx)
		switch {
		case err != nil:
			return err
		case head < after:
			return &eventstore.DamageError{Position: head + 1, Reason: fmt.Sprintf("events up to %d were there before", after)}
		case head == after:
			return nil
		}
		many := head-after >= manyPages*eventstore.Position(v.opts.PageSize)
		if after == 0 && v.place.path != "" && many {
			err := v.begin(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			switch {
			case err == nil:
				continue
			case errors.Is(err, ErrBusy):
				return err // the rows are there, and the next pass takes them over
			}
		} // what else is wrong, a page at a time finds out, and rows are as far as they can be
		var progress func(done, total eventstore.Position)
		if many {
			progress = v.opts.Progress
		}
		if err := v.follow(ctx, after, head, progress); err != nil {
			return err
		}
	}
}

// follow applies the log after a position, until its end, or until the rows turn out
// to be somewhere else. It begins with the record that was applied last: were it another
// one now, the rows would be mixed from two histories.
func (v *Views) follow(ctx context.Context, after, head eventstore.Position, progress func(done, total eventstore.Position)) error {
	if after > 0 {
		after--
	}
	for page, err := range v.pages(ctx, after, v.opts.PageSize, nil) {
		if err != nil {
			return err
		}
		reached, err := v.applyPart(ctx, page)
		if err != nil {
			return err
		}
		if reached != page[len(page)-1].Position {
			return nil // another process is ahead, or has dropped the rows
		}
		if progress != nil {
			progress(reached, max(reached, head))
		}
	}
	return nil
}

// applyPage brings a page into the rows and tells who waits for it.
func (v *Views) applyPage(ctx context.Context, page []Event) (reached eventstore.Position, err error) {
	err = v.write(func() error {
		reached, err = v.writer.apply(ctx, page)
		if errors.Is(err, errMoved) {
			reached, err = v.writer.reached()
		}
		if err == nil {
			v.publish(reached)
		}
		return err
	})
	return reached, err
}

// CatchUp applies all that the log holds at the time of the call. With a runner, it
// waits for it.
func (v *Views) CatchUp(ctx context.Context) error {
	head, err := v.log.Head(ctx)
	if err != nil {
		return err
	}
	return v.WaitFor(ctx, head)
}

// WaitFor waits until the rows go at least up to a position, and returns at once if
// they do. It returns the context's error, ErrClosed, or why the runner has stopped.
// A position that the log does not have yet is waited for.
func (v *Views) WaitFor(ctx context.Context, position eventstore.Position) error {
	for {
		v.mu.Lock()
		reached, failure, closed, moved := v.position, v.failure, v.closed, v.moved
		v.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case reached >= position:
			return nil
		case failure != nil:
			return failure
		}
		v.want()
		var changed <-chan struct{}
		if v.opts.Manual {
			changed = v.log.Changed()
			err := v.writer.patiently(ctx, func() error {
				err := v.pass(ctx)
				if isBusy(err) && v.Position() > reached {
					return nil // it was not locked all the while: the patience begins anew
				}
				return err
			})
			if v.Position() >= position {
				return nil
			}
			if err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		case <-changed:
		}
	}
}

// Position is how far the rows go, as this process knows: all projections have
// applied the log up to there.
func (v *Views) Position() eventstore.Position {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.position
}

// Err is why rows do not follow the log at the moment; nil while they do. It is tried
// again all the while.
func (v *Views) Err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failure
}

func (v *Views) restarted() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.restarts
}

func (v *Views) publish(reached eventstore.Position) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if reached != v.position {
		v.position = reached
		v.wake()
	}
}

// fail tells why rows do not follow the log, unless that is from before a restart.
func (v *Views) fail(err error, restarts int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if restarts != v.restarts {
		return
	}
	v.failure = err
	v.wake()
}

// wake tells everybody who waits. The caller holds mu.
func (v *Views) wake() {
	close(v.moved)
	v.moved = make(chan struct{})
}
