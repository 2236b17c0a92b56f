package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/eventstore/transfer"
)

func (a *app) storeCopyCommand() *cobra.Command {
	var follow bool
	c := &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Copy a log from a file to a cluster, back, or anywhere",
		Long: `Copies a log from one place to another, each a file or the address of a cluster, and compares
the two, every event and every answer to a command. The copy is the same log: it has the same
ID, and everything stands at the same position, so that read models and listeners go on with it.

Whatever interrupts it, run it again: it goes on where the copy ends. A copy of what has been
copied only compares. A file or a stream that holds something else is refused and left alone.

The log may be in use meanwhile: what is there at the beginning is copied. To move a log, copy
it, end the programs that write to it, copy it once more, and have them use the copy. With
--follow, what comes is copied too, until Ctrl-C.`,
		Example: `  grouplog store copy groups.db nats://n1:4222,n2:4222,n3:4222/chess?sync=always
  grouplog store copy nats://n1:4222/chess?sync=always groups.db`,
		Args: exactly("FROM", "TO"),
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is appended, until Ctrl-C")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		p, err := a.placesOf(c, args)
		if err != nil {
			return err
		}
		return a.storeCopy(ctx, p, follow)
	})
	return c
}

func (a *app) storeArchiveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "archive ADDRESS FILE",
		Short: "Keep a copy of a log in a file up to date, until Ctrl-C",
		Long: `Copies a log to a file of its own and goes on with what is appended, as "store copy --follow"
does: the archive is read back and compared piece by piece, and what differs, or is damaged in
the cluster, ends it with exit code 5 or 6. It says on standard error how far it is. Errors that
may pass it reports, and tries again.

The archive is a log: look at it with --db, verify it, copy it to another cluster. Where --db is
not given, the replica through which the log is read lies beside it: FILE.replica.db.`,
		Example: "  grouplog store archive nats://n1:4222,n2:4222,n3:4222/chess?sync=always archive.db",
		Args:    exactly("ADDRESS", "FILE"),
	}
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		p, err := a.placesOf(c, args)
		switch {
		case err != nil:
			return err
		case p.to.address != "":
			return usage(fmt.Errorf("%s: an archive is a file", p.to))
		case !c.Flags().Changed("db") && p.from.address != "":
			p.from.path = strings.TrimSuffix(p.to.path, filepath.Ext(p.to.path)) + ".replica.db"
		}
		return a.storeCopy(ctx, p, true)
	})
	return c
}

// place is where a log is: a file, or an address and the file of the replica.
type place struct{ address, path string }

// String is what the place is called, without credentials.
func (p place) String() string {
	if p.address == "" {
		return p.path
	}
	name, _ := jetstream.NameOf(p.address)
	return "log " + name + " in the cluster"
}

// places are where a log is copied from and to.
type places struct{ from, to place }

// placesOf reads the arguments of a copy. --db names the replica where one of them is in
// a cluster.
func (a *app) placesOf(c *cobra.Command, args []string) (p places, err error) {
	for i, to := range []*place{&p.from, &p.to} {
		to.path = args[i]
		if !jetstream.IsAddress(args[i]) {
			continue
		}
		if _, err := jetstream.NameOf(args[i]); err != nil {
			return p, usage(err)
		}
		to.address, to.path = args[i], replicaOf(args[i])
		if c.Flags().Changed("db") {
			to.path = a.db
		}
	}
	if same(p.from.path, p.to.path) {
		if p.from.address+p.to.address == "" {
			return p, usage(errors.New("FROM and TO are the same file"))
		}
		return p, hint(usage(fmt.Errorf("%s would be two files at once", p.from.path)), "name another file for the replica of the log in the cluster: --db")
	}
	return p, nil
}

// same reports whether two paths are those of one file.
func same(one, other string) bool {
	a, err := os.Stat(one)
	if err != nil {
		return filepath.Clean(one) == filepath.Clean(other)
	}
	b, err := os.Stat(other)
	return err == nil && os.SameFile(a, b)
}

