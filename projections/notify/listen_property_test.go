package notify_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/consumers"
	"github.com/grouplog/grouplog/projections/notify"
)

// attempts is how often the listener of a trial tries.
const attempts = 3

// Whatever fails, and wherever the process is killed, every notification is handled
// unless it was discarded, those of a group in order, each tried no more often than it
// may be, and called a replay only if it had been handled.
func TestListenThroughEverything(t *testing.T) {
	dir, trials := t.TempDir(), 0
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { // not a *testing.T, whose deadline is not of the bubble's time
			trials++
			tr := newTrial(t, filepath.Join(dir, fmt.Sprint("trial", trials, ".consumers.db")))
			defer tr.close()
			for range rapid.IntRange(1, 5).Draw(t, "sessions") {
				tr.session(t)
			}
			tr.finish(t)
		})
	})
}

// trial is a listener's life, and what it has been told.
type trial struct {
	steps    []domaintest.Step // what has not happened yet
	policies domain.Policies
	log      eventstore.Store
	registry *consumers.Registry
	file     *sql.DB // the same file, to have writes fail
	random   *rand.Rand

	mu     sync.Mutex
	broken []string           // what should not have been
	groups map[string]*course // by stream
	epoch  int                // raised by resets
	edits  int                // by any verb
	from   eventstore.Position

	last *account // what was handled last, in this process
	kind bool     // handle everything
}

// course is what has been told of one group.
type course struct {
	places []consumers.Place // all there are, in order
	at     int               // the last that was told in this epoch; -1: none
	told   map[consumers.Place]*account
}

// account is what became of one notification.
type account struct {
	calls, counted int // in this epoch; counted: those that cannot have been spared
	since          int // calls since somebody retried it
	done           bool
	discarded      bool
	doneBefore     bool // in an earlier epoch, or discarded there
	acked          bool // for sure: another call has begun since, in the same process
	ackedBefore    bool
}

func newTrial(t *rapid.T, path string) *trial {
	world := domaintest.History(t, 25)
	tr := &trial{steps: world.Steps, policies: world.Policies, log: memory.New(), groups: map[string]*course{}}
	tr.random = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	var err error
	tr.registry, err = consumers.Open(t.Context(), path, tr.log)
	require.NoError(t, err)
	tr.file, err = sql.Open("sqlite3", path)
	require.NoError(t, err)
	_, err = tr.file.Exec(`CREATE TABLE writes (remaining INTEGER);
		INSERT INTO writes VALUES (1000000);
		CREATE TRIGGER killed BEFORE UPDATE OF trouble ON consumers WHEN (SELECT remaining FROM writes) <= 0
			BEGIN SELECT RAISE(ABORT, 'killed'); END;
		CREATE TRIGGER counted AFTER UPDATE OF trouble ON consumers BEGIN UPDATE writes SET remaining = remaining - 1; END;`)
	require.NoError(t, err)
	require.NoError(t, tr.registry.Enroll(t.Context(), "mailer", 0))
	return tr
}

func (tr *trial) close() {
	_ = tr.registry.Close()
	_ = tr.file.Close()
}

// grow lets some more of the history happen.
func (tr *trial) grow(t *rapid.T, n int) {
	tr.mu.Lock() // nobody is told of what is not known here
	defer tr.mu.Unlock()
	n = min(n, len(tr.steps))
	(&domaintest.World{Steps: tr.steps[:n]}).AppendTo(&testing.T{}, tr.log)
	tr.steps = tr.steps[n:]
	for stream, places := range placesOf(t, tr.log, tr.policies) {
		if tr.groups[stream] == nil {
			tr.groups[stream] = &course{at: -1, told: map[consumers.Place]*account{}}
		}
		g := tr.groups[stream]
		g.places = places
		for _, p := range places {
			if g.told[p] == nil {
				g.told[p] = &account{}
			}
		}
	}
}

// placesOf derives where the notifications of each group are.
func placesOf(t require.TestingT, log eventstore.Store, policies domain.Policies) map[string][]consumers.Place {
	groups, places := map[string]*domain.Group{}, map[string][]consumers.Place{}
	for record, err := range log.ReadAll(context.Background(), 0) {
		require.NoError(t, err)
		id, ok := domain.GroupOf(record.Stream)
		if !ok {
			continue
		}
		if groups[id] == nil {
			groups[id] = domain.NewGroup(id)
		}
		event, err := projections.Decode(record)
		require.NoError(t, err)
		notify.Derive(policies, groups[id], event, func(n notify.Notification, _ notify.Audience) {
			places[record.Stream] = append(places[record.Stream], placeOf(n))
		})
	}
	return places
}

