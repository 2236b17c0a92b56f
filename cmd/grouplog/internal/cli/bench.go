package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"syscall"

	"github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/bench"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/eventstore"
)

// benchOptions are how to measure.
type benchOptions struct {
	full, tiny bool
	only       []string
	dir        string
	check      bool
}

func (a *app) benchCommand() *cobra.Command {
	var o benchOptions
	var quick bool
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast this machine is, beside what it could be",
		Long: `Measures each row's figure and, in the same rounds, its floor: what the machine gives
for the same work without grouplog. The ratio is the median of the rounds' ratios. All
logs are durable (WAL, synchronous=FULL), in a temporary directory that is removed
afterwards. --quick, the default, takes about a minute and 300 MB, and --full about ten
and 3 GB. A target that is missed is a figure, no failure, unless --check.

The rows, as --full measures them; with --quick, there are 100 000 wherever a million is
said, and 10 000 groups of ten:

` + benchRows(),
		Example: `  grouplog bench
  grouplog bench --only commands-64 --only 'warm-*'
  grouplog bench --full --json --dir /var/lib/app > figures.jsonl`,
		Args: exactly(),
		RunE: a.run(func(ctx context.Context, _ []string) error { return needsRoom(a.bench(ctx, o)) }),
	}
	flags := c.Flags()
	flags.BoolVar(&quick, "quick", false, "about a minute; this is the default")
	flags.BoolVar(&o.full, "full", false, "about ten minutes, and groups and lists of a million")
	flags.BoolVar(&o.tiny, "tiny", false, "next to nothing, for tests")
	flags.StringArrayVar(&o.only, "only", nil, "measure this `ROW` alone, or those that a pattern like warm-* matches; repeat for more")
	flags.StringVar(&o.dir, "dir", "", "measure in a new directory below this `DIR`, so on its disk; that for temporary files where not given")
	flags.BoolVar(&o.check, "check", false, "exit with 1 where a target is missed")
	must(flags.MarkHidden("tiny"))
	c.MarkFlagsMutuallyExclusive("quick", "full")
	must(c.RegisterFlagCompletionFunc("only", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, spec := range bench.Specs() {
			names = append(names, spec.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}))
	return c
}

