package projections

import (
	"errors"

	"github.com/mattn/go-sqlite3"

	"github.com/grouplog/grouplog/eventstore"
)

// Errors of views.
var (
	// ErrNotViews: the file is something else.
	ErrNotViews = errors.New("not a grouplog views file")
	// ErrNewerFormat: the views file was written by a newer version of the program.
	ErrNewerFormat = errors.New("views file written by a newer version")
	// ErrOtherLog: the views were made from another log.
	ErrOtherLog = errors.New("views of another log")
	// ErrOtherHistory: the log does not hold what the rows were made from: while the views
	// were open, a backup was put in its place, or another process has made rows from
	// another copy of it. Keep the log that is to count, and open or rebuild the views.
	ErrOtherHistory = errors.New("views of another history of the log")
	// ErrTakenOver: another process keeps the projection at another version.
	ErrTakenOver = errors.New("projection taken over by another version")
	// ErrBusy: another process has held the file locked for longer than Options.BusyTimeout.
	ErrBusy = errors.New("views are locked by another process")
	// ErrClosed: the views have been closed.
	ErrClosed = errors.New("views are closed")
)

// errMoved: the checkpoint stands before the page that was to be applied, because
// another process dropped the rows. Read the log from the checkpoint.
var errMoved = errors.New("checkpoint was moved")

// isBusy reports whether somebody else holds a lock, so that trying again helps.
func isBusy(err error) bool {
	var failure sqlite3.Error
	if errors.As(err, &failure) {
		return failure.Code == sqlite3.ErrBusy || failure.Code == sqlite3.ErrLocked
	}
	return errors.Is(err, eventstore.ErrBusy)
}
