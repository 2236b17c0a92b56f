package projections_test

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
)

func TestOptionsAreRefusedTogether(t *testing.T) {
	for _, opts := range []*projections.Options{nil, {}} {
		_, err := projections.Open(t.Context(), ":memory:", memory.New(), opts)
		require.ErrorContains(t, err, "nothing to project")
	}
	opts := &projections.Options{
		Projections: []projections.Projection{counter{name: "a"}, counter{name: "a"}, nil, counter{}},
		PageSize:    -1, RebuildPageSize: -1, Poll: -1, BusyTimeout: -1,
	}
	err := opts.Validate()
	for _, part := range []string{"[1] has the name", "[2] is nil", "[3] has no name", "PageSize is -1", "RebuildPageSize is -1", "Poll is -1", "BusyTimeout is -1"} {
		require.ErrorContains(t, err, part)
	}
}

func TestFilesThatAreNotOursAreRefusedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("not a database ", 100)), 0o600))
	foreign := filepath.Join(dir, "foreign.db")
	db, err := sql.Open("sqlite3", "file:"+foreign)
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE theirs (x)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	for _, path := range []string{text, foreign, dir} {
		before, _ := os.ReadFile(path)
		_, err := projections.Open(t.Context(), path, memory.New(), options())
		require.ErrorIs(t, err, projections.ErrNotViews)
		after, _ := os.ReadFile(path)
		require.Equal(t, before, after)
	}
	_, err = projections.Open(t.Context(), filepath.Join(dir, "no", "where"), memory.New(), options())
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = projections.Open(t.Context(), "", memory.New(), options())
	require.ErrorContains(t, err, ":memory:")
}

func TestNewerFormatIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := memory.New()
	views, err := projections.Open(t.Context(), path, log, options())
	require.NoError(t, err)
	require.NoError(t, views.Close())
	edit(t, path, "PRAGMA user_version = 99")
	_, err = projections.Open(t.Context(), path, log, options())
	require.ErrorIs(t, err, projections.ErrNewerFormat)
}

// edit changes a views file behind the program's back.
func edit(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	require.NoError(t, err)
	_, err = db.Exec(statement)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestViewsOfAnotherLogAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a path with ?#% in it.db")
	views, err := projections.Open(t.Context(), path, memory.New(), options())
	require.NoError(t, err)
	require.NoError(t, views.Close())
	require.FileExists(t, path)
	_, err = projections.Open(t.Context(), path, memory.New(), options())
	require.ErrorIs(t, err, projections.ErrOtherLog)
}

func TestRowsThatTheLogDoesNotExplainAreDroppedAndComeBack(t *testing.T) {
	for name, other := range map[string]func(t *testing.T) *memory.Store{
		"restored from an older backup": func(t *testing.T) *memory.Store { return grown(t, 4) },
		"restored, empty":               func(*testing.T) *memory.Store { return memory.New() },
		"gone another way": func(t *testing.T) *memory.Store {
			log := memory.New()
			_, err := log.Append(t.Context(), eventstore.Commit{Stream: "group:z", Events: []eventstore.Event{
				{Type: "member.joined", Schema: 1, Data: []byte(`{"userID":"other"}`), Time: start},
			}})
			require.NoError(t, err)
			grow(t, log, 20)
			return log
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.db")
			first := grown(t, 10)
			views, err := projections.Open(t.Context(), path, first, options())
			require.NoError(t, err)
			require.NoError(t, views.CatchUp(t.Context()))
			require.NoError(t, views.Close())

			var warnings strings.Builder
			opts := options()
			opts.Logger = slog.New(slog.NewTextHandler(&warnings, nil))
			log := relabelled{other(t), first.ID()}
			views = opened(t, path, log, opts)
			require.Contains(t, warnings.String(), "rows are dropped")
			require.Equal(t, digest(t, log), digestOf(t, views))
		})
	}
}

