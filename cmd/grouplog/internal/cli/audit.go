package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/audit"
)

// auditFlags are what a command line asks of the audit.
type auditFlags struct {
	query        audit.Query
	reach        reach
	since, until moment
	outcome      string
	newest       bool
	facets       bool
	follow       bool
}

func (a *app) auditCommand() *cobra.Command {
	var f auditFlags
	c := &cobra.Command{
		Use:   "audit",
		Short: "Search what was done, and what was tried and refused",
		Long: `Searches the log, and the attempts that rules have refused, newest first. Entries have to
pass every flag; of a flag that is given several times, any value will do. What cannot match
(an unknown user or group, a time to come) has an empty answer.

The first search of a log makes its index, which takes some ten seconds for a million events,
and shows how far it is.`,
		Example: `  grouplog audit --actor alice --limit 20
  grouplog audit --person bob --action 'members.*' --since 2020-01-01 --until 2021-01-01
  grouplog audit --outcome refused --group chess
  grouplog audit --text spam --json
  grouplog audit --facets --group chess
  grouplog audit --follow`,
		Args: exactly(),
	}
	f.addTo(a, c)
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		if err := f.complete(c); err != nil {
			return err
		}
		return a.withAudit(ctx, func(engine *grouplog.Engine) error {
			err := a.audit(ctx, engine, &f)
			if f.follow && errors.Is(err, context.Canceled) {
				return &toldError{exitInterrupted} // that is how following ends
			}
			return err
		})
	})
	return c
}

func (f *auditFlags) addTo(a *app, c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVar(&f.query.Actors, "actor", nil, "what this `USER` did or tried")
	flags.StringArrayVar(&f.query.Persons, "person", nil, "what was done to this `USER`, or is about them")
	flags.StringArrayVar(&f.query.Groups, "group", nil, "what was done in this `GROUP`")
	flags.StringArrayVar(&f.query.Actions, "action", nil, "events of this `TYPE`, or refused commands of this name; * stands for any text")
	f.since.only, f.until.only = onlyTimes, onlyTimes
	flags.Var(&f.since, "since", "not before this `TIME`: a day, or as in 2020-06-30T23:59:59Z")
	flags.Var(&f.until, "until", "before this `TIME`; before a day is before it begins")
	f.reach.addTo(c, onlyPositions, "position")
	flags.StringVar(&f.query.CommandID, "id", "", "what the command with this `ID` came to")
	flags.StringVar(&f.outcome, "outcome", "", "only what had this `OUTCOME`: done or refused")
	flags.StringVar(&f.query.Text, "text", "", "entries with these `WORDS` in a name, a message or a reason; chess* is how words begin")
	flags.BoolVar(&f.newest, "newest", false, "newest first, which is the default")
	flags.BoolVar(&f.query.Oldest, "oldest", false, "oldest first")
	flags.IntVar(&f.query.Limit, "limit", audit.DefaultLimit, "at most `N` entries; 0 for all; with --facets, of each kind of value")
	flags.StringVar(&f.query.Cursor, "cursor", "", "go on from the `CURSOR` that the page before has given")
	flags.BoolVar(&f.facets, "facets", false, "count the entries by actor, action, group, outcome and day")
	flags.BoolVarP(&f.follow, "follow", "f", false, "show the newest entries, and wait for more, until Ctrl-C")
	c.MarkFlagsMutuallyExclusive("newest", "oldest")
	c.MarkFlagsMutuallyExclusive("facets", "follow")
	c.MarkFlagsMutuallyExclusive("facets", "cursor")
	c.MarkFlagsMutuallyExclusive("follow", "to") // what is to come is behind
	c.MarkFlagsMutuallyExclusive("follow", "until")
	must(c.RegisterFlagCompletionFunc("actor", a.completeUsers))
	must(c.RegisterFlagCompletionFunc("person", a.completeUsers))
	must(c.RegisterFlagCompletionFunc("group", a.completeGroups))
	must(c.RegisterFlagCompletionFunc("action", completeActions))
	must(c.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions([]string{"done", "refused"}, cobra.ShellCompDirectiveNoFileComp)))
}

// complete reads the flags that are written otherwise than the query has them.
func (f *auditFlags) complete(c *cobra.Command) error {
	var mistakes []error
	f.query.Since, f.query.Until = f.since.begin(), f.until.begin()
	if err := f.reach.check(); err != nil {
		mistakes = append(mistakes, err)
	} else {
		f.query.From, f.query.To = f.reach.from.position(), f.reach.to.position()
	}
	f.query.Outcome = audit.Outcome(f.outcome)
	if f.query.Limit < 0 {
		mistakes, f.query.Limit = append(mistakes, errors.New("--limit is negative")), 0
	}
	if c.Flags().Changed("cursor") && f.query.Cursor == "" {
		mistakes = append(mistakes, errors.New("--cursor is empty: leave it out to begin"))
	}
	if len(mistakes) > 0 {
		return usage(errors.Join(append(mistakes, f.query.Validate())...))
	}
	return nil // the engine says what is wrong with the query
}

