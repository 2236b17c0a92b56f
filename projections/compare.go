package projections

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/grouplog/grouplog/eventstore"
)

// Difference is a table whose rows are not those that the log gives.
type Difference struct {
	Projection string   `json:"projection"`
	Table      string   `json:"table"`
	Extra      int      `json:"extra"`              // rows that the log does not give
	Missing    int      `json:"missing"`            // rows that the log gives and the table lacks
	Examples   []string `json:"examples,omitempty"` // a few of each, as "extra: column=value, …"
	Rows       []Row    `json:"rows,omitempty"`     // the first ones, side by side
}

// Row is a row that is not what the log gives.
type Row struct {
	Key     string `json:"key"`               // as "column=value, …"
	Live    string `json:"live,omitempty"`    // the other columns as they are stored; absent where there is no such row
	Rebuilt string `json:"rebuilt,omitempty"` // the same as the log gives them
}

// shownRows is how many rows of a table a Difference shows side by side.
const shownRows = 10

// examples is how many rows of a kind a Difference shows.
const examples = 3

// Compare makes all rows anew from the log, in a second file as Rebuild does, holds
// them against the stored ones, and tells how they differ; not at all is an empty
// list. The stored rows are not changed: Rebuild repairs them. Queries and the runner
// go on meanwhile, but in memory, where the runner waits for the last part.
func (v *Views) Compare(ctx context.Context, progress func(done, total eventstore.Position)) ([]Difference, error) {
	var found []Difference
	err := v.withScratch(ctx, compareSuffix, func(ctx context.Context, w *writer) error {
		var at eventstore.Position
		err := v.Read(ctx, func(tx *sql.Tx) (err error) {
			at, err = v.evenly(tx.QueryContext(ctx, selectCheckpoints))
			return err
		})
		if err != nil {
			return err
		}
		reached, err := v.fill(ctx, w, 0, at, progress)
		if err != nil {
			return err
		}
		if err := v.attachLive(w); err != nil {
			return err
		}
		v.gate.RLock()
		defer v.gate.RUnlock()
		// A transaction that begins without a lock: it sees one state of the live file, and
		// the runner writes on.
		if err := w.script("BEGIN"); err != nil {
			return err
		}
		defer w.script("ROLLBACK") //nolint:errcheck // the scratch file is thrown away
		if at, err = v.evenly(w.query(selectLiveCheckpoints)); err != nil {
			return err
		}
		if at < reached {
			return fmt.Errorf("the rows were dropped meanwhile: compare again when they are back")
		}
		if err := v.fillHere(ctx, w, reached, at); err != nil {
			return err
		}
		for _, p := range w.projections {
			differences, err := w.differences(ctx, p.Name())
			if err != nil {
				return err
			}
			found = append(found, differences...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("compare views %s: %w", v.place, err)
	}
	return found, nil
}

// evenly is the position at which all projections are.
func (v *Views) evenly(rows *sql.Rows, err error) (eventstore.Position, error) {
	if err != nil {
		return 0, err
	}
	at, err := scanCheckpoints(rows)
	if err != nil {
		return 0, err
	}
	first := at[v.opts.Projections[0].Name()].position
	for _, p := range v.opts.Projections {
		if at[p.Name()].position != first {
			return 0, fmt.Errorf("projection %s is still catching up: wait for it", p.Name())
		}
	}
	return first, nil
}

// differences holds the tables of the attached file against those of the main one.
func (w *writer) differences(ctx context.Context, projection string) ([]Difference, error) {
	tables, err := w.tables("main", projection)
	if err != nil {
		return nil, err
	}
	var found []Difference
	for _, table := range tables {
		stored, err := w.sumOf(ctx, "live", table)
		if err != nil {
			return nil, err
		}
		fresh, err := w.sumOf(ctx, "main", table)
		if err != nil {
			return nil, err
		}
		if stored == fresh {
			continue
		}
		d := Difference{Projection: projection, Table: table}
		extra, err := w.except("live", "main", table, "extra", &d.Extra)
		if err != nil {
			return nil, err
		}
		missing, err := w.except("main", "live", table, "missing", &d.Missing)
		if err != nil {
			return nil, err
		}
		d.Examples = append(extra, missing...)
		if d.Rows, err = w.sideBySide(table); err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	return found, nil
}

func (w *writer) sumOf(ctx context.Context, schema, table string) (string, error) {
	if err := w.settle(); err != nil {
		return "", err
	}
	return sum(ctx, w.bulk, schema+"."+quote(table))
}

// except counts the rows of a table that are in one schema and not in the other, and
// puts the first few into words.
func (w *writer) except(in, notIn, table, label string, count *int) ([]string, error) {
	rows, err := w.query("SELECT * FROM " + in + "." + quote(table) + " EXCEPT SELECT * FROM " + notIn + "." + quote(table))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var shown []string
	for rows.Next() {
		if *count++; *count > examples {
			continue
		}
		values, err := rowValues(rows, len(columns))
		if err != nil {
			return nil, err
		}
		words := make([]string, len(columns))
		for i, value := range values {
			words[i] = fmt.Sprintf("%s=%v", columns[i], value)
		}
		shown = append(shown, label+": "+strings.Join(words, ", "))
	}
	return shown, rows.Err()
}

func rowValues(rows *sql.Rows, n int) ([]any, error) {
	values, into := make([]any, n), make([]any, n)
	for i := range values {
		into[i] = &values[i]
	}
	err := rows.Scan(into...)
	for i, value := range values {
		if data, ok := value.([]byte); ok {
			values[i] = fmt.Sprintf("x'%x'", data)
		}
	}
	return values, err
}
