package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// Refusals keep the attempts that rules have refused, the newest ones, in a file of their
// own: the log does not hold them, so nothing can make them again.
//
// They are written behind whoever reports them, in batches: what was reported in the last
// moments before the power failed may be gone. They are bounded, whoever tries how often:
// of one actor, AttemptsPerActor are kept in a minute, of all together AttemptsPerMinute,
// and the others are counted; and the newest RefusalOptions.Keep in all.
//
// Its methods may be called from any number of goroutines. Several processes may share
// the file.
type Refusals struct {
	path  string
	logID string
	opts  RefusalOptions

	mu      sync.Mutex
	minute  int64 // since 1970, of what follows
	all     int
	by      map[string]int // actors: how many attempts were kept
	waiting []Attempt
	more    map[string]int64 // actors: how many attempts were not
	unkept  int64            // attempts of which even the actors were not kept
	closed  bool

	writing sync.Mutex
	db      *sql.DB // nil until it is needed

	wanted chan struct{} // something waits
	stop   chan struct{}
	done   chan struct{}
}

// RefusalOptions say how refused attempts are kept. Only Keep must be given.
type RefusalOptions struct {
	Keep   int              // how many
	Clock  func() time.Time // time.Now when nil
	Logger *slog.Logger     // slog.Default() when nil
}

// Bounds of what is kept.
const (
	AttemptsPerActor  = 60
	AttemptsPerMinute = 1_000
	DefaultKeep       = 10_000
)

// gatherTime is how long attempts gather before they are written.
const gatherTime = 50 * time.Millisecond

// NewRefusals keeps the refused attempts of the log with an ID in the file at a path,
// which is made when there is something to keep. ":memory:" keeps them in memory.
func NewRefusals(path, logID string, opts RefusalOptions) *Refusals {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	r := &Refusals{
		path: path, logID: logID, opts: opts, by: map[string]int{}, more: map[string]int64{},
		wanted: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go r.run()
	return r
}

// Record takes an attempt to be kept, or counts it. It never waits, for the disk or for
// anybody. The data is asked for only where the attempt is kept.
func (r *Refusals) Record(a Attempt, data func() (json.RawMessage, error)) {
	a.Actor.UserID = shortened(a.Actor.UserID)
	if !r.admit(a.Actor.UserID) {
		return
	}
	if command, err := data(); err == nil {
		a.read(command)
	}
	r.mu.Lock()
	r.waiting = append(r.waiting, a)
	r.mu.Unlock()
	r.want()
}

// admit reports whether an attempt of an actor is kept now. One that is not, is counted.
func (r *Refusals) admit(actor string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	if minute := r.opts.Clock().Unix() / 60; minute != r.minute {
		r.minute, r.all = minute, 0
		clear(r.by)
	}
	if r.all < AttemptsPerMinute && r.by[actor] < AttemptsPerActor {
		r.all++
		r.by[actor]++
		return true
	}
	if _, known := r.more[actor]; known || len(r.more) < AttemptsPerMinute {
		r.more[actor]++
	} else {
		r.unkept++
	}
	return false
}

func (r *Refusals) want() {
	select {
	case r.wanted <- struct{}{}:
	default:
	}
}

// run writes what has gathered, until it is told to stop.
func (r *Refusals) run() {
	defer close(r.done)
	for {
		select {
		case <-r.wanted:
		case <-r.stop:
			return
		}
		select {
		case <-time.After(gatherTime):
		case <-r.stop:
			return
		}
		r.keep()
	}
}

// keep writes what waits, for nobody who could be told that it failed.
func (r *Refusals) keep() {
	if err := r.flush(context.Background()); err != nil {
		r.opts.Logger.Error("refused attempts could not be kept", "file", r.path, "error", err)
	}
}

// flush writes what waits. What cannot be written is lost, but for its number.
func (r *Refusals) flush(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	waiting, more, unkept := r.waiting, r.more, r.unkept
	r.waiting, r.more, r.unkept = nil, map[string]int64{}, 0
	r.mu.Unlock()
	if len(waiting) == 0 && len(more) == 0 && unkept == 0 {
		return nil
	}
	err := r.open(ctx)
	if err == nil {
		err = r.write(ctx, waiting, more, unkept)
	}
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.unkept += unkept + int64(len(waiting))
		for _, n := range more {
			r.unkept += n
		}
	}
	return err
}

