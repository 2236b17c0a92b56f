package sqlite

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"github.com/grouplog/grouplog/eventstore"
)

// ErrMoved: the log's file is no longer at its path: somebody moved, deleted, replaced
// or cut it while the log was open. What would be written now would be lost, and what is
// read may be of the past, so Append, Head and Outcome answer with it until the file is
// back or the log is opened again.
var ErrMoved = errors.New("log file was moved, deleted, replaced or cut while it was open")

// explain gives an error of SQLite the name that it has in the contract, and keeps
// it as the cause.
func explain(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) || known(err) {
		return err
	}
	switch {
	case e.Code == sqlite3.ErrBusy, e.Code == sqlite3.ErrLocked:
		return fmt.Errorf("%w: %w", eventstore.ErrBusy, err)
	case e.Code == sqlite3.ErrCantOpen && e.SystemErrno != 0:
		return systemError{err, e.SystemErrno}
	case e.Code == sqlite3.ErrFull, e.SystemErrno == syscall.ENOSPC, e.SystemErrno == syscall.EDQUOT:
		return fmt.Errorf("%w: %w", eventstore.ErrFull, err)
	case e.Code == sqlite3.ErrReadonly, e.SystemErrno == syscall.EROFS:
		return fmt.Errorf("%w: %w", eventstore.ErrReadOnly, err)
	case e.Code == sqlite3.ErrCorrupt, e.Code == sqlite3.ErrNotADB:
		return &eventstore.DamageError{Reason: "SQLite cannot read the file: " + err.Error(), Err: err}
	}
	return err
}

// systemError is an error whose text says what the system said, or something that helps
// more; here it says so to errors.Is.
type systemError struct {
	error
	cause error
}

func (e systemError) Unwrap() []error { return []error{e.error, e.cause} }

// known reports whether the error has a name of the contract already.
func known(err error) bool {
	for _, target := range []error{
		eventstore.ErrBusy, eventstore.ErrFull, eventstore.ErrReadOnly, eventstore.ErrDamaged, eventstore.ErrUnknown,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func isCode(err error, codes ...sqlite3.ErrNo) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.Code == code {
			return true
		}
	}
	return false
}

// isDenied reports whether a file could not be made in a directory that is there. SQLite
// tries again without making it, and then says that there is none.
func isDenied(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) || e.Code != sqlite3.ErrCantOpen {
		return false
	}
	switch e.SystemErrno {
	case syscall.ENOENT, syscall.EACCES, syscall.EPERM, syscall.EROFS:
		return true
	}
	return false
}

// isTaken reports whether a position, or a version of a stream, is taken already.
func isTaken(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) &&
		(e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// leavesConnectionUsable reports whether a connection can be used again after the
// error and a rollback. After anything else, say a failed write or fsync, what the
// connection remembers may not be what the disk holds.
func leavesConnectionUsable(err error) bool {
	return isCode(err, sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrFull, sqlite3.ErrReadonly,
		sqlite3.ErrConstraint, sqlite3.ErrTooBig, sqlite3.ErrInterrupt)
}

// isReadOnlyRollback reports whether a transaction that was cut short would have to be
// rolled back first, by somebody who may write.
func isReadOnlyRollback(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrReadonlyRollback
}
