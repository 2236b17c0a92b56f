package sqlite

import (
	"errors"
	"fmt"
	"time"
)

// Defaults of Options.
const (
	DefaultBusyTimeout = 2 * time.Second
	DefaultMaxBatch    = 512
)

// Options say how to open a log. The zero value is good, and so is nil.
type Options struct {
	// MustExist refuses to create a log: a path where there is none is an error
	// that wraps fs.ErrNotExist.
	MustExist bool

	// ReadOnly opens the log for reading: Append answers ErrReadOnly. It implies
	// MustExist.
	ReadOnly bool

	// ID is the ID of the log, where it is known: a log that is made gets it, as the copy
	// of one elsewhere does, and one that is there must have it, or the error wraps
	// eventstore.ErrOtherLog. When empty, a new log gets an ID of its own.
	ID string

	// BusyTimeout is how long to wait for a lock that another process holds before
	// answering ErrBusy; DefaultBusyTimeout when zero, at least a millisecond. The wait
	// cannot be interrupted, neither by a context nor by Close: keep it short.
	BusyTimeout time.Duration

	// MaxBatch is how many commits may share a transaction; DefaultMaxBatch when
	// zero. Commits of one call always do, however many they are.
	MaxBatch int

	// Replica opens a copy of a log whose truth is elsewhere; see Replica. Nil for a log
	// of its own.
	Replica *Replica

	// dial opens a connection to SQLite; tests put faults in its way.
	dial dialer
}

// Validate reports every mistake in the options at once. Nil is valid.
func (o *Options) Validate() error {
	if o == nil {
		return nil
	}
	var errs []error
	if o.BusyTimeout != 0 && o.BusyTimeout < time.Millisecond {
		errs = append(errs, fmt.Errorf("BusyTimeout is %v; at least 1ms, or 0 for %v", o.BusyTimeout, DefaultBusyTimeout))
	}
	if o.MaxBatch < 0 {
		errs = append(errs, fmt.Errorf("MaxBatch is %d; at least 1, or 0 for %d", o.MaxBatch, DefaultMaxBatch))
	}
	if o.Replica != nil {
		errs = append(errs, o.Replica.validate())
	}
	return errors.Join(errs...)
}

// withDefaults returns a copy in which nothing is left open.
func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.BusyTimeout == 0 {
		opts.BusyTimeout = DefaultBusyTimeout
	}
	if opts.MaxBatch == 0 {
		opts.MaxBatch = DefaultMaxBatch
	}
	if opts.dial == nil {
		opts.dial = dial
	}
	opts.MustExist = opts.MustExist || opts.ReadOnly
	return opts
}
