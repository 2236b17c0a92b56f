package notify

import (
	"errors"
	"time"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/consumers"
)

// overdue is the hold that is due for longest, or nil.
func (c *courier) overdue() *consumers.Hold {
	next := c.nextDue()
	if next == nil || c.until(next) > 0 {
		return nil
	}
	return next
}

// until is how long a hold waits. If that is longer than anything waits, the clock has
// been set back, and it is due.
func (c *courier) until(h *consumers.Hold) time.Duration {
	if d := time.Until(h.Due); d <= c.options.most {
		return max(d, 0)
	}
	return 0
}

func (c *courier) nextDue() (next *consumers.Hold) {
	for _, h := range c.Holds {
		if !h.Parked() && (next == nil || h.Due.Before(next.Due) || h.Due.Equal(next.Due) && h.Before(next.Place)) {
			next = &h
		}
	}
	return next
}

// due is when something that is held is to be tried again.
func (c *courier) due() <-chan time.Time {
	next := c.nextDue()
	if next == nil {
		return nil
	}
	return time.After(c.until(next))
}

// retry tries what is held and due for longest, and, if it can be handled, what the group
// has missed, up to the cursor; then the group is not held any more. It reports whether
// there was something to do.
func (c *courier) retry() (did bool, err error) {
	due := c.overdue()
	if due == nil {
		return false, nil
	}
	if !c.options.wantsStream(due.Stream) { // any more
		return true, c.drop(due.Stream)
	}
	b := backlog{courier: c, hold: *due}
	for record, err := range c.source.Log.ReadStream(c.ctx, due.Stream, due.Version-1) {
		if err != nil {
			return true, err
		}
		if !(consumers.Place{Position: record.Position}).Before(c.Cursor) {
			break
		}
		if ended, err := b.tell(&record); ended || err != nil {
			return true, err
		}
	}
	return true, c.drop(due.Stream)
}

// drop ends a hold, and stores the cursor with that: the group is handled up to there.
func (c *courier) drop(stream string) error {
	delete(c.Holds, stream)
	c.touched[stream], c.unsaved = true, true
	return c.save()
}

// backlog is a group that is held and what it has missed.
type backlog struct {
	*courier
	hold consumers.Hold
	told int
}

// tell tells what one record gives rise to. It has ended where that failed, or others
// are to have their turn.
func (b *backlog) tell(record *eventstore.Record) (ended bool, err error) {
	failure := b.side.step(b.ctx, *record, func(n Notification, a Audience) {
		at := consumers.Place{Position: n.Position, Index: n.index}
		if err != nil || ended || at.Before(b.hold.Place) || !at.Before(b.Cursor) || !b.options.wants(&n, a) {
			return
		}
		if at != b.hold.Place {
			b.move(at, record.Version)
		}
		b.told++
		ended, err = b.attempt(n, a)
	})
	if failure != nil || err != nil || ended {
		return ended, errors.Join(failure, err)
	}
	b.move(consumers.After(record.Position), record.Version)
	if b.told < turn {
		return false, nil
	}
	b.hold.Due = time.Now() // behind the others that are due
	b.put()
	return true, nil
}

// move goes on to another place of the group, which has not been begun.
func (b *backlog) move(to consumers.Place, version eventstore.Version) {
	b.hold.Place, b.hold.Version, b.hold.Attempts, b.hold.Forgiven, b.hold.Error = to, version, 0, 0, ""
	b.put()
}

func (b *backlog) put() {
	b.Holds[b.hold.Stream], b.touched[b.hold.Stream], b.unsaved = b.hold, true, true
}

// attempt tells one notification of the group. It fails, and the group stays held, or an
// error says that the listener as a whole cannot go on.
func (b *backlog) attempt(n Notification, a Audience) (failed bool, err error) {
	h := &b.hold
	if err := b.ctx.Err(); err != nil {
		return true, err
	}
	if b.exhausted(h) {
		b.courier.hold(h, errors.New("the process ended while it was handled, each time"))
		return true, b.save()
	}
	h.Attempts++
	b.put()
	if err := b.save(); err != nil {
		h.Attempts--
		b.put()
		return true, err
	}
	failure, spared := b.call(n, a, h.Stream, h.Attempts)
	switch {
	case spared:
		h.Attempts--
		b.put()
		return true, b.spare(failure)
	case failure != nil:
		b.courier.hold(h, failure)
		return true, b.save()
	}
	b.move(h.Next(), h.Version)
	return false, nil
}
