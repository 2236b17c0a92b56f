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

// execer is a database or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// stamp changes whenever somebody else changes a consumer.
type stamp struct{ tenure, edits int64 }

// find reads a consumer; ErrUnknown if there is none of the name.
func find(ctx context.Context, q querier, name string) (p Progress, s stamp, err error) {
	var troubleAt int64
	err = q.QueryRowContext(ctx, `SELECT tenure, edits, position, place, record, attempts, since, since_place, trouble, trouble_at
		FROM consumers WHERE name = ?`, name).
		Scan(&s.tenure, &s.edits, &p.Cursor.Position, &p.Cursor.Index, &p.record, &p.Attempts,
			&p.since.Position, &p.since.Index, &p.Trouble.Text, &troubleAt)
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
	p.runs, err = findRuns(ctx, q, name)
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

func findRuns(ctx context.Context, q querier, name string) ([]run, error) {
	rows, err := q.QueryContext(ctx, `SELECT r.run, since, since_place, until, until_place, coalesce(stream, ''), coalesce(position, 0), coalesce(place, 0)
		FROM consumer_runs r LEFT JOIN consumer_run_holds h ON h.consumer = r.consumer AND h.run = r.run
		WHERE r.consumer = ? ORDER BY r.run`, name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var runs []run
	for last := -1; rows.Next(); {
		var number int
		var r run
		var stream string
		var held Place
		err := rows.Scan(&number, &r.Since.Position, &r.Since.Index, &r.Until.Position, &r.Until.Index, &stream, &held.Position, &held.Index)
		if err != nil {
			return nil, err
		}
		if number != last {
			r.Held, last = map[string]Place{}, number
			runs = append(runs, r)
		}
		if stream != "" {
			runs[len(runs)-1].Held[stream] = held
		}
	}
	return runs, rows.Err()
}

// rewrite puts what an editor has made of a consumer in the place of what it was.
func rewrite(ctx context.Context, tx *sql.Tx, name string, p *Progress) error {
	_, err := tx.ExecContext(ctx, `UPDATE consumers SET edits = edits + 1,
		position = ?, place = ?, record = ?, attempts = ?, since = ?, since_place = ? WHERE name = ?`,
		uint64(p.Cursor.Position), p.Cursor.Index, p.record, p.Attempts, uint64(p.since.Position), p.since.Index, name)
	if err != nil {
		return err
	}
	for _, table := range []string{"consumer_holds", "consumer_runs", "consumer_run_holds"} {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE consumer = ?", name); err != nil {
			return err
		}
	}
	for _, h := range p.Holds {
		if err := putHold(ctx, tx, name, &h); err != nil {
			return err
		}
	}
	for i := range p.runs {
		if err := putRun(ctx, tx, name, i, &p.runs[i]); err != nil {
			return err
		}
	}
	return nil
}

func putRun(ctx context.Context, tx *sql.Tx, name string, number int, r *run) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO consumer_runs (consumer, run, since, since_place, until, until_place) VALUES (?, ?, ?, ?, ?, ?)",
		name, number, uint64(r.Since.Position), r.Since.Index, uint64(r.Until.Position), r.Until.Index)
	if err != nil {
		return err
	}
	for stream, at := range r.Held {
		_, err := tx.ExecContext(ctx, "INSERT INTO consumer_run_holds (consumer, run, stream, position, place) VALUES (?, ?, ?, ?, ?)",
			name, number, stream, uint64(at.Position), at.Index)
		if err != nil {
			return err
		}
	}
	return nil
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
