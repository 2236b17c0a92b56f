package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/eventstore/transfer"
)

var start = time.Date(2018, 8, 23, 12, 0, 0, 123456000, time.UTC)

// events are what one command brings about: by one actor, at one time.
func events(n int, stream, commandID string, at int) []eventstore.Event {
	all := make([]eventstore.Event, n)
	for i := range all {
		all[i] = eventstore.Event{
			Type: "thing.happened", Schema: 1 + at%2, Data: fmt.Appendf(nil, `{"at":%d,"of":%q,"n":%d}`, at, stream, i),
			Actor: fmt.Sprint("user ", at%3), AppAdmin: at%5 == 0, Time: start.Add(time.Duration(at) * time.Microsecond), CommandID: commandID,
		}
	}
	return all
}

// command is a commit as the engine makes it: its ID, where it has one, stands in its
// events too. One without events is refused.
func command(stream, id string, n, at int) eventstore.Commit {
	c := eventstore.Commit{Stream: stream, Events: events(n, stream, id, at)}
	if id != "" {
		c.Outcome = &eventstore.Outcome{CommandID: id, Fingerprint: fmt.Appendf(nil, "asked %d", at), Answer: fmt.Appendf(nil, "answer %d", n)}
	}
	return c
}

// anyCommand is a command that has an ID, or events, or both. Neighbours may have the
// same time and actor.
func anyCommand(at int) *rapid.Generator[eventstore.Commit] {
	return rapid.Custom(func(t *rapid.T) eventstore.Commit {
		stream := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "stream")
		n := rapid.IntRange(0, 3).Draw(t, "events")
		id := ""
		if n == 0 || rapid.Bool().Draw(t, "has an ID") {
			id = fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "id"), "/", at)
		}
		return command(stream, id, n, at-at%rapid.IntRange(1, 4).Draw(t, "burst"))
	})
}

func mustAppend(t require.TestingT, store eventstore.Store, commits ...eventstore.Commit) {
	results, err := store.Append(context.Background(), commits...)
	require.NoError(t, err)
	for _, result := range results {
		require.NoError(t, result.Err)
	}
}

// held is all that a log holds.
type held struct {
	ID       string
	Records  []eventstore.Record
	Outcomes []eventstore.Outcome
}

func everything(t require.TestingT, store eventstore.Store) (h held) {
	h.ID = store.ID()
	for r, err := range store.ReadAll(context.Background(), 0) {
		require.NoError(t, err)
		h.Records = append(h.Records, r)
	}
	for o, err := range eventstore.Outcomes(context.Background(), store, "") {
		require.NoError(t, err)
		h.Outcomes = append(h.Outcomes, o)
	}
	return h
}

// A copy that is begun again after each of any number of failures is the log; and where it
// ended meanwhile, no command was cut in two.
func TestCopyThroughFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := memory.New()
		copied := memory.CopyOf(log.ID())
		from, to := eventstoretest.Faulty(log), eventstoretest.Faulty(copied)
		ends := map[eventstore.Position]bool{0: true}
		at := 0
		grow := func() {
			for range rapid.IntRange(0, 30).Draw(t, "commands") {
				at++
				mustAppend(t, log, anyCommand(at).Draw(t, "command"))
				head, err := log.Head(context.Background())
				require.NoError(t, err)
				ends[head] = true
			}
		}
		grow()
		for range rapid.IntRange(0, 4).Draw(t, "failures") {
			n := rapid.IntRange(1, 3).Draw(t, "after")
			rapid.SampledFrom([]func(){
				func() { to.FailAppend(n, nil) },
				func() { to.FailAppendAfter(n, nil) },
				func() { from.FailRead(n, rapid.IntRange(0, 20).Draw(t, "records"), nil) },
				func() { to.FailRead(n, 1, nil) },
				func() { from.FailHead(n, nil) },
				func() { to.FailHead(n, nil) },
				func() { from.FailOutcome(n, nil) },
				func() { to.FailOutcome(n, nil) },
				grow,
			}).Draw(t, "failure")()
			options := &transfer.Options{MaxBatch: rapid.IntRange(0, 5).Draw(t, "batch")}
			if _, err := transfer.Copy(context.Background(), from, to, options); err != nil {
				require.ErrorIs(t, err, eventstoretest.ErrInjected)
			}
			head, err := copied.Head(context.Background())
			require.NoError(t, err)
			require.True(t, ends[head], "the copy ends at %d, amid a command", head)
		}
		report, err := transfer.Copy(context.Background(), log, copied, nil)
		require.NoError(t, err)
		want := everything(t, log)
		require.Equal(t, want, everything(t, copied))
		require.Len(t, want.Records, int(report.Records))
		require.Len(t, want.Outcomes, report.Outcomes)

		again, err := transfer.Copy(context.Background(), log, copied, nil)
		require.NoError(t, err)
		report.Copied = 0
		require.Equal(t, report, again, "a copy of what has been copied only compares")
	})
}

