package export

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
)

// CSV is a table as RFC 4180 has it, with a row of names and a row an event. No cell is
// a formula: see [Harmless].
type CSV struct{}

// columns are the names of the columns. New ones are added at the end.
var columns = []string{
	"position", "time", "event", "schema", "group", "stream", "version", "actor", "app_admin", "command_id", "users", "data",
}

// Name is "csv".
func (CSV) Name() string { return "csv" }

// Head is the names of the columns.
func (CSV) Head() string { return string(appendRow(nil, columns...)) }

// Append appends a row. Users are those whom the event is about, as a JSON array.
func (CSV) Append(b []byte, e *projections.Event) ([]byte, error) {
	users, err := json.Marshal(append([]string{}, audit.Subjects(*e)...))
	if err != nil {
		return b, err
	}
	return appendRow(b,
		strconv.FormatUint(uint64(e.Position), 10), e.Time.UTC().Format(time.RFC3339Nano), e.Type, strconv.Itoa(e.Schema),
		groupOf(e), e.Stream, strconv.FormatUint(uint64(e.Version), 10), e.Actor, strconv.FormatBool(e.AppAdmin), e.CommandID,
		string(users), string(e.Data)), nil
}

// appendRow appends a row of the table. The writer of encoding/csv changes the line ends
// inside of cells where it ends rows as the RFC asks.
func appendRow(b []byte, cells ...string) []byte {
	for i, cell := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		if cell = Harmless(cell); strings.ContainsAny(cell, "\",\r\n") || strings.TrimSpace(cell) != cell {
			cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
		}
		b = append(b, cell...)
	}
	return append(b, "\r\n"...)
}

// dangerous is what a spreadsheet takes for the beginning of a formula, some also where
// it is as wide as a Chinese character, and what marks that it is none.
const dangerous = "=+-@\t\r\n＝＋－＠'"

// Harmless is the text of a cell such that no spreadsheet takes it for a formula: with
// ' before it, if it begins with = + - @ (or their wide forms), a tab, or the end of a
// line, or with ' itself, so that [Original] can tell.
func Harmless(text string) string {
	if text != "" && strings.ContainsRune(dangerous, []rune(text[:min(len(text), 4)])[0]) {
		return "'" + text
	}
	return text
}

// Original is the text from which Harmless made a cell.
func Original(cell string) string { return strings.TrimPrefix(cell, "'") }
