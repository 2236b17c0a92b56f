package cli

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/audit"
)

// inFlight is how many commands of a file are submitted before the first is answered:
// enough that many share a commit, and few enough that Ctrl-C is quick.
const inFlight = 1_024

// submitter is an engine, or a plan.
type submitter interface {
	Submit(ctx context.Context, as domain.Actor, cmd commands.Command, opts ...commands.Option) (*commands.Future, error)
}

// batch is a command file on its way through an engine. Lines are submitted in order
// as they are read, and answered in order; a batch is used by one goroutine.
type batch struct {
	app      *app
	options  fileOptions
	source   *source
	engine   submitter
	log      eventstore.Store // where the events can be read
	ids      string           // what command IDs begin with; empty: lines get none
	out      *bufio.Writer
	progress *render.Progress
	started  time.Time

	waiting []submitted
	window  int
	tally   tally
	failure error // of the log, or of standard output: nothing is submitted any more
	halted  bool  // --stop-on-error has stopped it
}

// submitted is a line that has been submitted, or what was wrong with it.
type submitted struct {
	number int
	actor  domain.Actor
	future *commands.Future
	err    error
}

// tally counts what lines have come to.
type tally struct {
	lines, done, nothing, repeated, refused, malformed, conflicts int
	last                                                          int // number of the last line that was answered
}

func (a *app) newBatch(o fileOptions, source *source, engine submitter, log eventstore.Store) *batch {
	b := &batch{
		app: a, options: o, source: source, engine: engine, log: log, window: inFlight,
		out: flusher(a.out), progress: render.NewProgress(a.talk, o.verb, "commands"), started: time.Now(),
	}
	if o.stopOnError {
		b.window = 1
	}
	if (a.json || o.dryRun) && render.IsTerminal(a.out) {
		b.progress.Hide() // a line for each command shows how far it is
	}
	switch {
	case o.name != "":
		b.ids = idPrefix(o.name)
	case o.path != "-":
		b.ids = idPrefix(source.name)
	}
	return b
}

// idPrefix is what the command IDs of a file begin with: its name, as far as a command
// ID may hold it. A name that may not is told from others by a digest.
func idPrefix(name string) string {
	const room = commands.MaxID - 24
	plain := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '_'
		}
		return r
	}, name)
	if plain == name && len(name) <= room {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	digest := "~" + hex.EncodeToString(sum[:8])
	return plain[:min(len(plain), room-len(digest))] + digest
}

// goThrough reads the file, submits its lines and tells what they came to.
//
// Reading is done by a goroutine that ends with the file, with the first line nobody
// wants, or, where it waits for a standard input that says nothing, with the program.
func (b *batch) goThrough(ctx context.Context) error {
	items := make(chan item, inFlight)
	enough := make(chan struct{})
	defer close(enough)
	broken := make(chan error, 1)
	go func() {
		defer close(items)
		broken <- b.source.items(func(i item) bool {
			select {
			case items <- i:
				return true
			case <-enough:
				return false
			}
		})
	}()
	ended := b.pump(ctx, items)
	b.finish()
	var unreadable error
	if ended {
		unreadable = <-broken
	}
	return b.conclude(ctx, unreadable)
}

// pump submits what is read until there is no more, and reports whether it has come to
// the end of the file. While nothing can be read at once, it tells what lines have come
// to, so that a producer who waits for answers gets them.
func (b *batch) pump(ctx context.Context, items <-chan item) (ended bool) {
	for b.failure == nil && !b.halted && ctx.Err() == nil {
		if len(b.waiting) >= b.window {
			b.settle(context.Background())
			continue
		}
		select {
		case i, more := <-items:
			if !more {
				return true
			}
			b.submit(i)
			continue
		default:
		}
		if len(b.waiting) > 0 {
			b.settle(context.Background())
			continue
		}
		b.flush()
		select {
		case i, more := <-items:
			if !more {
				return true
			}
			b.submit(i)
		case <-ctx.Done():
		}
	}
	return false
}

// submit puts a line's command in the engine's queue. Ctrl-C does not take it out.
func (b *batch) submit(i item) {
	s := submitted{number: i.number, actor: i.line.As, err: i.err}
	if s.err == nil {
		id := i.line.ID
		if id == "" && b.ids != "" {
			id = b.ids + ":" + strconv.Itoa(i.number)
		}
		options := []commands.Option{commands.WithID(id)}
		if b.options.past {
			options = append(options, commands.At(i.line.At))
		}
		s.future, s.err = b.engine.Submit(context.Background(), i.line.As, i.line.Command, options...)
	}
	b.waiting = append(b.waiting, s)
}

// finish tells what the lines in flight have come to. After a failure, those that have
// not been begun are taken back.
func (b *batch) finish() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for len(b.waiting) > 0 {
		if b.failure != nil || b.halted {
			cancel()
		}
		b.settle(ctx)
	}
	b.flush()
	b.progress.Done()
}

