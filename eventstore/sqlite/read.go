package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

const (
	// A text would be copied once more on its way to a []byte.
	selectRecord  = `SELECT position, stream, version, type, schema, actor, app_admin, time, command_id, CAST(data AS BLOB), checksum FROM events `
	recordColumns = 11
	selectAll     = selectRecord + `WHERE position > ? ORDER BY position LIMIT +?`
	selectStream  = selectRecord + `WHERE stream = +? AND version > ? ORDER BY version LIMIT +?`

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
	pagesAhead   = 4       // how many may wait for their reader
)

// page is a run of records, what came after them, and whether the log ended there.
type page struct {
	records []eventstore.Record
	size    int // in bytes
	err     error
	last    bool
}

// order is a way through the log: everything, or one stream.
type order struct {
	query   string
	packed  string         // the same for many records; see pack.go
	args    []driver.Value // before the place and the limit
	place   func(*eventstore.Record) uint64
	missing func(place uint64, next *eventstore.Record) *eventstore.DamageError
}

// ReadAll yields the records after the given position in pages, each as of when it is
// read, until the head. It checks every record's checksum and that none is missing.
func (db *DB) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return db.read(ctx, uint64(after), order{
		query:  selectAll,
		packed: packAll,
		place:  func(r *eventstore.Record) uint64 { return uint64(r.Position) },
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
		query:  selectStream,
		packed: packStream,
		args:   []driver.Value{stream},
		place:  func(r *eventstore.Record) uint64 { return uint64(r.Version) },
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
		after := start
		for p := range db.pages(ctx, o, start) {
			if err := db.readable(ctx); err != nil { // it was read ahead
				yield(eventstore.Record{}, err)
				return
			}
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
			if p.err != nil {
				yield(eventstore.Record{}, p.err)
				return
			}
		}
	}
}

// pages yields a short page, and if there is more, full ones, which are read
// ahead while those before are looked at, and used again after that. The last one ends
// the log, or has an error.
func (db *DB) pages(ctx context.Context, o order, after uint64) iter.Seq[page] {
	return func(yield func(page) bool) {
		short := o
		short.packed = ""
		p := db.readPage(ctx, short, after, make([]eventstore.Record, 0, firstPage))
		if !yield(p) || p.last || p.err != nil {
			return
		}
		ahead, spare, stop := make(chan page, pagesAhead), make(chan []eventstore.Record, pagesAhead), make(chan struct{})
		go func() {
			defer close(ahead)
			for !p.last && p.err == nil {
				after += uint64(len(p.records))
				var records []eventstore.Record
				select {
				case records = <-spare:
				default:
					records = make([]eventstore.Record, 0, fullPage)
				}
				p = db.readPage(ctx, o, after, records[:0:p.fitting()])
				select {
				case ahead <- p:
				case <-stop:
					return
				}
			}
		}()
		defer func() {
			close(stop)
			for range ahead { // until the goroutine has ended
			}
		}()
		for p := range ahead {
			if !yield(p) {
				return
			}
			if cap(p.records) < fullPage {
				continue
			}
			select {
			case spare <- p.records[:0]:
			default:
			}
		}
	}
}

// readPage reads records after a place, as many as there is room for, and checks their
// checksums.
func (db *DB) readPage(ctx context.Context, o order, after uint64, room []eventstore.Record) (p page) {
	if err := ctx.Err(); err != nil {
		return page{err: err}
	}
	leave, err := db.enter()
	if err != nil {
		return page{err: err}
	}
	defer leave()
	p.records = room
	err = db.withReader(ctx, func(c conn) error {
		if o.packed != "" {
			p.fillPacked(c, o, after)
		}
		if len(p.records) > 0 {
			return nil
		}
		return p.fill(c, o, after)
	})
	if err != nil {
		p.err = db.readError(err)
	}
	return p
}

// readable is why nothing may be read: the context has ended, or the log is closed.
func (db *DB) readable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	leave, err := db.enter()
	if err == nil {
		leave()
	}
	return err
}

// withReader lends a connection that reads, without database/sql in between: it would
// cost half as much again as reading a record does.
func (db *DB) withReader(ctx context.Context, read func(conn) error) error {
	c, err := db.readers.Conn(background(ctx))
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Raw(func(raw any) error { return read(conn{raw.(driver.Conn)}) })
}

// fitting is how many records like these make a page.
func (p *page) fitting() int {
	if len(p.records) == 0 {
		return fullPage
	}
	return max(1, min(fullPage, maxPageBytes/(p.size/len(p.records)+1)))
}

// fill runs the query and keeps its records, until the page is full or an error.
func (p *page) fill(c conn, o order, after uint64) error {
	rows, err := c.query(o.query, append(slices.Clone(o.args), int64(min(after, math.MaxInt64)), int64(cap(p.records)))...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Next has said it
	var (
		row [recordColumns]driver.Value
		h   hasher
	)
	for len(p.records) < cap(p.records) && p.size < maxPageBytes {
		err := rows.Next(row[:])
		if errors.Is(err, io.EOF) {
			p.last = true
			return nil
		}
		if err != nil {
			return err
		}
		record, err := recordOf(&row, &h)
		if err != nil {
			return err
		}
		p.records = append(p.records, record)
		p.size += len(record.Data)
	}
	return nil
}

// recordOf takes a row of selectAll or selectStream as a record, and checks its
// checksum.
func recordOf(row *[recordColumns]driver.Value, h *hasher) (r eventstore.Record, err error) {
	var position, version, schema, admin, micros, checksum int64
	integers := take(row[0], &position) && take(row[2], &version) && take(row[4], &schema) &&
		take(row[6], &admin) && take(row[7], &micros) && take(row[10], &checksum)
	texts := take(row[1], &r.Stream) && take(row[3], &r.Type) && take(row[5], &r.Actor) &&
		take(row[8], &r.CommandID) && take(row[9], &r.Data)
	r.Position, r.Version, r.Schema = eventstore.Position(position), eventstore.Version(version), int(schema)
	r.AppAdmin, r.Time = admin == 1, time.UnixMicro(micros).UTC()
	switch {
	case !integers || !texts || admin>>1 != 0:
		return r, &eventstore.DamageError{Position: r.Position, Stream: r.Stream, Reason: "the record is not of the form in which it was written"}
	case h.event(&r) != checksum:
		return r, &eventstore.DamageError{Position: r.Position, Stream: r.Stream, Reason: "the record does not match its checksum"}
	}
	return r, nil
}

// take reports whether a value is of a type, and if so puts it there.
func take[T any](value driver.Value, to *T) (ok bool) {
	*to, ok = value.(T)
	return ok
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
	if err := db.guard.checkMain(); err != nil {
		return 0, db.readError(err)
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
	if err := db.guard.checkMain(); err != nil {
		return eventstore.Outcome{}, false, db.readError(err)
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
