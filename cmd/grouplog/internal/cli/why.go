package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/past"
)

func cut(use string) (verb, argument string, found bool) { return strings.Cut(use, " ") }

func (a *app) whyCommand() *cobra.Command {
	c := parent(&cobra.Command{
		Use:   "why",
		Short: "The events that made a fact what it is",
		Long: `Shows the chain of events that made a fact about a user in a group what it is: without
any one of them, it would be another. Why a command is refused, or allowed, is asked
with "grouplog explain".`,
		Example: `  grouplog why role chess bob
  grouplog why member chess bob --at 2020-06-30`,
	})
	for _, fact := range []struct {
		name, short string
		ask         func(*past.Past, context.Context, string, string) (past.Reason, error)
	}{
		{"member", "Why a user is a member of a group, or is not", (*past.Past).WhyMember},
		{"role", "Why a user has the role in a group that they have", (*past.Past).WhyRole},
		{"banned", "Why a user is banned from a group, or is not", (*past.Past).WhyBanned},
		{"muted", "Why a member is muted, or is not", (*past.Past).WhyMuted},
	} {
		c.AddCommand(a.whyOf(fact.name, fact.short, fact.ask))
	}
	return c
}

func (a *app) whyOf(name, short string, ask func(*past.Past, context.Context, string, string) (past.Reason, error)) *cobra.Command {
	var at moment
	c := &cobra.Command{
		Use:               name + " GROUP USER",
		Short:             short,
		Example:           "  grouplog why " + name + " chess bob\n  grouplog why " + name + " chess bob --at 2020-06-30 --json",
		Args:              exactly("GROUP", "USER"),
		ValidArgsFunction: a.completeGroups,
	}
	addAt(c, &at)
	c.RunE = a.run(func(ctx context.Context, args []string) error {
		return a.withPast(ctx, &at, func(asOf *grouplog.Past) error {
			reason, err := ask(asOf, ctx, args[0], args[1])
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(struct {
					past.Reason
					Events []eventLine `json:"events"`
				}{reason, eventLinesOf(reason.Events)})
			}
			if err := a.writeText(reason.Fact); err != nil {
				return err
			}
			if err := a.writeEvents(reason.Events); err != nil {
				return err
			}
			if len(reason.Events) == 0 {
				a.say("nothing has ever happened that bears on it")
			}
			return nil
		})
	})
	return c
}

// withPast opens the log for a question to the past; where no moment is given, the past up
// to now.
func (a *app) withPast(ctx context.Context, at *moment, f func(*grouplog.Past) error) error {
	return a.withRows(ctx, func(engine *grouplog.Engine) error {
		asOf, err := engine.AsOf(ctx, at.Moment)
		if err != nil {
			return err
		}
		return f(asOf)
	})
}

func (a *app) writeText(text string) error {
	_, err := a.out.Write([]byte(render.Line(text) + "\n"))
	return err
}

func eventLinesOf(events []projections.Event) []eventLine {
	lines := make([]eventLine, len(events))
	for i := range events {
		lines[i] = eventLineOf(events[i].Record)
	}
	return lines
}
