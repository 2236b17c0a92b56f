package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/grouplog/grouplog/eventstore"
)

// ErrReplica: the log is a replica of one that is elsewhere, or is none although it
// should be, or is one of another log.
var ErrReplica = errors.New("replica of a log")

// Replica says that a file is a copy of a log whose truth is elsewhere: in a cluster,
// which a process follows. It is filled by DB.Replicate alone, in the order of the
// original, and so holds the same records at the same positions.
//
// It is written with synchronous=NORMAL: a loss of power may take the newest entries,
// whole, which the follower then gets again. Only one process may fill it at a time;
// whoever opens it sees to that. It may be read as any log by others, with
// Options.ReadOnly.
type Replica struct {
	ID     string // of the log
	Origin string // where the log is, for people; it is not compared
}

func (r *Replica) validate() error {
	if r.ID == "" {
		return errors.New("Replica has no ID: it is that of the log which the file is to be a replica of")
	}
	return nil
}

// replicaSQL is what a replica has beyond a log.
const replicaSQL = `CREATE TABLE replica (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  origin    TEXT    NOT NULL,
  mark      INTEGER NOT NULL,          -- the last entry of the original that is in here, by its own count
  note      BLOB    NOT NULL           -- what the follower has to know to go on from there
) STRICT`

func createReplica(c conn, r *Replica) error {
	if err := c.exec(replicaSQL); err != nil {
		return err
	}
	insert, err := c.prepare("INSERT INTO replica (singleton, origin, mark, note) VALUES (1, ?, 0, x'')")
	if err != nil {
		return err
	}
	defer insert.Close() //nolint:errcheck // nothing depends on it
	_, err = insert.exec(r.Origin)
	return err
}

// fits is nil if a file with this content may be opened as the options say.
func (o *Options) fits(path string, found content) error {
	switch {
	case o.ReadOnly || (o.Replica != nil) == (found.replicas > 0):
		return nil
	case o.Replica != nil:
		return fmt.Errorf("open log %s: %w: it is a log of its own, and would be overwritten; give the replica another path", path, ErrReplica)
	default:
		return fmt.Errorf("open log %s: %w: it may only be read; write to the log that it is a replica of, or copy it to a log of its own (grouplog store copy)", path, ErrReplica)
	}
}

// checkReplica refuses a replica of another log.
func (db *DB) checkReplica() error {
	if r := db.options.Replica; r != nil && r.ID != db.id {
		return fmt.Errorf("%w: of log %s, and not of %s; delete it or give another path", ErrReplica, db.id, r.ID)
	}
	return nil
}

// synchronous is how durable a commit is, as the driver takes it.
func (o *Options) synchronous() string {
	if o.Replica != nil {
		return "_synchronous=NORMAL"
	}
	return "_synchronous=FULL"
}

// Entry is one entry of the original, as a replica takes it.
type Entry struct {
	Mark    uint64 // its number, one more than that of the entry before
	Note    []byte // whatever the follower has to know to go on behind it
	Commits []eventstore.Commit

	// Judged, where it is not nil, hears what the entry's commits come to as soon as that is
	// certain, which is before they are in the file: they come to the same wherever the
	// entries up to this one are written, and as often as they are. It is called by the
	// writer, which waits for it, so it must not wait for the DB; and again if the transaction
	// must be repeated.
	Judged func([]eventstore.Result)
}

// Replicate appends what one entry of the original holds, and notes in the same
// transaction that the replica goes up to it. Entries are given in their order, by one
// goroutine; several that wait share a transaction. What wait returns, which must be
// called, says whether the entry is in the file.
//
// Commits are judged as by Append, so that the same entries make the same log. A
// commit that conflicts, other than because an earlier one of its entry was refused,
// cannot have been accepted by the original: that is a DamageError, and nothing of the
// entry, nor of those after it, is stored.
func (db *DB) Replicate(ctx context.Context, e *Entry) (wait func() ([]eventstore.Result, error), err error) {
	if db.options.Replica == nil || e.Mark == 0 {
		return nil, fmt.Errorf("replicate to log %s: %w: it was not opened as one, or entry %d is none", db.path, ErrReplica, e.Mark)
	}
	r := &request{commits: e.Commits, entry: e}
	if err := db.enqueue(ctx, r, false); err != nil {
		return nil, err
	}
	return func() ([]eventstore.Result, error) {
		<-r.done
		return r.results, r.err
	}, nil
}

// mark notes which entries the batch holds, before any is judged. They must follow those
// in the replica: one that failed leaves the later ones without effect.
func (w *writer) mark() error {
	first := w.batch[0].entry.Mark
	for i, r := range w.batch {
		if r.entry.Mark != first+uint64(i) {
			return fmt.Errorf("%w: entry %d does not follow entry %d", ErrReplica, r.entry.Mark, w.batch[i-1].entry.Mark)
		}
	}
	last := w.batch[len(w.batch)-1].entry
	n, err := w.conn.setMark.exec(int64(last.Mark), blob(last.Note), int64(first)-1)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: entry %d does not follow what is in it", ErrReplica, first)
	}
	return err
}

// forked is the damage that the refusal of a replica's commit shows, if it does.
func forked(mark uint64, refusal error) error {
	var conflict *eventstore.ConflictError
	if !errors.As(refusal, &conflict) || conflict.Follows {
		return nil
	}
	return &eventstore.DamageError{
		Stream: conflict.Stream,
		Reason: fmt.Sprintf("entry %d of the original expected %s, and the stream is at version %d: two histories have been mixed",
			mark, conflict.Expected, conflict.Actual),
	}
}

// Mark is the number of the last entry of the original that the replica holds, and the
// note that came with it. The error of a log that is no replica is ErrReplica.
func (db *DB) Mark(ctx context.Context) (mark uint64, note []byte, err error) {
	leave, err := db.enter()
	if err != nil {
		return 0, nil, err
	}
	defer leave()
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	var replicas int
	err = db.readers.QueryRowContext(background(ctx), "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'replica'").Scan(&replicas)
	if err == nil && replicas == 0 {
		return 0, nil, fmt.Errorf("log %s: %w: it is a log of its own", db.path, ErrReplica)
	}
	if err == nil {
		err = db.readers.QueryRowContext(background(ctx), "SELECT mark, note FROM replica").Scan(&mark, &note)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read the mark of log %s: %w", db.path, explain(err))
	}
	return mark, note, nil
}

// Version is that of the last record of a stream, 0 where there is none.
func (db *DB) Version(ctx context.Context, stream string) (version eventstore.Version, err error) {
	leave, err := db.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var last sql.NullInt64
	if err := db.readers.QueryRowContext(background(ctx), "SELECT max(version) FROM events WHERE stream = +?", stream).Scan(&last); err != nil {
		return 0, fmt.Errorf("read the version of %q in log %s: %w", stream, db.path, explain(err))
	}
	return eventstore.Version(last.Int64), nil
}
