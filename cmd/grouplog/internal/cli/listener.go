package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/files"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/consumers"
)

func (a *app) listenerCommand() *cobra.Command {
	c := parent(&cobra.Command{Use: "listener", Short: "Durable listeners: how far they are, and what they could not handle",
		Long: `Durable listeners run in programs that embed the engine (Engine.Listen). These commands look
at how far they are, and change it, whether they are running or not: one that is notices
when it looks next (Options.Poll, 250 ms where nothing is said).`})
	c.AddCommand(a.listenerListCommand(), a.listenerParkedCommand(), a.listenerRetryCommand(), a.listenerDiscardCommand(), a.listenerResetCommand(), a.listenerCopyCommand())
	return c
}

// consumersPath is where the progress of listeners is, as the engine would choose.
func (a *app) consumersPath() string { return consumersBeside(a.db) }

// consumersBeside is where the progress of the listeners of a log in a file is.
func consumersBeside(path string) string {
	return files.Beside(path, files.Consumers)
}

// withConsumers opens the listeners of the log, and closes them. Where nobody has ever
// listened, there is no file, none is made, and the registry is nil.
func (a *app) withConsumers(ctx context.Context, f func(eventstore.Store, *consumers.Registry) error) error {
	return a.withLog(ctx, func(log eventstore.Store) (err error) {
		defer func() { err = hintOnConsumers(err, a.consumersPath()) }()
		registry, err := a.openConsumers(ctx, log)
		if err != nil {
			return err
		}
		if registry == nil {
			return f(log, nil)
		}
		defer func() { err = errors.Join(err, registry.Close()) }()
		return f(log, registry)
	})
}

// hintOnConsumers says what to do where the file at a path is damaged. Not every error says
// that it is that one.
func hintOnConsumers(err error, path string) error {
	if !isCorrupt(err) {
		return err
	}
	if !strings.Contains(err.Error(), filepath.Base(path)) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return hint(err, aboutConsumers(path))
}

// openConsumers opens the progress of listeners where the engine keeps it: in the cells of
// the log, or in a file beside it.
func (a *app) openConsumers(ctx context.Context, log eventstore.Store) (*consumers.Registry, error) {
	if cells, ok := log.(eventstore.Cells); ok {
		return consumers.OpenCells(ctx, cells, log, nil)
	}
	path := a.consumersPath()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return consumers.Open(ctx, path, log)
}

// withConsumer is withConsumers for one listener, which there must be.
func (a *app) withConsumer(ctx context.Context, name string, f func(eventstore.Store, *consumers.Registry, *consumers.Status) error) error {
	return a.withConsumers(ctx, func(log eventstore.Store, registry *consumers.Registry) error {
		status, err := consumers.Status{}, consumers.ErrUnknown
		if registry != nil {
			status, err = registry.Status(ctx, name)
		}
		if errors.Is(err, consumers.ErrUnknown) {
			return &wordsError{err, fmt.Sprintf("there is no listener %q", name)}
		}
		if err != nil {
			return err
		}
		return f(log, registry, &status)
	})
}

// listenerLine is a listener in the wire form.
type listenerLine struct {
	Name     string              `json:"name"`
	State    string              `json:"state"` // "active" or "stopped"
	Position eventstore.Position `json:"position"`
	Lag      eventstore.Position `json:"lag"`           // events
	Behind   float64             `json:"behindSeconds"` // age of the first of them
	Held     int                 `json:"held"`          // groups, also those that are parked
	Parked   int                 `json:"parked"`
	Error    string              `json:"error,omitempty"` // the last
	ErrorAt  time.Time           `json:"errorAt,omitzero"`
	Restored string              `json:"restored,omitempty"` // why it cannot go on
}

func lineOf(s *consumers.Status, now time.Time) listenerLine {
	line := listenerLine{
		Name: s.Name, State: "stopped", Position: s.Position, Lag: s.Lag, Held: len(s.Holds), Parked: s.Parked(),
		Error: s.Trouble.Text, ErrorAt: s.Trouble.At,
	}
	if s.Active {
		line.State = "active"
	}
	if !s.Waiting.IsZero() {
		line.Behind = max(0, now.Sub(s.Waiting).Seconds())
	}
	if s.Restored != nil {
		line.Restored = s.Restored.Error()
	}
	return line
}

