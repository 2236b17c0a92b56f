package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/consumers"
)

// MaxHeld is how many groups a durable listener leaves behind. Beyond, it waits as a
// whole, until some have been handled or discarded: what fails is then more likely the
// receiver than so many groups.
const MaxHeld = 1_000

const (
	turn  = 64    // notifications that are told of one group that was held, before others have their turn
	stale = 1_000 // records that may pass before the position is stored although nothing is told
)

// courier tells the handler while the listener is active. It alone changes the progress,
// but for verbs of an operator, which it takes over when it notices.
//
// Before each call it stores, in one write, what it is about to tell and how often that
// has been begun. So whatever ends the process, the attempt is counted, and everything
// before it is acknowledged.
type courier struct {
	*Listening
	consumer *consumers.Consumer
	main     *deriver // at the cursor
	side     *deriver // of groups that are held

	consumers.Progress
	record   *eventstore.Record // at the cursor; nil: as it was stored
	unsaved  bool
	touched  map[string]bool // streams whose holds are to be stored
	passed   int             // records since the progress was stored
	failures int             // in a row, of the listener as a whole
}

func newCourier(l *Listening, consumer *consumers.Consumer) *courier {
	c := &courier{Listening: l, consumer: consumer}
	c.take()
	return c
}

// take goes on from what is stored.
func (c *courier) take() {
	c.Progress, c.record, c.unsaved, c.touched, c.passed = c.consumer.Progress(), nil, false, map[string]bool{}, 0
	c.main, c.side = newDeriver(c.source.Log, c.source.Policies), newDeriver(c.source.Log, c.source.Policies)
}

// serve tells until the listening ends, or the name is lost.
func (c *courier) serve() error {
	tick := time.NewTicker(c.source.Poll)
	defer tick.Stop()
	for {
		changed := c.source.Log.Changed() // before reading, so that no append falls between
		err := c.round()
		if err == nil {
			c.failures = 0
			c.report(c.full())
			err = c.rest(changed, c.due(), tick.C)
		} else if !lost(err) && !errors.Is(err, consumers.ErrChanged) && c.ctx.Err() == nil {
			c.failures++
			c.report(err)
			err = c.rest(nil, time.After(c.options.backoff(c.failures)), tick.C)
		}
		if errors.Is(err, consumers.ErrChanged) {
			c.take()
		}
		switch {
		case c.ctx.Err() != nil:
			return c.save()
		case lost(err):
			return err
		}
	}
}

// lost reports whether the consumer is of no use any more.
func lost(err error) bool {
	return errors.Is(err, consumers.ErrReleased) || errors.Is(err, consumers.ErrRestored)
}

// rest waits until there may be something to do. It looks from time to time whether
// somebody has changed the consumer, and says so with ErrChanged.
func (c *courier) rest(changed <-chan struct{}, due, tick <-chan time.Time) error {
	for {
		select {
		case <-changed:
			return nil
		case <-due:
			return nil
		case <-c.ctx.Done():
			return nil
		case <-tick:
		}
		edited, err := c.consumer.Refresh(c.ctx)
		switch {
		case edited && err == nil:
			return consumers.ErrChanged
		case lost(err):
			return err
		case changed != nil:
			return nil // look at the log, too
		}
	}
}

// full says that the listener waits because too much is held.
func (c *courier) full() error {
	if len(c.Holds) < MaxHeld {
		return nil
	}
	return fmt.Errorf("%d groups are held: the listener waits until some are handled or discarded", len(c.Holds))
}

// round tells everything there is to tell: of what is held and due, and of what follows,
// by turns.
func (c *courier) round() error {
	for more := true; more; {
		held, err := c.retry()
		if err != nil {
			return err
		}
		on, err := c.pursue()
		if err != nil {
			return err
		}
		more = held || on
	}
	if err := c.save(); err != nil {
		return err
	}
	c.progressed()
	return nil
}

// pursue tells what follows the cursor, and reports whether it has stopped before the
// end because something that is held is due.
func (c *courier) pursue() (more bool, err error) {
	told, seen := 0, 0
	for record, err := range c.source.Log.ReadAll(c.ctx, c.Cursor.Done()) {
		if err != nil {
			return false, err
		}
		if len(c.Holds) >= MaxHeld {
			return false, nil
		}
		if c.Cursor.Position < record.Position {
			c.advance(consumers.Place{Position: record.Position}, &record)
		}
		if c.options.wantsStream(record.Stream) {
			n, err := c.tell(&record)
			if err != nil {
				return false, err
			}
			told += n
		}
		c.advance(consumers.After(record.Position), &record)
		if c.passed++; c.passed >= stale {
			if err := c.save(); err != nil {
				return false, err
			}
		}
		if seen++; told >= turn || seen >= stale {
			if told, seen = 0, 0; c.overdue() != nil {
				return true, nil
			}
		}
	}
	return false, nil
}

// advance moves the cursor. What stands there has not been begun.
func (c *courier) advance(to consumers.Place, record *eventstore.Record) {
	c.Cursor, c.Attempts, c.unsaved = to, 0, true
	if record != nil {
		c.record = record
	}
}

