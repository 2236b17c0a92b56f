package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
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
		var scanned, rebuilt, verified work
		turns := []func() error{
			func() (err error) {
				scanned, err = timeWork(func() error { return scan(ctx, db, s.sizes.Replayed) })
				return err
			},
		}
		if s.wants("rebuild") {
			turns = append(turns, func() (err error) {
				rebuilt, err = timeWork(func() error { return views.Rebuild(ctx, nil) })
				return err
			})
		}
		if s.wants("verify") {
			turns = append(turns, func() (err error) { verified, err = timeWork(func() error { return verify(ctx, log) }); return err })
		}
		err := s.inTurn(turns...)
		s.addWork("rebuild", rebuilt, scanned)
		s.addWork("verify", verified, scanned)
		return err
	}
	return nil
}

// work is how long something took, by the clock and of processors.
type work struct{ clock, processor time.Duration }

func timeWork(do func() error) (w work, err error) {
	before, unknown := cpuTime()
	start := time.Now()
	err = do()
	w.clock = time.Since(start)
	if unknown == nil {
		after, _ := cpuTime()
		w.processor = after - before
	}
	return w, err
}

// addWork adds a row that goes through all events, and says how fast it could be at most:
// if every core did a part of its work, and none was ever idle.
func (s *Session) addWork(row string, ours, scan work) {
	if ours.clock == 0 {
		return // nobody wants it
	}
	rate := func(w work) float64 { return float64(s.sizes.Replayed) / w.clock.Seconds() }
	s.add(row, rate(ours), rate(scan))
	if ours.processor == 0 {
		return
	}
	const limit = "-limit"
	cores := runtime.GOMAXPROCS(0)
	s.add(row+limit, float64(cores)*scan.clock.Seconds(), ours.processor.Seconds())
	s.note(row, "by the processor time it takes, %d cores that are never idle would do it at %.2f × the scan's rate",
		cores, medianOf(s.samples[row+limit], func(s Sample) float64 { return s.Ratio }))
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