func (r *Refusals) write(ctx context.Context, waiting []Attempt, more map[string]int64, unkept int64) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing, once it is committed
	for i := range waiting {
		if err := insertAttempt(ctx, tx, &waiting[i]); err != nil {
			return err
		}
	}
	for _, actor := range slices.Sorted(maps.Keys(more)) {
		unkept += more[actor]
		_, err := tx.ExecContext(ctx, "UPDATE attempts SET more = more + ? WHERE n = (SELECT max(n) FROM attempts WHERE actor = ?)", more[actor], actor)
		if err != nil {
			return err
		}
	}
	result, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE n <= (SELECT max(n) FROM attempts) - ?", r.opts.Keep)
	if err != nil {
		return err
	}
	forgotten, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE refusal_file SET unkept = unkept + ?, forgotten = forgotten + ?", unkept, forgotten); err != nil {
		return err
	}
	return tx.Commit()
}

func insertAttempt(ctx context.Context, tx *sql.Tx, a *Attempt) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO attempts
		(at, position, actor, app_admin, command, grp, command_id, data, code, rule, hint, persons, words, more)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		a.At.UnixMicro(), int64(a.Position), a.Actor.UserID, a.Actor.AppAdmin, a.Command, a.GroupID, a.CommandID, string(a.Data),
		int(a.Refusal.Code), a.Refusal.Rule, a.Refusal.Hint, lines(a.persons), lines(a.words))
	return err
}

// RefusalCounts are how many refused attempts there have been.
type RefusalCounts struct {
	Kept      int64 `json:"kept"`      // in the file now
	Forgotten int64 `json:"forgotten"` // kept, and gone to make room for newer ones
	Unkept    int64 `json:"unkept"`    // counted only: too many at once, or the file could not be written
}

// Counts are how many refused attempts there have been.
func (r *Refusals) Counts(ctx context.Context) (c RefusalCounts, err error) {
	err = r.read(ctx, func(db *sql.DB) error {
		return db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM attempts), forgotten, unkept FROM refusal_file").
			Scan(&c.Kept, &c.Forgotten, &c.Unkept)
	})
	return c, err
}

// read writes what waits, and has f look at the file, if there is one.
func (r *Refusals) read(ctx context.Context, f func(*sql.DB) error) error {
	if r == nil {
		return nil
	}
	if err := r.flush(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrRefusals, err)
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.db == nil && r.path != memory {
		if _, err := os.Stat(r.path); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	if err := r.open(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrRefusals, err)
	}
	if err := f(r.db); err != nil {
		return fmt.Errorf("%w: %w", ErrRefusals, err)
	}
	return nil
}

// attempts reads those that a query lets through and that lie beyond a place, up to so
// many, in its order.
func (r *Refusals) attempts(ctx context.Context, q *Query, at place, limit int) (found []Attempt, err error) {
	var t text
	t.add(`SELECT n, at, position, actor, app_admin, command, grp, command_id, data, code, rule, hint, persons, more FROM attempts WHERE `)
	q.ofAttempts(&t, at)
	if q.Oldest {
		t.add(" ORDER BY n LIMIT ?", limit)
	} else {
		t.add(" ORDER BY n DESC LIMIT ?", limit)
	}
	err = r.read(ctx, func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, t.String(), t.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				a             Attempt
				micros        int64
				data, persons string
			)
			if err := rows.Scan(&a.Number, &micros, &a.Position, &a.Actor.UserID, &a.Actor.AppAdmin, &a.Command, &a.GroupID, &a.CommandID,
				&data, &a.Refusal.Code, &a.Refusal.Rule, &a.Refusal.Hint, &persons, &a.More); err != nil {
				return err
			}
			a.At, a.persons = time.UnixMicro(micros).UTC(), linesOf(persons)
			if data != "" {
				a.Data = json.RawMessage(data)
			}
			found = append(found, a)
		}
		return rows.Err()
	})
	return found, err
}

// last is the number of the newest attempt.
func (r *Refusals) last(ctx context.Context) (n int64, err error) {
	err = r.read(ctx, func(db *sql.DB) error {
		return db.QueryRowContext(ctx, "SELECT coalesce(max(n), 0) FROM attempts").Scan(&n)
	})
	return n, err
}

// Close writes what waits and releases the file. That something could not be written, the
// logger is told: it is in nobody's way but the audit's. Calling it again does nothing.
func (r *Refusals) Close() error {
	r.mu.Lock()
	closed := r.closed
	r.closed = true
	r.mu.Unlock()
	if closed {
		return nil
	}
	close(r.stop)
	<-r.done
	r.keep()
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.db == nil {
		return nil
	}
	if err := r.db.Close(); err != nil {
		return fmt.Errorf("refused attempts: %w", err)
	}
	return nil
}
