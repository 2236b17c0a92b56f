package projections

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// Defaults of Options.
const (
	DefaultPageSize        = 1_000
	DefaultRebuildPageSize = 20_000
	DefaultPoll            = 250 * time.Millisecond
	DefaultBusyTimeout     = 30 * time.Second
)

// Options say what to project and how. Only Projections must be given.
type Options struct {
	// Projections are kept in the file, in this order. Others that the file holds from
	// before are left as they are.
	Projections []Projection

	// PageSize is how many events share a transaction, at most; DefaultPageSize when
	// zero.
	PageSize int

	// RebuildPageSize is the same for Rebuild and Compare; DefaultRebuildPageSize when
	// zero. Memory grows with it, by some hundred bytes an event.
	RebuildPageSize int

	// Poll is how often to look for events that other processes have appended;
	// DefaultPoll when zero.
	Poll time.Duration

	// BusyTimeout is how long to wait for the file where another process holds it locked,
	// before it is an ErrBusy; DefaultBusyTimeout when zero. It should be longer than the
	// swap of a rebuild, which takes about a second for a million rows. Opening waits only
	// where there is something to change, and the runner tries again all the while.
	BusyTimeout time.Duration

	// Park has rows stay where they are when a projection fails at an event: nothing is
	// tried again, not after a restart either, before Views.Retry, a rebuild, or a higher
	// version. Otherwise it is tried again all the while. What is not the projection's
	// fault, such as a full disk, is tried again either way. It is for a file that holds
	// one projection: whatever else it holds waits too.
	Park bool

	// Manual starts no runner: rows move by CatchUp and WaitFor alone.
	Manual bool

	// Progress, if not nil, is told after each page how far the rows are, while there are
	// many that the log is ahead by: a file is new, or has not been open for long. It is
	// called by the goroutine that applies them, which is one at a time.
	Progress func(done, total eventstore.Position)

	// Logger is told when rows are dropped and why, and when the runner stops;
	// slog.Default() when nil.
	Logger *slog.Logger
}

// Validate reports every mistake in the options at once. Nil is a mistake: there
// would be nothing to project.
func (o *Options) Validate() error {
	if o == nil || len(o.Projections) == 0 {
		return errors.New("Projections is empty: there is nothing to project")
	}
	var errs []error
	names := map[string]bool{}
	for i, p := range o.Projections {
		switch {
		case p == nil:
			errs = append(errs, fmt.Errorf("Projections[%d] is nil", i))
			continue
		case p.Name() == "":
			errs = append(errs, fmt.Errorf("Projections[%d] has no name", i))
		case names[p.Name()]:
			errs = append(errs, fmt.Errorf("Projections[%d] has the name %q, which another has", i, p.Name()))
		case p.Version() < 1:
			errs = append(errs, fmt.Errorf("Projections[%d] (%s) has version %d; versions are counted from 1", i, p.Name(), p.Version()))
		}
		if err := checkTypes(p); err != nil {
			errs = append(errs, fmt.Errorf("Projections[%d] (%s): %w", i, p.Name(), err))
		}
		names[p.Name()] = true
	}
	if o.PageSize < 0 {
		errs = append(errs, fmt.Errorf("PageSize is %d; at least 1, or 0 for %d", o.PageSize, DefaultPageSize))
	}
	if o.RebuildPageSize < 0 {
		errs = append(errs, fmt.Errorf("RebuildPageSize is %d; at least 1, or 0 for %d", o.RebuildPageSize, DefaultRebuildPageSize))
	}
	if o.Poll < 0 {
		errs = append(errs, fmt.Errorf("Poll is %v; more than 0, or 0 for %v", o.Poll, DefaultPoll))
	}
	if o.BusyTimeout < 0 {
		errs = append(errs, fmt.Errorf("BusyTimeout is %v; more than 0, or 0 for %v", o.BusyTimeout, DefaultBusyTimeout))
	}
	return errors.Join(errs...)
}

// withDefaults returns a copy in which nothing is left open.
func (o *Options) withDefaults() Options {
	opts := *o
	if opts.PageSize == 0 {
		opts.PageSize = DefaultPageSize
	}
	if opts.RebuildPageSize == 0 {
		opts.RebuildPageSize = DefaultRebuildPageSize
	}
	if opts.Poll == 0 {
		opts.Poll = DefaultPoll
	}
	if opts.BusyTimeout == 0 {
		opts.BusyTimeout = DefaultBusyTimeout
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	return opts
}