func (a *app) listenerListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the listeners, and how far they are behind",
		Example: "  grouplog listener ls",
		Args:    exactly(),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.withConsumers(ctx, func(_ eventstore.Store, registry *consumers.Registry) error {
				var list []consumers.Status
				if registry != nil {
					var err error
					if list, err = registry.List(ctx); err != nil {
						return err
					}
				}
				now := time.Now()
				lines := func(yield func(listenerLine, error) bool) {
					for i := range list {
						if !yield(lineOf(&list[i], now), nil) {
							return
						}
					}
				}
				table := render.NewTable("listener", "state", "#position", "#lag", "behind", "#held", "#parked", "last error")
				return writeList(a, lines, table, func(l listenerLine) {
					behind, trouble := "", l.Error
					if l.Lag > 0 {
						behind = age(time.Duration(l.Behind * float64(time.Second)))
					}
					if l.Restored != "" {
						trouble = l.Restored
					}
					table.Row(l.Name, l.State, l.Position, render.Number(l.Lag), behind, l.Held, l.Parked, trouble)
				}, "nobody has listened")
			})
		}),
	}
}

// age is how old something is, for people.
func age(d time.Duration) string {
	if days := int(d.Hours() / 24); days > 1 {
		return render.Count(days, "day", "days")
	}
	return d.Round(time.Second).String()
}

// holdLine is a group that is held, in the wire form.
type holdLine struct {
	GroupID      string              `json:"groupID"`
	Notification string              `json:"notification"` // the ID of what could not be handled
	Position     eventstore.Position `json:"position"`
	Attempts     int                 `json:"attempts"`
	Since        time.Time           `json:"since"`
	Due          time.Time           `json:"due,omitzero"` // of the next attempt; none: it is parked
	Error        string              `json:"error,omitempty"`
}

func holdLineOf(h *consumers.Hold) holdLine {
	group, ok := domain.GroupOf(h.Stream)
	if !ok {
		group = h.Stream
	}
	return holdLine{
		GroupID: group, Notification: fmt.Sprintf("%d/%d", h.Position, h.Index), Position: h.Position,
		Attempts: h.Attempts, Since: h.Since, Due: h.Due, Error: h.Error,
	}
}

func holdLines(holds []consumers.Hold) []holdLine {
	lines := make([]holdLine, len(holds))
	for i := range holds {
		lines[i] = holdLineOf(&holds[i])
	}
	return lines
}

func (a *app) listenerParkedCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "parked NAME",
		Short: "List the groups that wait because a notification could not be handled",
		Long: `Lists the groups of which a notification could not be handled as often as it may be tried.
What follows in these groups waits until somebody retries or discards it; all other groups
go on. With --all, also those that are tried again by themselves.`,
		Example:           "  grouplog listener parked mailer\n  grouplog listener parked mailer --all --json",
		Args:              exactly("NAME"),
		ValidArgsFunction: a.completeListeners,
	}
	c.Flags().BoolVar(&all, "all", false, "also groups that are tried again by themselves")
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return a.withConsumer(ctx, args[0], func(log eventstore.Store, _ *consumers.Registry, status *consumers.Status) error {
			table := render.NewTable("group", "notification", "#attempts", "since", "next", "error", "event")
			holds := func(yield func(holdLine, error) bool) {
				for i := range status.Holds {
					if h := &status.Holds[i]; (all || h.Parked()) && !yield(holdLineOf(h), nil) {
						return
					}
				}
			}
			return writeList(a, iter.Seq2[holdLine, error](holds), table, func(h holdLine) {
				table.Row(h.GroupID, h.Notification, h.Attempts, render.Time(h.Since), render.Time(h.Due), h.Error, sentenceAt(ctx, log, h.Position))
			}, "nothing is parked")
		})
	})
	return c
}

// sentenceAt is what happened at a position; empty where that cannot be read.
func sentenceAt(ctx context.Context, log eventstore.Store, at eventstore.Position) string {
	for record, err := range log.ReadAll(ctx, at-1) {
		if err != nil {
			return ""
		}
		event, err := projections.Decode(record)
		if err != nil {
			return ""
		}
		return audit.Sentence(event)
	}
	return ""
}

// completeListeners offers the names of the listeners there are.
func (a *app) completeListeners(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	a.locate(cmd)
	if len(args) == 0 {
		_ = a.withConsumers(cmd.Context(), func(_ eventstore.Store, registry *consumers.Registry) error {
			if registry == nil {
				return nil
			}
			list, err := registry.List(cmd.Context())
			for _, s := range list {
				if strings.HasPrefix(s.Name, begun) {
					found = append(found, s.Name)
				}
			}
			return err
		})
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