func completeActions(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	for _, e := range domain.Events() {
		names = append(names, e.EventName())
	}
	for _, c := range commands.All() {
		names = append(names, c.CommandName())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// withAudit is withRows for a question to the audit. Where the file of its index cannot
// be written, it is made in memory, which takes longer.
func (a *app) withAudit(ctx context.Context, f func(*grouplog.Engine) error) error {
	return a.withLog(ctx, func(log eventstore.Store) error {
		options := grouplog.Options{Store: log, ViewsPath: a.viewsPath()}
		engine, err := a.openAudit(ctx, &options)
		if isSQLite(err, sqlite3.ErrCantOpen, sqlite3.ErrReadonly) {
			options.ViewsPath, options.AuditPath, options.RefusalsPath = grouplog.Memory, grouplog.Memory, grouplog.Memory
			engine, err = a.openAudit(ctx, &options)
		}
		return use(engine, err, f)
	})
}

// openAudit opens an engine whose audit can be asked.
func (a *app) openAudit(ctx context.Context, options *grouplog.Options) (*grouplog.Engine, error) {
	defer a.progressOf("audit index", options).Done()
	engine, err := a.openEngine(ctx, options)
	if err != nil {
		return nil, err
	}
	if _, err := engine.AuditPage(ctx, audit.Query{Limit: 1}); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return engine, nil
}

// audit answers a question to the audit.
func (a *app) audit(ctx context.Context, engine *grouplog.Engine, f *auditFlags) error {
	switch {
	case f.facets:
		facets, err := engine.AuditFacets(ctx, f.query)
		if err != nil {
			return wrongQuery(err)
		}
		return a.writeFacets(&facets)
	case f.follow:
		return wrongQuery(a.followAudit(ctx, engine, f.query))
	default:
		return wrongQuery(a.writeAudit(ctx, engine, f.query))
	}
}

// wrongQuery makes a malformed query wrong usage.
func wrongQuery(err error) error {
	if errors.Is(err, audit.ErrQuery) || errors.Is(err, audit.ErrCursor) {
		return usage(err)
	}
	return err
}

// writeAudit writes a page, or as many as it takes for the limit, and says how to go on.
func (a *app) writeAudit(ctx context.Context, engine *grouplog.Engine, q audit.Query) error {
	left, written, out := q.Limit, 0, flusher(a.out)
	if left == 0 {
		left = math.MaxInt
	}
	for left > 0 {
		q.Limit = min(left, audit.MaxLimit)
		page, err := engine.AuditPage(ctx, q)
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		if err := a.writeEntries(out, page.Entries); err != nil {
			return err
		}
		left -= len(page.Entries)
		written += len(page.Entries)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	switch {
	case written == 0:
		a.say("no entries")
	case q.Cursor != "":
		a.say("there are more: --cursor %s", q.Cursor)
	}
	return nil
}

// followAudit writes the newest entries, oldest first, or all where there is no limit, and
// those to come.
func (a *app) followAudit(ctx context.Context, engine *grouplog.Engine, q audit.Query) error {
	q.Oldest = q.Oldest || q.Limit == 0
	if q.Cursor == "" && !q.Oldest {
		page, err := engine.AuditPage(ctx, q)
		if err != nil {
			return err
		}
		slices.Reverse(page.Entries)
		if err := a.writeEntries(a.out, page.Entries); err != nil {
			return err
		}
		q.Cursor, q.Oldest = page.Tail, true
	}
	tick := time.NewTicker(tailPoll)
	defer tick.Stop()
	for {
		page, err := engine.AuditPage(ctx, q)
		if err != nil {
			return err
		}
		if err := a.writeEntries(a.out, page.Entries); err != nil {
			return err
		}
		if q.Cursor = page.Tail; page.Next != "" {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (a *app) writeEntries(w io.Writer, entries []audit.Entry) error {
	style := render.StyleFor(a.out)
	for i := range entries {
		e := &entries[i]
		if a.json {
			if err := render.JSON(w, e); err != nil {
				return err
			}
			continue
		}
		place := fmt.Sprintf("#%d", e.Position)
		if e.Outcome == audit.Refused {
			place = "refused"
		}
		_, err := fmt.Fprintf(w, "%s  %s  %s\n", style.Dim(fmt.Sprintf("%9s", place)), style.Dim(render.Time(e.At)), e.Sentence)
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) writeFacets(f *audit.Facets) error {
	if a.json {
		return a.writeJSON(f)
	}
	table := render.NewTable("by", "value", "#entries")
	rows := func(by string, list []audit.Count) {
		for _, c := range list {
			table.Row(by, c.Value, render.Number(c.Count))
		}
	}
	top := func(by string, list audit.FacetList) {
		rows(by, list.Top)
		if list.Others > 0 {
			table.Row(by, "… "+render.Count(list.Values-len(list.Top), "other", "others"), render.Number(list.Others))
		}
	}
	rows("outcome", f.Outcomes)
	top("actor", f.Actors)
	top("action", f.Actions)
	top("group", f.Groups)
	rows("day", f.Days)
	if table.Len() > 0 {
		if err := table.Write(a.out); err != nil {
			return err
		}
	}
	text := render.Count(f.Total, "entry", "entries")
	if r := f.Refusals; r.Kept+r.Forgotten+r.Unkept > 0 {
		text += fmt.Sprintf("; of all refused attempts %s are kept, %s made room, %s were only counted",
			render.Number(r.Kept), render.Number(r.Forgotten), render.Number(r.Unkept))
	}
	a.say("%s", text)
	return nil
}
