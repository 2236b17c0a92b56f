package projections

import (
	"fmt"
	"strings"

	"github.com/grouplog/grouplog/internal/bulk"
)

// Insert inserts rows, many with one call, which takes half the time of Exec. Into is the
// table with the names of the columns, as in SQL, and constant.
func (tx *Tx) Insert(into string, columns int) *Insert {
	return tx.inserts("INSERT INTO ", into, columns)
}

// InsertMissing is Insert that passes over the rows whose primary key is there.
func (tx *Tx) InsertMissing(into string, columns int) *Insert {
	return tx.inserts("INSERT OR IGNORE INTO ", into, columns)
}

func (tx *Tx) inserts(verb, into string, columns int) *Insert {
	return &Insert{tx: tx, query: verb + into + " VALUES (?" + strings.Repeat(", ?", columns-1) + ")", columns: columns}
}

// Insert is a list of rows that are to be inserted: the last ones by End.
type Insert struct {
	tx      *Tx
	query   string
	columns int
	waiting bulk.List
	rows    int
}

// together is how many rows are inserted with one call.
const together = 64

// Row adds a row.
func (i *Insert) Row(values ...any) error {
	if len(values) != i.columns {
		return fmt.Errorf("%s: %d values for %d columns", i.query, len(values), i.columns)
	}
	if i.tx.filling != nil {
		return i.tx.filling.put(i.query, values)
	}
	if err := i.waiting.AddRow(values...); err != nil {
		return fmt.Errorf("%s: %w", i.query, err)
	}
	if i.rows++; i.rows < together {
		return nil
	}
	return i.End()
}

// End inserts the rows that wait.
func (i *Insert) End() error {
	if i.rows == 0 {
		return nil
	}
	err := i.tx.writer.runAll(i.query, &i.waiting, i.rows)
	i.waiting.Clear()
	i.rows = 0
	return err
}
