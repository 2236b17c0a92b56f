package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// wireFormat is that of requests and answers between peers. One of another version is
// declined, so that two versions of a program can share a log.
const wireFormat = 1

// maxAsked is how many bytes of commands go into one request, but for a single command.
const maxAsked = 256 << 10

// asked is a request to a peer: commands about one group, in their order.
type asked struct {
	Format   int         `json:"format"`
	Commands []askedLine `json:"commands"`
}

// askedLine is one of them. Its time is beside the line, where ParseLine would take it for
// that of what an import is about, too.
type askedLine struct {
	Line   json.RawMessage `json:"line"`
	At     time.Time       `json:"at,omitzero"`
	DryRun bool            `json:"dryRun,omitempty"`
}

// answered is the answer: what the first commands came to, in their order. The others, all
// of them where the request was not understood, have been declined: nothing is done.
type answered struct {
	Format   int                 `json:"format"`
	Position eventstore.Position `json:"position"` // that the answers rest on
	Answers  []answeredLine      `json:"answers"`
	Declined string              `json:"declined,omitempty"` // why
}

type answeredLine struct {
	stored
	Planned []plannedEvent `json:"planned,omitempty"`
	Error   string         `json:"error,omitempty"`
	Kinds   []string       `json:"kinds,omitempty"` // that the error is of
}

// plannedEvent is an event of a dry run.
type plannedEvent struct {
	Type   string          `json:"type"`
	Schema int             `json:"schema"`
	Data   json.RawMessage `json:"data"`
}

// kinds are the errors that are told from others on the other side, too.
var kinds = map[string]error{
	"closed": eventstore.ErrClosed, "damaged": eventstore.ErrDamaged, "unknown": eventstore.ErrUnknown, "busy": eventstore.ErrBusy,
	"read-only": eventstore.ErrReadOnly, "full": eventstore.ErrFull, "invalid": eventstore.ErrInvalid,
	"id-reused": ErrIDReused, "contended": ErrContended, "misuse": ErrMisuse, "deadline": context.DeadlineExceeded,
}

// peerError is an error that a peer has answered.
type peerError struct {
	text  string
	kinds []error
}

func (e *peerError) Error() string   { return e.text }
func (e *peerError) Unwrap() []error { return e.kinds }

// lineOf is a request's command for a peer; nil where it is to be decided here: it makes
// the group, or has no form that would be read as the same.
func lineOf(r *request) []byte {
	if _, makes := r.command.(identified); makes {
		return nil
	}
	line, err := json.Marshal(Line{As: r.actor, ID: r.options.id, Command: r.command})
	if err != nil || len(line) > MaxLine || bytes.Contains(line, []byte(`\ufffd`)) { // was no UTF-8
		return nil
	}
	return line
}

func encodeAsked(batch []*request) []byte {
	a := asked{Format: wireFormat}
	for _, r := range batch {
		a.Commands = append(a.Commands, askedLine{Line: r.line, At: r.options.at, DryRun: r.options.dryRun})
	}
	return encode(a)
}

// encode writes what consists of JSON and of plain values, and so cannot fail.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("message to a peer: %v", err))
	}
	return data
}

// decodeAsked reads a request.
func decodeAsked(data []byte) (*asked, error) {
	var a asked
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, err
	}
	if a.Format != wireFormat {
		return nil, fmt.Errorf("the request is of format %d, and this version knows %d", a.Format, wireFormat)
	}
	return &a, nil
}

// answer carries out what a peer asks for, as a command of this handler's own, and never
// asks another one. Once a command is declined, those after it are, for they come later.
func (h *Handler) answer(ctx context.Context, request []byte) []byte {
	reply := answered{Format: wireFormat, Answers: []answeredLine{}}
	futures, err := h.submitAsked(ctx, request)
	if err != nil {
		reply.Declined = err.Error()
	}
	for _, f := range futures {
		reply.Answers = append(reply.Answers, answerOf(f.Wait(context.Background())))
	}
	reply.Position = h.Position()
	return encode(reply)
}

func (h *Handler) submitAsked(ctx context.Context, request []byte) (futures []*Future, err error) {
	a, err := decodeAsked(request)
	if err != nil {
		return nil, err
	}
	for _, c := range a.Commands {
		line, err := ParseLine(c.Line)
		if err != nil {
			return futures, err
		}
		options := []Option{WithID(line.ID), At(c.At)}
		if c.DryRun {
			options = append(options, DryRun())
		}
		f, err := h.submit(ctx, line.As, line.Command, options, h.enqueue)
		if err != nil {
			return futures, err
		}
		futures = append(futures, f)
	}
	return futures, nil
}

// answerOf is the wire form of an answer.
func answerOf(receipt Receipt, err error) answeredLine {
	var line answeredLine
	var refusal *domain.Refusal
	switch {
	case errors.As(err, &refusal):
		line.Refusal = refusal
		return line
	case err != nil:
		line.Error = err.Error()
		for name, kind := range kinds {
			if errors.Is(err, kind) {
				line.Kinds = append(line.Kinds, name)
			}
		}
		return line
	}
	line.Receipt = &receipt
	for _, e := range receipt.Planned {
		name, schema, data, err := domain.Encode(e)
		if err != nil {
			return answerOf(Receipt{}, err)
		}
		line.Planned = append(line.Planned, plannedEvent{name, schema, data})
	}
	return line
}

// decodeAnswered reads the answer to a number of commands.
func decodeAnswered(data []byte, commands int) (*answered, error) {
	var a answered
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if a.Format != wireFormat {
		return nil, fmt.Errorf("the answer is of format %d, and this version knows %d", a.Format, wireFormat)
	}
	if len(a.Answers) > commands || len(a.Answers) < commands && a.Declined == "" {
		return nil, fmt.Errorf("%d answers to %d commands", len(a.Answers), commands)
	}
	for i := range a.Answers {
		if line := &a.Answers[i]; line.Receipt == nil && line.Refusal == nil && line.Error == "" {
			return nil, fmt.Errorf("answer %d is empty", i+1)
		}
	}
	return &a, nil
}

// result is what an answer says.
func (a *answeredLine) result() (Receipt, error) {
	switch {
	case a.Error != "":
		e := &peerError{text: a.Error}
		for _, name := range a.Kinds {
			if kind := kinds[name]; kind != nil {
				e.kinds = append(e.kinds, kind)
			}
		}
		return Receipt{}, e
	case a.Refusal != nil:
		return Receipt{}, a.Refusal
	}
	receipt := *a.Receipt
	for _, p := range a.Planned {
		e, err := domain.Decode(p.Type, p.Schema, p.Data)
		if err != nil {
			return Receipt{}, fmt.Errorf("read the plan of a peer: %w", err)
		}
		receipt.Planned = append(receipt.Planned, e)
	}
	return receipt, nil
}
