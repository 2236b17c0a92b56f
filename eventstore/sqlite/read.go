package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

const (
	selectAll = `SELECT position, stream, version, type, schema, actor, app_admin, time, command_id, data, checksum
		FROM events WHERE position > ? ORDER BY position LIMIT ?`
	selectStream = `SELECT position, stream, version, type, schema, actor, app_admin, time, command_id, data, checksum
		FROM events WHERE stream = ? AND version > ? ORDER BY version LIMIT ?`
	selectHead    = `SELECT coalesce(max(position), 0) FROM events`
	selectOutcome = `SELECT fingerprint, answer, first, last, checksum FROM outcomes WHERE command_id = ?`
)

// A page is what one read transaction reads. It ends before it is handed out: a
// transaction that lasted as long as its reader would keep SQLite from ever using the
// -wal again, which would grow and grow.
const (
	firstPage    = 64      // records; most streams are short
	fullPage     = 1024    // records
	maxPageBytes = 4 << 20 // of data
)

// page is a run of records, and whether the log ended with it.
type page struct {
	records []eventstore.Record
	last    bool
}

// order is a way through the log: everything, or one stream.
type order struct {
	query   *sql.Stmt
	args    []any // before the place and the limit
	place   func(*eventstore.Record) uint64
	missing func(place uint64, next *eventstore.Record) *eventstore.DamageError
}

// ReadAll yields the records after the given position in pages, each as of when it is
// read, until the head. It checks every record's checksum and that none is missing.
func (db *DB) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return db.read(ctx, uint64(after), order{
		query: db.selectAll,
		place: func(r *eventstore.Record) uint64 { return uint64(r.Position) },
		missing: func(place uint64, next *eventstore.Record) *eventstore.DamageError {
			return &eventstore.DamageError{
				Position: eventstore.Position(place),
				Reason:   fmt.Sprintf("the record is missing; the next one is at position %d", next.Position),
			}
		},
	})
}

// ReadStream yields the records of a stream after the given version in pages, each as
// of when it is read. It checks every record's checksum and that none is missing.
func (db *DB) ReadStream(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Record, error] {
	return db.read(ctx, uint64(after), order{
		query: db.selectStream,
		args:  []any{stream},
		place: func(r *eventstore.Record) uint64 { return uint64(r.Version) },
		missing: func(place uint64, next *eventstore.Record) *eventstore.DamageError {
			return &eventstore.DamageError{
				Stream: stream,
				Reason: fmt.Sprintf("version %d is missing; the next one is version %d, at position %d", place, next.Version, next.Position),
			}
		},
	})
}

// read yields page after page. Records before an error are yielded before it.
func (db *DB) read(ctx context.Context, start uint64, o order) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		after, limit := start, firstPage
		for {
			if err := ctx.Err(); err != nil {
				yield(eventstore.Record{}, err)
				return
			}
			p, err := db.readPage(ctx, o, after, limit)
			for i := range p.records {
				r := &p.records[i]
				after++
				if o.place(r) != after {
					yield(eventstore.Record{}, db.readError(o.missing(after, r)))
					return
				}
				if !yield(*r, nil) {
					return
				}
			}
			if err != nil {
				yield(eventstore.Record{}, db.readError(err))
				return
			}
			if p.last {
				return
			}
			limit = fullPage
		}
	}
}

// readPage reads up to limit records after a place and checks their checksums. With an
// error it returns the records before it.
func (db *DB) readPage(ctx context.Context, o order, after uint64, limit int) (page, error) {
	leave, err := db.enter()
	if err != nil {
		return page{}, err
	}
	defer leave()
	rows, err := o.query.QueryContext(background(ctx), append(slices.Clone(o.args), int64(min(after, math.MaxInt64)), limit)...)
	if err != nil {
		return page{}, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err has said it
	var (
		p    page
		h    hasher
		size int
	)
	for len(p.records) < limit && size < maxPageBytes {
		if !rows.Next() {
			p.last = true
			return p, rows.Err()
		}
		record, err := scan(rows, &h)
		if err != nil {
			return p, err
		}
		p.records = append(p.records, record)
		size += len(record.Data)
	}
	return p, nil
}

// scan reads one record and checks its checksum.
func scan(rows *sql.Rows, h *hasher) (eventstore.Record, error) {
	var (
		r        eventstore.Record
		checksum int64
	)
	err := rows.Scan(&r.Position, &r.Stream, &r.Version, &r.Type, &r.Schema,
		&r.Actor, &r.AppAdmin, microseconds{&r.Time}, &r.CommandID, &r.Data, &checksum)
	if err != nil {
		return r, &eventstore.DamageError{Position: r.Position, Stream: r.Stream, Reason: "the record is not of the form in which it was written", Err: err}
	}
	if h.event(&r) != checksum {
		return r, &eventstore.DamageError{Position: r.Position, Stream: r.Stream, Reason: "the record does not match its checksum"}
	}
	return r, nil
}

// Head is the position of the last record, whoever has appended it.
func (db *DB) Head(ctx context.Context) (eventstore.Position, error) {
	leave, err := db.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var head eventstore.Position
	if err := db.selectHead.QueryRowContext(background(ctx)).Scan(&head); err != nil {
		return 0, db.readError(err)
	}
	return head, nil
}

// Outcome is what was stored for a command ID. It checks the outcome's checksum.
func (db *DB) Outcome(ctx context.Context, commandID string) (eventstore.Outcome, bool, error) {
	leave, err := db.enter()
	if err != nil {
		return eventstore.Outcome{}, false, err
	}
	defer leave()
	if err := ctx.Err(); err != nil {
		return eventstore.Outcome{}, false, err
	}
	var (
		o        = eventstore.Outcome{CommandID: commandID}
		checksum int64
	)
	err = db.selectOutcome.QueryRowContext(background(ctx), commandID).Scan(&o.Fingerprint, &o.Answer, &o.First, &o.Last, &checksum)
	if errors.Is(err, sql.ErrNoRows) {
		return eventstore.Outcome{}, false, nil
	}
	if err == nil {
		err = checkOutcome(&o, checksum, &hasher{})
	}
	if err != nil {
		return eventstore.Outcome{}, false, db.readError(err)
	}
	return o, true, nil
}

// checkOutcome compares an outcome with its checksum, and turns no bytes into nil.
func checkOutcome(o *eventstore.Outcome, checksum int64, h *hasher) error {
	if h.outcome(o) != checksum {
		return &eventstore.DamageError{Reason: fmt.Sprintf("the outcome of command %q does not match its checksum", o.CommandID)}
	}
	if len(o.Fingerprint) == 0 {
		o.Fingerprint = nil
	}
	if len(o.Answer) == 0 {
		o.Answer = nil
	}
	return nil
}

func (db *DB) readError(err error) error {
	if errors.Is(err, eventstore.ErrClosed) {
		return err
	}
	return fmt.Errorf("read log %s: %w", db.path, explain(err))
}

// microseconds scans a time from the number of microseconds since 1970.
type microseconds struct{ *time.Time }

func (m microseconds) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("%v is not a number of microseconds", value)
	}
	*m.Time = time.UnixMicro(n).UTC()
	return nil
}