func TestAnotherVersionsRowsComeBackAndNoOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 10)
	var applied atomic.Int64
	other := counter{name: "other", fail: func(projections.Event) error { applied.Add(1); return nil }}
	views, err := projections.Open(t.Context(), path, log, options(counter{name: "counts"}, other))
	require.NoError(t, err)
	require.NoError(t, views.CatchUp(t.Context()))
	require.EqualValues(t, 10, applied.Load())

	newer := opened(t, path, log, options(counter{name: "counts", version: 2}, other, counter{name: "third"}))
	require.EqualValues(t, 10, applied.Load(), "the other's rows were good")
	require.Len(t, digestOf(t, newer).Tables, 3)
	require.Equal(t, eventstore.Position(10), newer.Position())

	grow(t, log, 1)
	require.ErrorIs(t, views.CatchUp(t.Context()), projections.ErrTakenOver)
	require.ErrorIs(t, views.Rebuild(t.Context(), nil), projections.ErrTakenOver)
	require.NoError(t, newer.CatchUp(t.Context()))
	require.NoError(t, views.Close())
}

func TestWaitFor(t *testing.T) {
	log := grown(t, 3)
	views := opened(t, ":memory:", log, options())
	require.NoError(t, views.WaitFor(t.Context(), 3))

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, views.WaitFor(cancelled, 4), context.Canceled)
	require.NoError(t, views.WaitFor(cancelled, 3), "what holds already needs no context")

	waited := make(chan error, 2)
	go func() { waited <- views.WaitFor(context.Background(), 4) }()
	grow(t, log, 1)
	require.NoError(t, <-waited)
	go func() { waited <- views.WaitFor(context.Background(), 99) }()
	require.NoError(t, views.Close())
	require.ErrorIs(t, <-waited, projections.ErrClosed)
	require.ErrorIs(t, views.WaitFor(t.Context(), 1), projections.ErrClosed)
	require.ErrorIs(t, views.Read(t.Context(), func(*sql.Tx) error { return nil }), projections.ErrClosed)
	require.ErrorIs(t, views.Rebuild(t.Context(), nil), projections.ErrClosed)
	require.NoError(t, views.Close())
}

func TestManualMovesOnRequest(t *testing.T) {
	log := grown(t, 3)
	opts := options()
	opts.Manual = true
	views, err := projections.Open(t.Context(), ":memory:", log, opts)
	require.NoError(t, err)
	defer views.Close()
	require.Zero(t, views.Position())
	require.NoError(t, views.CatchUp(t.Context()))
	require.Equal(t, eventstore.Position(3), views.Position())
	grow(t, log, 2)
	require.NoError(t, views.WaitFor(t.Context(), 5))
	waited := make(chan error)
	go func() { waited <- views.WaitFor(context.Background(), 6) }()
	grow(t, log, 1)
	require.NoError(t, <-waited)
}

func TestARecordThatCannotBeReadStopsTheRunner(t *testing.T) {
	log := grown(t, 5)
	_, err := log.Append(t.Context(), eventstore.Commit{Stream: "group:a", Events: []eventstore.Event{
		{Type: "from.the_future", Schema: 1, Data: []byte(`{}`), Time: start},
	}})
	require.NoError(t, err)
	grow(t, log, 5)
	for _, manual := range []bool{false, true} {
		opts := options()
		opts.PageSize, opts.Manual = 1, manual
		views, err := projections.Open(t.Context(), ":memory:", log, opts)
		require.NoError(t, err)
		require.NoError(t, views.WaitFor(t.Context(), 5), "what is before it is there")
		err = views.WaitFor(t.Context(), 6)
		require.ErrorContains(t, err, "position 6")
		require.ErrorContains(t, err, "from.the_future")
		require.Equal(t, eventstore.Position(5), views.Position(), "nothing is skipped")
		require.Equal(t, manual, views.Err() == nil)
		require.NoError(t, views.Close())
	}
}

