package projections

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// sideBySide shows the first rows of a table that are others in the attached file than in
// the main one, by their key: the primary key, or all columns where there is none.
func (w *writer) sideBySide(table string) ([]Row, error) {
	key, rest, err := w.columns(table)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, sides := range [][2]string{{"live", "main"}, {"main", "live"}} {
		if len(rows) >= shownRows {
			break
		}
		keys, err := w.keysIn(sides[0], sides[1], table, key)
		if err != nil {
			return nil, err
		}
		for _, values := range keys {
			row := Row{Key: inWords(key, values)}
			if slices.ContainsFunc(rows, func(r Row) bool { return r.Key == row.Key }) {
				continue // the other side has shown it
			}
			if row.Live, err = w.rowIn("live", table, key, rest, values); err != nil {
				return nil, err
			}
			if row.Rebuilt, err = w.rowIn("main", table, key, rest, values); err != nil {
				return nil, err
			}
			if rows = append(rows, row); len(rows) == shownRows {
				break
			}
		}
	}
	return rows, nil
}

// columns are those of a table's key, and the others.
func (w *writer) columns(table string) (key, rest []string, err error) {
	rows, err := w.query("SELECT name, pk FROM pragma_table_info(?, 'main') ORDER BY pk, cid", table)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var pk int
		if err := rows.Scan(&name, &pk); err != nil {
			return nil, nil, err
		}
		if pk > 0 {
			key = append(key, name)
		} else {
			rest = append(rest, name)
		}
	}
	if len(key) == 0 {
		key, rest = rest, nil
	}
	return key, rest, rows.Err()
}

// keysIn are the keys of the first rows of a table that are in one schema and not in the
// other.
func (w *writer) keysIn(in, notIn, table string, key []string) ([][]any, error) {
	rows, err := w.query(fmt.Sprintf("SELECT %s FROM (SELECT * FROM %s.%s EXCEPT SELECT * FROM %s.%s) ORDER BY %[1]s LIMIT %[6]d",
		list(key), in, quote(table), notIn, quote(table), shownRows))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys [][]any
	for rows.Next() {
		values, err := scanned(rows, len(key))
		if err != nil {
			return nil, err
		}
		keys = append(keys, values)
	}
	return keys, rows.Err()
}

// rowIn is a row in words: empty if there is none.
func (w *writer) rowIn(schema, table string, key, rest []string, values []any) (string, error) {
	if len(rest) == 0 { // the key is all there is
		rest = key
	}
	same := make([]string, len(key))
	for i, column := range key {
		same[i] = quote(column) + " IS ?"
	}
	rows, err := w.query(fmt.Sprintf("SELECT %s FROM %s.%s WHERE %s LIMIT 1", list(rest), schema, quote(table), strings.Join(same, " AND ")), values...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	if !rows.Next() {
		return "", rows.Err()
	}
	found, err := scanned(rows, len(rest))
	if err != nil {
		return "", err
	}
	return inWords(rest, found), nil
}

// scanned are the values of a row as they are.
func scanned(rows *sql.Rows, n int) ([]any, error) {
	values, into := make([]any, n), make([]any, n)
	for i := range values {
		into[i] = &values[i]
	}
	return values, rows.Scan(into...)
}

// inWords puts columns and their values into words.
func inWords(columns []string, values []any) string {
	words := make([]string, len(columns))
	for i, value := range values {
		if data, ok := value.([]byte); ok {
			value = fmt.Sprintf("x'%x'", data)
		}
		words[i] = fmt.Sprintf("%s=%v", columns[i], value)
	}
	return strings.Join(words, ", ")
}

// list are columns for SQL.
func list(columns []string) string {
	quoted := make([]string, len(columns))
	for i, column := range columns {
		quoted[i] = quote(column)
	}
	return strings.Join(quoted, ", ")
}
