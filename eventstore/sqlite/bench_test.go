package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

// benchStreams is how many streams the benchmarks write to.
const benchStreams = 5000

// benchCommit is a commit like those of an engine: 200 bytes of JSON, to a stream that
// is somewhere in the index.
func benchCommit(n int, outcome bool) eventstore.Commit {
	c := eventstore.Commit{
		Stream: fmt.Sprintf("group/%08x", uint32(n%benchStreams)*2654435761),
		Events: []eventstore.Event{{
			Type: "member.joined", Schema: 1, Actor: "user-000123", Time: noon,
			Data: fmt.Appendf(nil, `{"userID":"user-%08d","text":"%s"}`, n, strings.Repeat("x", 160)),
		}},
	}
	if outcome {
		c = withOutcome(c, fmt.Sprintf("%08x-command-%d", uint32(n)*2654435761, n))
	}
	return c
}

// BenchmarkAppend compares Append, called by many goroutines at once, with a bare loop
// that runs the same statements on the same kind of connection, half as many commits in
// a transaction as there are callers: what a closed loop of that many makes of it. Both
// take turns, as disks have moods. It reports commits per second, and the median of the
// rounds' ratios.
func BenchmarkAppend(b *testing.B) {
	for _, outcome := range []bool{false, true} {
		for _, callers := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("outcome=%v/callers=%d", outcome, callers), func(b *testing.B) {
				benchmarkAppend(b, callers, outcome)
			})
		}
	}
}

func benchmarkAppend(b *testing.B, callers int, outcome bool) {
	dir := b.TempDir()
	store := openAt(b, filepath.Join(dir, "store.db"), nil)
	bare := openAt(b, filepath.Join(dir, "bare.db"), nil) // for its connection only
	loop := &bareLoop{conn: bare.writer.conn, versions: make(map[string]eventstore.Version)}
	commits := max(400, callers*40)
	var (
		ratios              []float64
		inStore, inBare     time.Duration
		fromStore, fromBare int
	)
	for b.Loop() {
		bareTime := elapsed(func() { loop.run(b, fromBare, commits, max(1, callers/2), outcome) })
		fromBare += commits
		storeTime := elapsed(func() { appendFrom(b, store, fromStore, commits, callers, outcome) })
		fromStore += commits
		inBare, inStore = inBare+bareTime, inStore+storeTime
		ratios = append(ratios, bareTime.Seconds()/storeTime.Seconds())
	}
	slices.Sort(ratios)
	b.ReportMetric(float64(fromBare)/inBare.Seconds(), "bare/s")
	b.ReportMetric(float64(fromStore)/inStore.Seconds(), "store/s")
	b.ReportMetric(ratios[len(ratios)/2], "store/bare")
}

func elapsed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// appendFrom appends so many commits from so many goroutines.
func appendFrom(b *testing.B, db *DB, from, commits, callers int, outcome bool) {
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	for range callers {
		wg.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= commits {
					return
				}
				results, err := db.Append(context.Background(), benchCommit(from+n, outcome))
				if err != nil || results[0].Err != nil {
					b.Errorf("Append: %v %v", err, results)
					return
				}
			}
		})
	}
	wg.Wait()
}

// bareLoop inserts without a queue, an expectation or an answer.
type bareLoop struct {
	conn     *writerConn
	hasher   hasher
	head     eventstore.Position
	versions map[string]eventstore.Version
}

func (l *bareLoop) run(b *testing.B, from, commits, perTransaction int, outcome bool) {
	for n := 0; n < commits; n += perTransaction {
		_, err := l.conn.begin.exec()
		require.NoError(b, err)
		for k := range min(perTransaction, commits-n) {
			c := benchCommit(from+n+k, outcome)
			if c.Outcome != nil {
				_, err := l.conn.putOutcome(c.Outcome, &l.hasher)
				require.NoError(b, err)
			}
			l.head++
			l.versions[c.Stream]++
			record := eventstore.Record{Position: l.head, Stream: c.Stream, Version: l.versions[c.Stream], Event: c.Events[0]}
			require.NoError(b, l.conn.putEvent(&record, &l.hasher))
		}
		_, err = l.conn.commit.exec()
		require.NoError(b, err)
	}
}

// BenchmarkReadAll replays a log.
func BenchmarkReadAll(b *testing.B) {
	const records = 100_000
	db := open(b, nil)
	appendFrom(b, db, 0, records, 512, false)
	for b.Loop() {
		n := 0
		for _, err := range db.ReadAll(context.Background(), 0) {
			require.NoError(b, err)
			n++
		}
		require.Equal(b, records, n)
	}
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