func TestAFailedPageIsRolledBackAndARebuildResumes(t *testing.T) {
	log := grown(t, 5)
	var broken atomic.Bool
	broken.Store(true)
	c := counter{name: "counts", fail: func(e projections.Event) error {
		if e.Position == 8 && broken.Load() {
			return errPoison
		}
		return nil
	}}
	views := opened(t, filepath.Join(t.TempDir(), "v.db"), log, options(c))
	want := digest(t, log)
	grow(t, log, 5)
	err := views.CatchUp(t.Context())
	require.ErrorIs(t, err, errPoison)
	require.ErrorContains(t, err, "projection counts, positions 6 to 10")
	require.ErrorIs(t, views.Err(), errPoison)
	require.Equal(t, want, digestOf(t, views), "all of the page or nothing")

	require.ErrorIs(t, views.Rebuild(t.Context(), nil), errPoison)
	broken.Store(false)
	require.NoError(t, views.Rebuild(t.Context(), nil))
	require.NoError(t, views.Err())
	grow(t, log, 5)
	require.NoError(t, views.WaitFor(t.Context(), 15))
	require.Equal(t, digest(t, log), digestOf(t, views))
}

func TestSchemasAreKeptInTheirPlace(t *testing.T) {
	for name, schema := range map[string]string{
		"a trigger":   `CREATE TABLE x (a); CREATE TRIGGER y AFTER INSERT ON x BEGIN SELECT 1; END`,
		"our name":    `CREATE TABLE projection_x (a)`,
		"not SQL":     `CREATE nonsense`,
		"a view":      `CREATE VIEW x AS SELECT 1`,
		"virtual":     `CREATE VIRTUAL TABLE x USING fts3(text)`,
		"bookkeeping": `CREATE TABLE projection_file (a)`,
	} {
		_, err := projections.Open(t.Context(), ":memory:", memory.New(), options(odd{counter{name: "odd"}, schema}))
		require.Error(t, err, name)
		require.ErrorContains(t, err, "odd", name)
	}
}

type odd struct {
	counter
	schema string
}

func (o odd) Schema() string { return o.schema }

// TestTwoShareAFile: each event counts once, whoever applies it, and each sees what
// the other appended through a store of its own.
func TestTwoShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := memory.New()
	opts := options()
	opts.PageSize, opts.Poll = 3, time.Millisecond
	silent := deaf{log}
	a, b := opened(t, path, log, opts), opened(t, path, silent, opts)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				grow(t, log, 4)
			}
		})
	}
	wg.Wait()
	require.NoError(t, a.WaitFor(t.Context(), 400))
	require.NoError(t, b.WaitFor(t.Context(), 400))
	want := digest(t, log)
	require.Equal(t, want, digestOf(t, a))
	require.Equal(t, want, digestOf(t, b))
}

// deaf is a log that tells of no changes, as for appends of another process.
type deaf struct{ eventstore.Store }

func (deaf) Changed() <-chan struct{} { return nil }

func TestReadIsOneStateAndCannotWrite(t *testing.T) {
	for _, path := range []string{":memory:", filepath.Join(t.TempDir(), "v.db")} {
		log := grown(t, 3)
		views := opened(t, path, log, options())
		err := views.Read(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec("DELETE FROM counts")
			return err
		})
		require.ErrorContains(t, err, "readonly")
		require.Equal(t, digest(t, log), digestOf(t, views))
	}
	log := grown(t, 3)
	views := opened(t, filepath.Join(t.TempDir(), "v.db"), log, options())
	require.NoError(t, views.Read(t.Context(), func(tx *sql.Tx) error {
		count := func() (n int) {
			require.NoError(t, tx.QueryRow("SELECT sum(n) FROM counts").Scan(&n))
			return n
		}
		require.Equal(t, 3, count())
		grow(t, log, 3)
		require.NoError(t, views.WaitFor(t.Context(), 6), "a reader does not hold up the runner")
		require.Equal(t, 3, count())
		return nil
	}))
}

func TestEventMeta(t *testing.T) {
	e := projections.Event{Record: eventstore.Record{Event: eventstore.Event{Actor: "a", AppAdmin: true, Time: start}}}
	require.Equal(t, domain.Meta{Actor: domain.Actor{UserID: "a", AppAdmin: true}, At: start}, e.Meta())
}