// history is a log of two thousand commands, more than a batch holds.
func history(t testing.TB) *memory.Store {
	log := memory.New()
	for at := range 3000 {
		id := ""
		if at%3 > 0 {
			id = fmt.Sprint("command ", at)
		}
		mustAppend(t, log, command(fmt.Sprint("stream ", at%7), id, max(at%4, 1-at%3), at))
	}
	return log
}

func TestCopyToSQLiteAndBack(t *testing.T) {
	log := history(t)
	file, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "copy.db"), &sqlite.Options{ID: log.ID()})
	require.NoError(t, err)
	defer file.Close()
	var last [2]transfer.Progress
	there, err := transfer.Copy(t.Context(), log, file, &transfer.Options{Progress: func(p transfer.Progress) {
		n := 0
		if p.Comparing {
			n = 1
		}
		require.Greater(t, p.Done, last[n].Done)
		last[n] = p
	}})
	require.NoError(t, err)
	require.Equal(t, everything(t, log), everything(t, file))
	require.NoError(t, file.Check(t.Context()))
	require.Equal(t, there.Records, last[1].Done)
	require.NotZero(t, last[0].Done)

	back := memory.CopyOf(log.ID())
	report, err := transfer.Copy(t.Context(), file, back, nil)
	require.NoError(t, err)
	require.Equal(t, there, report, "the digest is the log's, whoever holds it")
	require.Equal(t, everything(t, log), everything(t, back))
}

// prefix is a log with the ID and the first commands of another.
func prefix(t testing.TB, log *memory.Store, commands ...eventstore.Commit) *memory.Store {
	part := memory.CopyOf(log.ID())
	mustAppend(t, part, commands...)
	return part
}

// A target that is no beginning of the source is refused before anything is written.
func TestCopyRefusesOtherTargets(t *testing.T) {
	one, two := command("a", "one", 2, 1), command("b", "two", 1, 2)
	refused, idle := command("a", "refused", 0, 3), command("a", "", 1, 4)
	log := memory.New()
	mustAppend(t, log, one, two, refused, idle)
	changed := func(c eventstore.Commit, change func(*eventstore.Commit)) eventstore.Commit {
		c.Events = append([]eventstore.Event(nil), c.Events...)
		if c.Outcome != nil {
			outcome := *c.Outcome
			c.Outcome = &outcome
		}
		change(&c)
		return c
	}
	for name, test := range map[string]struct {
		target *memory.Store
		err    error
		says   string
	}{
		"another log": {memory.New(), eventstore.ErrOtherLog, "the target is log"},
		"a longer one": {prefix(t, log, one, two, refused, idle, command("c", "", 1, 5)), transfer.ErrDifferent,
			`at position 5: the source has none, the target "thing.happened" by "user 2"`},
		"another record": {prefix(t, log, one, changed(two, func(c *eventstore.Commit) { c.Events[0].Actor = "eve" })), transfer.ErrDifferent,
			`at position 3: the source has "thing.happened" by "user 2" at 2018-08-23T12:00:00.123458Z, version 1 of "b"`},
		"another time": {prefix(t, log, changed(one, func(c *eventstore.Commit) { c.Events[1].Time = start })), transfer.ErrDifferent, "at position 2"},
		"another answer": {prefix(t, log, one, changed(two, func(c *eventstore.Commit) { c.Outcome.Answer = []byte("no") })), transfer.ErrDifferent,
			`command "two": the source has one of positions 3 to 3, answered with 8 bytes, the target one of positions 3 to 3, answered with 2 bytes`},
		"no answer":       {prefix(t, log, changed(one, func(c *eventstore.Commit) { c.Outcome = nil })), transfer.ErrDifferent, `command "one"`},
		"an answer more":  {prefix(t, log, command("a", "other", 0, 3)), transfer.ErrDifferent, `command "other": the source has none`},
		"another refusal": {prefix(t, log, one, changed(refused, func(c *eventstore.Commit) { c.Outcome.Fingerprint = nil })), transfer.ErrDifferent, `command "refused"`},
	} {
		before := everything(t, test.target)
		report, err := transfer.Copy(t.Context(), log, test.target, nil)
		require.ErrorIs(t, err, test.err, name)
		require.ErrorContains(t, err, test.says, name)
		require.Zero(t, report.Copied, name)
		require.Equal(t, before, everything(t, test.target), name)
	}
}

