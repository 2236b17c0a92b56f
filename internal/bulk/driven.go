package bulk

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"unsafe"
)

// driven is a statement that the driver runs row by row.
type driven struct {
	driver.Stmt
	args []driver.NamedValue
	rows driver.Rows // of the query, while it is being read
	pack List
}

func (c *Conn) prepare(query string) (way, error) {
	s, err := c.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	d := &driven{Stmt: s, args: make([]driver.NamedValue, s.NumInput())}
	for i := range d.args {
		d.args[i].Ordinal = i + 1
	}
	return d, nil
}

func (s *driven) parameters() int { return len(s.args) }

func (s *driven) run(list *List, rows int) (int, error) {
	values := Read(string(list.bytes))
	for row := range rows {
		for i := range s.args {
			s.args[i].Value = values.Value()
		}
		if err := values.Err(); err != nil {
			return row + 1, err
		}
		result, err := s.query()
		if err == nil {
			for none := make([]driver.Value, len(result.Columns())); err == nil; {
				err = result.Next(none)
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
			err = errors.Join(err, result.Close())
		}
		if err != nil {
			return row + 1, err
		}
	}
	return rows, nil
}

func (s *driven) query() (driver.Rows, error) {
	return s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
}

func (s *driven) read(limit int) (pack string, last bool, err error) {
	if s.rows == nil {
		if s.rows, err = s.query(); err != nil {
			return "", true, err
		}
	}
	s.pack.Clear()
	for row := make([]driver.Value, len(s.rows.Columns())); s.pack.Size() < limit; {
		if err := s.rows.Next(row); err != nil {
			if errors.Is(err, io.EOF) {
				return s.packed(), true, nil
			}
			return "", true, err
		}
		if err := s.pack.addRow(row); err != nil {
			return "", true, err
		}
	}
	return s.packed(), false, nil
}

func (s *driven) packed() string {
	return unsafe.String(unsafe.SliceData(s.pack.bytes), len(s.pack.bytes))
}

func (s *driven) reset() error {
	if s.rows == nil {
		return nil
	}
	rows := s.rows
	s.rows = nil
	return rows.Close()
}

func (s *driven) close() error { return errors.Join(s.reset(), s.Stmt.Close()) }

// addRow adds values as the driver reads them.
func (l *List) addRow(row []driver.Value) error {
	for i, value := range row {
		switch value.(type) {
		case nil, int64, float64, string, []byte:
			_ = l.Add(value)
		default:
			return fmt.Errorf("column %d is of a type whose values the driver makes others of (%T): read it by itself", i+1, value)
		}
	}
	return nil
}

// packer is grouplog_rows where it is not in C.
type packer struct {
	list  List
	ended bool
}

// Step adds a row.
func (p *packer) Step(limit int64, row ...any) {
	if p.ended {
		return
	}
	before := p.list.Size()
	for _, value := range row {
		_ = p.list.Add(value) // one of those that SQLite has
	}
	if before > 0 && int64(p.list.Size()) > limit {
		p.list.bytes = append(p.list.bytes[:before], isMore)
		p.ended = true
	}
}

// Done is the pack. Of no bytes, the driver would make NULL.
func (p *packer) Done() any {
	if p.list.Size() == 0 {
		return ""
	}
	return p.list.bytes
}