// benchRows says what each row measures.
func benchRows() string {
	var b strings.Builder
	for _, spec := range bench.Specs() {
		fmt.Fprintf(&b, "  %s (%s)\n", spec.Name, spec.TargetText())
		line := "   "
		for _, word := range strings.Fields(spec.Measures) {
			if len(line)+1+len(word) > 88 {
				b.WriteString(line + "\n")
				line = "   "
			}
			line += " " + word
		}
		b.WriteString(line + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (o benchOptions) sizes() bench.Sizes {
	switch {
	case o.full:
		return bench.Full()
	case o.tiny:
		return bench.Tiny()
	default:
		return bench.Quick()
	}
}

// bench measures, and tells as much as it has come to.
func (a *app) bench(ctx context.Context, o benchOptions) (err error) {
	names, err := o.sizes().Select(o.only)
	if err != nil {
		return hint(usage(err), `"grouplog bench --help" lists the rows`)
	}
	dir, err := os.MkdirTemp(o.dir, "grouplog-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	status := newStatus(a.talk)
	defer status.clear()
	b := bench.New(bench.Options{Dir: dir, Sizes: o.sizes(), Import: importQuietly, Progress: status.show})
	machine, err := b.Machine(ctx)
	if err != nil {
		return err
	}
	if err := a.benchMachine(machine, status); err != nil {
		return err
	}
	var rows []bench.Row
	err = b.Run(ctx, names, func(row bench.Row) error {
		rows = append(rows, row)
		if !a.json {
			return nil
		}
		return a.writeJSON(row)
	})
	status.clear()
	if !a.json {
		err = errors.Join(err, a.benchTable(rows))
	}
	if ctx.Err() != nil {
		return ctx.Err() // whatever the interruption has broken
	}
	if err != nil {
		return err
	}
	if missed := missedRows(rows); o.check && missed > 0 {
		return fmt.Errorf("%s of %d missed", render.Count(missed, "target", "targets"), len(rows))
	}
	return nil
}

// needsRoom says what to do where there was no room, for grouplog or for a floor.
func needsRoom(err error) error {
	if errors.Is(err, eventstore.ErrFull) || errors.Is(err, syscall.ENOSPC) || isSQLite(err, sqlite3.ErrFull) {
		return hint(err, "--dir measures on another disk: --quick needs 300 MB there, --full 3 GB")
	}
	return err
}

// benchMachine tells what is measured on.
func (a *app) benchMachine(m bench.Machine, status *status) error {
	if a.json {
		return a.writeJSON(map[string]bench.Machine{"machine": m})
	}
	cpu := m.CPU
	if cpu != "" {
		cpu = " (" + cpu + ")"
	}
	status.clear()
	_, err := fmt.Fprintf(a.out, `file system  %s; fsync of 4 KiB takes %.2f ms (p50), %.2f ms (p99)
durability   %s
machine      %s, %s%s
versions     %s, SQLite %s
sizes        %s: groups and lists of up to %s

`, m.FileSystem, m.FsyncP50, m.FsyncP99, m.Durability, m.Kernel, render.Count(m.CPUs, "CPU", "CPUs"), cpu, m.Go, m.SQLite, m.Sizes, render.Number(m.Largest))
	return err
}

// benchTable shows the rows to people.
func (a *app) benchTable(rows []bench.Row) error {
	if len(rows) == 0 {
		return nil
	}
	table := render.NewTable("row", "#value", "#floor", "#ratio", "target", "met", "unit") // 80 columns cut the units
	style := render.StyleFor(a.out)
	for _, row := range rows {
		floor, ratio, verdict := "", "", style.Good(row.Verdict())
		if row.Floor != nil {
			floor, ratio = figure(*row.Floor), figure(*row.Ratio)
		}
		if !row.Met {
			verdict = style.Bad(row.Verdict())
		}
		table.Row(row.Name, figure(row.Value), floor, ratio, row.TargetText(), rendered(verdict), row.Unit)
	}
	if err := table.Write(a.out); err != nil {
		return err
	}
	before := "\n"
	for _, row := range rows {
		if row.Note != "" {
			if _, err := fmt.Fprintf(a.out, "%s%s: %s\n", before, row.Name, row.Note); err != nil {
				return err
			}
			before = ""
		}
	}
	_, err := fmt.Fprintf(a.out, "\n%s of %d met\n", render.Count(len(rows)-missedRows(rows), "target", "targets"), len(rows))
	return err
}

// rendered is text with colours in it, which a table leaves as it is.
type rendered string

func missedRows(rows []bench.Row) (missed int) {
	for _, row := range rows {
		if !row.Met {
			missed++
		}
	}
	return missed
}

// figure is a number with three digits that matter, or all that stand before the point.
func figure(x float64) string {
	if math.Abs(x) >= 100 {
		return render.Number(int(math.Round(x)))
	}
	digits := 2
	for limit := 10.0; digits > 0 && math.Abs(x) >= limit; limit *= 10 {
		digits--
	}
	if math.Abs(x) < 0.1 {
		digits = 3
	}
	return fmt.Sprintf("%.*f", digits, x)
}

// importQuietly is "grouplog import" without what it says.
func importQuietly(ctx context.Context, log, file string) error {
	quiet := &app{in: strings.NewReader(""), out: io.Discard, talk: io.Discard, db: log}
	return quiet.goThrough(ctx, fileOptions{verb: "import", path: file, past: true})
}

// status is a line on a terminal that says what is being done.
type status struct {
	out     io.Writer
	visible bool
}

func newStatus(out io.Writer) *status { return &status{out: out, visible: render.IsTerminal(out)} }

func (s *status) show(what string, part float64) { s.write(fmt.Sprintf("%3.0f%%  %s", 100*part, what)) }
func (s *status) clear()                         { s.write("") }

func (s *status) write(text string) {
	if s.visible {
		_, _ = io.WriteString(s.out, "\r\x1b[K"+text)
	}
}
