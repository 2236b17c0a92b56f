package projections_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter counts the events of each stream, and remembers the last counts.
type counter struct {
	name    string
	version int
	fail    func(projections.Event) error
	slow    func()
}

func (c counter) Name() string { return c.name }

func (c counter) Version() int { return max(1, c.version) }

func (c counter) Schema() string {
	return fmt.Sprintf(`CREATE TABLE %[1]s (stream TEXT PRIMARY KEY, n INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
		CREATE UNIQUE INDEX %[1]s_last ON %[1]s (last); CREATE INDEX %[1]s_many ON %[1]s (n) WHERE n > 1;`, c.name)
}

func (c counter) Apply(_ context.Context, tx *projections.Tx, events []projections.Event) error {
	known := tx.Memo(func() any { return map[string]int{} }).(map[string]int)
	if c.slow != nil {
		c.slow()
	}
	for _, e := range events {
		if c.fail != nil {
			if err := c.fail(e); err != nil {
				return err
			}
		}
		if _, ok := known[e.Stream]; !ok {
			var n int
			err := tx.QueryRow("SELECT coalesce(max(n), 0) FROM "+c.name+" WHERE stream = ?", e.Stream).Scan(&n)
			if err != nil {
				return err
			}
			known[e.Stream] = n
		}
		known[e.Stream]++
		err := tx.Exec("INSERT OR REPLACE INTO "+c.name+" (stream, n, last) VALUES (?, ?, ?)", e.Stream, known[e.Stream], uint64(e.Position))
		if err != nil {
			return err
		}
	}
	return nil
}

// relabelled is a log under another log's ID, as a restored backup is.
type relabelled struct {
	eventstore.Store
	id string
}

func (r relabelled) ID() string { return r.id }

var start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// grow appends n events to the log, in turn to the streams a, b and c.
func grow(t testing.TB, log eventstore.Store, n int) eventstore.Position {
	t.Helper()
	head, err := log.Head(t.Context())
	require.NoError(t, err)
	commits := make([]eventstore.Commit, n)
	for i := range commits {
		commits[i] = eventstore.Commit{
			Stream: domain.GroupStream(string(rune('a' + i%3))),
			Events: []eventstore.Event{{Type: "member.joined", Schema: 1, Data: []byte(`{"userID":"u"}`), Time: start.Add(time.Duration(head) * time.Second)}},
		}
	}
	_, err = log.Append(t.Context(), commits...)
	require.NoError(t, err)
	return head + eventstore.Position(n)
}

func grown(t testing.TB, n int) *memory.Store {
	log := memory.New()
	grow(t, log, n)
	return log
}

func options(p ...projections.Projection) *projections.Options {
	if len(p) == 0 {
		p = []projections.Projection{counter{name: "counts"}}
	}
	return &projections.Options{Projections: p, Logger: slog.New(slog.DiscardHandler)}
}

// opened opens views, waits for the head, and closes them with the test.
func opened(t *testing.T, path string, log eventstore.Store, opts *projections.Options) *projections.Views {
	t.Helper()
	views, err := projections.Open(t.Context(), path, log, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, views.Close()) })
	require.NoError(t, views.CatchUp(t.Context()))
	return views
}

// digest is that of fresh views of the log.
func digest(t *testing.T, log eventstore.Store) projections.Digest {
	t.Helper()
	views := opened(t, ":memory:", log, options())
	return digestOf(t, views)
}

func digestOf(t *testing.T, views *projections.Views) projections.Digest {
	t.Helper()
	d, err := views.Digest(t.Context())
	require.NoError(t, err)
	return d
}

var errPoison = errors.New("poison")
