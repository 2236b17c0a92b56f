package transfer

import (
	"context"
	"fmt"
	"iter"

	"github.com/grouplog/grouplog/eventstore"
)

// maxGuess is how many records are taken for one commit where no outcome says where it
// ends. A commit of the engine without a command ID is smaller, but for the largest.
const maxGuess = 1000

// commits yields the records after a position up to another as the commits that they came
// in. What a command with an ID brought about is one, and has its outcome. Of the rest, a
// log does not say where commits began: neighbours of one stream, by one actor at one time,
// are taken for one, so that what belonged together stays so.
func (c *copier) commits(ctx context.Context, after, until eventstore.Position) iter.Seq2[eventstore.Commit, error] {
	return func(yield func(eventstore.Commit, error) bool) {
		var open gathered
		for record, err := range c.from.ReadAll(ctx, after) {
			if err == nil && record.Position > until {
				break
			}
			if err == nil && open.takes(&record) {
				open.add(&record)
				continue
			}
			if err == nil {
				err = open.whole()
			}
			if err == nil && len(open.Events) > 0 && !yield(open.Commit, nil) {
				return
			}
			if err == nil {
				open, err = c.begin(ctx, &record)
			}
			if err != nil {
				yield(eventstore.Commit{}, err)
				return
			}
		}
		if err := open.whole(); err != nil {
			yield(eventstore.Commit{}, err)
		} else if len(open.Events) > 0 {
			yield(open.Commit, nil)
		}
	}
}

// gathered is a commit that may go on.
type gathered struct {
	eventstore.Commit
	last   eventstore.Record
	starts eventstore.Position // of the events of its command, by the outcome that this has
}

// begin gathers the commit that begins with a record.
func (c *copier) begin(ctx context.Context, r *eventstore.Record) (gathered, error) {
	g := gathered{Commit: eventstore.Commit{Stream: r.Stream, Expect: eventstore.Exactly(r.Version - 1)}}
	if r.CommandID != "" {
		outcome, found, err := c.from.Outcome(ctx, r.CommandID)
		if err != nil {
			return g, err
		}
		if g.starts = outcome.First; found && g.starts == r.Position {
			g.Outcome = &outcome
		}
	}
	g.add(r)
	return g, nil
}

func (g *gathered) add(r *eventstore.Record) {
	g.Events = append(g.Events, r.Event)
	g.last = *r
}

// takes reports whether a record belongs to the commit.
func (g *gathered) takes(r *eventstore.Record) bool {
	switch {
	case len(g.Events) == 0:
		return false
	case g.Outcome != nil:
		return r.Position <= g.Outcome.Last
	default:
		return len(g.Events) < maxGuess && r.Position != g.starts && r.Stream == g.Stream && r.CommandID == g.last.CommandID &&
			r.Actor == g.last.Actor && r.AppAdmin == g.last.AppAdmin && r.Time.Equal(g.last.Time)
	}
}

// whole checks that the outcome of the commit speaks of its events.
func (g *gathered) whole() error {
	if g.Outcome == nil || g.Outcome.Last == g.last.Position && g.last.Stream == g.Stream {
		return nil
	}
	return &eventstore.DamageError{Position: g.Outcome.First, Stream: g.Stream, Reason: fmt.Sprintf(
		"the outcome of command %q is about the records up to position %d, which are not there, or of another stream", g.Outcome.CommandID, g.Outcome.Last)}
}