func placeOf(n notify.Notification) (p consumers.Place) {
	if _, err := fmt.Sscanf(n.ID, "%d/%d", &p.Position, &p.Index); err != nil {
		panic(err)
	}
	return p
}

// session is one process: it ends in an orderly manner, or after so many writes.
func (tr *trial) session(t *rapid.T) {
	remaining := 1_000_000
	if rapid.IntRange(0, 3).Draw(t, "is killed") > 0 {
		remaining = rapid.IntRange(0, 25).Draw(t, "after writes")
	}
	_, err := tr.file.Exec("UPDATE writes SET remaining = ?", remaining)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tr.last = nil
	l := tr.listen(t, ctx)
	for range rapid.IntRange(1, 6).Draw(t, "acts") {
		synctest.Wait() // not between the write before a call and the call
		tr.act(t)
		time.Sleep(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
	}
	if rapid.Bool().Draw(t, "by the context") {
		cancel()
		<-l.Done()
	}
	l.Stop()
	_, err = tr.file.Exec("UPDATE writes SET remaining = 1000000")
	require.NoError(t, err)
	tr.check(t)
}

func (tr *trial) check(t *rapid.T) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	require.Empty(t, tr.broken)
}

func (tr *trial) listen(t *rapid.T, ctx context.Context) *notify.Listening {
	l, err := notify.Listen(ctx, notify.Source{Log: tr.log, Policies: tr.policies, Consumers: tr.registry}, "mailer", tr.handle,
		notify.Attempts(attempts), notify.Backoff(time.Second, 4*time.Second), notify.Jitter(func() float64 { return 0 }))
	require.NoError(t, err)
	return l
}

// act is something that happens while the listener is at work.
func (tr *trial) act(t *rapid.T) {
	switch rapid.IntRange(0, 9).Draw(t, "act") {
	case 0:
		tr.reset(t)
	case 1, 2:
		tr.release(t, tr.registry.Retry, func(a *account) { a.since = 0 })
	case 3:
		tr.release(t, tr.registry.Discard, func(a *account) {
			require.Positive(t, a.calls, "only what was tried is discarded")
			*a = a.discard()
		})
	default:
		tr.grow(t, rapid.IntRange(1, 12).Draw(t, "commands"))
	}
}

// discard is the account of a notification that was given up.
func (a *account) discard() account {
	return account{discarded: true, done: a.done, doneBefore: a.doneBefore, acked: a.acked, ackedBefore: a.ackedBefore}
}

