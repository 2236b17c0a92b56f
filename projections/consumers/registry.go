package consumers

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/grouplog/grouplog/eventstore"
)

// memory, as a path, keeps the consumers in memory.
const memory = ":memory:"

// Registry is the consumers of a log, in one file.
type Registry struct {
	path  string
	log   eventstore.Store
	db    *sql.DB
	locks locks
}

// Open opens the file of the consumers of a log at a path, or makes one. ":memory:"
// keeps them in memory, for this Registry alone. The log must stay open until the
// Registry is closed.
func Open(ctx context.Context, path string, log eventstore.Store) (*Registry, error) {
	r := &Registry{path: path, log: log}
	switch path {
	case "":
		return nil, errors.New("open consumers: no path; use \":memory:\" to keep them in memory")
	case memory:
		r.locks.held = map[string]bool{}
	default:
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("open consumers %s: %w", path, err)
		}
		r.path, r.locks.dir = abs, lockDir(abs)
	}
	var err error
	if r.db, err = openFile(ctx, r.path, log.ID()); err != nil {
		return nil, fmt.Errorf("open consumers %s: %w", r.path, err)
	}
	return r, nil
}

// Close releases the file. Consumers are to be released before.
func (r *Registry) Close() error { return r.db.Close() }

// Enroll makes a consumer that begins after the position start, if there is none of the
// name, and reports what Acquire would refuse. It does not wait for other consumers.
func (r *Registry) Enroll(ctx context.Context, name string, start eventstore.Position) error {
	if err := checkName(name); err != nil {
		return err
	}
	p, _, err := r.find(ctx, r.db, name)
	if errors.Is(err, ErrUnknown) {
		return r.insert(ctx, name, start)
	}
	if err != nil {
		return err
	}
	return r.check(ctx, name, &p)
}

// Acquire waits until no other consumer of the name is active, in this process or any
// other, and then is the only one, until it is released or the process ends. A name that
// is new begins after the position start; a known one goes on where it was.
//
// The error is the context's, ErrName, ErrAhead for a start beyond the end of the log,
// or a *RestoredError.
func (r *Registry) Acquire(ctx context.Context, name string, start eventstore.Position) (*Consumer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	unlock, err := r.locks.wait(ctx, name)
	if err != nil {
		return nil, err
	}
	c, err := r.activate(ctx, name, start)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	c.unlock = unlock
	return c, nil
}

func (r *Registry) activate(ctx context.Context, name string, start eventstore.Position) (*Consumer, error) {
	if err := r.Enroll(ctx, name, start); err != nil {
		return nil, err
	}
	c := &Consumer{registry: r, name: name}
	return c, transact(ctx, r.db, func(tx *sql.Tx) (err error) {
		if _, err := tx.ExecContext(ctx, "UPDATE consumers SET tenure = tenure + 1 WHERE name = ?", name); err != nil {
			return err
		}
		c.progress, c.stamp, err = r.find(ctx, tx, name)
		return err
	})
}

// insert makes a consumer, unless another process is faster.
func (r *Registry) insert(ctx context.Context, name string, start eventstore.Position) error {
	record, err := r.fingerprint(ctx, start)
	if err != nil {
		return fmt.Errorf("begin consumer %q after position %d: %w", name, start, err)
	}
	return durably(ctx, r.db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO consumers
			(name, tenure, edits, position, place, record, attempts, since, since_place, trouble, trouble_at)
			VALUES (?, 0, 0, ?, ?, ?, 0, ?, ?, '', 0) ON CONFLICT DO NOTHING`, name, uint64(start), whole, record, uint64(start), whole)
		return err
	})
}

// fingerprint is that of the record at a position; empty at zero.
func (r *Registry) fingerprint(ctx context.Context, at eventstore.Position) ([]byte, error) {
	if at == 0 {
		return []byte{}, nil
	}
	for record, err := range r.log.ReadAll(ctx, at-1) {
		if err != nil {
			return nil, err
		}
		return record.Fingerprint(), nil
	}
	head, err := r.log.Head(ctx)
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w, which is at %d", ErrAhead, head)
}

// check compares what a consumer has seen with the log.
func (r *Registry) check(ctx context.Context, name string, p *Progress) error {
	record, err := r.fingerprint(ctx, p.Cursor.Position)
	if err == nil && bytes.Equal(record, p.record) {
		return nil
	}
	if err != nil && !errors.Is(err, ErrAhead) {
		return fmt.Errorf("consumer %q: read the log at position %d: %w", name, p.Cursor.Position, err)
	}
	head, err := r.log.Head(ctx)
	if err != nil {
		return err
	}
	return &RestoredError{Name: name, Position: p.Cursor.Position, Head: head}
}
