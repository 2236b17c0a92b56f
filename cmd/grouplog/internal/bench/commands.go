package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

// contest are those whom the callers call.
type contest struct {
	callers int
	deeds   []deed
	engine  *grouplog.Engine
	bare    *bareWriter
	bareTo  []stream
	each    *transactions
	eachTo  []stream
}

// groupCommit is no row: it is what group commit alone gains over a transaction for each
// event.
const groupCommit = "group-commit"

// openCommands opens the trial with so many callers.
func openCommands(n int) func(context.Context, *Session) error {
	row := func(name string) string { return fmt.Sprintf("%s-%d", name, n) }
	return func(ctx context.Context, s *Session) error {
		c, err := newContest(ctx, s, n)
		if err != nil {
			return err
		}
		s.round = func(ctx context.Context) error {
			var many, one, bare, each result
			turns := []func() (err error){
				func() (err error) { many, err = c.commands(ctx, s, s.sizes.Groups); return err },
			}
			if s.wants(row("commands"), row("tail"), row("versus-transaction")) {
				turns = append(turns, func() (err error) { bare, err = c.insertions(ctx, s); return err })
			}
			if s.wants(row("versus-transaction")) {
				turns = append(turns, func() (err error) { each, err = c.transactions(ctx, s); return err })
			}
			if s.wants(row("one-group")) {
				turns = append(turns, func() (err error) { one, err = c.commands(ctx, s, 1); return err })
			}
			if err := s.inTurn(turns...); err != nil {
				return err
			}
			s.add(row("commands"), many.rate, bare.rate)
			s.add(row("one-group"), one.rate, many.rate)
			s.add(row("versus-transaction"), many.rate, each.rate)
			if s.wants(row("versus-transaction")) {
				s.add(groupCommit, bare.rate, each.rate)
				limit := medianOf(s.samples[groupCommit], func(s Sample) float64 { return s.Ratio })
				s.note(row("versus-transaction"), "group commit alone, which is the floor of %s, is %.1f × this floor in the same rounds", row("commands"), limit)
			}
			if s.wants(row("tail")) {
				s.add(row("tail"), many.tail(), bare.tail())
				s.note(row("tail"), "in the last round, p99 is %.1f ms, and that of the floor %.1f ms", milliseconds(quantile(many.times, 0.99)), milliseconds(quantile(bare.times, 0.99)))
			}
			return nil
		}
		return nil
	}
}

// newContest opens everybody's log.
func newContest(ctx context.Context, s *Session, callers int) (c *contest, err error) {
	c = &contest{callers: callers, bareTo: streams(s.sizes.Groups), eachTo: streams(s.sizes.Groups)}
	if c.deeds, err = deeds(ctx, callers); err != nil {
		return nil, err
	}
	if c.engine, err = s.engine(ctx, s.file("groups.db")); err != nil {
		return nil, err
	}
	if err := createGroups(ctx, c.engine, s.sizes.Groups); err != nil {
		return nil, err
	}
	if c.bare, err = openBareWriter(ctx, s.file("bare.db")); err != nil {
		return nil, err
	}
	s.later(c.bare.close)
	if c.each, err = openTransactions(ctx, s.file("transactions.db")); err != nil {
		return nil, err
	}
	s.later(c.each.close)
	return c, nil
}

// commands is a round of the engine.
func (c *contest) commands(ctx context.Context, s *Session, groups int) (result, error) {
	return callers(ctx, c.callers, groups, s.rounds, s.sizes.Round, throughEngine(ctx, c.engine),
		func() error { return current(ctx, c.engine) })
}

// insertions is a round of the bare floor.
func (c *contest) insertions(ctx context.Context, s *Session) (result, error) {
	items := make([]insertion, c.callers)
	for i := range items {
		items[i].answer = make(chan error, 1)
	}
	return callers(ctx, c.callers, s.sizes.Groups, s.rounds, s.sizes.Round, func(caller, group int, leave bool) error {
		i := &items[caller]
		i.stream, i.event = &c.bareTo[group], c.deeds[caller].event(leave)
		c.bare.queue <- i
		return <-i.answer
	}, nothingAfter)
}

// transactions is a round of one transaction for each event.
func (c *contest) transactions(ctx context.Context, s *Session) (result, error) {
	return callers(ctx, c.callers, s.sizes.Groups, s.rounds, s.sizes.Round, func(caller, group int, leave bool) error {
		return c.each.put(&c.eachTo[group], c.deeds[caller].event(leave))
	}, nothingAfter)
}

