package grouplog

import (
	"context"
	"time"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/past"
)

// Moment is a place in the history: AtPosition, AtTime, or the present, which is the
// zero value.
type Moment = past.Moment

// Past is the history up to a moment. See Engine.AsOf.
type Past = past.Past

// ErrAhead is the answer to a moment that the log has not come to: a position beyond
// its end, a time in the future.
var ErrAhead = past.ErrAhead

// AtPosition is the moment after the event at a position of the log; 0 is before the
// first.
func AtPosition(p eventstore.Position) Moment { return past.AtPosition(p) }

// AtTime is the moment after everything that happened at or before a time, judged group
// by group.
func AtTime(t time.Time) Moment { return past.AtTime(t) }

// AsOf is the past to be asked: the same questions, answered in the same types, as of a
// moment. What is appended later does not change the answers. A moment that the log has
// not come to is an ErrAhead; before the first event there was nothing.
//
// A group costs its own events up to the moment, and what it costs now if nothing has
// happened to it since; a user costs those groups that they were ever in and that have
// changed since. Package past says exactly what is answered.
func (e *Engine) AsOf(ctx context.Context, m Moment) (*Past, error) {
	if err := e.current(ctx); err != nil {
		return nil, err
	}
	head, err := e.log.Head(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.views.WaitFor(ctx, head); err != nil { // others may have appended
		return nil, closedAs(err)
	}
	return past.New(past.Source{
		Log: e.log, Rows: e.groups, Head: head, Policies: e.options.Policies, Now: e.options.Clock(),
	}, m)
}

// DiffGroup is what has changed in a group from one moment to another: members who
// joined, left or have another role, what was edited, and what has become of
// applications. Moment{} is the present.
func (e *Engine) DiffGroup(ctx context.Context, groupID string, from, to Moment) ([]past.Change, error) {
	return e.diff(ctx, past.DiffGroup, groupID, from, to)
}

// DiffUser is what has changed for a user from one moment to another: groups that they
// joined or left, their standing in each, and what has become of applications about them.
func (e *Engine) DiffUser(ctx context.Context, userID string, from, to Moment) ([]past.Change, error) {
	return e.diff(ctx, past.DiffUser, userID, from, to)
}

func (e *Engine) diff(ctx context.Context, of func(context.Context, *Past, *Past, string) ([]past.Change, error), id string, from, to Moment) ([]past.Change, error) {
	if err := past.Ordered(from, to); err != nil {
		return nil, err
	}
	before, err := e.AsOf(ctx, from)
	if err != nil {
		return nil, err
	}
	after, err := e.AsOf(ctx, to)
	if err != nil {
		return nil, err
	}
	return of(ctx, before, after, id)
}
