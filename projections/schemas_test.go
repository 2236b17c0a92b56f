package projections_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// told is a projection of one table, whose rows come from a statement for each event.
type told struct {
	schema     string
	statements []string // with the position as ?1
}

func (told) Name() string     { return "told" }
func (told) Version() int     { return 1 }
func (p told) Schema() string { return p.schema }

func (p told) Apply(_ context.Context, tx *projections.Tx, events []projections.Event) error {
	for _, e := range events {
		for _, statement := range p.statements {
			if err := tx.Exec(statement, uint64(e.Position)); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestRebuildOfAnySchema: what SQLite computes or counts by itself goes on after a rebuild
// as it would have without.
func TestRebuildOfAnySchema(t *testing.T) {
	for name, p := range map[string]told{
		"generated columns": {
			"CREATE TABLE told (at INTEGER PRIMARY KEY, twice INTEGER AS (2 * at) STORED, thrice AS (3 * at)); CREATE INDEX told_twice ON told (twice);",
			[]string{"INSERT INTO told (at) VALUES (?1)"},
		},
		"numbers that are never used again": {
			"CREATE TABLE told (n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER)",
			[]string{"INSERT INTO told (at) VALUES (?1)", "DELETE FROM told WHERE at = ?1 AND at > 2 AND at < 11"},
		},
		"of rows that are all gone": {
			"CREATE TABLE told (n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER)",
			[]string{"INSERT INTO told (at) VALUES (?1)", "DELETE FROM told WHERE at = ?1 AND at < 11"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := grown(t, 10)
			views := opened(t, filepath.Join(t.TempDir(), "v.db"), log, options(p))
			require.NoError(t, views.Rebuild(t.Context(), nil))
			grow(t, log, 2)
			require.NoError(t, views.CatchUp(t.Context()))
			differences, err := views.Compare(t.Context(), nil)
			require.NoError(t, err)
			require.Empty(t, differences)
			require.Equal(t, digestOf(t, opened(t, ":memory:", log, options(p))), digestOf(t, views))
		})
	}
}

// TestAPageThatTakesLongHoldsUpARebuild in memory, where it locks readers out, and makes it
// fail neither there nor in a file. It begins while the second file is being filled.
func TestAPageThatTakesLongHoldsUpARebuild(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		log := grown(t, 10)
		slow := make(chan func(), 1)
		views := opened(t, path, log, options(counter{name: "counts", slow: func() {
			select {
			case f := <-slow:
				f()
			default:
			}
		}}))
		begin := func(_, _ eventstore.Position) {
			entered := make(chan struct{})
			slow <- func() {
				close(entered)
				<-time.After(3 * busyTimeout)
			}
			grow(t, log, 1)
			<-entered
		}
		require.NoError(t, views.Rebuild(t.Context(), begin))
		_, err := views.Compare(t.Context(), begin)
		require.NoError(t, err)
	})
}

// busyTimeout is how long SQLite itself waits for a lock.
const busyTimeout = 100 * time.Millisecond
