package eventstore

import (
	"errors"
	"fmt"
)

// Errors of opening a log.
var (
	// ErrNotALog: the file is something else.
	ErrNotALog = errors.New("not a grouplog log")
	// ErrNewerSchema: the log was written by a newer version of the program.
	ErrNewerSchema = errors.New("log written by a newer version")
	// ErrOtherLog: the log that is there has another ID than the one that was asked for.
	ErrOtherLog = errors.New("another log")
)

// Errors of using a log.
var (
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("store is closed")
	// ErrConflict: a stream is not where the commit expected it; see ConflictError.
	ErrConflict = errors.New("stream version conflict")
	// ErrDuplicate: a command ID has an outcome already; see DuplicateError.
	ErrDuplicate = errors.New("command ID already has an outcome")
	// ErrDamaged: what is stored is not what was written; see DamageError.
	ErrDamaged = errors.New("log is damaged")
	// ErrUnknown: a commit's fate is unknown: it may or may not be stored.
	ErrUnknown = errors.New("outcome of the append is unknown")
	// ErrBusy: the log is locked by somebody else for longer than the store waits.
	ErrBusy = errors.New("log is locked")
	// ErrReadOnly: the log can be read and not written.
	ErrReadOnly = errors.New("log is read-only")
	// ErrFull: there is no room to write; nothing was stored, reading goes on.
	ErrFull = errors.New("no space left for the log")
	// ErrNoPeer: a process that shares the log cannot be reached, and has got nothing.
	ErrNoPeer = errors.New("no such peer")
	// ErrInvalid: what was given to Append can never be stored.
	ErrInvalid = errors.New("invalid commit")
)

// ConflictError is an append that came too late: the stream was at Actual.
type ConflictError struct {
	Stream   string
	Expected Expectation
	Actual   Version
	Follows  bool // an earlier commit of the same call to the stream was refused
}

func (e *ConflictError) Error() string {
	if e.Follows {
		return fmt.Sprintf("append to %q: an earlier commit of the same call was refused; read the stream again and decide anew", e.Stream)
	}
	return fmt.Sprintf("append to %q: expected %s, found version %d; read the stream again and decide anew",
		e.Stream, e.Expected, e.Actual)
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// DuplicateError is an append whose command ID has an outcome from before.
// Nothing of the commit was stored; Stored is the first outcome.
type DuplicateError struct {
	Stored Outcome
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("command %q has been answered before", e.Stored.CommandID)
}

// Is makes errors.Is(err, ErrDuplicate) true.
func (e *DuplicateError) Is(target error) bool { return target == ErrDuplicate }

// DamageError says where a log is damaged and how that shows.
type DamageError struct {
	Position Position // of the first record that is damaged or missing; zero if it cannot be told
	Stream   string   // empty if it cannot be told
	Reason   string
	Err      error // what the storage itself said, where it said something
}

func (e *DamageError) Error() string {
	where := "log"
	if e.Position > 0 {
		where = fmt.Sprintf("log at position %d", e.Position)
	}
	if e.Stream != "" {
		where += fmt.Sprintf(" (stream %q)", e.Stream)
	}
	return fmt.Sprintf("%s is damaged: %s; restore a backup", where, e.Reason)
}

// Is makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }

// Unwrap returns what the storage itself said, or nil.
func (e *DamageError) Unwrap() error { return e.Err }
