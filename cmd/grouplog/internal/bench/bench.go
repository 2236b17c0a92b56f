package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
)

// Options say where and how to measure.
type Options struct {
	// Dir is an existing directory, for nothing else: who makes it removes it.
	Dir   string
	Sizes Sizes
	// Import carries out a command file on a log. Without it, imports cannot be measured.
	Import func(ctx context.Context, log, file string) error
	// Progress, where it is not nil, is told what is being done, and how much of all.
	Progress func(what string, part float64)
}

// Bench measures rows. It is used by one goroutine.
type Bench struct {
	options  Options
	fixtures map[string]string // logs that several trials use, by name
	came     int               // strangers so far
	done     float64
}

// New makes a Bench.
func New(o Options) *Bench {
	if o.Progress == nil {
		o.Progress = func(string, float64) {}
	}
	return &Bench{options: o, fixtures: map[string]string{}}
}

// Run measures the rows of those names, and passes each on as soon as it is there.
func (b *Bench) Run(ctx context.Context, names []string, each func(Row) error) error {
	var wanted []trial
	for _, t := range trials {
		if slices.ContainsFunc(t.specs, func(s Spec) bool { return slices.Contains(names, s.Name) }) {
			wanted = append(wanted, t)
		}
	}
	for i, t := range wanted {
		b.done = float64(i) / float64(len(wanted))
		rows, err := b.measure(ctx, t, names)
		if err != nil {
			return fmt.Errorf("%s: %w", t.specs[0].Name, err)
		}
		for _, row := range rows {
			if err := each(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure runs a trial.
func (b *Bench) measure(ctx context.Context, t trial, names []string) (_ []Row, err error) {
	s, err := b.start(ctx, t, names)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for i := range t.rounds(b.options.Sizes) {
		b.progress(fmt.Sprintf("%s: round %d of %d", s.title(), i+1, t.rounds(b.options.Sizes)))
		if err := s.Round(ctx); err != nil {
			return nil, err
		}
	}
	return s.Rows(), nil
}

func (b *Bench) progress(what string) { b.options.Progress(what, b.done) }

// Start prepares one row, for who runs its rounds: a Go benchmark.
func (b *Bench) Start(ctx context.Context, name string) (*Session, error) {
	for _, t := range trials {
		if slices.ContainsFunc(t.specs, func(s Spec) bool { return s.Name == name }) {
			return b.start(ctx, t, []string{name})
		}
	}
	return nil, fmt.Errorf("there is no row %q", name)
}

func (b *Bench) start(ctx context.Context, t trial, names []string) (_ *Session, err error) {
	dir, err := os.MkdirTemp(b.options.Dir, "trial-")
	if err != nil {
		return nil, err
	}
	s := &Session{bench: b, sizes: b.options.Sizes, dir: dir, samples: map[string][]Sample{}, notes: map[string]string{}}
	for _, spec := range t.specs {
		if slices.Contains(names, spec.Name) {
			s.specs = append(s.specs, spec)
		}
	}
	b.progress(s.title() + ": preparing")
	err = t.open(ctx, s)
	if err == nil && !t.cold {
		b.progress(s.title() + ": warming up")
		err = s.Round(ctx)
		clear(s.samples)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Session is a trial under way.
type Session struct {
	bench   *Bench
	sizes   Sizes
	dir     string // for this trial alone
	specs   []Spec // the rows that are wanted
	round   func(ctx context.Context) error
	rounds  int // so far
	closers []func() error
	samples map[string][]Sample
	notes   map[string]string
}

// title is the name of the first row that is wanted.
func (s *Session) title() string { return s.specs[0].Name }

// wants reports whether any of the rows is wanted.
func (s *Session) wants(names ...string) bool {
	return slices.ContainsFunc(s.specs, func(spec Spec) bool { return slices.Contains(names, spec.Name) })
}

// add notes what a round gave for a row.
func (s *Session) add(row string, value, floor float64) {
	sample := Sample{Value: value, Floor: floor}
	if floor != 0 {
		sample.Ratio = value / floor
	}
	s.samples[row] = append(s.samples[row], sample)
}

// note says something beside a row's figures.
func (s *Session) note(row, format string, args ...any) { s.notes[row] = fmt.Sprintf(format, args...) }

// later closes something when the session is closed.
func (s *Session) later(f func() error) { s.closers = append(s.closers, f) }

// Round measures once.
func (s *Session) Round(ctx context.Context) error {
	runtime.GC()
	if err := s.round(ctx); err != nil {
		return err
	}
	s.rounds++
	return ctx.Err()
}

// inTurn runs functions one after the other, and begins with another one each round.
func (s *Session) inTurn(fs ...func() error) error {
	for i := range fs {
		if err := fs[(i+s.rounds)%len(fs)](); err != nil {
			return err
		}
	}
	return nil
}

// Rows are those of the rounds so far.
func (s *Session) Rows() (rows []Row) {
	for _, spec := range s.specs {
		rows = append(rows, newRow(spec, s.samples[spec.Name], s.notes[spec.Name]))
	}
	return rows
}

// Close ends the session and removes its files.
func (s *Session) Close() error {
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	s.closers = nil
	errs = append(errs, os.RemoveAll(s.dir))
	debug.FreeOSMemory()
	return errors.Join(errs...)
}

// engine opens an engine, which is closed with the session.
func (s *Session) engine(ctx context.Context, path string) (*grouplog.Engine, error) {
	engine, err := openEngine(ctx, path)
	if err == nil {
		s.later(engine.Close)
	}
	return engine, err
}

// file is the path of a file of this trial.
func (s *Session) file(name string) string { return filepath.Join(s.dir, name) }

// openEngine opens an engine in which a group of walk-ins may have any number of members,
// and its owner may quit.
func openEngine(ctx context.Context, path string) (*grouplog.Engine, error) {
	policies := domain.Classic()
	meeting := policies[domain.Meeting]
	meeting.MemberLimit, meeting.OwnerQuit = 0, domain.OwnerPassesOn
	policies[domain.Meeting] = meeting
	return grouplog.Open(ctx, path, &grouplog.Options{Policies: policies})
}

// current waits until the read models show every command that has been answered.
func current(ctx context.Context, engine *grouplog.Engine) error {
	for _, err := range engine.JoinedGroups(ctx, "nobody") {
		return err
	}
	return nil
}