// storeCopy copies a log, and goes on with it where that is asked for.
func (a *app) storeCopy(ctx context.Context, p places, follow bool) (err error) {
	if err := cmp.Or(spare(p.from.path, p.to.path), spare(p.to.path, p.from.path)); err != nil {
		return err
	}
	from, err := a.openAt(ctx, p.from.address, p.from.path, &sqlite.Options{ReadOnly: true})
	if err != nil {
		return placeHint(err, "name another place to copy from")
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := a.openAt(ctx, p.to.address, p.to.path, &sqlite.Options{ID: from.ID()})
	if err != nil {
		return placeHint(err, "name another place to copy to; nothing in this one was touched")
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	w := &copyWatch{app: a, progress: render.NewProgress(a.talk, "copy", "events")}
	defer w.progress.Done()
	options := &transfer.Options{Progress: w.update, CaughtUp: w.caughtUp, Trouble: w.trouble}
	if follow {
		report, err := transfer.Follow(ctx, from, to, options)
		if errors.Is(err, context.Canceled) { // that is how following ends
			return errors.Join(w.write(report), &toldError{exitInterrupted})
		}
		return err
	}
	report, err := transfer.Copy(ctx, from, to, options)
	if err != nil {
		return copyHint(err, report)
	}
	w.progress.Done()
	if head, err := from.Head(ctx); err == nil && head > report.Records {
		defer a.say("%s came meanwhile: copy again for them", render.Count(head-report.Records, "event", "events"))
	}
	return w.write(report)
}

// placeHint says what to do about a place that an argument names, where there is no log.
func placeHint(err error, text string) error {
	if errors.Is(err, errNoLog) || errors.Is(err, eventstore.ErrNotALog) {
		return hint(err, text)
	}
	return err
}

// copyHint says what to do about a copy that was not finished.
func copyHint(err error, r transfer.Report) error {
	if r.Copied > 0 && !errors.Is(err, transfer.ErrDifferent) && !errors.Is(err, eventstore.ErrDamaged) {
		return hint(err, fmt.Sprintf("%s are copied: run it again, and it goes on there", render.Count(r.Copied, "event", "events")))
	}
	return err
}

// copyLine is how far a copy is, in the wire form.
type copyLine struct {
	OK       bool                `json:"ok"`
	LogID    string              `json:"logID"`
	Copied   eventstore.Position `json:"copied"`           // by this run
	Events   eventstore.Position `json:"events"`           // compared
	Outcomes int                 `json:"outcomes"`         // compared: answers to commands with an ID
	Digest   string              `json:"digest,omitempty"` // of all that was compared
}

// copyWatch tells a person, or a program, how far a copy is.
type copyWatch struct {
	*app
	progress *render.Progress
	told     time.Time // when it was last said how far it is
}

func (w *copyWatch) update(p transfer.Progress) {
	part := float64(p.Done) / float64(max(p.Total, 1)) / 2
	if p.Comparing {
		part += 0.5
	}
	w.progress.Update(int(p.Done), part)
}

// tellEvery is how often it is said how far an archive is, where it has come further.
const tellEvery = 10 * time.Second

func (w *copyWatch) caughtUp(r transfer.Report) {
	if time.Since(w.told) < tellEvery {
		return
	}
	w.told = time.Now()
	w.progress.Done()
	if w.json {
		_ = w.writeJSON(copyLineOf(r)) // the archive is not given up because nobody reads
		return
	}
	w.say("%s  up to position %d, compared", render.Time(w.told), r.Records)
}

func (w *copyWatch) trouble(err error, again time.Duration) {
	fmt.Fprintf(w.progress, "grouplog: %v; trying again in %s\n", err, again)
}

func copyLineOf(r transfer.Report) copyLine {
	return copyLine{OK: true, LogID: r.LogID, Copied: r.Copied, Events: r.Records, Outcomes: r.Outcomes, Digest: r.Digest}
}

// write writes what a copy has come to.
func (w *copyWatch) write(r transfer.Report) error {
	w.progress.Done()
	if w.json {
		return w.writeJSON(copyLineOf(r))
	}
	text := fmt.Sprintf("%s copied; the logs are the same up to position %d", render.Count(r.Copied, "event", "events"), r.Records)
	if r.Digest != "" {
		text += fmt.Sprintf(", with %s (digest %s)", render.Count(r.Outcomes, "answer to a command", "answers to commands"), r.Digest[:16])
	}
	_, err := fmt.Fprintln(w.out, text)
	return err
}
