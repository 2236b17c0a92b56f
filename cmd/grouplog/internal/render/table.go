package render

import (
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Table is aligned columns under a header in capitals, without borders. On a terminal
// it is cut to the width; in a pipe nothing is.
type Table struct {
	writer table.Writer
}

// NewTable begins a table. A column whose name begins with "#" is of numbers, to the
// right.
func NewTable(columns ...string) *Table {
	t := &Table{writer: table.NewWriter()}
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Box.UnfinishedRow = "…"
	style.Format.Header = text.FormatUpper
	t.writer.SetStyle(style)
	t.writer.SuppressTrailingSpaces()
	header := make(table.Row, len(columns))
	var configs []table.ColumnConfig
	for i, name := range columns {
		if name[0] == '#' {
			name = name[1:]
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
		header[i] = name
	}
	t.writer.SetColumnConfigs(configs)
	t.writer.AppendHeader(header)
	return t
}

// Row adds a row. Text is put on one line.
func (t *Table) Row(cells ...any) {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		if s, ok := cell.(string); ok {
			cell = Line(s)
		}
		row[i] = cell
	}
	t.writer.AppendRow(row)
}

// Len is the number of rows.
func (t *Table) Len() int { return t.writer.Length() }

// Write writes the table.
func (t *Table) Write(w io.Writer) error { return t.WriteIndented(w, "") }

// WriteIndented writes the table with something before each line.
func (t *Table) WriteIndented(w io.Writer, indent string) error {
	t.writer.Style().Size.WidthMax = max(0, Width(w)-len(indent))
	var b strings.Builder
	for line := range strings.Lines(t.writer.Render() + "\n") {
		b.WriteString(indent + line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
