package grouplog

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/files"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/consumers"
)

// Memory, as a path, opens an engine that keeps everything in memory and loses it
// on Close: for examples and tests.
const Memory = ":memory:"

// Options change how an engine works. The zero value is good, and so is nil.
type Options struct {
	// Policies are the rules; domain.Classic() when nil. They must not be changed
	// while the engine is open.
	Policies domain.Policies

	// Progress, if not nil, is told how far derived rows are that have to be made before
	// they can be asked, or have much to catch up on: of "read models", of "audit index",
	// or of one of Projections by its name. It is called by a goroutine of each.
	Progress func(what string, done, total eventstore.Position)

	// Clock says what time it is: of every event, and for the end of bans and mutes.
	// time.Now when nil.
	Clock func() time.Time

	// Logger is told of what nobody is there to be told by an error: rows dropped and
	// rebuilt, a listener that panicked. Nothing is logged when nil.
	Logger *slog.Logger

	// Store is the log. When nil, it is an SQLite file at the path, or, for Memory, a
	// log in memory. The engine does not close a Store that it was given.
	Store eventstore.Store

	// ViewsPath is the file of the read models, which can be deleted while no engine
	// has it open and comes back from the log. When empty, it stands beside the log:
	// groups.views.db for groups.db.
	ViewsPath string

	// Projections are read models of your own: see Engine.Read. Each is kept in a file of
	// its own beside the read models, groups.own.NAME.db for groups.db, which can be deleted
	// while no engine has it open and comes back from the log.
	Projections []projections.Projection

	// ConsumersPath is the file of how far durable listeners have come. It is made when
	// somebody listens, and cannot be made again from the log. When empty, it stands
	// beside the log: groups.consumers.db for groups.db. A Store that has cells
	// (eventstore.Cells) keeps it itself, and there is no file.
	ConsumersPath string

	// ListenerLease is how long the process in which a durable listener is active may be
	// silent before another one takes over, where the Store has cells;
	// consumers.DefaultLease, ten seconds, when 0. With a file, no time matters.
	ListenerLease time.Duration

	// AuditPath is the file of the audit's index, which is made by the first question to the
	// audit, can be deleted while no engine has it open and comes back from the log. When
	// empty, it stands beside the log: groups.audit.db for groups.db.
	AuditPath string

	// RefusalsPath is the file of refused attempts. It is made when a command is refused,
	// and cannot be made again from the log. When empty, it stands beside the log:
	// groups.refusals.db for groups.db.
	RefusalsPath string

	// KeepRefusals is how many refused attempts are kept for the audit, the newest ones;
	// audit.DefaultKeep when 0. NoRefusals keeps none.
	KeepRefusals int
	NoRefusals   bool

	// MustExist refuses to open a log that is not there, instead of making one.
	MustExist bool

	// CacheMembers bounds the memory for groups that commands are decided against, by
	// their members together, where a group counts for sixteen more, and of one that was
	// loaded in part only who is known counts. A million are some 130 MB, and as much
	// again before the garbage is collected. A group that is not in memory costs its next
	// command a tenth of a millisecond. commands.DefaultCacheMembers when 0, with which
	// the engine of grouplog bench stays below 400 MiB.
	CacheMembers int

	// QueueLength bounds the commands that wait to be decided; callers beyond it wait.
	// commands.DefaultQueueLength when 0.
	QueueLength int

	// Poll is how often to look for what other processes have appended to the log;
	// 250 ms when 0. What this engine appends is noticed at once.
	Poll time.Duration

	// CloseTimeout bounds how long Close waits for live listeners to be told what
	// has happened, and for the calls of durable ones that are under way;
	// DefaultCloseTimeout when 0.
	CloseTimeout time.Duration
}

// DefaultCloseTimeout is how long Close waits for listeners.
const DefaultCloseTimeout = 5 * time.Second

// Validate reports every mistake in the options at once, or returns nil. Whether their files
// are in the way of the log, or of those that stand beside it, is for Open to say.
func (o *Options) Validate() error { return o.validate("") }

