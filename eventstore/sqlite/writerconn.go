package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/grouplog/grouplog/eventstore"
)

// writerConn is the connection that writes, with its statements. Only the writer's
// goroutine uses it.
type writerConn struct {
	conn
	begin, commit, rollback                *stmt
	selectHead, selectVersion, findOutcome *stmt
	insertEvent, insertOutcome             *stmt
	setMark                                *stmt // of a replica
}

func newWriterConn(c conn, o *Options) (*writerConn, error) {
	if err := verifyDurable(c, o); err != nil {
		return nil, err
	}
	w := &writerConn{conn: c}
	type prepared struct {
		to  **stmt
		sql string
	}
	statements := []prepared{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.selectHead, selectHead},
		{&w.selectVersion, "SELECT coalesce(max(version), 0) FROM events WHERE stream = +?"},
		{&w.findOutcome, selectOutcome},
		{&w.insertEvent, `INSERT INTO events
			(position, stream, version, type, schema, actor, app_admin, time, command_id, data, checksum)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&w.insertOutcome, `INSERT INTO outcomes (command_id, fingerprint, answer, first, last, checksum)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`},
	}
	if o.Replica != nil {
		statements = append(statements, prepared{&w.setMark, "UPDATE replica SET mark = ?, note = ? WHERE mark = ?"})
	}
	for _, s := range statements {
		prepared, err := c.prepare(s.sql)
		if err != nil {
			return nil, errors.Join(err, w.closeStatements())
		}
		*s.to = prepared
	}
	return w, nil
}

// verifyDurable reads back what was asked for. The driver ignores what it does not
// know without a word, and SQLite answers a journal mode that the file system cannot
// do with another one.
func verifyDurable(c conn, o *Options) error {
	if err := verifyWAL(c); err != nil {
		return err
	}
	if o.Replica != nil {
		return nil
	}
	const full = 2
	level, err := c.integer("PRAGMA synchronous")
	if err != nil {
		return err
	}
	if level != full {
		return fmt.Errorf("synchronous is %d instead of %d (FULL): commits would not survive a loss of power", level, full)
	}
	return nil
}

func verifyWAL(c conn) error {
	mode, err := c.value("PRAGMA journal_mode")
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("journal mode is %v instead of wal: the file system may be unable to share memory (a network file system?); put the log on a local disk", mode)
	}
	return nil
}

// probe tries to write and takes it back. BEGIN IMMEDIATE alone succeeds on a file
// that can only be read. A lock that somebody else holds says that writing is possible.
func (w *writerConn) probe() error {
	if _, err := w.begin.exec(); err != nil {
		if errors.Is(explain(err), eventstore.ErrBusy) {
			return nil
		}
		return err
	}
	err := w.exec(fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
	if w.autoCommit() {
		return err
	}
	_, rollbackErr := w.rollback.exec()
	return errors.Join(err, rollbackErr)
}

// autoCommit reports whether no transaction is open.
func (w *writerConn) autoCommit() bool {
	return w.Conn.(interface{ AutoCommit() bool }).AutoCommit()
}

func (w *writerConn) readHead() (eventstore.Position, error) {
	var row [1]driver.Value
	if _, err := w.selectHead.row(row[:]); err != nil {
		return 0, err
	}
	head, ok := row[0].(int64)
	if !ok || head < 0 {
		return 0, &eventstore.DamageError{Reason: fmt.Sprintf("its last position is %v", row[0])}
	}
	return eventstore.Position(head), nil
}

// readVersion is the last version of a stream, zero if there is no such stream.
func (w *writerConn) readVersion(stream string) (eventstore.Version, error) {
	var row [1]driver.Value
	if _, err := w.selectVersion.row(row[:], stream); err != nil {
		return 0, err
	}
	version, ok := row[0].(int64)
	if !ok || version < 0 {
		return 0, &eventstore.DamageError{Stream: stream, Reason: fmt.Sprintf("its last version is %v", row[0])}
	}
	return eventstore.Version(version), nil
}

func (w *writerConn) readOutcome(commandID string) (o eventstore.Outcome, checksum int64, found bool, err error) {
	var row [5]driver.Value
	found, err = w.findOutcome.row(row[:], commandID)
	if err != nil || !found {
		return o, 0, false, err
	}
	o.CommandID = commandID
	o.Fingerprint, _ = row[0].([]byte) // of any other type, it does not match its checksum
	o.Answer, _ = row[1].([]byte)
	first, _ := row[2].(int64)
	last, _ := row[3].(int64)
	o.First, o.Last = eventstore.Position(first), eventstore.Position(last)
	checksum, _ = row[4].(int64)
	return o, checksum, true, nil
}

// putOutcome stores an outcome, unless its command has one, and reports which.
func (w *writerConn) putOutcome(o *eventstore.Outcome, h *hasher) (fresh bool, err error) {
	n, err := w.insertOutcome.exec(o.CommandID, blob(o.Fingerprint), blob(o.Answer), int64(o.First), int64(o.Last), h.outcome(o))
	return n > 0, err
}

func (w *writerConn) putEvent(r *eventstore.Record, h *hasher) error {
	return w.insertEvent.run(int64(r.Position), r.Stream, int64(r.Version), r.Type, int64(r.Schema),
		r.Actor, r.AppAdmin, r.Time.UnixMicro(), r.CommandID, string(r.Data), h.event(r))
}

// blob keeps the driver from storing no bytes as NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (w *writerConn) closeStatements() error {
	var errs []error
	for _, s := range []*stmt{
		w.begin, w.commit, w.rollback, w.selectHead, w.selectVersion, w.findOutcome, w.insertEvent, w.insertOutcome, w.setMark,
	} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

func (w *writerConn) close() error { return errors.Join(w.closeStatements(), w.Close()) }
