package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/export"
)

// outcome is what became of a command, in the wire form: a receipt, a refusal, or
// what else went wrong.
type outcome struct {
	Line int  `json:"line,omitempty"`
	OK   bool `json:"ok"`
	*commands.Receipt
	Code    domain.Code `json:"code,omitempty"`
	Error   string      `json:"error,omitempty"` // the code's name, or what kind of failure it is
	Rule    string      `json:"rule,omitempty"`
	Hint    string      `json:"hint,omitempty"`
	Message string      `json:"message,omitempty"`

	DryRun  bool        `json:"dryRun,omitempty"`
	Planned []eventLine `json:"planned,omitempty"`
}

// outcomeOf puts an answer into the wire form.
func outcomeOf(receipt commands.Receipt, err error) outcome {
	var refusal *domain.Refusal
	switch {
	case err == nil:
		return outcome{OK: true, Receipt: &receipt}
	case errors.As(err, &refusal):
		return outcome{Code: refusal.Code, Error: refusal.Code.String(), Rule: refusal.Rule, Hint: refusal.Hint}
	default:
		return outcome{Error: kindOf(err), Message: err.Error()}
	}
}

// kindOf is the name of a failure that is no refusal.
func kindOf(err error) string {
	for _, kind := range []struct {
		target error
		name   string
	}{
		{commands.ErrMalformed, "malformed"},
		{commands.ErrMisuse, "malformed"},
		{commands.ErrIDReused, "id_reused"},
		{commands.ErrContended, "contended"},
		{eventstore.ErrBusy, "locked"},
		{eventstore.ErrFull, "full"},
		{eventstore.ErrReadOnly, "read_only"},
		{eventstore.ErrDamaged, "damaged"},
		{eventstore.ErrUnknown, "unknown_outcome"},
	} {
		if errors.Is(err, kind.target) {
			return kind.name
		}
	}
	return "failed"
}

// eventLine is an event in the wire form.
type eventLine = export.Line

func eventLineOf(r eventstore.Record) eventLine { return export.LineOf(r) }

// recorded reads the events that a command has recorded.
func recorded(ctx context.Context, log eventstore.Store, receipt commands.Receipt) ([]projections.Event, error) {
	if receipt.First == 0 {
		return nil, nil
	}
	var events []projections.Event
	for record, err := range log.ReadAll(ctx, receipt.First-1) {
		if err != nil {
			return nil, err
		}
		event, err := projections.Decode(record)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
		if record.Position >= receipt.Position {
			break
		}
	}
	return events, nil
}

// planned are the events that a command would record.
func planned(actor domain.Actor, receipt commands.Receipt) ([]projections.Event, error) {
	stream := domain.UserStream(actor.UserID)
	if receipt.GroupID != "" {
		stream = domain.GroupStream(receipt.GroupID)
	}
	var events []projections.Event
	for _, fact := range receipt.Planned {
		name, schema, data, err := domain.Encode(fact)
		if err != nil {
			return nil, err
		}
		record := eventstore.Record{Stream: stream, Event: eventstore.Event{
			Type: name, Schema: schema, Data: data, Actor: actor.UserID, AppAdmin: actor.AppAdmin, Time: time.Now().UTC().Truncate(time.Microsecond),
		}}
		events = append(events, projections.Event{Record: record, Fact: fact})
	}
	return events, nil
}

// summary says what a receipt means.
func summary(r commands.Receipt) string {
	text := string(r.Outcome)
	switch {
	case r.Outcome == commands.Nothing && len(r.Users) > 0:
		text = "nothing to do"
	case r.Outcome == commands.Nothing:
		text = "nothing to do: it is so already"
	case r.Outcome == commands.Pending:
		text = "pending: an approver decides application " + r.ApplicationID
	}
	if r.Repeated {
		text += " (the first answer to this command ID; nothing was recorded now)"
	}
	return text
}

// writeEvents writes events as sentences.
func (a *app) writeEvents(events []projections.Event) error {
	for _, event := range events {
		position := "+"
		if event.Position > 0 {
			position = fmt.Sprintf("#%d", event.Position)
		}
		if _, err := fmt.Fprintf(a.out, "  %s  %s\n", position, audit.Sentence(event)); err != nil {
			return err
		}
	}
	return nil
}

// writeUsers says what became of each user that a command names.
func (a *app) writeUsers(command commands.Command, users []commands.UserResult) error {
	if len(users) == 0 {
		return nil
	}
	table := render.NewTable("user", "result", "why")
	for _, u := range users {
		why := ""
		switch u.Result {
		case commands.Failed:
			why = fmt.Sprintf("%s (%d %s)", u.Rule, int(u.Code), u.Code)
		case commands.Invalid:
			why = invalid(command)
		}
		table.Row(u.UserID, u.Result.String(), why)
	}
	return table.Write(a.out)
}

// invalid is why a user needed nothing done.
func invalid(command commands.Command) string {
	if _, ok := command.(commands.InviteUsers); ok {
		return "a member already"
	}
	return "not a member"
}