// lossy is a target that takes something else than it is given.
type lossy struct {
	*memory.Store
	change func(commits []eventstore.Commit) []eventstore.Commit
}

func (l lossy) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	results, err := l.Store.Append(ctx, l.change(commits)...)
	for len(results) < len(commits) { // what was left out is said to be there
		results = append(results, eventstore.Result{})
	}
	return results, err
}

// Whatever a target has made of what it was given is found when it is read back.
func TestCopyComparesWhatIsThere(t *testing.T) {
	each := func(change func(c *eventstore.Commit)) func([]eventstore.Commit) []eventstore.Commit {
		return func(commits []eventstore.Commit) []eventstore.Commit {
			for i := range commits {
				change(&commits[i])
			}
			return commits
		}
	}
	for name, change := range map[string]func(commits []eventstore.Commit) []eventstore.Commit{
		"milliseconds": each(func(c *eventstore.Commit) {
			for i := range c.Events {
				c.Events[i].Time = c.Events[i].Time.Truncate(time.Millisecond)
			}
		}),
		"no actor": each(func(c *eventstore.Commit) {
			for i := range c.Events {
				c.Events[i].Actor = ""
			}
		}),
		"no outcomes": each(func(c *eventstore.Commit) {
			if len(c.Events) > 0 {
				c.Outcome = nil
			}
		}),
		"another answer": each(func(c *eventstore.Commit) {
			if c.Outcome != nil && len(c.Events) == 0 {
				c.Outcome.Answer = nil
			}
		}),
		"no refusals": func(commits []eventstore.Commit) (kept []eventstore.Commit) {
			for _, c := range commits {
				if len(c.Events) > 0 {
					kept = append(kept, c)
				}
			}
			return kept
		},
	} {
		log := history(t)
		_, err := transfer.Copy(t.Context(), log, lossy{memory.CopyOf(log.ID()), change}, nil)
		require.ErrorIs(t, err, transfer.ErrDifferent, name)
	}
}

// Somebody else who appends to the target is noticed.
func TestCopyBesideAnotherWriter(t *testing.T) {
	log := history(t)
	for _, stream := range []string{"stream 1", "elsewhere"} {
		target := memory.CopyOf(log.ID())
		faulty := eventstoretest.Faulty(target)
		faulty.BeforeAppend(func(context.Context, []eventstore.Commit) error {
			mustAppend(t, target, command(stream, "", 1, 1))
			return nil
		})
		_, err := transfer.Copy(t.Context(), log, faulty, nil)
		require.ErrorIs(t, err, transfer.ErrDifferent)
		require.ErrorContains(t, err, "somebody else appends")
		_, err = transfer.Copy(t.Context(), log, target, nil)
		require.ErrorIs(t, err, transfer.ErrDifferent)
	}
}

// shuffling is a target in which Append keeps only the order within a stream.
type shuffling struct{ *memory.Store }

func (s shuffling) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if len(commits) > 1 && commits[0].Stream != commits[1].Stream {
		commits[0], commits[1] = commits[1], commits[0]
	}
	return s.Store.Append(ctx, commits...)
}

func (s shuffling) Import(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	return s.Store.Append(ctx, commits...)
}

func TestCopyKeepsTheOrder(t *testing.T) {
	log := history(t)
	_, err := transfer.Copy(t.Context(), log, shuffling{memory.CopyOf(log.ID())}, nil)
	require.NoError(t, err)
}

// cut is a log in which the outcomes are about other positions.
type cut struct{ *memory.Store }

