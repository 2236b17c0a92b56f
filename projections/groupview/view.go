package groupview

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/projections"
)

//go:embed schema.sql
var schema string

// View is the projection that makes the rows. It may be given to any number of views
// files.
type View struct {
	keep int // rows in memory from one page to the next
	fill int // the same while tables are filled from scratch
}

var _ projections.Filler = (*View)(nil)

// New returns the projection.
func New() *View { return &View{keep: keptRows, fill: filledRows} }

// Name identifies the projection in views files.
func (*View) Name() string { return "groupview" }

// Version is that of the rows.
func (*View) Version() int { return 7 }

// Schema creates the tables.
func (*View) Schema() string { return schema }

// Apply brings a page of events into the rows. Each row that the page changes is
// written once, however many of its events do. While tables are filled, so is each row
// that many pages change: what has ended is written soon, beside the pages that follow,
// and the rest by Flush.
func (v *View) Apply(_ context.Context, tx *projections.Tx, events []projections.Event) error {
	r := tx.Memo(func() any { return new(rows) }).(*rows)
	if err := r.begin(tx, v.fill); err != nil {
		return err
	}
	for i := range events {
		if err := r.apply(&events[i]); err != nil {
			return fmt.Errorf("position %d (%s of %s): %w", events[i].Position, events[i].Type, events[i].Stream, err)
		}
	}
	if !tx.Filling() {
		return r.end(v.keep)
	}
	switch {
	case r.kept > v.fill:
		return r.end(v.fill)
	case r.ended > v.fill/8:
		return r.flushEnded()
	}
	return nil
}

// Flush writes the rows that Apply has kept back.
func (v *View) Flush(_ context.Context, tx *projections.Tx) error {
	r := tx.Memo(func() any { return new(rows) }).(*rows)
	if err := r.begin(tx, v.fill); err != nil {
		return err
	}
	return r.end(v.fill)
}

// micros is a time as it is stored.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is a stored time of something that has happened.
func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// clock is a stored time of something that need not happen; 0 is never.
func clock(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
