package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// result is what callers have come to in a round.
type result struct {
	rate  float64 // calls a second
	times []time.Duration
}

func (r result) tail() float64 { return tail(r.times) }

// call is what a caller does: a join, or the leave after it, in one of several groups.
type call func(caller, group int, leave bool) error

// callers has so many goroutines call, each one call after the other, until the time is
// up and each has left the group that it joined last. The round ends when after has
// returned. Groups are drawn at random, the same for everybody who is compared.
func callers(ctx context.Context, n, groups int, round int, during time.Duration, do call, after func() error) (result, error) {
	var (
		times = make([][]time.Duration, n)
		errs  = make([]error, n)
		wait  sync.WaitGroup
		start = time.Now()
		end   = start.Add(during)
	)
	for caller := range n {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(round), uint64(caller)))
			for at := start; at.Before(end) && ctx.Err() == nil; {
				group := random.IntN(groups)
				for _, leave := range []bool{false, true} {
					if errs[caller] = do(caller, group, leave); errs[caller] != nil {
						return
					}
					now := time.Now()
					times[caller] = append(times[caller], now.Sub(at))
					at = now
				}
			}
		})
	}
	wait.Wait()
	for _, err := range append(errs, ctx.Err(), after()) {
		if err != nil {
			return result{}, err // a full disk says the same to everybody
		}
	}
	elapsed := time.Since(start)
	var all []time.Duration
	for _, t := range times {
		all = append(all, t...)
	}
	return result{rate: float64(len(all)) / elapsed.Seconds(), times: all}, nil
}

func nothingAfter() error { return nil }

func callerID(n int) string { return fmt.Sprintf("user-%06d", n) }
func groupID(n int) string  { return fmt.Sprintf("group-%06d", n) }

// throughEngine joins and leaves by commands.
func throughEngine(ctx context.Context, engine *grouplog.Engine) call {
	return func(caller, group int, leave bool) error {
		var command commands.Command = commands.RequestJoin{GroupID: groupID(group)}
		if leave {
			command = commands.Quit{GroupID: groupID(group)}
		}
		_, err := engine.Do(ctx, domain.Actor{UserID: callerID(caller)}, command)
		return err
	}
}

// createGroups makes the groups that callers join.
func createGroups(ctx context.Context, engine *grouplog.Engine, n int) error {
	line := newPipeline(ctx, engine)
	for i := range n {
		line.submit("owner", commands.CreateGroup{GroupType: domain.Meeting, GroupID: groupID(i), Name: "A group"})
	}
	return line.end()
}

// deed are the events of a caller's join and leave, as an engine has recorded them.
type deed struct{ join, leave eventstore.Event }

func (d *deed) event(leave bool) *eventstore.Event {
	if leave {
		return &d.leave
	}
	return &d.join
}

// deeds records what the callers' commands come to, for the floors to insert.
func deeds(ctx context.Context, callers int) (all []deed, err error) {
	engine, err := openEngine(ctx, grouplog.Memory)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if err := createGroups(ctx, engine, 1); err != nil {
		return nil, err
	}
	do := throughEngine(ctx, engine)
	var events []eventstore.Event
	for caller := range callers {
		if err := errors.Join(do(caller, 0, false), do(caller, 0, true)); err != nil {
			return nil, err
		}
	}
	for record, err := range engine.Log().ReadAll(ctx, 1) { // after the group's creation
		if err != nil {
			return nil, err
		}
		events = append(events, record.Event)
	}
	if len(events) != 2*callers {
		return nil, fmt.Errorf("%d commands have recorded %d events", 2*callers, len(events))
	}
	for caller := range callers {
		all = append(all, deed{join: events[2*caller], leave: events[2*caller+1]})
	}
	return all, nil
}

// streams are those of the groups, for a floor.
func streams(groups int) []stream {
	all := make([]stream, groups)
	for i := range all {
		all[i].name = domain.GroupStream(groupID(i))
	}
	return all
}

// pipeline submits commands without waiting for each, by one goroutine.
type pipeline struct {
	ctx     context.Context
	engine  *grouplog.Engine
	waiting []*commands.Future
	err     error
}

// inFlight is how many commands a pipeline submits before the first is answered.
const inFlight = 1_024

func newPipeline(ctx context.Context, engine *grouplog.Engine) *pipeline {
	return &pipeline{ctx: ctx, engine: engine}
}

func (p *pipeline) submit(user string, command commands.Command) {
	if p.err != nil {
		return
	}
	if len(p.waiting) == inFlight {
		p.settle()
	}
	future, err := p.engine.Submit(p.ctx, domain.Actor{UserID: user}, command)
	if err != nil {
		p.err = err
		return
	}
	p.waiting = append(p.waiting, future)
}

func (p *pipeline) settle() {
	if _, err := p.waiting[0].Wait(p.ctx); p.err == nil {
		p.err = err
	}
	p.waiting = p.waiting[1:]
}

// end waits until all are answered and the read models show them.
func (p *pipeline) end() error {
	for len(p.waiting) > 0 {
		p.settle()
	}
	if p.err != nil {
		return p.err
	}
	return current(p.ctx, p.engine)
}