// release retries or discards, one group or all that are parked.
func (tr *trial) release(t *rapid.T, verb func(context.Context, string, ...string) ([]consumers.Hold, error), note func(*account)) {
	var streams []string
	status, err := tr.registry.Status(t.Context(), "mailer")
	require.NoError(t, err)
	if len(status.Holds) > 0 && rapid.Bool().Draw(t, "one") {
		streams = []string{rapid.SampledFrom(status.Holds).Draw(t, "which").Stream}
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	were, err := verb(t.Context(), "mailer", streams...)
	if errors.Is(err, consumers.ErrNotHeld) || errors.Is(err, consumers.ErrNotFailed) {
		return
	}
	require.NoError(t, err)
	tr.edits++ // what is not acknowledged yet will not be
	tr.last = nil
	for _, h := range were {
		if told := tr.groups[h.Stream].told[h.Place]; told != nil {
			note(told)
		}
	}
}

func (tr *trial) reset(t *rapid.T) {
	head, err := tr.log.Head(t.Context())
	require.NoError(t, err)
	to := eventstore.Position(rapid.Uint64Range(0, uint64(head)).Draw(t, "to"))
	tr.mu.Lock()
	defer tr.mu.Unlock()
	_, err = tr.registry.Reset(t.Context(), "mailer", to)
	require.NoError(t, err)
	tr.epoch++
	tr.edits++
	tr.last = nil
	tr.from = to
	for _, g := range tr.groups {
		g.at = -1
		for _, p := range g.places {
			was := g.told[p]
			g.told[p] = &account{
				doneBefore:  was.doneBefore || was.done || was.discarded,
				ackedBefore: was.ackedBefore || was.acked,
			}
		}
	}
}

// handle is the handler: it judges what it is told, takes its time, and may fail.
func (tr *trial) handle(ctx context.Context, d notify.Delivery) error {
	tr.mu.Lock()
	fate, pause := 9, 0
	if !tr.kind {
		fate, pause = tr.random.IntN(10), []int{0, 0, 0, 1, 700}[tr.random.IntN(5)]
	}
	told, epoch, edits := tr.judge(&d), tr.epoch, tr.edits
	tr.mu.Unlock()
	select {
	case <-time.After(time.Duration(pause) * time.Millisecond):
	case <-ctx.Done():
		fate = 4
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	switch {
	case fate == 0:
		told.since--
		return fmt.Errorf("for now: %w", notify.ErrUnavailable)
	case fate == 1 && tr.killed():
		return errors.New("the process was killed before it had done anything")
	case fate <= 4 && fate != 2 && ctx.Err() != nil:
		told.since--
		return ctx.Err()
	case fate <= 4:
		told.counted++
		if fate == 2 {
			panic("handler")
		}
		return errors.New("no")
	case epoch != tr.epoch:
		told.doneBefore = true
	default:
		told.counted++
		if told.done = true; edits == tr.edits {
			tr.last = told
		}
	}
	return nil
}

// killed reports whether nothing is written any more.
func (tr *trial) killed() bool {
	var remaining int
	if err := tr.file.QueryRow("SELECT remaining FROM writes").Scan(&remaining); err != nil {
		panic(err)
	}
	return remaining <= 0
}

// judge compares a call with what may be told. The caller holds mu.
func (tr *trial) judge(d *notify.Delivery) *account {
	wrong := func(format string, args ...any) {
		tr.broken = append(tr.broken, fmt.Sprintf("%s of %s: ", d.ID, d.GroupID)+fmt.Sprintf(format, args...))
	}
	if tr.last != nil {
		tr.last.acked, tr.last = true, nil
	}
	g, place := tr.groups[domain.GroupStream(d.GroupID)], placeOf(d.Notification)
	i := slices.Index(g.places, place)
	if i < 0 {
		wrong("there is no such notification")
		return &account{}
	}
	if place.Position <= tr.from {
		wrong("it is before %d", tr.from)
	}
	for j := max(g.at, 0); j < i; j++ {
		if before := g.told[g.places[j]]; g.places[j].Position > tr.from && !before.done && !before.discarded {
			wrong("%v comes first", g.places[j])
		}
	}
	if i < g.at {
		wrong("%v has been told", g.places[g.at])
	}
	told := g.told[place]
	g.at, told.acked = i, false
	if told.discarded {
		wrong("it was discarded")
	}
	if told.calls++; d.Attempt > told.calls || d.Attempt <= told.counted {
		wrong("attempt %d, and it was told %d times, of which %d count", d.Attempt, told.calls-1, told.counted)
	}
	if told.since++; told.since > attempts {
		wrong("it is tried for the %dth time", told.since)
	}
	switch {
	case told.ackedBefore && d.Occasion != notify.Replay:
		wrong("%s, and it had been handled", d.Occasion)
	case !told.doneBefore && d.Occasion == notify.Replay:
		wrong("a replay, and it has never been handled")
	case d.Occasion != notify.Replay && (d.Occasion == notify.Retry) != (d.Attempt > 1):
		wrong("%s at attempt %d", d.Occasion, d.Attempt)
	}
	return told
}

// finish has everything handled, and nothing is missing.
func (tr *trial) finish(t *rapid.T) {
	tr.grow(t, len(tr.steps))
	tr.kind = true
	l := tr.listen(t, t.Context())
	time.Sleep(time.Minute)
	synctest.Wait()
	tr.mu.Lock()
	were, err := tr.registry.Retry(t.Context(), "mailer")
	require.NoError(t, err)
	for _, h := range were {
		if a := tr.groups[h.Stream].told[h.Place]; a != nil {
			a.since = 0
		}
	}
	tr.mu.Unlock()
	time.Sleep(time.Minute)
	synctest.Wait()
	require.NoError(t, l.Err())
	l.Stop()
	tr.check(t)
	status, err := tr.registry.Status(t.Context(), "mailer")
	require.NoError(t, err)
	require.Empty(t, status.Holds)
	require.Zero(t, status.Lag)
	for stream, g := range tr.groups {
		for _, p := range g.places {
			if told := g.told[p]; p.Position > tr.from {
				require.True(t, told.done || told.discarded, "%v of %s was not handled", p, stream)
			}
		}
	}
}
