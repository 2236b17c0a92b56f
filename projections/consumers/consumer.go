package consumers

import (
	"context"
	"database/sql"
	"fmt"
	"maps"

	"github.com/grouplog/grouplog/eventstore"
)

// Consumer is the active consumer of its name. It is not safe for concurrent use.
type Consumer struct {
	registry *Registry
	name     string
	progress Progress // as it is in the file
	stamp    stamp
	unseen   bool // progress is somebody else's, and the caller does not know it yet
	unlock   func() error
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
	p := c.progress
	p.Holds = maps.Clone(p.Holds)
	return p
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

// Step is one change of a Progress: all of it is stored, or nothing.
type Step struct {
	Cursor   Place
	Attempts int
	Record   *eventstore.Record // at the cursor; where nil, it is read from the log
	Put      []Hold
	Drop     []string // streams that are not held any more
	Trouble  Trouble
}

// Advance stores a step. The error is ErrChanged where somebody else has changed the
// consumer: nothing was stored, nor will be until the caller has asked for Progress or
// Position, which are theirs.
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
	case c.unlock == nil:
		return fmt.Errorf("consumer %q: %w: it was released", c.name, ErrReleased)
	case c.unseen:
		return c.changed()
	}
	changed, err := c.store(ctx, s, record)
	switch {
	case err != nil:
		return fmt.Errorf("store the progress of consumer %q: %w", c.name, err)
	case changed:
		if err := c.reload(ctx); err != nil {
			return err
		}
		return c.changed()
	}
	c.progress.Cursor, c.progress.Attempts, c.progress.record, c.progress.Trouble = s.Cursor, s.Attempts, record, s.Trouble
	for _, h := range s.Put {
		c.progress.Holds[h.Stream] = h
	}
	for _, stream := range s.Drop {
		delete(c.progress.Holds, stream)
	}
	return nil
}

// store writes a step, or reports that somebody else has changed the consumer. Most steps
// move the cursor and nothing else: one statement, which is a transaction by itself.
func (c *Consumer) store(ctx context.Context, s Step, record []byte) (changed bool, err error) {
	db := c.registry.db
	if len(s.Put) == 0 && len(s.Drop) == 0 {
		return c.move(ctx, db, s, record)
	}
	err = transact(ctx, db, func(tx *sql.Tx) error {
		if changed, err = c.move(ctx, tx, s, record); changed || err != nil {
			return err
		}
		for i := range s.Put {
			if err := putHold(ctx, tx, c.name, &s.Put[i]); err != nil {
				return err
			}
		}
		for _, stream := range s.Drop {
			if _, err := tx.ExecContext(ctx, "DELETE FROM consumer_holds WHERE consumer = ? AND stream = ?", c.name, stream); err != nil {
				return err
			}
		}
		return nil
	})
	return changed, err
}

// move writes where the cursor is.
func (c *Consumer) move(ctx context.Context, to execer, s Step, record []byte) (changed bool, err error) {
	result, err := to.ExecContext(ctx, `UPDATE consumers SET position = ?, place = ?, record = ?, attempts = ?, trouble = ?, trouble_at = ?
		WHERE name = ? AND tenure = ? AND edits = ?`,
		uint64(s.Cursor.Position), s.Cursor.Index, record, s.Attempts, s.Trouble.Text, microsOf(s.Trouble.At),
		c.name, c.stamp.tenure, c.stamp.edits)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 0, err
}

func (c *Consumer) changed() error { return fmt.Errorf("consumer %q: %w", c.name, ErrChanged) }

// Refresh reports whether somebody else has changed the consumer since the caller has
// asked for Progress or Position. Then these are theirs.
func (c *Consumer) Refresh(ctx context.Context) (changed bool, err error) {
	var now stamp
	err = c.registry.db.QueryRowContext(ctx, "SELECT tenure, edits FROM consumers WHERE name = ?", c.name).Scan(&now.tenure, &now.edits)
	if err != nil {
		return false, fmt.Errorf("look at consumer %q: %w", c.name, err)
	}
	if now == c.stamp {
		return c.unseen, nil
	}
	return true, c.reload(ctx)
}

// reload takes over what somebody else has made of the consumer.
func (c *Consumer) reload(ctx context.Context) error {
	progress, now, err := c.registry.find(ctx, c.registry.db, c.name)
	if err != nil {
		return err
	}
	if now.tenure != c.stamp.tenure {
		return fmt.Errorf("consumer %q: %w: another one is; has the directory of the locks been deleted?", c.name, ErrReleased)
	}
	if err := c.registry.check(ctx, c.name, &progress); err != nil {
		return err
	}
	c.progress, c.stamp, c.unseen = progress, now, true
	return nil
}

// Release lets another consumer of the name become active. It stores nothing. Calling it
// again does nothing.
func (c *Consumer) Release() error {
	unlock := c.unlock
	if unlock == nil {
		return nil
	}
	c.unlock = nil
	return unlock()
}
