package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/groupview"
)

func (a *app) logCommand() *cobra.Command {
	c := parent(&cobra.Command{Use: "log", Short: "What happened, event by event"})
	c.AddCommand(a.logListCommand(), a.logTailCommand())
	return c
}

// logFilter says which events of the log are wanted.
type logFilter struct {
	group, user string
}

func (f *logFilter) addTo(a *app, c *cobra.Command) {
	c.Flags().StringVar(&f.group, "group", "", "only the events of this `GROUP`")
	c.Flags().StringVar(&f.user, "user", "", "only what this `USER` did, or what was done to them")
	must(c.RegisterFlagCompletionFunc("group", a.completeGroups))
	must(c.RegisterFlagCompletionFunc("user", a.completeUsers))
}

func (f *logFilter) wants(e *projections.Event) bool {
	return (f.group == "" || e.Stream == domain.GroupStream(f.group)) &&
		(f.user == "" || e.Actor == f.user || slices.Contains(audit.Subjects(*e), f.user))
}

func (a *app) logListCommand() *cobra.Command {
	var (
		filter logFilter
		from   = moment{only: onlyPositions}
		limit  int
		newest bool
	)
	c := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the events of the log",
		Example: "  grouplog log ls --group chess\n  grouplog log ls --user bob --newest --limit 20\n  grouplog log ls --from 1000 --json",
		Args:    exactly(),
	}
	filter.addTo(a, c)
	c.Flags().Var(&from, "from", "from this `POSITION` on; with --newest, from there back")
	c.Flags().IntVar(&limit, "limit", 0, "at most `N` events; 0 for all")
	c.Flags().BoolVar(&newest, "newest", false, "newest first")
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		if limit < 0 {
			return usage(errors.New("--limit is negative"))
		}
		return a.withLog(ctx, func(log eventstore.Store) error {
			records := forward(ctx, log, &filter, from.position())
			if newest {
				records = backward(ctx, log, from.position())
			}
			return a.writeEventList(ctx, log, &filter, records, limit)
		})
	})
	return c
}

// forward reads the log from a position on; only one stream where that is enough.
func forward(ctx context.Context, log eventstore.Store, f *logFilter, from eventstore.Position) iter.Seq2[eventstore.Record, error] {
	if f.group == "" {
		return log.ReadAll(ctx, from-min(from, 1))
	}
	return func(yield func(eventstore.Record, error) bool) {
		for record, err := range log.ReadStream(ctx, domain.GroupStream(f.group), 0) {
			if err == nil && record.Position < from {
				continue
			}
			if !yield(record, err) {
				return
			}
		}
	}
}

// backward reads the log from a position back to its beginning; from its end for zero.
func backward(ctx context.Context, log eventstore.Store, from eventstore.Position) iter.Seq2[eventstore.Record, error] {
	const page = 2_000
	return func(yield func(eventstore.Record, error) bool) {
		head, err := log.Head(ctx)
		if err != nil {
			yield(eventstore.Record{}, err)
			return
		}
		if from > 0 {
			head = min(head, from)
		}
		for last := head; last > 0; {
			first := last - min(last, page) // not included
			records := make([]eventstore.Record, 0, page)
			for record, err := range log.ReadAll(ctx, first) {
				if err != nil {
					yield(record, err)
					return
				}
				if records = append(records, record); record.Position == last {
					break
				}
			}
			for _, record := range slices.Backward(records) {
				if !yield(record, nil) {
					return
				}
			}
			last = first
		}
	}
}

// writeEventList writes the events that a filter lets through.
func (a *app) writeEventList(ctx context.Context, log eventstore.Store, f *logFilter, records iter.Seq2[eventstore.Record, error], limit int) error {
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	out := flusher(a.out)
	written := 0
	for record, err := range records {
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		event, err := projections.Decode(record)
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		if !f.wants(&event) {
			continue
		}
		if err := a.writeEvent(out, &event, head); err != nil {
			return err
		}
		if written++; written == limit {
			break
		}
	}
	if err := out.Flush(); err != nil || written > 0 {
		return err
	}
	return a.nothingListed(ctx, log, f)
}

// nothingListed tells a group or a user without such events from one that never was.
func (a *app) nothingListed(ctx context.Context, log eventstore.Store, f *logFilter) error {
	if f.group != "" {
		empty := true
		for _, err := range log.ReadStream(ctx, domain.GroupStream(f.group), 0) {
			if err != nil {
				return err
			}
			empty = false
			break
		}
		if empty {
			return fmt.Errorf("group %q: %w", f.group, groupview.ErrNotFound)
		}
	}
	if f.user != "" {
		if err := known(ctx, log, f.user); err != nil {
			return err
		}
	}
	a.say("no events")
	return nil
}

// writeEvent writes an event: a sentence, or JSON. Positions are as wide as that of
// the newest event.
func (a *app) writeEvent(w io.Writer, e *projections.Event, head eventstore.Position) error {
	if a.json {
		return render.JSON(w, eventLineOf(e.Record))
	}
	style := render.StyleFor(a.out)
	position := fmt.Sprintf("%*d", len(strconv.FormatUint(uint64(head), 10)), e.Position)
	_, err := fmt.Fprintf(w, "%s  %s  %s\n", style.Dim(position), style.Dim(render.Time(e.Time)), audit.Sentence(*e))
	return err
}
