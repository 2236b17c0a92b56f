package bench

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

// insertEvent is what the floors run: the statement of the store.
const insertEvent = `INSERT INTO events
	(position, stream, version, type, schema, actor, app_admin, time, command_id, data, checksum)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// durable is the address of a log for the driver, with those settings of the store's
// writer that an address can say.
func durable(path string) (string, error) {
	uri, err := address(path)
	return uri + "?mode=rw&_busy_timeout=5000&_foreign_keys=1&_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_cache_size=-65536&_mutex=no", err
}

// settings are the others.
const settings = "PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1; PRAGMA journal_size_limit = 67108864"

// readBack is what a floor is not measured without.
var readBack = map[string]driver.Value{
	"PRAGMA synchronous": int64(2), "PRAGMA journal_mode": "wal", "PRAGMA fullfsync": int64(1), "PRAGMA checkpoint_fullfsync": int64(1),
}

// settle gives a connection to a durable address the other settings, and reads back what
// a commit costs by: the driver ignores what it does not know.
func settle(conn driver.Conn) error {
	if _, err := conn.(driver.ExecerContext).ExecContext(context.Background(), settings, nil); err != nil {
		return err
	}
	for query, want := range readBack {
		if err := expect(conn, query, want); err != nil {
			return err
		}
	}
	return nil
}

func expect(conn driver.Conn, query string, want driver.Value) error {
	rows, err := conn.(driver.QueryerContext).QueryContext(context.Background(), query, nil)
	if err != nil {
		return err
	}
	var got [1]driver.Value
	if err := errors.Join(rows.Next(got[:]), rows.Close()); err != nil {
		return err
	}
	if got[0] != want {
		return fmt.Errorf("%s is %v, not %v", query, got[0], want)
	}
	return nil
}

// address is the path of a file as SQLite takes it, whatever is in it.
func address(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath(), nil
}

// newLog makes a log without events, for a floor: with the store's page size, tables,
// indexes and triggers.
func newLog(ctx context.Context, path string) error {
	log, err := sqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	return log.Close()
}

// stream is a stream of a log that a floor writes to.
type stream struct {
	name    string
	version int64
}

// bareConn inserts events, without database/sql, as the store does. It is used by one
// goroutine.
type bareConn struct {
	conn                  driver.Conn
	begin, insert, commit driver.StmtExecContext
	statements            []driver.Stmt
	args                  [11]driver.NamedValue
	position              int64
}

func openBare(ctx context.Context, path string) (*bareConn, error) {
	if err := newLog(ctx, path); err != nil {
		return nil, err
	}
	dsn, err := durable(path)
	if err != nil {
		return nil, err
	}
	conn, err := (&sqlite3.SQLiteDriver{}).Open(dsn)
	if err != nil {
		return nil, err
	}
	c := &bareConn{conn: conn}
	for i := range c.args {
		c.args[i].Ordinal = i + 1
	}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *bareConn) prepare() error {
	if err := settle(c.conn); err != nil {
		return err
	}
	for _, s := range []struct {
		to  *driver.StmtExecContext
		sql string
	}{{&c.begin, "BEGIN IMMEDIATE"}, {&c.insert, insertEvent}, {&c.commit, "COMMIT"}} {
		statement, err := c.conn.Prepare(s.sql)
		if err != nil {
			return err
		}
		c.statements = append(c.statements, statement)
		*s.to = statement.(driver.StmtExecContext)
	}
	return nil
}

func (c *bareConn) exec(s driver.StmtExecContext, args []driver.NamedValue) error {
	_, err := s.ExecContext(context.Background(), args)
	return err
}

// put inserts an event of a stream, in the transaction that is open.
func (c *bareConn) put(to *stream, e *eventstore.Event, at time.Time) error {
	c.position++
	to.version++
	c.args[0].Value = c.position
	c.args[1].Value = to.name
	c.args[2].Value = to.version
	c.args[3].Value = e.Type
	c.args[4].Value = int64(e.Schema)
	c.args[5].Value = e.Actor
	c.args[6].Value = e.AppAdmin
	c.args[7].Value = at.UnixMicro()
	c.args[8].Value = e.CommandID
	c.args[9].Value = string(e.Data)
	c.args[10].Value = c.position * 2_654_435_761 & 0xffffffff // as long as a checksum
	return c.exec(c.insert, c.args[:])
}

// insertOne inserts one event in a transaction of its own.
func (c *bareConn) insertOne(to *stream, e *eventstore.Event) error {
	if err := c.exec(c.begin, nil); err != nil {
		return err
	}
	if err := c.put(to, e, time.Now()); err != nil {
		return err
	}
	return c.exec(c.commit, nil)
}

func (c *bareConn) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.conn.Close())...)
}

// insertion is an event on its way through a bareWriter.
type insertion struct {
	stream *stream
	event  *eventstore.Event
	answer chan error // of capacity 1
}

// bareWriter is the floor of commands: one goroutine that inserts what has queued up,
// with one commit for all of it.
type bareWriter struct {
	conn  *bareConn
	queue chan *insertion
	done  chan struct{}
}

// maxBatch is how many insertions share a commit: as many as commands of a handler.
const maxBatch = 512

func openBareWriter(ctx context.Context, path string) (*bareWriter, error) {
	conn, err := openBare(ctx, path)
	if err != nil {
		return nil, err
	}
	w := &bareWriter{conn: conn, queue: make(chan *insertion, 4096), done: make(chan struct{})}
	go w.run()
	return w, nil
}

func (w *bareWriter) close() error {
	close(w.queue)
	<-w.done
	return w.conn.close()
}

func (w *bareWriter) run() {
	defer close(w.done)
	batch := make([]*insertion, 0, maxBatch)
	for first := range w.queue {
		batch = append(batch[:0], first)
		for len(batch) < maxBatch && len(w.queue) > 0 {
			batch = append(batch, <-w.queue)
		}
		err := w.write(batch)
		for _, i := range batch {
			i.answer <- err
		}
	}
}

func (w *bareWriter) write(batch []*insertion) error {
	if err := w.conn.exec(w.conn.begin, nil); err != nil {
		return err
	}
	now := time.Now()
	for _, i := range batch {
		if err := w.conn.put(i.stream, i.event, now); err != nil {
			return err
		}
	}
	return w.conn.exec(w.conn.commit, nil)
}
