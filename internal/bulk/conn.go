package bulk

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"

	"github.com/mattn/go-sqlite3"
)

// Conn is a connection of the driver's that moves many rows at once. database/sql takes it
// for one of the driver's, and gives it to who asks for it by sql.Conn's Raw. It is for one
// goroutine at a time.
type Conn struct {
	*sqlite3.SQLiteConn
	native native
	open   map[*Statement]bool
}

// Open opens a connection as the driver does.
func Open(dsn string) (*Conn, error) { return open(dsn, true) }

func open(dsn string, inC bool) (*Conn, error) {
	c := &Conn{open: map[*Statement]bool{}}
	raw, db, err := dial(func() (driver.Conn, error) { return (&sqlite3.SQLiteDriver{}).Open(dsn) })
	if err != nil {
		return nil, err
	}
	if c.SQLiteConn = raw.(*sqlite3.SQLiteConn); inC {
		c.native = db
	}
	if c.native.none() {
		if err := c.RegisterAggregator("grouplog_rows", func() *packer { return new(packer) }, true); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
	}
	return c, nil
}

// Dial opens a connection by f, and gives it the function that packs records of the log,
// where that can be done.
func Dial(f func() (driver.Conn, error)) (driver.Conn, error) {
	c, _, err := dial(f)
	return c, err
}

// Close closes the connection and the statements that are still open: SQLite would keep
// the file for them.
func (c *Conn) Close() error {
	var errs []error
	for s := range c.open {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.SQLiteConn.Close())...)
}

// Statement is a prepared statement of a Conn.
type Statement struct {
	conn *Conn
	way  way
}

// way is how a statement moves rows: in C, or by the driver.
type way interface {
	parameters() int
	// run runs the statement for so many rows of arguments, and returns how many it has
	// run, with the one that failed.
	run(list *List, rows int) (int, error)
	// read is the next rows of the query, of about so many bytes; last if there are no more.
	// They are valid until the next call.
	read(limit int) (pack string, last bool, err error)
	reset() error // ends reading
	close() error
}

// Statement prepares one statement. Close it, or the connection.
func (c *Conn) Statement(query string) (*Statement, error) {
	prepare := c.native.prepare
	if c.native.none() {
		prepare = c.prepare
	}
	way, err := prepare(query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	s := &Statement{conn: c, way: way}
	c.open[s] = true
	return s, nil
}

// Close frees the statement. The connection must be open.
func (s *Statement) Close() error {
	if !s.conn.open[s] {
		return nil
	}
	delete(s.conn.open, s)
	return s.way.close()
}

// Run runs the statement for each of so many rows of a list, until one fails: what the
// ones before have done stays. A row is as many values as the statement has parameters.
func (s *Statement) Run(list *List, rows int) error {
	if parameters := s.way.parameters(); rows*parameters != list.values {
		return fmt.Errorf("the statement has %d parameters, and there are %d arguments for %d rows", parameters, list.values, rows)
	}
	failed, err := s.way.run(list, rows)
	if err != nil && rows > 1 {
		return fmt.Errorf("row %d of %d: %w", failed, rows, err)
	}
	return err
}

// Packs reads all rows of the query, which has no parameters, in packs of about so many
// bytes: one row at least. A pack and its texts are valid until the next one.
func (s *Statement) Packs(limit int) iter.Seq2[*Rows, error] {
	return func(yield func(*Rows, error) bool) {
		defer s.way.reset() //nolint:errcheck // it says again what read has said
		for {
			pack, last, err := s.way.read(max(limit, 1))
			if err != nil {
				yield(nil, err)
				return
			}
			if pack != "" && !yield(&Rows{rest: pack}, nil) || last {
				return
			}
		}
	}
}
