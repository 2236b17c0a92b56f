package projections_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// A failure that passes stops the rows for no longer than it lasts.
func TestRowsFollowAgainAfterAFailure(t *testing.T) {
	log := eventstoretest.Faulty(memory.New())
	views, err := projections.Open(t.Context(), ":memory:", log, &projections.Options{Projections: []projections.Projection{groupview.New()}})
	require.NoError(t, err)
	defer func() { require.NoError(t, views.Close()) }()

	broken := errors.New("broken for a moment")
	log.FailRead(1, 0, broken)
	name, schema, data, err := domain.Encode(domain.GroupCreated{GroupType: domain.Work, Owner: "alice", Name: "G", JoinOption: domain.Forbid, InviteOption: domain.Any})
	require.NoError(t, err)
	_, err = log.Append(t.Context(), eventstore.Commit{
		Stream: domain.GroupStream("g"), Events: []eventstore.Event{{Type: name, Schema: schema, Data: data, Actor: "alice", Time: time.Unix(1, 0)}},
	})
	require.NoError(t, err)
	for err = errors.New("not asked yet"); err != nil; {
		if err = views.WaitFor(t.Context(), 1); err != nil {
			require.ErrorIs(t, err, broken)
		}
	}
	group, err := groupview.NewQueries(views).Group(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "alice", group.Owner)
}

// A process may be cut off where SQLite still writes with a journal, which is then to be
// rolled back by whoever opens the file next: when the file is made, and before it has a
// -wal for the first time.
func TestWhatWasCutOffIsRolledBack(t *testing.T) {
	log := memory.New()
	opened := func(path string) *projections.Views {
		views, err := projections.Open(t.Context(), path, log, &projections.Options{Projections: []projections.Projection{groupview.New()}})
		require.NoError(t, err)
		return views
	}
	made := filepath.Join(t.TempDir(), "made.db")
	require.NoError(t, opened(made).Close())
	for _, path := range []string{made, filepath.Join(t.TempDir(), "new.db")} {
		cutOff(t, path)
		views := opened(path)
		differences, err := views.Compare(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, differences)
		var left int
		require.NoError(t, views.Read(t.Context(), func(tx *sql.Tx) error {
			return tx.QueryRow("SELECT count(*) FROM sqlite_master WHERE name = 'half'").Scan(&left)
		}))
		require.Zero(t, left)
		require.NoError(t, views.Close())
	}
}

// cutOff leaves a file as a process does that is killed in a transaction, in the middle of
// writing it.
func cutOff(t *testing.T, path string) {
	db, err := sql.Open("sqlite3", "file:"+path)
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{
		"PRAGMA journal_mode = DELETE", "PRAGMA cache_size = 1", "BEGIN",
		"CREATE TABLE half AS WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n LIMIT 100) SELECT randomblob(5000) FROM n",
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err, statement)
	}
	left := map[string][]byte{}
	for _, suffix := range []string{"", "-journal"} {
		left[suffix], err = os.ReadFile(path + suffix)
		require.NoError(t, err)
		require.NotEmpty(t, left[suffix])
	}
	require.NoError(t, db.Close())
	for suffix, data := range left {
		require.NoError(t, os.WriteFile(path+suffix, data, 0o600))
	}
}

// meanwhile is a log to which somebody appends just when it has been found to end.
type meanwhile struct {
	eventstore.Store
	after int // so many calls of Head
	calls atomic.Int64
	do    func()
}

func (m *meanwhile) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := m.Store.Head(ctx)
	if m.calls.Add(1) == int64(m.after)+1 {
		m.do()
	}
	return head, err
}

// What is appended between looking and waiting comes into the rows, though nothing else
// happens, nobody asks for it, and nobody looks again.
func TestNoWakeUpIsLost(t *testing.T) {
	inner := grown(t, 3)
	applied := make(chan struct{}, 10)
	opts := options(counter{name: "counts", slow: func() { applied <- struct{}{} }})
	opts.Poll = time.Hour
	views, err := projections.Open(t.Context(), ":memory:", &meanwhile{Store: inner, after: 1, do: func() { grow(t, inner, 1) }}, opts)
	require.NoError(t, err)
	defer func() { require.NoError(t, views.Close()) }()
	<-applied
	<-applied
}
