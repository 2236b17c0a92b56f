package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"iter"

	"github.com/grouplog/grouplog/eventstore"
)

var _ eventstore.OutcomeLister = (*DB)(nil)

const (
	selectOutcomes = `SELECT command_id, fingerprint, answer, first, last, checksum FROM outcomes
		WHERE command_id > ? ORDER BY command_id LIMIT +?`
	outcomeColumns = 6
)

// Outcomes yields the outcomes after a command ID in pages, each as of when it is read,
// and checks their checksums.
func (db *DB) Outcomes(ctx context.Context, after string) iter.Seq2[eventstore.Outcome, error] {
	return func(yield func(eventstore.Outcome, error) bool) {
		for page := make([]eventstore.Outcome, 0, fullPage); ; page = page[:0] {
			page, err := db.readOutcomes(ctx, after, page)
			for _, o := range page {
				if !yield(o, nil) {
					return
				}
				after = o.CommandID
			}
			if err != nil {
				yield(eventstore.Outcome{}, err)
			}
			if err != nil || len(page) < cap(page) {
				return
			}
		}
	}
}

// readOutcomes reads as many outcomes after a command ID as there is room for.
func (db *DB) readOutcomes(ctx context.Context, after string, room []eventstore.Outcome) ([]eventstore.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	leave, err := db.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	err = db.withReader(ctx, func(c conn) error {
		rows, err := c.query(selectOutcomes, after, int64(cap(room)))
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // Next has said it
		var (
			row [outcomeColumns]driver.Value
			h   hasher
		)
		for {
			if err := rows.Next(row[:]); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			o, err := outcomeOf(&row, &h)
			if err != nil {
				return err
			}
			room = append(room, o)
		}
	})
	if err != nil {
		err = db.readError(err)
	}
	return room, err
}

// outcomeOf takes a row of selectOutcomes as an outcome, and checks its checksum. A
// value of another type does not match it.
func outcomeOf(row *[outcomeColumns]driver.Value, h *hasher) (o eventstore.Outcome, err error) {
	var first, last, checksum int64
	take(row[0], &o.CommandID)
	take(row[1], &o.Fingerprint)
	take(row[2], &o.Answer)
	take(row[3], &first)
	take(row[4], &last)
	take(row[5], &checksum)
	o.First, o.Last = eventstore.Position(first), eventstore.Position(last)
	return o, checkOutcome(&o, checksum, h)
}
