package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// openReplay opens the trials that read the whole log.
func openReplay(ctx context.Context, s *Session) error {
	path, err := s.bench.history(ctx)
	if err != nil {
		return err
	}
	log, err := sqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	s.later(log.Close)
	dsn, err := durable(path)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", dsn)
	if err != nil {
		return err
	}
	s.later(db.Close)
	views, err := projections.Open(ctx, s.file("views.db"), log, &projections.Options{
		Projections: []projections.Projection{groupview.New()}, Manual: true,
		Logger: slog.New(slog.DiscardHandler), // it says that the first rebuild has no rows to compare
	})
	if err != nil {
		return err
	}
	s.later(views.Close)
	s.round = func(ctx context.Context) error {
		var scanned, rebuilt, verified float64
		turns := []func() error{
			func() (err error) {
				scanned, err = s.rate(func() error { return scan(ctx, db, s.sizes.Replayed) })
				return err
			},
		}
		if s.wants("rebuild") {
			turns = append(turns, func() (err error) {
				rebuilt, err = s.rate(func() error { return views.Rebuild(ctx, nil) })
				return err
			})
		}
		if s.wants("verify") {
			turns = append(turns, func() (err error) { verified, err = s.rate(func() error { return verify(ctx, log) }); return err })
		}
		err := s.inTurn(turns...)
		s.add("rebuild", rebuilt, scanned)
		s.add("verify", verified, scanned)
		return err
	}
	return nil
}

// rate is how many events a second something goes through that goes through all.
func (s *Session) rate(do func() error) (float64, error) {
	start := time.Now()
	err := do()
	return float64(s.sizes.Replayed) / time.Since(start).Seconds(), err
}

// scan reads every event as a program without grouplog would.
func scan(ctx context.Context, db *sql.DB, events int) error {
	// A context that can end costs a goroutine for every row.
	rows, err := db.QueryContext(context.WithoutCancel(ctx),
		"SELECT position, stream, version, type, schema, actor, app_admin, time, command_id, data FROM events ORDER BY position")
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var (
			position, version, schema, at int64
			stream, kind, actor, command  string
			admin                         bool
			data                          []byte
		)
		if err := rows.Scan(&position, &stream, &version, &kind, &schema, &actor, &admin, &at, &command, &data); err != nil {
			return err
		}
	}
	if n != events {
		err = fmt.Errorf("%d events are read of %d", n, events)
	}
	return errors.Join(err, rows.Err())
}
