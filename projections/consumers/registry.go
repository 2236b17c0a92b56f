package consumers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/grouplog/grouplog/eventstore"
)

// memory, as a path, keeps the consumers in memory.
const memory = ":memory:"

// Registry is the consumers of a log, in one file, or in cells.
type Registry struct {
	log  eventstore.Store
	book book
}

// Open opens the file of the consumers of a log at a path, or makes one. ":memory:"
// keeps them in memory, for this Registry alone. The log must stay open until the
// Registry is closed.
func Open(ctx context.Context, path string, log eventstore.Store) (*Registry, error) {
	f := &file{}
	switch path {
	case "":
		return nil, errors.New("open consumers: no path; use \":memory:\" to keep them in memory")
	case memory:
		f.locks.held = map[string]bool{}
	default:
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("open consumers %s: %w", path, err)
		}
		path, f.locks.dir = abs, lockDir(abs)
	}
	var err error
	if f.db, err = openFile(ctx, path, log.ID()); err != nil {
		return nil, fmt.Errorf("open consumers %s: %w", path, err)
	}
	return &Registry{log: log, book: f}, nil
}

// Close releases what Open has opened. Consumers are to be released before.
func (r *Registry) Close() error { return r.book.close() }

// Enroll makes a consumer that begins after the position start, if there is none of the
// name, and reports what Acquire would refuse. It does not wait for other consumers.
func (r *Registry) Enroll(ctx context.Context, name string, start eventstore.Position) error {
	p, err := r.enroll(ctx, name, start)
	if err != nil || p == nil {
		return err
	}
	return r.check(ctx, name, p)
}

// enroll finds a consumer, or makes one, which nothing can be wrong with yet.
func (r *Registry) enroll(ctx context.Context, name string, start eventstore.Position) (found *Progress, err error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	p, err := r.book.find(ctx, name)
	if !errors.Is(err, ErrUnknown) {
		return &p, err
	}
	record, err := r.fingerprint(ctx, start)
	if err != nil {
		return nil, fmt.Errorf("begin consumer %q after position %d: %w", name, start, err)
	}
	return nil, r.book.insert(ctx, name, &Progress{Cursor: After(start), record: record, since: After(start)})
}

// Acquire waits until no other consumer of the name is active, in this process or any
// other, and then is the only one, until it is released or the process ends. A name that
// is new begins after the position start; a known one goes on where it was.
//
// The error is the context's, ErrName, ErrAhead for a start beyond the end of the log,
// or a *RestoredError.
func (r *Registry) Acquire(ctx context.Context, name string, start eventstore.Position) (*Consumer, error) {
	if _, err := r.enroll(ctx, name, start); err != nil {
		return nil, err
	}
	t, progress, err := r.book.take(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := r.check(ctx, name, &progress); err != nil {
		return nil, errors.Join(err, t.end())
	}
	return &Consumer{registry: r, name: name, progress: progress, tenure: t}, nil
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
