package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest/powercut"
)

// TestEveryCallToTheDisk lets each call to the disk of a short history fail in turn, once
// and for good, with an error before or after its effect, for want of space, and in the
// middle of a write. Whatever fails, the answers are honest: what was acknowledged is
// there, what was refused is not, of the rest only what was called unknown; and when the
// disk is well again, so is the log. In the short form, it is each thirteenth call.
func TestEveryCallToTheDisk(t *testing.T) {
	disk := powercut.Watch(t, t.TempDir())
	step := 1
	if *powerCuts < 1000 { // the short form
		step = 13
	}
	cmd, _ := startChild(t, roleFaults, disk.Dir(), append(disk.Env(), fmt.Sprint(childStep, "=", step))...)
	require.NoError(t, cmd.Wait(), "the child says why on stderr")
}

// childFaults runs the history once without a fault, and then with each.
func childFaults(ctx context.Context, dir string) error {
	step, err := strconv.Atoi(os.Getenv(childStep))
	if err != nil {
		return err
	}
	calls, err := fail(ctx, dir, 0, powercut.None, false)
	if err != nil || calls < 50 {
		return fmt.Errorf("without a fault, with %d calls to the disk: %w", calls, err)
	}
	for fault, name := range map[powercut.Fault]string{
		powercut.Refused: "refused", powercut.Done: "done", powercut.Full: "full", powercut.HalfWrites: "half",
	} {
		for _, forever := range []bool{false, true} {
			for i := 1 + rand.IntN(step); i <= calls; i += step {
				if _, err := fail(ctx, dir, i, fault, forever); err != nil {
					return fmt.Errorf("call %d of %d, %s, for good: %v: %w", i, calls, name, forever, err)
				}
			}
		}
	}
	return nil
}

// fail runs the history in a new file with a fault, and returns how many calls to the
// disk it has made.
func fail(ctx context.Context, dir string, n int, fault powercut.Fault, forever bool) (calls int, err error) {
	dir, err = os.MkdirTemp(dir, "history")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	h := &history{path: filepath.Join(dir, "groups.db")}
	powercut.Order(child{}, n, fault, forever)
	h.run(ctx)
	calls = powercut.Order(child{}, 0, powercut.None, false)
	return calls, h.check(ctx)
}

// history is a few appends to a new log, and what came of them.
type history struct {
	path    string
	db      *DB
	results []error // of each append, in order; nil where it was stored
}

const appendsOfHistory = 12

func (h *history) commit(i int) eventstore.Commit {
	text := fmt.Sprint(i, " ", strings.Repeat("x", 3000))
	return withOutcome(commit(fmt.Sprint("stream ", i%3), eventstore.Any(), text, "and"), fmt.Sprint("command ", i))
}

func (h *history) run(ctx context.Context) {
	db, err := Open(ctx, h.path, eagerly(""))
	if err != nil {
		return
	}
	h.db = db
	for i := range appendsOfHistory {
		results, err := db.Append(ctx, h.commit(i))
		if err == nil {
			err = results[0].Err
		}
		h.results = append(h.results, err)
	}
}

// check is what is wrong when the disk is well again: in the log that is open, and when
// it is opened anew.
func (h *history) check(ctx context.Context) error {
	if h.db != nil {
		if err := h.compare(ctx, h.db); err != nil {
			return fmt.Errorf("while it is open: %w", err)
		}
		results, err := h.db.Append(ctx, h.commit(len(h.results)))
		if err == nil {
			err = results[0].Err
		}
		if err != nil {
			return fmt.Errorf("writing does not go on: %w", err)
		}
		h.results = append(h.results, nil)
		if err := h.db.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	db, err := Open(ctx, h.path, nil)
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	return errors.Join(h.compare(ctx, db), db.Check(ctx), db.Close())
}

// compare holds the answers against the log.
func (h *history) compare(ctx context.Context, db *DB) error {
	stored := map[string]eventstore.Position{}
	summary, err := eventstore.Verify(ctx, db, func(r eventstore.Record) error {
		stored[string(r.Data)] = r.Position
		return nil
	}, nil)
	if err != nil {
		return err
	}
	if summary.Records%2 != 0 {
		return fmt.Errorf("half of a commit is there: %d records", summary.Records)
	}
	for i, answer := range h.results {
		at, there := stored[string(h.commit(i).Events[0].Data)]
		outcome, found, err := db.Outcome(ctx, fmt.Sprint("command ", i))
		switch {
		case err != nil:
			return err
		case found != there || outcome.First != at:
			return fmt.Errorf("append %d: its outcome says %d, its events are at %d", i, outcome.First, at)
		case answer == nil && !there:
			return fmt.Errorf("append %d was acknowledged, and is not there", i)
		case answer != nil && there && !errors.Is(answer, eventstore.ErrUnknown):
			return fmt.Errorf("append %d is there, and was answered with: %w", i, answer)
		}
	}
	return nil
}

// child is a test in a process that has none: what goes wrong ends it.
type child struct{ testing.TB }

func (child) Helper() {}

func (child) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (child) FailNow() { os.Exit(1) }