// validate is Validate for a log at a path; empty where that is not known.
func (o *Options) validate(logPath string) error {
	var mistakes []error
	if o.Policies != nil {
		if err := o.Policies.Validate(); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	for _, field := range []struct {
		name     string
		negative bool
	}{
		{"CacheMembers", o.CacheMembers < 0},
		{"QueueLength", o.QueueLength < 0},
		{"Poll", o.Poll < 0},
		{"CloseTimeout", o.CloseTimeout < 0},
		{"KeepRefusals", o.KeepRefusals < 0},
	} {
		if field.negative {
			mistakes = append(mistakes, fmt.Errorf("%s is negative: leave it 0 for the default", field.name))
		}
	}
	if err := (consumers.CellOptions{Lease: o.ListenerLease}).Validate(); err != nil {
		mistakes = append(mistakes, fmt.Errorf("ListenerLease: %w", err))
	}
	if err := checkOwn(o.Projections); err != nil {
		mistakes = append(mistakes, err)
	}
	if o.Store != nil && o.MustExist {
		mistakes = append(mistakes, errors.New("MustExist is about the file at the path, and Store is given: leave one out"))
	}
	if o.NoRefusals && o.KeepRefusals > 0 {
		mistakes = append(mistakes, errors.New("KeepRefusals is how many are kept, and NoRefusals keeps none: leave one out"))
	}
	return errors.Join(append(mistakes, o.collisions(logPath)...)...)
}

// setting is a file of the engine, and what says where it is.
type setting struct {
	name string
	files.File
}

// settings are the files of the engine, but for what is in memory.
func (o *Options) settings(logPath string) []setting {
	progress, locks := files.OfConsumers(o.consumersPath(logPath))
	all := []setting{
		{"the path", files.OfLog(o.logFile(logPath))},
		{"ViewsPath", files.OfRows(o.viewsPath(logPath), "the read models (ViewsPath)")},
		{"AuditPath", files.OfRows(o.auditPath(logPath), "the index of the audit (AuditPath)")},
	}
	if !o.NoRefusals {
		all = append(all, setting{"RefusalsPath", files.OfRefusals(o.refusalsPath(logPath))})
	}
	if _, cells := o.Store.(eventstore.Cells); !cells && progress.Path != Memory {
		all = append(all, setting{"ConsumersPath", progress}, setting{"the folder beside ConsumersPath", locks})
	}
	for i, p := range o.Projections {
		if p != nil {
			all = append(all, setting{fmt.Sprintf("the file of Projections[%d]", i), files.OfRows(o.ownPath(logPath, p.Name()), "that of the projection "+p.Name())})
		}
	}
	return slices.DeleteFunc(all, func(s setting) bool { return s.Path == Memory })
}

// logFile is the file of the log, or Memory where there is none that is known.
func (o *Options) logFile(logPath string) string {
	if o.Store == nil {
		return cmp.Or(logPath, Memory)
	}
	if file, ok := o.Store.(interface{ Path() string }); ok {
		return cmp.Or(file.Path(), Memory)
	}
	return Memory
}

// collisions are files that would be written to for two purposes.
func (o *Options) collisions(logPath string) (mistakes []error) {
	all := o.settings(logPath)
	for i, a := range all {
		for _, b := range all[:i] {
			if what := b.Has(a.File); what != "" {
				mistakes = append(mistakes, fmt.Errorf("%s is %s, which is %s: give each a file of its own", a.name, a.Path, what))
			} else if what := a.Has(b.File); what != "" {
				mistakes = append(mistakes, fmt.Errorf("%s is %s, which is %s: give each a file of its own", b.name, b.Path, what))
			}
		}
	}
	return mistakes
}

// withDefaults is a copy with every default filled in.
func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Policies == nil {
		opts.Policies = domain.Classic()
	}
	opts.Policies = opts.Policies.Clone()
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.CloseTimeout == 0 {
		opts.CloseTimeout = DefaultCloseTimeout
	}
	if opts.KeepRefusals == 0 {
		opts.KeepRefusals = audit.DefaultKeep
	}
	return opts
}

// progressOf is Progress of one thing.
func (o *Options) progressOf(what string) func(done, total eventstore.Position) {
	if o.Progress == nil {
		return nil
	}
	return func(done, total eventstore.Position) { o.Progress(what, done, total) }
}

// viewsPath is where the read models of a log are kept.
func (o *Options) viewsPath(logPath string) string { return beside(logPath, o.ViewsPath, files.Views) }

// consumersPath is where the progress of durable listeners is kept.
func (o *Options) consumersPath(logPath string) string {
	return beside(logPath, o.ConsumersPath, files.Consumers)
}

// auditPath is where the audit's index is kept.
func (o *Options) auditPath(logPath string) string { return beside(logPath, o.AuditPath, files.Audit) }

// refusalsPath is where refused attempts are kept.
func (o *Options) refusalsPath(logPath string) string {
	return beside(logPath, o.RefusalsPath, files.Refusals)
}

// beside is a path that was given, or a file beside the log.
func beside(logPath, given, suffix string) string {
	switch {
	case given != "":
		return given
	case logPath == Memory || logPath == "":
		return Memory
	default:
		return files.Beside(logPath, suffix)
	}
}
