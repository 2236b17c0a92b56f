package consumers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// stamp changes whenever somebody else changes a consumer.
type stamp struct{ tenure, edits int64 }

// find reads a consumer; ErrUnknown if there is none of the name.
func (r *Registry) find(ctx context.Context, q querier, name string) (p Progress, s stamp, err error) {
	var troubleAt int64
	err = q.QueryRowContext(ctx, `SELECT tenure, edits, position, place, record, attempts, told, told_place, trouble, trouble_at
		FROM consumers WHERE name = ?`, name).
		Scan(&s.tenure, &s.edits, &p.Cursor.Position, &p.Cursor.Index, &p.record, &p.Attempts,
			&p.told.Position, &p.told.Index, &p.Trouble.Text, &troubleAt)
	if errors.Is(err, sql.ErrNoRows) {
		return p, s, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	if err != nil {
		return p, s, err
	}
	p.Trouble.At = timeOf(troubleAt)
	if p.Holds, err = findHolds(ctx, q, name); err != nil {
		return p, s, err
	}
	p.toldStream, err = findTold(ctx, q, name)
	return p, s, err
}

func findHolds(ctx context.Context, q querier, name string) (map[string]Hold, error) {
	rows, err := q.QueryContext(ctx, `SELECT stream, version, position, place, attempts, forgiven, coalesce(due, 0), since, error
		FROM consumer_holds WHERE consumer = ?`, name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	holds := map[string]Hold{}
	for rows.Next() {
		var h Hold
		var due, since int64
		err := rows.Scan(&h.Stream, &h.Version, &h.Position, &h.Index, &h.Attempts, &h.Forgiven, &due, &since, &h.Error)
		if err != nil {
			return nil, err
		}
		h.Due, h.Since = timeOf(due), timeOf(since)
		holds[h.Stream] = h
	}
	return holds, rows.Err()
}

func findTold(ctx context.Context, q querier, name string) (map[string]Place, error) {
	rows, err := q.QueryContext(ctx, "SELECT stream, position, place FROM consumer_told WHERE consumer = ?", name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	told := map[string]Place{}
	for rows.Next() {
		var stream string
		var at Place
		if err := rows.Scan(&stream, &at.Position, &at.Index); err != nil {
			return nil, err
		}
		told[stream] = at
	}
	return told, rows.Err()
}

func putHold(ctx context.Context, tx *sql.Tx, name string, h *Hold) error {
	var due any
	if !h.Parked() {
		due = h.Due.UnixMicro()
	}
	_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO consumer_holds
		(consumer, stream, version, position, place, attempts, forgiven, due, since, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		name, h.Stream, uint64(h.Version), uint64(h.Position), h.Index, h.Attempts, h.Forgiven, due, h.Since.UnixMicro(), h.Error)
	return err
}

func timeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
