package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// request is one command on its way through the handler.
type request struct {
	actor       domain.Actor
	command     Command
	options     options
	fingerprint []byte // nil without a command ID
	stream      string
	whole       bool   // the group must be loaded whole
	again       bool   // its command ID may have an answer by now
	attempts    int    // how often others have been faster
	number      uint64 // in the order in which the writer took the requests

	line   []byte // for a peer; nil where it is to be decided here
	passed bool   // it is taken already, and has come to the writer by a lane
	lanes  *lanes // that count it as the writer's; nil where none do

	state    atomic.Int32 // who may still end it: see the constants
	answer   answer       // once answered is closed
	answered chan struct{}
}

const (
	queued    = iota // the caller may give up
	taken            // it will be carried out and answered, whatever the caller does
	abandoned        // the caller gave up: nothing is done
)

type answer struct {
	receipt Receipt
	err     error
}

// reply answers the request. Whoever has brought its state to taken or abandoned
// does so, once.
func (r *request) reply(receipt Receipt, err error) {
	r.answer = answer{receipt, err}
	r.leave()
	close(r.answered)
}

// leave has the lanes know that the writer does not have the request any more.
func (r *request) leave() {
	if r.lanes != nil {
		r.lanes.leave(r.stream)
	}
}

// Future is the answer to a command that has been submitted.
type Future struct {
	request *request
}

// Wait returns the answer. Where ctx ends first and the command has not been
// started, the command is withdrawn and ctx's error returned; one that has been
// started is waited for, because it may be recorded. Waiting again gives the same
// answer.
func (f *Future) Wait(ctx context.Context) (Receipt, error) {
	r := f.request
	select {
	case <-r.answered:
		return r.answer.receipt, r.answer.err
	case <-ctx.Done():
	}
	if r.state.CompareAndSwap(queued, abandoned) {
		r.reply(Receipt{}, context.Cause(ctx))
	}
	<-r.answered
	return r.answer.receipt, r.answer.err
}

// stored is the form in which an answer is kept for a command ID.
type stored struct {
	Receipt *Receipt        `json:"receipt,omitempty"`
	Refusal *domain.Refusal `json:"refusal,omitempty"`
}

// outcome is what the log keeps for the request's command ID; nil without one.
func (r *request) outcome(receipt Receipt, refusal *domain.Refusal) (*eventstore.Outcome, error) {
	if r.options.id == "" {
		return nil, nil
	}
	content := stored{Refusal: refusal}
	if refusal == nil {
		kept := receipt // the parameter stays on the stack, where there is no command ID
		content.Receipt = &kept
	}
	data, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("keep the answer to %q: %w", r.options.id, err)
	}
	return &eventstore.Outcome{CommandID: r.options.id, Fingerprint: r.fingerprint, Answer: data}, nil
}

// repeat answers the request with what its command ID was answered first.
func (r *request) repeat(first eventstore.Outcome) (Receipt, error) {
	if string(first.Fingerprint) != string(r.fingerprint) {
		return Receipt{}, reused(r.options.id)
	}
	var content stored
	if err := json.Unmarshal(first.Answer, &content); err != nil {
		return Receipt{}, fmt.Errorf("read the first answer to %q: %w", r.options.id, err)
	}
	if content.Refusal != nil {
		return Receipt{}, content.Refusal
	}
	if content.Receipt == nil {
		return Receipt{}, errors.New("the first answer to the command is empty")
	}
	receipt := *content.Receipt
	receipt.First, receipt.Position, receipt.Repeated = first.First, first.Last, true
	return receipt, nil
}
