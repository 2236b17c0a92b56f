package cli

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections/past"
)

func (a *app) explainCommand() *cobra.Command {
	c := parent(&cobra.Command{
		Use:   "explain",
		Short: "Whether a command would be allowed, by which rule, and why",
		Long: `Says whether a command would be allowed now, or would have been at a time, by which
rule, what it would record, and which events made the answer so: without any one of
them, it would be another. Nothing is recorded. Rules are those of today.`,
		Example: `  grouplog explain request-join --as bob --group chess
  grouplog explain accept-application --as alice --group chess --from bob --at 2020-06-30`,
	})
	for _, command := range commands.All() {
		c.AddCommand(a.explainOf(command))
	}
	return c
}

func (a *app) explainOf(command commands.Command) *cobra.Command {
	var (
		e  envelope
		at moment
	)
	name := command.CommandName()
	value := reflect.New(reflect.TypeOf(command)).Elem()
	c := &cobra.Command{
		Use:     kebab(name),
		Aliases: []string{name},
		Short:   shortHelp[name],
		Args:    cobra.NoArgs,
		Example: strings.Replace(exampleOf(value.Type(), name), "grouplog do ", "grouplog explain ", 1),
	}
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		return a.withPast(ctx, &at, func(asOf *grouplog.Past) error {
			explanation, err := asOf.Explain(ctx, e.actor(), value.Interface().(commands.Command))
			if err != nil {
				return err
			}
			return a.writeExplanation(&e, &explanation)
		})
	})
	a.addActor(c, &e)
	addAt(c, &at)
	a.addFields(c, value)
	return c
}

// writeExplanation writes the answer, the rule, and the events on both sides of it.
func (a *app) writeExplanation(who *envelope, e *past.Explanation) error {
	events, err := planned(who.actor(), commands.Receipt{GroupID: e.GroupID, Planned: e.Events})
	if err != nil {
		return err
	}
	for i := range events {
		events[i].Time = e.At
	}
	if a.json {
		answer := explanation{
			Allowed: e.Allowed, At: e.At.Format(timeJSON), Standing: e.Standing, Rule: e.Rule, Outcome: e.Outcome,
			Planned: eventLinesOf(events), Because: eventLinesOf(e.Because),
		}
		if e.Refusal != nil {
			answer.Code, answer.Error, answer.Hint = e.Refusal.Code, e.Refusal.Code.String(), e.Refusal.Hint
		}
		return a.writeJSON(answer)
	}
	text := "allowed: " + string(e.Outcome)
	if e.Refusal != nil {
		text = fmt.Sprintf("refused (%d %s): %s", int(e.Refusal.Code), e.Refusal.Code, e.Refusal.Rule)
	}
	facts := [][2]string{{"answer", render.Line(text)}}
	if e.Allowed && e.Rule != "" {
		facts = append(facts, [2]string{"rule", e.Rule})
	}
	if e.Refusal != nil {
		facts = append(facts, [2]string{"hint", render.Line(asTyped(e.Refusal.Hint))})
	}
	if e.Standing != "" {
		facts = append(facts, [2]string{"who", e.Standing})
	}
	facts = append(facts, [2]string{"at", utc(e.At)})
	if err := writeFacts(a.out, facts); err != nil {
		return err
	}
	if len(events) > 0 {
		fmt.Fprintln(a.out, "it would record:")
		if err := a.writeEvents(events); err != nil {
			return err
		}
	}
	if len(e.Because) > 0 {
		fmt.Fprintln(a.out, "because:")
		return a.writeEvents(e.Because)
	}
	return nil
}

const timeJSON = "2006-01-02T15:04:05.999999Z07:00"

// explanation is past.Explanation in the wire form.
type explanation struct {
	Allowed  bool             `json:"allowed"`
	At       string           `json:"at"`
	Standing string           `json:"standing,omitempty"`
	Rule     string           `json:"rule,omitempty"`
	Code     domain.Code      `json:"code,omitempty"`
	Error    string           `json:"error,omitempty"`
	Hint     string           `json:"hint,omitempty"`
	Outcome  commands.Outcome `json:"outcome,omitempty"`
	Planned  []eventLine      `json:"planned"`
	Because  []eventLine      `json:"because"`
}
