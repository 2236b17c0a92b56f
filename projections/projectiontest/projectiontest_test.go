package projectiontest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/projections"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tally counts events by type, well or badly.
type tally struct {
	apply func(tx *projections.Tx, events []projections.Event) error
}

func (tally) Name() string { return "tally" }
func (tally) Version() int { return 1 }
func (tally) Types() []string {
	return []string{"group.*", "member.*", "members.*", "message.published"}
}
func (tally) Schema() string {
	return `CREATE TABLE tally (type TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID`
}

func (p tally) Apply(_ context.Context, tx *projections.Tx, events []projections.Event) error {
	if p.apply != nil {
		return p.apply(tx, events)
	}
	for _, e := range events {
		if err := add(tx, e.Type, 1); err != nil {
			return err
		}
	}
	return nil
}

func add(tx *projections.Tx, key string, n int) error {
	return tx.Exec("INSERT INTO tally (type, n) VALUES (?, ?) ON CONFLICT (type) DO UPDATE SET n = n + excluded.n", key, n)
}

func TestAGoodProjection(t *testing.T) { Run(t, tally{}) }

// TestBadProjections: each kind of mistake is found, by the property that is about it.
func TestBadProjections(t *testing.T) {
	for _, bad := range []struct {
		name, property string
		make           func() tally
	}{
		{"counts pages", "pages", func() tally {
			return tally{func(tx *projections.Tx, _ []projections.Event) error { return add(tx, "pages", 1) }}
		}},
		{"counts pages, again", "rebuild", func() tally {
			n := 0
			return tally{func(tx *projections.Tx, events []projections.Event) error {
				n++ // of the projection, not of the rows
				return add(tx, fmt.Sprint(n%7), len(events))
			}}
		}},
		{"remembers without a memo", "checkpoints", func() tally {
			n := map[string]int{}
			return tally{func(tx *projections.Tx, events []projections.Event) error {
				n[""] += len(events)
				return tx.Exec("INSERT OR REPLACE INTO tally (type, n) VALUES ('events', ?)", n[""])
			}}
		}},
		{"does not read what its memo lacks", "checkpoints", memoOnly},
		{"does not read what its memo lacks", "turns", memoOnly},
		{"does not read what its memo lacks", "failures", memoOnly},
		{"looks at the clock", "determinism", func() tally {
			return tally{func(tx *projections.Tx, events []projections.Event) error {
				return add(tx, time.Now().Format(time.DateOnly), len(events))
			}}
		}},
		{"throws dice", "determinism", func() tally {
			return tally{func(tx *projections.Tx, events []projections.Event) error { return add(tx, "dice", rand.IntN(1<<30)) }}
		}},
		{"commits", "failures", func() tally {
			return tally{func(tx *projections.Tx, events []projections.Event) error {
				if err := add(tx, "events", len(events)); err != nil {
					return err
				}
				if err := tx.Exec("COMMIT"); err != nil {
					return err
				}
				return tx.Exec("BEGIN IMMEDIATE")
			}}
		}},
		{"writes into others' tables", "tables", func() tally {
			return tally{func(tx *projections.Tx, events []projections.Event) error {
				return tx.Exec("INSERT OR IGNORE INTO projectiontest_bystander VALUES (1)")
			}}
		}},
		{"makes a table", "tables", func() tally {
			return tally{func(tx *projections.Tx, events []projections.Event) error {
				return tx.Exec("CREATE TABLE IF NOT EXISTS more (n INTEGER)")
			}}
		}},
		{"moves checkpoints", "tables", func() tally {
			return tally{func(tx *projections.Tx, events []projections.Event) error {
				return tx.Exec("UPDATE projection_checkpoints SET epoch = 7")
			}}
		}},
		{"does not expect messages", "tables", func() tally {
			return tally{func(tx *projections.Tx, events []projections.Event) error {
				for _, e := range events {
					_ = strings.ToUpper(e.Fact.EventName())
				}
				return nil
			}}
		}},
	} {
		t.Run(bad.name+"/"+bad.property, func(t *testing.T) {
			for _, property := range properties {
				if property.name != bad.property {
					continue
				}
				found := false
				for seed := range 20 {
					h := rapid.Custom(draw).Example(seed)
					found = found || property.check(t, bad.make(), h) != nil
				}
				require.True(t, found)
			}
		})
	}
}

// memoOnly takes an empty memo for empty rows.
func memoOnly() tally {
	return tally{func(tx *projections.Tx, events []projections.Event) error {
		n := tx.Memo(func() any { return new(int) }).(*int)
		*n += len(events)
		return tx.Exec("INSERT OR REPLACE INTO tally (type, n) VALUES ('events', ?)", *n)
	}}
}
