package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// envelope is what every command has beside its own fields.
type envelope struct {
	as       string
	appAdmin bool
	id       string
	dryRun   bool
}

func (e *envelope) actor() domain.Actor { return domain.Actor{UserID: e.as, AppAdmin: e.appAdmin} }

func (a *app) doCommand() *cobra.Command {
	c := parent(&cobra.Command{
		Use:   "do",
		Short: "Carry out one command",
		Long: `Carries out one command as a user, and says what it came to. With --dry-run it is
decided and not recorded. A command that creates a group begins a log that is not there.`,
		Example: `  grouplog do create-group --as alice --type Public --group chess --name "Chess club"
  grouplog do request-join --as bob --group chess --message "it's me!"
  grouplog do kick-members --as alice --group chess --user bob --duration 24h --dry-run
  grouplog do dismiss --as root --app-admin --group chess`,
	})
	for _, command := range commands.All() {
		c.AddCommand(a.oneCommand(command))
	}
	return c
}

// oneCommand makes the command line of a command from its fields.
func (a *app) oneCommand(command commands.Command) *cobra.Command {
	e := &envelope{}
	name := command.CommandName()
	value := reflect.New(reflect.TypeOf(command)).Elem()
	c := &cobra.Command{
		Use:     kebab(name),
		Aliases: []string{name},
		Short:   shortHelp[name],
		Args:    cobra.NoArgs,
		Example: exampleOf(value.Type(), name),
	}
	c.RunE = a.run(func(ctx context.Context, _ []string) error {
		return a.do(ctx, e, value.Interface().(commands.Command))
	})
	a.addEnvelope(c, e)
	a.addFields(c, value)
	return c
}

func (a *app) addEnvelope(c *cobra.Command, e *envelope) {
	a.addActor(c, e)
	flags := c.Flags()
	flags.StringVar(&e.id, "id", "", "command `ID`: the same one again gives the first answer and records nothing")
	flags.BoolVar(&e.dryRun, "dry-run", false, "say what would be recorded, and record nothing")
}

// addActor adds the flags that say who acts.
func (a *app) addActor(c *cobra.Command, e *envelope) {
	c.Flags().StringVar(&e.as, "as", "", "the `USER` who acts (required)")
	c.Flags().BoolVar(&e.appAdmin, "app-admin", false, "act as the operator of the application")
	must(c.MarkFlagRequired("as"))
	must(c.RegisterFlagCompletionFunc("as", a.completeUsers))
}

func (a *app) do(ctx context.Context, e *envelope, command commands.Command) error {
	options := []commands.Option{commands.WithID(e.id)}
	if e.dryRun {
		return a.withPlan(ctx, func(plan *commands.Handler, _ eventstore.Store) error {
			receipt, err := plan.Do(ctx, e.actor(), command, append(options, commands.DryRun())...)
			if err != nil {
				return a.refused(e, err)
			}
			events, err := planned(e.actor(), receipt)
			if err != nil {
				return err
			}
			return a.done(e, command, receipt, events)
		})
	}
	return a.withWriter(ctx, &grouplog.Options{MustExist: !beginsLogs(command)}, func(engine *grouplog.Engine) error {
		receipt, err := engine.Do(ctx, e.actor(), command, options...)
		if err != nil {
			return a.refused(e, err)
		}
		events, err := recorded(ctx, engine.Log(), receipt)
		if err != nil {
			return fmt.Errorf("the command was carried out, and its events cannot be read: %w", err)
		}
		err = a.done(e, command, receipt, events)
		if err != nil && !errors.Is(err, errUnread) {
			return hint(fmt.Errorf("the command was carried out, and what it came to cannot be written: %w", err), `"grouplog log tail" shows it`)
		}
		return err
	})
}

// beginsLogs reports whether a command makes sense where there is no log yet: whether it
// makes a group.
func beginsLogs(command commands.Command) bool {
	_, makes := reflect.TypeOf(command).FieldByName("GroupType")
	return makes
}

// refused passes on why a command was not carried out, as JSON where that is asked for.
func (a *app) refused(e *envelope, err error) error {
	if a.json {
		o := outcomeOf(commands.Receipt{}, err)
		o.DryRun = e.dryRun
		if err := a.writeJSON(o); err != nil {
			return err
		}
	}
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		typed := *refusal
		typed.Hint = asTyped(refusal.Hint)
		return &typed
	}
	return err
}

func (a *app) done(e *envelope, command commands.Command, receipt commands.Receipt, events []projections.Event) error {
	if a.json {
		o := outcomeOf(receipt, nil)
		if o.DryRun = e.dryRun; e.dryRun {
			for _, event := range events {
				o.Planned = append(o.Planned, eventLineOf(event.Record))
			}
		}
		return a.writeJSON(o)
	}
	text := summary(receipt)
	if e.dryRun {
		text = "dry run, nothing is recorded: " + text
	}
	if _, err := fmt.Fprintln(a.out, text); err != nil {
		return err
	}
	if err := a.writeEvents(events); err != nil {
		return err
	}
	return a.writeUsers(command, receipt.Users)
}
