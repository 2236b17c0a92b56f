package groupview_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
)

// BenchmarkRebuildPause rebuilds the rows of a log while somebody appends event after event
// and waits for the rows of each, and measures the longest append, and the longest wait:
// that of the swap.
func BenchmarkRebuildPause(b *testing.B) {
	dir := b.TempDir()
	populate(b, filepath.Join(dir, "groups.db"), population())
	log, err := sqlite.Open(b.Context(), filepath.Join(dir, "groups.db"), nil)
	require.NoError(b, err)
	defer log.Close()
	opts := options(projections.DefaultPageSize)
	opts.Manual, opts.RebuildPageSize = false, 0
	views, err := projections.Open(b.Context(), filepath.Join(dir, "views.db"), log, opts)
	require.NoError(b, err)
	defer views.Close()
	require.NoError(b, views.CatchUp(b.Context()))
	name, schema, data, err := domain.Encode(domain.GroupMuted{Muted: true})
	require.NoError(b, err)

	var longestAppend, longestWait time.Duration
	for b.Loop() {
		done := make(chan error, 1)
		go func() { done <- views.Rebuild(context.Background(), nil) }()
		for going := true; going; {
			start := time.Now()
			results, err := log.Append(b.Context(), eventstore.Commit{Stream: domain.GroupStream("group-0"), Events: []eventstore.Event{
				{Type: name, Schema: schema, Data: data, Actor: "u", Time: start},
			}})
			require.NoError(b, err)
			appended := time.Now()
			require.NoError(b, views.WaitFor(b.Context(), results[0].Last))
			longestAppend, longestWait = max(longestAppend, appended.Sub(start)), max(longestWait, time.Since(appended))
			select {
			case err := <-done:
				require.NoError(b, err)
				going = false
			default:
			}
		}
	}
	b.ReportMetric(float64(longestAppend.Milliseconds()), "ms-append-max")
	b.ReportMetric(float64(longestWait.Milliseconds()), "ms-wait-max")
}