// settle waits for the answer to the oldest line in flight.
func (b *batch) settle(ctx context.Context) {
	s := b.waiting[0]
	b.waiting = b.waiting[1:]
	var receipt commands.Receipt
	if s.err == nil {
		receipt, s.err = s.future.Wait(ctx)
	}
	if errors.Is(s.err, context.Canceled) {
		return
	}
	if b.failure != nil && !answered(s.err) {
		return // one failure has many victims, and the first was told of
	}
	b.count(s, receipt)
	b.tell(s, receipt)
	b.progress.Update(b.tally.lines, b.source.part())
}

// answered reports whether an error is an answer to one line, and not the failure of
// all.
func answered(err error) bool {
	var refusal *domain.Refusal
	return err == nil || errors.As(err, &refusal) || malformed(err) || errors.Is(err, commands.ErrIDReused)
}

func malformed(err error) bool {
	return errors.Is(err, commands.ErrMalformed) || errors.Is(err, commands.ErrMisuse)
}

func (b *batch) count(s submitted, receipt commands.Receipt) {
	t := &b.tally
	t.lines++
	t.last = s.number
	switch {
	case malformed(s.err):
		t.malformed++
	case errors.Is(s.err, commands.ErrIDReused):
		t.conflicts++
	case !answered(s.err):
		t.lines--
		b.failure = stopped(b.options, b.source, s.number, s.err)
	case s.err != nil:
		t.refused++
	case receipt.Repeated:
		t.repeated++
	case receipt.Outcome == commands.Nothing:
		t.nothing++
	default:
		t.done++
	}
	b.halted = b.halted || s.err != nil && b.options.stopOnError
}

// tell writes what a line came to: as JSON where that is asked for; otherwise only
// what went wrong, and in a dry run what would be recorded.
func (b *batch) tell(s submitted, receipt commands.Receipt) {
	switch {
	case b.app.json:
		o := outcomeOf(receipt, s.err)
		o.Line, o.DryRun = s.number, b.options.dryRun
		if b.options.dryRun {
			b.plan(receipt, func(e eventLine, _ string) { o.Planned = append(o.Planned, e) })
		}
		if err := render.JSON(b.out, o); err != nil {
			b.fail(err)
		}
	case s.err != nil && answered(s.err):
		text, next := b.app.wordsFor(s.err)
		if errors.Is(s.err, commands.ErrIDReused) {
			next = "was the file changed, or has it the name of another? --name begins anew"
		}
		if next != "" {
			text += "; hint: " + next
		}
		fmt.Fprintf(b.progress, "%s:%d: %s\n", b.source.name, s.number, render.Line(text))
	case b.options.dryRun:
		b.plan(receipt, func(_ eventLine, sentence string) {
			fmt.Fprintf(b.out, "%s:%d  %s\n", b.source.name, s.number, sentence)
		})
	}
}

// plan passes on the events that a line would record.
func (b *batch) plan(receipt commands.Receipt, each func(e eventLine, sentence string)) {
	if receipt.Repeated {
		return // they are recorded already
	}
	events, err := recorded(context.Background(), b.log, receipt)
	if err != nil {
		b.fail(err)
	}
	for _, event := range events {
		line := eventLineOf(event.Record)
		line.Position, line.Version = 0, 0
		each(line, audit.Sentence(event))
	}
}

func (b *batch) fail(err error) {
	if b.failure == nil {
		b.failure = err
	}
}

func (b *batch) flush() {
	if err := b.out.Flush(); err != nil {
		b.fail(err)
	}
}

// conclude says what came of the whole file, and gives the program's last error. The
// order of the cases is that of exitCodesText.
func (b *batch) conclude(ctx context.Context, unreadable error) error {
	b.app.say("%s", b.summary())
	interrupted := ctx.Err() != nil && b.failure == nil && !b.halted
	switch t := &b.tally; {
	case b.failure != nil:
		return b.failure
	case unreadable != nil:
		return unreadable
	case interrupted:
		b.app.say("grouplog: interrupted after line %d: what came before is recorded, and the same again goes on there", t.last)
		return &toldError{exitInterrupted}
	case t.malformed > 0:
		return &toldError{exitUsage}
	case t.conflicts > 0:
		return &toldError{exitConflict}
	case t.refused > 0:
		return &toldError{exitRefused}
	default:
		return nil
	}
}

func (b *batch) summary() string {
	t := &b.tally
	took := time.Since(b.started)
	text := fmt.Sprintf("%s %s: %s", b.options.verb, b.source.name, render.Count(t.lines, "command", "commands"))
	if b.options.dryRun {
		text = "dry run: " + text
	}
	if rate := float64(t.lines) / took.Seconds(); t.lines > 0 {
		text += fmt.Sprintf(" in %s (%s a second)", render.Seconds(took), render.Number(int(rate)))
	}
	parts := []string{render.Number(t.done) + " done"}
	for _, part := range []struct {
		n    int
		word string
	}{
		{t.nothing, "nothing to do"},
		{t.repeated, "answered before"},
		{t.refused, "refused"},
		{t.malformed, "malformed"},
		{t.conflicts, "with an ID of another command"},
	} {
		if part.n > 0 {
			parts = append(parts, render.Number(part.n)+" "+part.word)
		}
	}
	return text + ": " + strings.Join(parts, ", ")
}
