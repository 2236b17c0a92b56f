package bench_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/bench"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/cli"
)

// importFile is grouplog import.
func importFile(_ context.Context, log, file string) error {
	var talk strings.Builder
	if code := cli.Main([]string{"import", file, "--db", log}, strings.NewReader(""), io.Discard, &talk); code != 0 {
		return fmt.Errorf("exit code %d: %s", code, talk.String())
	}
	return nil
}

// shared are measurements in one directory, so that benchmarks share the logs that take
// long to make. It is gone at the end.
var shared struct {
	sync.Once
	dir   string
	bench *bench.Bench
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.dir != "" {
		if err := os.RemoveAll(shared.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// BenchmarkRow measures the rows of grouplog bench one by one: each iteration is a
// round, and what it reports are the row's value, its floor and their ratio.
//
//	go test -run '^$' -bench 'Row/commands-64$' -benchtime 5x -count 10 ./cmd/grouplog/internal/bench
//
// GROUPLOG_BENCH=full has the sizes of --full, and GROUPLOG_BENCH_DIR chooses the disk.
func BenchmarkRow(b *testing.B) {
	sizes := bench.Quick()
	if os.Getenv("GROUPLOG_BENCH") == "full" {
		sizes = bench.Full()
	}
	names, err := sizes.Select(nil)
	require.NoError(b, err)
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			shared.Do(func() {
				shared.dir, shared.err = os.MkdirTemp(os.Getenv("GROUPLOG_BENCH_DIR"), "grouplog-bench-") //nolint:usetesting // it outlives the benchmark that makes it
				shared.bench = bench.New(bench.Options{Dir: shared.dir, Sizes: sizes, Import: importFile})
			})
			require.NoError(b, shared.err)
			benchmarkRow(b, shared.bench, name)
		})
	}
}

func benchmarkRow(b *testing.B, measurements *bench.Bench, name string) {
	session, err := measurements.Start(b.Context(), name)
	require.NoError(b, err)
	defer func() { require.NoError(b, session.Close()) }()
	for b.Loop() {
		require.NoError(b, session.Round(b.Context()))
	}
	row := session.Rows()[0]
	b.ReportMetric(0, "ns/op") // of a round: it says nothing
	b.ReportMetric(row.Value, row.Unit)
	if row.Floor != nil {
		b.ReportMetric(*row.Floor, "floor:"+row.Unit)
		b.ReportMetric(*row.Ratio, "ratio")
	}
}

// Every row is measured, as often as the sizes say, and nothing is left behind.
func TestRun(t *testing.T) {
	dir, sizes := t.TempDir(), bench.Tiny()
	var told []string
	b := bench.New(bench.Options{Dir: dir, Sizes: sizes, Import: importFile, Progress: func(what string, part float64) {
		require.GreaterOrEqual(t, part, 0.0)
		require.Less(t, part, 1.0)
		told = append(told, what)
	}})
	names, err := sizes.Select(nil)
	require.NoError(t, err)
	var got []string
	require.NoError(t, b.Run(t.Context(), names, func(row bench.Row) error {
		got = append(got, row.Name)
		require.NotEmpty(t, row.Rounds, row.Name)
		require.Positive(t, row.Value, row.Name)
		require.Equal(t, row.Floor == nil, row.Ratio == nil, row.Name)
		require.Positive(t, row.Target, row.Name)
		require.NotEmpty(t, row.Unit, row.Name)
		for _, sample := range row.Rounds {
			require.Positive(t, sample.Value, row.Name)
			require.Equal(t, row.Floor != nil, sample.Floor > 0, row.Name)
		}
		if row.Of == bench.Ratio {
			require.NotNil(t, row.Ratio, row.Name)
		}
		return nil
	}))
	require.Equal(t, names, got)
	require.Contains(t, told, "commands-64: round 2 of 2")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 3) // the logs that trials share, which go with the directory
}

// A row can be measured alone.
func TestOneRow(t *testing.T) {
	b := bench.New(bench.Options{Dir: t.TempDir(), Sizes: bench.Tiny()})
	var got []string
	require.NoError(t, b.Run(t.Context(), []string{"tail-64"}, func(row bench.Row) error {
		got = append(got, row.Name)
		return nil
	}))
	require.Equal(t, []string{"tail-64"}, got)
	require.ErrorContains(t, b.Run(t.Context(), []string{"import"}, nil), "nothing is given to import with")
	_, err := b.Start(t.Context(), "frob")
	require.ErrorContains(t, err, `no row "frob"`)
}

// A row can be measured again on the logs that are there, as benchmarks with -count do.
func TestAgain(t *testing.T) {
	b := bench.New(bench.Options{Dir: t.TempDir(), Sizes: bench.Tiny()})
	for _, name := range []string{"memory", "warm-join-1000", "cold-first", "rebuild", "joined-list"} {
		for range 2 {
			session, err := b.Start(t.Context(), name)
			require.NoError(t, err, name)
			require.NoError(t, session.Round(t.Context()), name)
			require.NoError(t, session.Round(t.Context()), name)
			require.Equal(t, name, session.Rows()[0].Name)
			require.NoError(t, session.Close(), name)
		}
	}
}

// Whatever a trial is doing when it is interrupted, it ends, and removes its files.
func TestInterrupted(t *testing.T) {
	sizes := bench.Tiny()
	names, err := sizes.Select(nil)
	require.NoError(t, err)
	for _, name := range names {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		b := bench.New(bench.Options{Dir: dir, Sizes: sizes, Import: importFile, Progress: func(what string, _ float64) {
			if strings.HasPrefix(what, name+": round 1") {
				cancel()
			}
		}})
		err := b.Run(ctx, []string{name}, func(bench.Row) error { return errors.New("a row came of it") })
		require.ErrorIs(t, err, context.Canceled, name)
		cancel()
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, entry := range left {
			require.False(t, strings.HasPrefix(entry.Name(), "trial-"), entry.Name())
		}
	}
}

func TestSelect(t *testing.T) {
	quick := bench.Quick()
	all, err := quick.Select(nil)
	require.NoError(t, err)
	require.Contains(t, all, "commands-512")
	require.NotContains(t, all, "warm-join-1000000")
	full, err := bench.Full().Select([]string{"warm-join-1000000", "cold-*"})
	require.NoError(t, err)
	require.Equal(t, []string{"warm-join-1000000", "cold-first"}, full)
	_, err = quick.Select([]string{"warm-join-1000000"})
	require.ErrorContains(t, err, `"warm-join-1000000" is measured with --full, not with quick sizes`)
	_, err = quick.Select([]string{"commands-64", "warm-join-1000000"})
	require.ErrorContains(t, err, `"warm-join-1000000" is measured with --full`)
	_, err = quick.Select([]string{"commands-64", "frob"})
	require.ErrorContains(t, err, `no row "frob"`)
	_, err = quick.Select([]string{"["})
	require.ErrorContains(t, err, "nor a pattern")
}