// openLatency opens the trial with one caller.
func openLatency(ctx context.Context, s *Session) error {
	own, err := deeds(ctx, 1)
	if err != nil {
		return err
	}
	engine, err := s.engine(ctx, s.file("groups.db"))
	if err != nil {
		return err
	}
	if err := createGroups(ctx, engine, s.sizes.Groups); err != nil {
		return err
	}
	bare, err := openBare(ctx, s.file("bare.db"))
	if err != nil {
		return err
	}
	s.later(bare.close)
	store, err := sqlite.Open(ctx, s.file("store.db"), nil)
	if err != nil {
		return err
	}
	s.later(store.Close)
	var (
		to     = streams(s.sizes.Groups)
		do     = throughEngine(ctx, engine)
		insert = func(_, group int, leave bool) error { return bare.insertOne(&to[group], own[0].event(leave)) }
	)
	s.round = func(ctx context.Context) error {
		var ours, appended, floor []time.Duration
		err := s.inTurn(
			func() (err error) { ours, err = s.single(ctx, do); return err },
			func() error { return current(ctx, engine) },
			func() (err error) { appended, err = s.single(ctx, toStore(ctx, store, &own[0])); return err },
			func() (err error) { floor, err = s.single(ctx, insert); return err },
		)
		s.add("latency-1", milliseconds(quantile(ours, 0.5)), milliseconds(quantile(floor, 0.5)))
		s.add("append-1", milliseconds(quantile(appended, 0.5)), milliseconds(quantile(floor, 0.5)))
		return err
	}
	return nil
}

// toStore appends events as a handler does, to no one's read models.
func toStore(ctx context.Context, store eventstore.Store, d *deed) call {
	return func(_, group int, leave bool) error {
		e := *d.event(leave)
		e.Time = time.Now()
		results, err := store.Append(ctx, eventstore.Commit{Stream: domain.GroupStream(groupID(group)), Events: []eventstore.Event{e}})
		if err != nil {
			return err
		}
		return results[0].Err
	}
}

// single is a round of one caller.
func (s *Session) single(ctx context.Context, do call) (times []time.Duration, err error) {
	for i := range s.sizes.SingleCommands {
		start := time.Now()
		if err := do(0, (i/2+s.rounds*7919)%s.sizes.Groups, i%2 == 1); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// openImport opens the trial of a command file.
func openImport(ctx context.Context, s *Session) error {
	if s.bench.options.Import == nil {
		return errors.New("nothing is given to import with")
	}
	const floorCallers = 512
	c, err := newContest(ctx, s, floorCallers)
	if err != nil {
		return err
	}
	s.round = func(ctx context.Context) error {
		log, file := s.file(fmt.Sprintf("imported-%d.db", s.rounds)), s.file(fmt.Sprintf("round-%d.jsonl", s.rounds))
		if err := writeFile(file, s.story); err != nil {
			return err
		}
		var took time.Duration
		var floor result
		err := s.inTurn(
			func() (err error) { took, err = s.importFile(ctx, log, file); return err },
			func() (err error) { floor, err = c.commands(ctx, s, s.sizes.Groups); return err },
		)
		s.add("import", float64(s.sizes.ImportLines)/took.Seconds(), floor.rate)
		return err
	}
	return nil
}

// importFile imports a file and waits until the read models show it.
func (s *Session) importFile(ctx context.Context, log, file string) (took time.Duration, err error) {
	start := time.Now()
	if err := s.bench.options.Import(ctx, log, file); err != nil {
		return 0, err
	}
	engine, err := openEngine(ctx, log)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	err = current(ctx, engine)
	return time.Since(start), err
}

// story is a command file: groups, one for twenty lines, and then joins and leaves, each
// leave some lines after its join, a millisecond apart.
func (s *Session) story(write func(commands.Line)) {
	const stay = 512
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	line := func(user string, command commands.Command) {
		at = at.Add(time.Millisecond)
		write(commands.Line{At: at, As: domain.Actor{UserID: user}, Command: command})
	}
	groups := s.sizes.ImportLines / 20
	for i := range groups {
		line("owner", commands.CreateGroup{GroupType: domain.Meeting, GroupID: groupID(i), Name: "A group"})
	}
	group := func(i int) string { return groupID(i * 7919 % groups) }
	user := func(i int) string { return callerID(i % (2 * stay)) }
	stays := (s.sizes.ImportLines - groups) / 2
	for i := range stays + stay {
		if i < stays {
			line(user(i), commands.RequestJoin{GroupID: group(i)})
		}
		if i >= stay {
			line(user(i-stay), commands.Quit{GroupID: group(i - stay)})
		}
	}
}

// writeFile writes a command file.
func writeFile(path string, lines func(write func(commands.Line))) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := bufio.NewWriter(file)
	lines(func(l commands.Line) {
		data, marshalErr := l.MarshalJSON()
		err = errors.Join(err, marshalErr)
		_, _ = buffer.Write(append(data, '\n')) // Flush says it
	})
	return errors.Join(err, buffer.Flush())
}
