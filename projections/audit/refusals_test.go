package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/projections/audit"
)

func tries(r *audit.Refusals, actor string, data string) {
	r.Record(audit.Attempt{At: domaintest.Morning, Actor: domain.Actor{UserID: actor}, Command: "Quit", Refusal: *domain.ErrUnknownGroup},
		func() (json.RawMessage, error) { return json.RawMessage(data), nil })
}

func counts(t *testing.T, r *audit.Refusals) audit.RefusalCounts {
	t.Helper()
	c, err := r.Counts(t.Context())
	require.NoError(t, err)
	return c
}

// Floods are bounded: by actor, in a minute, and in all; nothing that is not kept goes
// uncounted.
func TestFloods(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "audit.db"))
	defer w.close(t)
	const tried = 5 * audit.AttemptsPerActor
	for range tried {
		tries(w.refusals, "mallory", "{}")
	}
	require.Equal(t, audit.RefusalCounts{Kept: audit.AttemptsPerActor, Unkept: tried - audit.AttemptsPerActor}, counts(t, w.refusals))
	page, err := w.queries.Page(w.ctx, audit.Query{Actors: []string{"mallory"}, Limit: 1})
	require.NoError(t, err)
	require.EqualValues(t, tried-audit.AttemptsPerActor, page.Entries[0].More)
	require.Contains(t, page.Entries[0].Sentence, "(and 240 attempts more)")

	w.now = w.now.Add(time.Minute)
	tries(w.refusals, "mallory", "{}")
	require.EqualValues(t, audit.AttemptsPerActor+1, counts(t, w.refusals).Kept, "the next minute counts anew")

	total := int64(tried + 1)
	for minute := range 3 { // many actors: the minute's bound, and then the file's
		w.now = w.now.Add(time.Minute)
		for i := range 3 * audit.AttemptsPerMinute {
			tries(w.refusals, fmt.Sprintf("actor-%d-%d", minute, i), "{}")
			total++
		}
	}
	c := counts(t, w.refusals)
	require.EqualValues(t, 1_000, c.Kept)
	require.EqualValues(t, audit.AttemptsPerActor+1+2*audit.AttemptsPerMinute, c.Forgotten)
	require.Equal(t, total, c.Kept+c.Forgotten+c.Unkept)
}

// What was recorded is there after a restart, also what was recorded just before it; the
// numbers go on.
func TestAttemptsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	w := newWorld(t, path)
	tries(w.refusals, "ann", `{"userIDs":["bob"]}`)
	w.close(t)
	tries(w.refusals, "late", "{}") // nobody is there any more, and nothing panics
	require.NoError(t, w.refusals.Close())

	r := audit.NewRefusals(filepath.Join(filepath.Dir(path), "refusals.db"), w.log.ID(), audit.RefusalOptions{Keep: 1})
	tries(r, "bob", "not JSON")
	require.Equal(t, audit.RefusalCounts{Kept: 1, Forgotten: 1}, counts(t, r))
	require.NoError(t, r.Close())

	r = audit.NewRefusals(filepath.Join(filepath.Dir(path), "refusals.db"), "another log", audit.RefusalOptions{Keep: 1})
	_, err := r.Counts(t.Context())
	require.ErrorIs(t, err, audit.ErrOtherLog)
	require.NoError(t, r.Close())
}

// Two processes share the file: each attempt has a number of its own.
func TestSharedAttempts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refusals.db")
	var wait sync.WaitGroup
	for p := range 3 {
		wait.Go(func() {
			r := audit.NewRefusals(path, "log", audit.RefusalOptions{Keep: 1_000})
			for i := range 50 {
				tries(r, fmt.Sprintf("process-%d", p), "{}")
				if i%10 == 0 {
					if err := r.Flush(context.Background()); err != nil {
						t.Error(err)
					}
				}
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	r := audit.NewRefusals(path, "log", audit.RefusalOptions{Keep: 1_000})
	require.EqualValues(t, 150, counts(t, r).Kept)
	require.NoError(t, r.Close())
}

// A command that is too long is kept without its content.
func TestLongAttempts(t *testing.T) {
	w := newWorld(t, ":memory:")
	defer w.close(t)
	tries(w.refusals, "ann", fmt.Sprintf(`{"name":"%0*d"}`, audit.MaxAttemptData, 7))
	page, err := w.queries.Page(w.ctx, audit.Query{})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	require.Nil(t, page.Entries[0].Data)
}

// Floods are bounded in bytes, too: nobody fills the disk with the name that they give.
func TestLongActors(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "audit.db"))
	defer w.close(t)
	for _, letter := range []string{"m", "ж"} {
		tries(w.refusals, "x"+strings.Repeat(letter, 1<<20), "{}")
	}
	page, err := w.queries.Page(w.ctx, audit.Query{Oldest: true})
	require.NoError(t, err)
	require.Len(t, page.Entries, 2)
	require.Equal(t, "x"+strings.Repeat("m", audit.MaxAttemptID-1), page.Entries[0].As)
	require.Equal(t, "x"+strings.Repeat("ж", (audit.MaxAttemptID-1)/2), page.Entries[1].As, "whole characters")
}

// Processes that make the file at the same moment wait for one another, also where SQLite
// would not: when it is switched to WAL.
func TestManyMakeTheRefusalsFile(t *testing.T) {
	for range 40 {
		path := filepath.Join(t.TempDir(), "refusals.db")
		const processes = 6
		var all sync.WaitGroup
		failures := make([]error, processes)
		for i := range processes {
			r := audit.NewRefusals(path, "log", audit.RefusalOptions{Keep: processes})
			tries(r, fmt.Sprint(i), "{}")
			all.Go(func() {
				failures[i] = errors.Join(r.Flush(context.WithoutCancel(t.Context())), r.Close())
			})
		}
		all.Wait()
		require.NoError(t, errors.Join(failures...))
		r := audit.NewRefusals(path, "log", audit.RefusalOptions{Keep: processes})
		require.EqualValues(t, processes, counts(t, r).Kept)
		require.NoError(t, r.Close())
	}
}
