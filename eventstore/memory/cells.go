package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/grouplog/grouplog/eventstore"
)

var _ eventstore.Cells = (*Store)(nil)

// cell is a value and the revision that it got when it was set.
type cell struct {
	value    []byte
	revision uint64
}

// Cell is the value of a cell. See eventstore.Cells.
func (s *Store) Cell(ctx context.Context, name string) (value []byte, revision uint64, err error) {
	if err := eventstore.CheckCell(name, nil); err != nil {
		return nil, 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, 0, eventstore.ErrClosed
	}
	c := s.cells[name]
	return bytes.Clone(c.value), c.revision, ctx.Err()
}

// SetCell replaces the value of a cell. See eventstore.Cells.
func (s *Store) SetCell(ctx context.Context, name string, value []byte, revision uint64) (next uint64, err error) {
	if err := eventstore.CheckCell(name, value); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, eventstore.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if s.cells[name].revision != revision {
		return 0, &eventstore.CellConflictError{Name: name, Expected: revision}
	}
	s.revisions++
	s.cells[name] = cell{append([]byte{}, value...), s.revisions}
	return s.revisions, nil
}

// CellNames are the names of cells. See eventstore.Cells.
func (s *Store) CellNames(ctx context.Context, prefix string) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, eventstore.ErrClosed
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.cells)), func(name string) bool { return !strings.HasPrefix(name, prefix) })
	return names, ctx.Err()
}