func (c cut) Outcome(ctx context.Context, id string) (eventstore.Outcome, bool, error) {
	o, found, err := c.Store.Outcome(ctx, id)
	if o.Last > 0 {
		o.Last++
	}
	return o, found, err
}

func TestCopyOfADamagedLog(t *testing.T) {
	for _, streams := range [][]string{{"a"}, {"a", "b"}} {
		log := memory.New()
		for _, stream := range streams {
			mustAppend(t, log, command(stream, "command of "+stream, 2, 1))
		}
		_, err := transfer.Copy(t.Context(), cut{log}, memory.CopyOf(log.ID()), nil)
		require.ErrorIs(t, err, eventstore.ErrDamaged)
	}
}

// unlisted is a store that has the contract and no more.
type unlisted struct{ eventstore.Store }

func TestCopyOfUnlistedOutcomes(t *testing.T) {
	log := memory.New()
	_, err := transfer.Copy(t.Context(), unlisted{log}, memory.CopyOf(log.ID()), nil)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "cannot list its outcomes")
}

func TestCopyIsCancelled(t *testing.T) {
	log := history(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := transfer.Copy(ctx, log, memory.CopyOf(log.ID()), nil)
	require.ErrorIs(t, err, context.Canceled)
}

// An archive has what its source has, through failures, and ends when it is told to.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := history(t)
		archive := memory.CopyOf(log.ID())
		from, to := eventstoretest.Faulty(log), eventstoretest.Faulty(archive)
		to.FailAppend(2, nil)
		from.FailRead(5, 3, nil)
		var (
			ctx, end = context.WithCancel(t.Context())
			ended    = make(chan error)
			troubles []error
			last     transfer.Report
		)
		go func() {
			report, err := transfer.Follow(ctx, from, to, &transfer.Options{
				CaughtUp: func(r transfer.Report) { last = r },
				Trouble:  func(err error, _ time.Duration) { troubles = append(troubles, err) },
			})
			last.Copied = report.Copied
			ended <- err
		}()
		for at := range 20 {
			time.Sleep(2 * time.Second) // of the bubble: until it has caught up
			require.Equal(t, everything(t, log), everything(t, archive))
			mustAppend(t, log, command("stream 1", fmt.Sprint("late ", at), at%3, 10_000+at))
		}
		time.Sleep(2 * time.Second)
		end()
		require.ErrorIs(t, <-ended, context.Canceled)
		want := everything(t, log)
		require.Equal(t, want, everything(t, archive))
		require.Len(t, troubles, 2)
		require.Len(t, want.Records, int(last.Records))
		require.Len(t, want.Records, int(last.Copied))

		report, err := transfer.Copy(t.Context(), log, archive, nil)
		require.NoError(t, err)
		require.Equal(t, report.Digest, last.Digest, "what was compared piece by piece has the digest of the whole")
	})
}

// turned is a log in which one record is another one, once it has been read.
type turned struct {
	*memory.Store
	at eventstore.Position
}

func (s *turned) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range s.Store.ReadAll(ctx, after) {
			if r.Position == s.at {
				r.Data = []byte(`{}`)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// Following ends with what will not pass.
func TestFollowEnds(t *testing.T) {
	for name, test := range map[string]struct {
		from, to func(*memory.Store) eventstore.Store
		err      error
	}{
		"damage": {
			func(log *memory.Store) eventstore.Store {
				faulty := eventstoretest.Faulty(log)
				faulty.FailRead(1, 10, &eventstore.DamageError{Position: 11})
				return faulty
			}, func(to *memory.Store) eventstore.Store { return to }, eventstore.ErrDamaged,
		},
		"a difference": {
			func(log *memory.Store) eventstore.Store { return log },
			func(to *memory.Store) eventstore.Store { return &turned{to, 2000} }, transfer.ErrDifferent,
		},
		"another log": {
			func(log *memory.Store) eventstore.Store { return log },
			func(*memory.Store) eventstore.Store { return memory.New() }, eventstore.ErrOtherLog,
		},
	} {
		log := history(t)
		report, err := transfer.Follow(t.Context(), test.from(log), test.to(memory.CopyOf(log.ID())), nil)
		require.ErrorIs(t, err, test.err, name)
		require.Less(t, report.Records, eventstore.Position(2000), name)
	}
}
