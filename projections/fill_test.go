package projections_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// hoarder lists the events of each stream. While it fills tables, it keeps rows back
// until there are many, or until Flush.
type hoarder struct {
	many  int
	twice eventstore.Position // an event that it lists twice, which its key forbids
	ask   eventstore.Position // an event at which it looks at its rows
	seen  *[]int              // how many there were
}

func (hoarder) Name() string { return "hoard" }

func (hoarder) Version() int { return 1 }

func (hoarder) Schema() string {
	return `CREATE TABLE hoard (stream TEXT, position INTEGER, kind TEXT, PRIMARY KEY (stream, position)) STRICT, WITHOUT ROWID;
		CREATE UNIQUE INDEX hoard_position ON hoard (position); CREATE INDEX "hoard ""kind""" ON hoard (kind) WHERE position > 1;`
}

func (h hoarder) Apply(ctx context.Context, tx *projections.Tx, events []projections.Event) error {
	kept := tx.Memo(func() any { return new([]projections.Event) }).(*[]projections.Event)
	for _, e := range events {
		*kept = append(*kept, e)
		if e.Position == h.twice {
			*kept = append(*kept, e)
		}
		if e.Position != h.ask {
			continue
		}
		if err := cmp.Or(h.Flush(ctx, tx), tx.Index()); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM hoard INDEXED BY hoard_position WHERE position > 0").Scan(&n); err != nil {
			return err
		}
		*h.seen = append(*h.seen, n)
	}
	if tx.Filling() && len(*kept) < h.many {
		return nil
	}
	return h.Flush(ctx, tx)
}

func (h hoarder) Flush(_ context.Context, tx *projections.Tx) error {
	kept := tx.Memo(func() any { return new([]projections.Event) }).(*[]projections.Event)
	rows := tx.Insert("hoard (stream, position, kind)", 3)
	for _, e := range *kept {
		if err := rows.Row(e.Stream, uint64(e.Position), "new"); err != nil {
			return err
		}
	}
	*kept = nil
	if err := rows.End(); err != nil {
		return err
	}
	return tx.Exec("UPDATE hoard SET kind = 'old' WHERE kind = ?", "new")
}

// TestAFillerGivesTheSameRows: kept back or not, asked for or not, and with the indexes
// of the schema in the end.
func TestAFillerGivesTheSameRows(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		log := grown(t, 500)
		var want projections.Digest
		var seen []int
		for i, h := range []hoarder{{}, {many: 33}, {many: 1000}, {many: 1000, ask: 250, seen: &seen}} {
			opts := options(h, counter{name: "counts"})
			opts.RebuildPageSize = 7
			if path != ":memory:" {
				path = filepath.Join(t.TempDir(), "v.db")
			}
			views := opened(t, path, log, opts)
			if i == 0 {
				want = digestOf(t, views)
			}
			schema := schemaOf(t, views)
			require.Len(t, schema, 4, "two indexes of each")
			require.NoError(t, views.Rebuild(t.Context(), nil))
			require.Equal(t, want, digestOf(t, views))
			require.Equal(t, schema, schemaOf(t, views))
			differences, err := views.Compare(t.Context(), nil)
			require.NoError(t, err)
			require.Empty(t, differences)
			noDebris(t, path)
		}
		require.Equal(t, []int{250, 250, 250}, seen, "live, in the rebuild, in the comparison")
	})
}

// schemaOf is the text of every index, in the order in which they were made: between two
// that would do, SQLite chooses by it.
func schemaOf(t *testing.T, views *projections.Views) (indexes []string) {
	t.Helper()
	require.NoError(t, views.Read(t.Context(), func(tx *sql.Tx) error {
		rows, err := tx.Query("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY tbl_name, rowid")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				return err
			}
			indexes = append(indexes, text)
		}
		return rows.Err()
	}))
	return indexes
}

// TestAFillerThatFails: a statement that runs beside the projection fails the rebuild all
// the same, and leaves nothing.
func TestAFillerThatFails(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		for _, twice := range []eventstore.Position{1, 50, 100} {
			for _, many := range []int{0, 20, 1000} {
				if path != ":memory:" {
					path = filepath.Join(t.TempDir(), "v.db")
				}
				log := grown(t, 100)
				opts := options(hoarder{many: many, twice: twice})
				opts.Manual, opts.RebuildPageSize = true, 7
				views, err := projections.Open(t.Context(), path, log, opts)
				require.NoError(t, err)
				require.ErrorContains(t, views.Rebuild(t.Context(), nil), "UNIQUE constraint failed: hoard")
				require.Zero(t, views.Position())
				noDebris(t, path)
				require.NoError(t, views.Close())
			}
		}
	})
}

func TestInsertKnowsItsColumns(t *testing.T) {
	opened(t, ":memory:", grown(t, 1), options(misfit{}))
}

// misfit gives a row too few values.
type misfit struct{ hoarder }

func (misfit) Apply(_ context.Context, tx *projections.Tx, _ []projections.Event) error {
	rows := tx.Insert("hoard (stream, position, kind)", 3)
	if err := rows.Row("a", 1); err == nil {
		return errors.New("two values were taken for three columns")
	}
	return rows.End()
}
