package grouplog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// rebuiltEvents says how many events BenchmarkRebuildPause fills its log with.
const rebuiltEvents = "GROUPLOG_BENCH_EVENTS"

// BenchmarkRebuildPause rebuilds the read models of a log of some 200 000 events while one
// caller carries out command after command, and another asks for a group, which reads its
// own writes. It reports the longest that either waited: the pauses of a rebuild. The same
// without a rebuild, for as long, is what the machine does anyway.
func BenchmarkRebuildPause(b *testing.B) {
	events := 200_000
	if given := os.Getenv(rebuiltEvents); given != "" {
		var err error
		events, err = strconv.Atoi(given)
		require.NoError(b, err)
	}
	engine, err := grouplog.Open(b.Context(), filepath.Join(b.TempDir(), "groups.db"), nil)
	require.NoError(b, err)
	defer engine.Close()
	fillWithJoins(b, engine, events)

	var rebuilds time.Duration
	var do, ask longest
	for b.Loop() {
		began := time.Now()
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() {
			defer stop()
			done <- engine.Rebuild(b.Context(), nil)
		}()
		pauses(b, ctx, engine, &do, &ask)
		require.NoError(b, <-done)
		rebuilds += time.Since(began)
	}
	var idleDo, idleAsk longest
	ctx, stop := context.WithTimeout(b.Context(), rebuilds)
	defer stop()
	pauses(b, ctx, engine, &idleDo, &idleAsk)
	b.ReportMetric(rebuilds.Seconds()/float64(b.N), "s/rebuild")
	b.ReportMetric(do.ms(), "ms-do-max")
	b.ReportMetric(ask.ms(), "ms-query-max")
	b.ReportMetric(idleDo.ms(), "ms-do-max-idle")
	b.ReportMetric(idleAsk.ms(), "ms-query-max-idle")
}

type longest time.Duration

func (l *longest) since(start time.Time) { *l = max(*l, longest(time.Since(start))) }
func (l longest) ms() float64            { return float64(time.Duration(l).Milliseconds()) }

// fillWithJoins has users join groups of 200 members, as fast as that goes.
func fillWithJoins(b *testing.B, engine *grouplog.Engine, events int) {
	var pending []*commands.Future
	submit := func(user string, cmd commands.Command) {
		future, err := engine.Submit(b.Context(), domain.Actor{UserID: user}, cmd)
		require.NoError(b, err)
		if pending = append(pending, future); len(pending) == 1_000 {
			for _, p := range pending {
				_, err := p.Wait(b.Context())
				require.NoError(b, err)
			}
			pending = pending[:0]
		}
	}
	for i := range events {
		group := fmt.Sprint("g", i/200)
		if i%200 == 0 {
			submit("owner", commands.CreateGroup{GroupType: domain.Meeting, GroupID: group, Name: group})
			continue
		}
		submit(fmt.Sprint("user-", i%5_000), commands.RequestJoin{GroupID: group})
	}
	for _, p := range pending {
		_, err := p.Wait(b.Context())
		require.NoError(b, err)
	}
	_, err := engine.Group(b.Context(), "g0") // the read models are current
	require.NoError(b, err)
}

// pauses carries out commands and asks questions until the context ends.
func pauses(b *testing.B, ctx context.Context, engine *grouplog.Engine, do, ask *longest) {
	asked := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			start := time.Now()
			if _, err := engine.Group(b.Context(), "g0"); err != nil {
				asked <- err
				return
			}
			ask.since(start)
		}
		asked <- nil
	}()
	for n := 0; ctx.Err() == nil; n++ {
		start := time.Now()
		_, err := engine.As("owner").Do(b.Context(), commands.SetGroupInfo{GroupID: "g0", Introduction: new(fmt.Sprint(n))})
		require.NoError(b, err)
		do.since(start)
	}
	require.NoError(b, <-asked)
}