// tell tells what one record gives rise to, and says how much that was.
func (c *courier) tell(record *eventstore.Record) (told int, err error) {
	failure := c.main.step(c.ctx, *record, func(n Notification, a Audience) {
		at := consumers.Place{Position: n.Position, Index: n.index}
		if _, held := c.Holds[record.Stream]; err != nil || held || at.Before(c.Cursor) || !c.options.wants(&n, a) {
			return
		}
		if at != c.Cursor {
			c.advance(at, nil)
		}
		told++
		err = c.attempt(record, n, a)
	})
	return told, errors.Join(failure, err)
}

// attempt tells one notification, and holds its group where that fails. An error means
// that the listener as a whole cannot go on; the cursor stands before the notification.
func (c *courier) attempt(record *eventstore.Record, n Notification, a Audience) error {
	h := consumers.Hold{Place: c.Cursor, Stream: record.Stream, Version: record.Version, Attempts: c.Attempts, Since: time.Now()}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if c.exhausted(&h) {
		c.hold(&h, errors.New("the process ended while it was handled, each time"))
		c.advance(c.Cursor.Next(), nil)
		return c.save()
	}
	c.Attempts++
	h.Attempts, c.unsaved = c.Attempts, true
	if err := c.save(); err != nil {
		c.Attempts--
		return err
	}
	failure, spared := c.call(n, a, record.Stream, c.Attempts)
	switch {
	case spared:
		c.Attempts--
		c.unsaved = true
		return c.spare(failure)
	case failure != nil:
		c.hold(&h, failure)
		c.advance(c.Cursor.Next(), nil)
		return c.save()
	}
	c.advance(c.Cursor.Next(), nil)
	return nil
}

// exhausted reports whether something was begun as often as it may be.
func (c *courier) exhausted(h *consumers.Hold) bool {
	return h.Attempts-h.Forgiven >= c.options.attempts
}

// spare stores that an attempt does not count, also where the listening ends.
func (c *courier) spare(failure error) error {
	if errors.Is(failure, ErrUnavailable) {
		c.Trouble = consumers.Trouble{Text: failure.Error(), At: time.Now()}
	}
	return errors.Join(failure, c.save())
}

// hold leaves a group behind, after a failure: to be tried again after a while, or not
// any more.
func (c *courier) hold(h *consumers.Hold, failure error) {
	h.Error, h.Due = failure.Error(), time.Time{}
	if !c.exhausted(h) {
		h.Due = time.Now().Add(c.options.backoff(h.Attempts - h.Forgiven))
	} else {
		c.source.Logger.Error("a notification is parked, and what follows in its group waits",
			"stream", h.Stream, "notification", notificationID(h.Position, h.Index), "attempts", h.Attempts, "error", failure)
	}
	c.Trouble = consumers.Trouble{Text: h.Error, At: time.Now()}
	c.Holds[h.Stream], c.touched[h.Stream], c.unsaved = *h, true, true
}

// call calls the handler. The attempt is to be spared where the receiver is unavailable,
// or the listening ends and the handler says that it has not done its work.
func (c *courier) call(n Notification, a Audience, stream string, attempt int) (failure error, spared bool) {
	d := Delivery{Notification: n, Attempt: attempt, Occasion: First, audience: a}
	switch {
	case c.Told(stream, consumers.Place{Position: n.Position, Index: n.index}):
		d.Occasion = Replay
	case attempt > 1:
		d.Occasion = Retry
	}
	panicked := true
	func() {
		defer func() {
			if p := recover(); p != nil {
				failure = fmt.Errorf("the handler panicked: %v", p)
				c.source.Logger.Error("the handler of a durable listener panicked", "notification", n.ID, "kind", string(n.Kind),
					"panic", p, "stack", string(debug.Stack()))
			}
		}()
		failure = c.handler(c.calls, d)
		panicked = false
	}()
	return failure, failure != nil && !panicked && (errors.Is(failure, ErrUnavailable) || c.calls.Err() != nil)
}

// save stores the progress, if it is not. It does so also when the listening has ended.
func (c *courier) save() error {
	if !c.unsaved {
		return nil
	}
	step := consumers.Step{Cursor: c.Cursor, Attempts: c.Attempts, Record: c.record, Trouble: c.Trouble}
	for _, stream := range slices.Sorted(maps.Keys(c.touched)) {
		if h, ok := c.Holds[stream]; ok {
			step.Put = append(step.Put, h)
		} else {
			step.Drop = append(step.Drop, stream)
		}
	}
	if err := c.consumer.Advance(context.WithoutCancel(c.ctx), step); err != nil {
		return err
	}
	c.unsaved, c.passed = false, 0
	clear(c.touched)
	c.progressed()
	return nil
}

// progressed says how far the listener has come, unless something that is due waits.
func (c *courier) progressed() {
	if c.overdue() == nil {
		c.publish(c.Cursor.Done())
	}
}
