package export_test

import (
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections/export"
)

// BenchmarkFormats exports a log of 50 000 events of every kind in each format, to nowhere,
// beside reading that log and nothing else. Allocations are those of the whole log.
func BenchmarkFormats(b *testing.B) {
	const events = 50_000
	log, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "groups.db"), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, log.Close()) })
	kinds := registry(b)
	commits := make([]eventstore.Commit, events)
	for i := range commits {
		r := kinds[i%len(kinds)]
		commits[i] = eventstore.Commit{Stream: r.Stream, Events: []eventstore.Event{r.Event}}
	}
	for ; len(commits) > 0; commits = commits[min(5_000, len(commits)):] {
		_, err := log.Append(b.Context(), commits[:min(5_000, len(commits))]...)
		require.NoError(b, err)
	}
	perSecond := func(b *testing.B) {
		b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("ReadAll", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, err := range log.ReadAll(b.Context(), 0) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		perSecond(b)
	})
	for _, format := range export.Formats(log.ID()) {
		b.Run(format.Name(), func(b *testing.B) {
			b.ReportAllocs()
			var all export.Selection
			for b.Loop() {
				if _, err := export.Write(b.Context(), io.Discard, format, all.Records(b.Context(), log), nil); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b)
		})
	}
}
