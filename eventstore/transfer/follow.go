package transfer

import (
	"context"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// How long Follow waits after an error that may pass, the first time and at most.
const (
	firstPause = 250 * time.Millisecond
	maxPause   = 30 * time.Second
)

// Follow copies as Copy does, goes on with what is appended to the source, and compares
// what it has written each time: an archive that is kept up to date. It ends with its
// context, whose error it returns, or with an error that will not pass: the logs differ,
// one of them is damaged or closed. Others it reports and tries again, with back-off.
//
// Records come with the outcomes of their commands. Outcomes without events, of commands
// that were refused or had nothing to do, are in no order that could be followed: all
// outcomes are gone through when Follow begins, and again when that takes less than a
// hundredth of the time.
func Follow(ctx context.Context, from, to eventstore.Store, opts *Options) (Report, error) {
	c, err := newCopier(ctx, from, to, opts)
	if err != nil {
		return c.report, c.about(err)
	}
	if c.options.Poll <= 0 {
		c.options.Poll = eventstore.DefaultPoll
	}
	for pause := firstPause; ; {
		changed := from.Changed() // before reading, so that no append falls between
		wait := c.options.Poll
		err := c.round(ctx)
		switch {
		case ctx.Err() != nil:
			return c.report, c.about(ctx.Err())
		case isLasting(err):
			return c.report, c.about(err)
		case err != nil:
			if c.options.Trouble != nil {
				c.options.Trouble(c.about(err), pause)
			}
			changed, wait = nil, pause
			pause = min(2*pause, maxPause)
		default:
			pause = firstPause
		}
		select {
		case <-changed:
		case <-time.After(wait):
		case <-ctx.Done():
			return c.report, c.about(ctx.Err())
		}
	}
}

// round copies what is new, and goes through the outcomes where that is due.
func (c *copier) round(ctx context.Context) error {
	before := c.report
	head, err := c.allRecords(ctx)
	if err != nil {
		return err
	}
	if start := time.Now(); start.After(c.due) {
		if err := c.allOutcomes(ctx, head); err != nil {
			return err
		}
		c.due = time.Now().Add(100 * time.Since(start))
	}
	if c.options.CaughtUp != nil && c.report != before {
		c.options.CaughtUp(c.report)
	}
	return nil
}
