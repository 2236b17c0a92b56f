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
		var written bareRows
		turns := []func() error{
			func() (err error) {
				scanned, err = timeWork(func() error { return scan(ctx, db, s.sizes.Replayed) })
				return err
			},
		}
		if s.wants("rebuild") {
			turns = append(turns, func() (err error) {
				if rebuilt, err = timeWork(func() error { return views.Rebuild(ctx, nil) }); err == nil {
					written, err = writeBareRows(ctx, s.file("views.db"), s.file("bare.db"), s.file("bare-live.db"))
				}
				return err
			})
		}
		turns = append(turns, func() (err error) { verified, err = timeWork(func() error { return verify(ctx, log) }); return err })
		if err := s.inTurn(turns...); err != nil {
			return err
		}
		if s.wants("rebuild") {
			s.addReplay("rebuild", rebuilt, scanned)
			s.limitRebuild(scanned, verified, written)
		}
		if s.wants("verify") {
			s.addReplay("verify", verified, scanned)
			s.limitVerify(scanned, verified)
		}
		return nil
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

// addReplay adds a row that goes through all events.
func (s *Session) addReplay(row string, ours, scan work) {
	rate := func(w work) float64 { return float64(s.sizes.Replayed) / w.clock.Seconds() }
	s.add(row, rate(ours), rate(scan))
}

// limitRebuild says how fast a rebuild could be that does no more than it must: all cores
// share what verify does, and inserting the rows. Then they are all there, and one
// connection makes the indexes and puts them in their place.
func (s *Session) limitRebuild(scan, verify work, write bareRows) {
	s.limit("rebuild", scan, s.onAllCores(verify.processor+write.fill.processor)+write.end.clock.Seconds(),
		"folding the events as verify does, on all cores, and SQLite alone writing the same rows, come to %.2f × the scan's rate")
}

// limitVerify says how fast verify could be if no core were ever idle.
func (s *Session) limitVerify(scan, verify work) {
	s.limit("verify", scan, s.onAllCores(verify.processor), "by the processor time it takes, cores that are never idle would do it at %.2f × the scan's rate")
}

// onAllCores is how many seconds all cores need together.
func (s *Session) onAllCores(processor time.Duration) float64 {
	return processor.Seconds() / float64(runtime.GOMAXPROCS(0))
}

// limit notes beside a row what it could come to at most, by what a round took. Where the
// system does not tell processor time, it says nothing.
func (s *Session) limit(row string, scan work, seconds float64, format string) {
	if scan.processor == 0 {
		return
	}
	const limit = "-limit"
	s.add(row+limit, scan.clock.Seconds(), seconds)
	s.note(row, format, medianOf(s.samples[row+limit], func(s Sample) float64 { return s.Ratio }))
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
