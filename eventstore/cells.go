package eventstore

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Cells are small named values beside a log, shared by all who have the log open, on
// whatever machine: each is replaced only by who has seen its last value. A Store that is
// used by several machines has them, for what its users must agree on.
//
// Every cell is linearizable: a Cell that begins when a SetCell has returned sees what
// that has stored, or something newer, and of those who replace one revision at once, one
// does. What SetCell has stored is as durable as what Append has. Names and values are
// those that CheckCell lets through; the methods may be called from any number of
// goroutines.
type Cells interface {
	// Cell is the value of a cell and its revision; a cell that was never set has revision 0.
	Cell(ctx context.Context, name string) (value []byte, revision uint64, err error)

	// SetCell replaces the value that has a revision, 0 for a cell that was never set, and
	// answers the new value's, which is higher.
	//
	// The error is a *CellConflictError where the cell has another revision: nothing was
	// stored, nor will be. After any other error but those of CheckCell the value may be
	// stored, now or in a moment: read the cell again, and repeat the call if it has not
	// changed. Of the two calls, one takes effect.
	SetCell(ctx context.Context, name string, value []byte, revision uint64) (next uint64, err error)

	// CellNames are the names of the cells that have been set and begin with a prefix, in
	// the order of their bytes.
	CellNames(ctx context.Context, prefix string) ([]string, error)
}

// Limits of cells, in bytes.
const (
	MaxCellName = 200
	MaxCell     = 900_000 // with its name, less than a message of NATS
)

// Errors of cells.
var (
	// ErrCellName: no cell can have this name.
	ErrCellName = errors.New("invalid name of a cell")
	// ErrCellSize: the value is too large for a cell.
	ErrCellSize = errors.New("too large for a cell")
)

// CheckCell reports what cannot be stored in any cell: for implementations of Cells.
func CheckCell(name string, value []byte) error {
	switch {
	case name == "" || len(name) > MaxCellName:
		return fmt.Errorf("%w: %q has %d bytes, and 1 to %d are allowed", ErrCellName, name, len(name), MaxCellName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not UTF-8", ErrCellName, name)
	case len(value) > MaxCell:
		return fmt.Errorf("cell %q: %w: %d bytes, and at most %d are allowed", name, ErrCellSize, len(value), MaxCell)
	}
	return nil
}

// CellConflictError is a SetCell that came too late: somebody has set the cell since its
// revision was as expected.
type CellConflictError struct {
	Name     string
	Expected uint64
}

func (e *CellConflictError) Error() string {
	return fmt.Sprintf("set cell %q: it is not at revision %d any more; read it again and decide anew", e.Name, e.Expected)
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *CellConflictError) Is(target error) bool { return target == ErrConflict }
