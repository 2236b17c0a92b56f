package consumers

import (
	"context"
	"fmt"

	"github.com/grouplog/grouplog/eventstore"
)

// Consumer is the active consumer of its name. It is not safe for concurrent use.
type Consumer struct {
	registry *Registry
	name     string
	progress Progress // as it is stored
	unseen   bool     // progress is somebody else's, and the caller does not know it yet
	tenure   tenure   // nil: released
}

// Name is the consumer's name.
func (c *Consumer) Name() string { return c.name }

// Position is the last position that has been handled.
func (c *Consumer) Position() eventstore.Position {
	c.unseen = false
	return c.progress.Cursor.Done()
}

// Progress is how far the consumer has come, as it is stored. It is the caller's to
// change.
func (c *Consumer) Progress() Progress {
	c.unseen = false
	return c.progress.clone()
}

// Save stores that everything up to a position has been handled. It never moves back:
// an earlier position does nothing. The error is ErrChanged where somebody has reset the
// consumer meanwhile: go on from Position, which is what they have made it.
func (c *Consumer) Save(ctx context.Context, position eventstore.Position) error {
	if position <= c.progress.Cursor.Done() {
		changed, err := c.Refresh(ctx)
		if changed && err == nil {
			err = c.changed()
		}
		return err
	}
	return c.Advance(ctx, Step{Cursor: After(position)})
}

// Advance stores a step. The error is ErrChanged where somebody else has changed the
// consumer: nothing was stored, nor will be until the caller has asked for Progress or
// Position, which are theirs. It is ErrReleased where another consumer of the name has
// become active. After any other error the step may be stored all the same: the next one
// must have in it what this one had.
func (c *Consumer) Advance(ctx context.Context, s Step) error {
	record := c.progress.record
	if s.Cursor.Position != c.progress.Cursor.Position {
		var err error
		if s.Record != nil {
			record = s.Record.Fingerprint()
		} else if record, err = c.registry.fingerprint(ctx, s.Cursor.Position); err != nil {
			return fmt.Errorf("move consumer %q to position %d: %w", c.name, s.Cursor.Position, err)
		}
	}
	return c.write(ctx, s, record)
}

// write stores a step, provided that the consumer is as this process knows it.
func (c *Consumer) write(ctx context.Context, s Step, record []byte) error {
	switch {
	case c.tenure == nil:
		return c.released()
	case c.unseen:
		return c.changed()
	}
	changed, err := c.tenure.store(ctx, &c.progress, &s, record)
	switch {
	case err != nil:
		return fmt.Errorf("store the progress of consumer %q: %w", c.name, err)
	case changed:
		if err := c.reload(ctx); err != nil {
			return err
		}
		return c.changed()
	}
	return nil
}

func (c *Consumer) changed() error { return fmt.Errorf("consumer %q: %w", c.name, ErrChanged) }

func (c *Consumer) released() error {
	return fmt.Errorf("consumer %q: %w: it was released", c.name, ErrReleased)
}

// Refresh reports whether somebody else has changed the consumer since the caller has
// asked for Progress or Position. Then these are theirs. The error is ErrReleased where
// another consumer of the name has become active.
func (c *Consumer) Refresh(ctx context.Context) (changed bool, err error) {
	if c.tenure == nil {
		return false, c.released()
	}
	changed, err = c.tenure.look(ctx)
	if err != nil {
		return false, fmt.Errorf("look at consumer %q: %w", c.name, err)
	}
	if !changed {
		return c.unseen, nil
	}
	return true, c.reload(ctx)
}

// reload takes over what somebody else has made of the consumer.
func (c *Consumer) reload(ctx context.Context) error {
	progress, err := c.tenure.load(ctx)
	if err != nil {
		return fmt.Errorf("consumer %q: %w", c.name, err)
	}
	if err := c.registry.check(ctx, c.name, &progress); err != nil {
		return err
	}
	c.progress, c.unseen = progress, true
	return nil
}

// Release lets another consumer of the name become active. It stores no progress. Calling
// it again does nothing.
func (c *Consumer) Release() error {
	t := c.tenure
	if t == nil {
		return nil
	}
	c.tenure = nil
	if err := t.end(); err != nil {
		return fmt.Errorf("release consumer %q: %w", c.name, err)
	}
	return nil
}
