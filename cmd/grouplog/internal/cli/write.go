package cli

import (
	"bufio"
	"errors"
	"iter"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
)

// writeJSON writes one object.
func (a *app) writeJSON(value any) error { return render.JSON(a.out, value) }

// writeList writes a list: one JSON object a line, or a table with a row for each item.
// What a list without items says is for people.
func writeList[T any](a *app, items iter.Seq2[T, error], table *render.Table, row func(T), none string) error {
	out := bufio.NewWriterSize(a.out, 64<<10)
	for item, err := range items {
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		if !a.json {
			row(item)
			continue
		}
		if err := render.JSON(out, item); err != nil {
			return err
		}
	}
	if a.json {
		return out.Flush()
	}
	if table.Len() == 0 {
		a.say("%s", none)
		return nil
	}
	return table.Write(a.out)
}
