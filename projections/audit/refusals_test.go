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
	"github.com/grouplog/grouplog/eventstore"
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

// A command that is too long is kept without its content, and found by whom it names and
// by its words, as far as there is room.
func TestLongAttempts(t *testing.T) {
	w := newWorld(t, ":memory:")
	defer w.close(t)
	many := make([]string, 2_000)
	for i := range many {
		many[i] = fmt.Sprintf("user-%026d", i)
	}
	long := strings.Repeat("x", 1<<20)
	data, err := json.Marshal(map[string]any{
		"userID": "victim", "userIDs": append([]string{long, "line\nend"}, many...), "reason": "spam " + long, "more": long,
	})
	require.NoError(t, err)
	tries(w.refusals, "ann", string(data))
	for _, test := range []struct {
		query audit.Query
		found int
	}{
		{audit.Query{}, 1},
		{audit.Query{Persons: []string{"victim"}}, 1},
		{audit.Query{Persons: []string{many[400]}}, 1},
		{audit.Query{Persons: []string{many[1_999]}}, 0},
		{audit.Query{Persons: []string{"end"}}, 0},
		{audit.Query{Text: "spam"}, 1},
	} {
		page, err := w.queries.Page(w.ctx, test.query)
		require.NoError(t, err)
		require.Len(t, page.Entries, test.found, "%+v", test.query)
		if test.found == 0 {
			continue
		}
		e := page.Entries[0]
		require.Nil(t, e.Data)
		require.Contains(t, e.Persons, "victim")
		require.Less(t, len(strings.Join(e.Persons, "")), 16<<10)
		require.Contains(t, e.Sentence, "ann tried Quit (victim, xxx")
	}
}

// Who tries to act in the name of the system, or of nobody, is not taken for the system,
// and found by what the counts call them.
func TestWhoIsNotTheSystem(t *testing.T) {
	w := newWorld(t, ":memory:")
	defer w.close(t)
	for _, actor := range []domain.Actor{domain.System, {UserID: "@system"}, {}, {AppAdmin: true}} {
		w.refusals.Record(audit.Attempt{At: domaintest.Morning, Actor: actor, Command: "Dismiss", Refusal: *domain.ErrUnknownGroup},
			func() (json.RawMessage, error) { return json.RawMessage("{}"), nil })
	}
	for name, sentences := range map[string][]string{
		"@system":                    {"the system tried Dismiss"},
		`"@system" (not the system)`: {`"@system" (not the system) tried Dismiss`},
		`"" (not the system)`:        {`"" (not the system) tried Dismiss`, `"" (not the system) tried Dismiss`},
	} {
		var got []string
		for e, err := range w.queries.All(w.ctx, audit.Query{Actors: []string{name}}) {
			require.NoError(t, err)
			text, _, _ := strings.Cut(e.Sentence, " and was")
			got = append(got, text)
		}
		require.Equal(t, sentences, got)
	}
	f, err := w.queries.Facets(w.ctx, audit.Query{})
	require.NoError(t, err)
	require.Equal(t, []audit.Count{{Value: `"" (not the system)`, Count: 2}, {Value: `"@system" (not the system)`, Count: 1}, {Value: "@system", Count: 1}}, f.Actors.Top)
}

// What is recorded without an actor is nobody's doing, like that of the system itself.
func TestNobodysDoing(t *testing.T) {
	w := newWorld(t, ":memory:")
	defer w.close(t)
	for _, actor := range []string{"", domain.System.UserID, "ann"} {
		_, err := w.log.Append(w.ctx, eventstore.Commit{Stream: domain.GroupStream("chess"), Events: []eventstore.Event{
			{Type: "group.muted", Schema: 1, Data: []byte(`{"muted":true}`), Actor: actor, Time: domaintest.Morning},
		}})
		require.NoError(t, err)
	}
	require.NoError(t, w.views.CatchUp(w.ctx))
	page, err := w.queries.Page(w.ctx, audit.Query{Actors: []string{domain.System.UserID}})
	require.NoError(t, err)
	require.Equal(t, []string{"2/0", "1/0"}, keysOf(t, page.Entries))
	f, err := w.queries.Facets(w.ctx, audit.Query{})
	require.NoError(t, err)
	require.Equal(t, []audit.Count{{Value: "@system", Count: 2}, {Value: "ann", Count: 1}}, f.Actors.Top)
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
