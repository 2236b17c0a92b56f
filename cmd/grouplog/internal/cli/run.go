package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/failstop"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

const fileHelp = `
A command file is JSON Lines, plain or gzip, "-" for standard input:

  {"as":"alice","command":"CreateGroup","groupType":"Public","groupID":"chess","name":"Chess club"}
  {"as":"bob","command":"RequestJoin","groupID":"chess","message":"it's me!"}

Empty lines and those that begin with # are skipped.

A line without an "id" gets one from the file's name, without its directory, and the
line's number: "moves.jsonl:17". So whatever interrupts it, run it again: lines that
have been answered give the same answer and record nothing, and the log ends as if
there had been no interruption. It also means that a line that was refused stays so,
and that a file which was changed, or another one of the same name, is noticed; --name
begins anew. Lines of standard input get IDs only with --name.

A line that is malformed or refused does not stop the others, unless --stop-on-error.
A failure of the log does.`

func (a *app) runCommand() *cobra.Command {
	return a.fileCommand(&cobra.Command{
		Use:   "run FILE",
		Short: "Carry out the commands of a file, now",
		Long:  "Carries out the commands of a file, in order, as happening now.\n" + fileHelp,
		Example: `  grouplog run moves.jsonl
  grouplog run moves.jsonl --dry-run
  producer | grouplog run - --name producer-7 --json`,
	}, false)
}

func (a *app) importCommand() *cobra.Command {
	return a.fileCommand(&cobra.Command{
		Use:   "import FILE",
		Short: "Carry out the commands of a file, at the times it says",
		Long: `Carries out the commands of a file, in order, as having happened when their "at" says;
now, where they have none. The times of a group must not go back.
` + fileHelp,
		Example: `  grouplog import history.jsonl.gz
  grouplog import history.jsonl.gz --dry-run --json`,
	}, true)
}

// fileOptions are how to go through a command file.
type fileOptions struct {
	verb        string
	path        string
	name        string // what command IDs are made from; empty: the file's
	past        bool   // keep the times of the lines
	stopOnError bool
	dryRun      bool
}

func (a *app) fileCommand(c *cobra.Command, past bool) *cobra.Command {
	o := fileOptions{verb: c.Name(), past: past}
	c.Args = exactly("FILE")
	c.Flags().StringVar(&o.name, "name", "", "make command IDs from this `NAME` in place of the file's")
	c.Flags().BoolVar(&o.stopOnError, "stop-on-error", false, "stop at the first line that is not carried out (slower: one commit a line)")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be recorded, line after line, and record nothing")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		o.path = args[0]
		return a.goThrough(ctx, o)
	})
	return c
}

// goThrough carries out a command file.
func (a *app) goThrough(ctx context.Context, o fileOptions) (err error) {
	source, err := openSource(o.path, a.in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if o.dryRun {
		return a.withPlan(ctx, func(plan *commands.Handler, log eventstore.Store) error {
			return a.newBatch(o, source, plan, log).goThrough(ctx)
		})
	}
	log, err := a.openLog(ctx, &sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	return a.withWriter(ctx, &grouplog.Options{Store: failstop.New(log)}, func(engine *grouplog.Engine) error {
		return a.newBatch(o, source, engine, log).goThrough(ctx)
	})
}

// flusher is the buffer in front of standard output. What is written there is seen
// when the program has nothing else to do.
func flusher(w io.Writer) *bufio.Writer { return bufio.NewWriterSize(w, 64<<10) }

// stopped is why a command file was not gone through to its end.
func stopped(o fileOptions, source *source, number int, err error) error {
	where := fmt.Sprintf("%s:%d", source.name, number)
	if o.dryRun || o.name == "" && o.path == "-" {
		return fmt.Errorf("%s: stopped at %s: %w", o.verb, where, err)
	}
	return fmt.Errorf("%s: stopped at %s, and the same again goes on there: %w", o.verb, where, err)
}
