package grouplog_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest/powercut"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// crashTime is the long form of the tests in which processes are killed:
//
//	go test -run 'Crash|PowerCut|Kills' -timeout 1h . -crash 10m
var crashTime = flag.Duration("crash", 0, "how long each test kills processes; a few rounds when 0")

// rounds are so many, or as many as there is time for in the long form.
func rounds(short int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		started := time.Now()
		for i := 0; i < short || time.Since(started) < *crashTime; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// seeded is chance that can be had again.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// always is later than any moment.
const always = powercut.Moment(math.MaxInt64)

// startChild starts a process that works on the log at the path.
func startChild(t *testing.T, role, path string, env ...string) (*exec.Cmd, io.WriteCloser, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), childRole+"="+role, childPath+"="+path), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, in, bufio.NewScanner(out)
}

// load puts a log under load in a process of its own, and kills that after so many
// lines. It returns what the process has said.
func load(t *testing.T, path string, round, enough int, env ...string) []line {
	t.Helper()
	cmd, _, out := startChild(t, roleLoad, path, append(env, fmt.Sprint(childRound, "=", round))...)
	var said []line
	for out.Scan() {
		var l line
		require.NoError(t, json.Unmarshal(out.Bytes(), &l), out.Text())
		if said = append(said, l); len(said) == enough {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait())
	require.GreaterOrEqual(t, len(said), enough, "the process has ended by itself")
	return said
}

// A process under load is killed at any point, again and again. What it has answered is
// there, and everything that is there fits together.
func TestCrash(t *testing.T) {
	random := seeded(t)
	path := filepath.Join(t.TempDir(), "groups.db")
	var said []line
	for round := range rounds(4) {
		said = append(said, load(t, path, round, 1+random.IntN(600))...)
		said = append(said, survived(t, path, always, said)...)
	}
}

// The power fails at any moment of that, with any part of what was not synced written. The
// next round goes on from there.
func TestPowerCut(t *testing.T) {
	random := seeded(t)
	dir := t.TempDir()
	var said []line // of rounds before, at moment 0: is due whenever the power fails again
	for round := range rounds(2) {
		disk := powercut.Watch(t, dir)
		now := append(said, load(t, filepath.Join(disk.Dir(), "groups.db"), round, 1+random.IntN(1500), disk.Env()...)...)
		for i, at := range disk.Moments(t, random, 5) {
			luck := powercut.NothingOfIt()
			if i%2 == 1 {
				luck = powercut.SomeOfIt(random)
			}
			dir = t.TempDir()
			disk.Restore(t, dir, at, luck)
			more := survived(t, filepath.Join(dir, "groups.db"), at, now)
			said = said[:0:0]
			for _, l := range now {
				if l.Moment <= at {
					l.Moment = 0
					said = append(said, l)
				}
			}
			said = append(said, more...)
		}
	}
}

// survived checks what a process has left, which had said so much by some moment, and
// returns what witnesses have been told meanwhile.
func survived(t *testing.T, path string, at powercut.Moment, said []line) (more []line) {
	t.Helper()
	var answered []line
	told := map[string][]line{}
	for _, l := range said {
		switch {
		case l.Moment > at:
		case l.Answer != nil:
			answered = append(answered, l)
		default:
			told[l.Listener] = append(told[l.Listener], l)
		}
	}
	var warnings strings.Builder
	logger := slog.New(slog.NewTextHandler(&warnings, &slog.HandlerOptions{Level: slog.LevelWarn}))
	rowsAreTheFold(t, path, logger)

	engine, err := grouplog.Open(t.Context(), path, &grouplog.Options{Logger: logger, MustExist: len(answered) > 0})
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Close()) }()
	log := wholeLog(t, engine.Log())
	for _, w := range witnesses {
		more = append(more, w.check(t, engine, log, told[w.name])...)
	}
	for _, l := range answered {
		stillAnswered(t, engine, log, l)
	}
	head, err := engine.Log().Head(t.Context())
	require.NoError(t, err)
	require.Len(t, log, int(head), "a command that is repeated records nothing")
	require.NoError(t, engine.Rebuild(t.Context(), nil))
	require.Empty(t, warnings.String(), "a checkpoint is beyond the log, or the rows do not follow it")
	return more
}

// rowsAreTheFold compares the read models beside a log with it.
func rowsAreTheFold(t *testing.T, path string, logger *slog.Logger) {
	t.Helper()
	log, err := sqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	rowsAreTheFoldOf(t, log, strings.TrimSuffix(path, ".db")+".views.db", logger)
}

// rowsAreTheFoldOf compares read models with a log, first as they were left and then when
// they have caught up.
func rowsAreTheFoldOf(t *testing.T, log eventstore.Store, viewsPath string, logger *slog.Logger) {
	t.Helper()
	views, err := projections.Open(t.Context(), viewsPath, log, &projections.Options{
		Projections: []projections.Projection{groupview.New()}, Manual: true, Logger: logger,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, views.Close()) }()
	head, err := log.Head(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, views.Position(), head)
	for range 2 {
		differences, err := views.Compare(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, differences)
		require.NoError(t, views.CatchUp(t.Context()))
	}
}

// wholeLog is every record, checked: each is as it was written, none is missing, the file
// is sound, and the events of a command stand together, once.
func wholeLog(t *testing.T, store eventstore.Store) []eventstore.Record {
	t.Helper()
	var log []eventstore.Record
	_, err := eventstore.Verify(t.Context(), store, func(r eventstore.Record) error {
		log = append(log, r)
		_, err := projections.Decode(r)
		return err
	}, nil)
	require.NoError(t, err)
	if db, ok := store.(*sqlite.DB); ok {
		require.NoError(t, db.Check(t.Context()))
	}
	last := map[string]eventstore.Position{}
	for _, r := range log {
		if r.CommandID == "" {
			continue
		}
		if before := last[r.CommandID]; before != 0 {
			require.Equal(t, r.Position-1, before, "command %s has happened twice", r.CommandID)
		}
		last[r.CommandID] = r.Position
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		outcome, found, err := store.Outcome(t.Context(), id)
		require.NoError(t, err)
		require.True(t, found, "command %s has happened, and has no outcome", id)
		require.Equal(t, last[id], outcome.Last, "the outcome of command %s", id)
	}
	return log
}

// stillAnswered checks that what a command was answered with is in the log, and that it is
// answered so again.
func stillAnswered(t *testing.T, engine *grouplog.Engine, log []eventstore.Record, l line) {
	t.Helper()
	as, cmd, id := wish(l.Round, l.Caller, l.N)
	receipt := l.Answer.Receipt
	require.LessOrEqual(t, int(receipt.Position), len(log), "command %s was answered, and is lost", id)
	for i, name := range receipt.Events {
		r := log[int(receipt.First)-1+i]
		require.Equal(t, []string{name, id}, []string{r.Type, r.CommandID}, "command %s was answered, and another stands in its place", id)
	}
	again, err := engine.Do(t.Context(), as, cmd, commands.WithID(id))
	require.True(t, err != nil || again.Repeated, "command %s was answered, and is carried out again", id)
	got, err := answerOf(again, err)
	require.NoError(t, err)
	require.Equal(t, l.Answer, got, "command %s is answered otherwise", id)
}
