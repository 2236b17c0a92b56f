package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/export"
	"github.com/grouplog/grouplog/projections/groupview"
)

// exportOptions are what to export, and where to.
type exportOptions struct {
	format    string
	reach     reach
	selection export.Selection
	target    target
}

func (a *app) exportCommand() *cobra.Command {
	var o exportOptions
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the events for other programs: JSON Lines, CSV, CloudEvents, OCSF",
		Long: `Writes the events of the log, oldest first, as

  jsonl        the project's own form: everything that the log holds, one event a line
  csv          a table (RFC 4180), in which no cell is a formula
  cloudevents  CloudEvents 1.0, one event a line
  ocsf         OCSF, class Group Management (3006), one event a line; events that are
               about no group are left out

The same events give the same bytes. --from and --to are both included, and are a position
(1200, or position:1200), a day (2020-06-30, in UTC), or a time (2018-12-31T23:59:59Z).
Where nothing is selected, nothing but the header is written.`,
		Example: `  grouplog export --format csv -o groups.csv
  grouplog export --format ocsf --from 2026-01-01 --to 2026-01-31 -o january.jsonl.gz
  grouplog export --group chess --type "member.*" | jq .data.userID`,
		Args: exactly(),
	}
	c.Flags().StringVar(&o.format, "format", "jsonl", "the `FORMAT`: "+strings.Join(formatNames(), ", "))
	o.reach.addTo(c, onlyPlaces, "position, day or time")
	c.Flags().StringArrayVar(&o.selection.Groups, "group", nil, "only the events of this `GROUP`; repeat for more")
	c.Flags().StringArrayVar(&o.selection.Actors, "actor", nil, "only what this `USER` did; repeat for more")
	c.Flags().StringArrayVar(&o.selection.Types, "type", nil, "only events of this `TYPE`, as member.joined, or member.*; repeat for more")
	o.target.addTo(c)
	must(c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp)))
	must(c.RegisterFlagCompletionFunc("group", a.completeGroups))
	must(c.RegisterFlagCompletionFunc("actor", a.completeUsers))
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		err := errors.Join(o.selectRange(), o.selection.Filter.Validate())
		if err != nil {
			return usage(err)
		}
		return a.withLog(ctx, func(log eventstore.Store) error { return a.export(ctx, log, &o) })
	})
	return c
}

func formatNames() []string {
	var names []string
	for _, f := range export.Formats("") {
		names = append(names, f.Name())
	}
	return names
}

// selectRange reads --from and --to.
func (o *exportOptions) selectRange() error {
	from, to := &o.reach.from, &o.reach.to
	o.selection.First, o.selection.Since = from.position(), from.begin()
	o.selection.Last, o.selection.Until = to.position(), to.end()
	return o.reach.check()
}

// export writes the events that are wanted.
func (a *app) export(ctx context.Context, log eventstore.Store, o *exportOptions) error {
	formats := export.Formats(log.ID())
	i := slices.IndexFunc(formats, func(f export.Format) bool { return f.Name() == o.format })
	if i < 0 {
		return usage(fmt.Errorf("there is no format %q; there are %s", o.format, strings.Join(formatNames(), ", ")))
	}
	for _, group := range o.selection.Groups {
		if err := mustExist(ctx, log, group); err != nil {
			return err
		}
	}
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	if o.selection.Last > 0 {
		head = min(head, o.selection.Last)
	}
	first := min(o.selection.First, head)
	progress := render.NewProgress(a.talk, "export", "events")
	defer progress.Done()
	if o.target.path == "" && render.IsTerminal(a.out) {
		progress.Hide()
	}
	var summary export.Summary
	err = a.writeTo(&o.target, func(w io.Writer) (err error) {
		done := 0
		summary, err = export.Write(ctx, w, formats[i], o.selection.Records(ctx, log), func(p eventstore.Position) {
			done++
			progress.Update(done, float64(p-first)/float64(max(head-first, 1)))
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("export stopped after %s: %w", render.Count(summary.Events, "event", "events"), err)
	}
	return a.exported(o, summary)
}

// mustExist refuses a group that never was.
func mustExist(ctx context.Context, log eventstore.Store, group string) error {
	for _, err := range log.ReadStream(ctx, domain.GroupStream(group), 0) {
		return err
	}
	return fmt.Errorf("group %q: %w", group, groupview.ErrNotFound)
}

// exported says what has been written, where that is not all that there is to see.
func (a *app) exported(o *exportOptions, s export.Summary) error {
	if o.target.path != "" && a.json {
		return a.writeJSON(struct {
			OK   bool   `json:"ok"`
			File string `json:"file"`
			export.Summary
		}{true, o.target.path, s})
	}
	text := render.Count(s.Events, "event", "events")
	if o.target.path != "" {
		text += " written to " + o.target.path
	} else {
		text += " written"
	}
	if s.LeftOut > 0 {
		text += fmt.Sprintf("; %s left out: the format has no words for what is about no group", render.Number(s.LeftOut))
	}
	a.say("%s", text)
	return nil
}
