package eventstoretest

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

// patience is after how long a test gives up waiting for what must come. It asserts
// nothing: a correct store is never waited for that long.
const patience = time.Minute

// noon is when events happen of which the time does not matter.
var noon = time.Date(2018, 8, 23, 12, 0, 0, 123456000, time.UTC)

// event is a valid event that can be told from others by its text.
func event(text string) eventstore.Event {
	return eventstore.Event{Type: "thing.happened", Schema: 1, Data: fmt.Appendf(nil, `{"text":%q}`, text), Actor: "alice", Time: noon}
}

// events are n valid events that can be told from others by their text.
func events(text string, n int) []eventstore.Event {
	all := make([]eventstore.Event, n)
	for i := range all {
		all[i] = event(fmt.Sprintf("%s.%d", text, i+1))
	}
	return all
}

func commit(stream string, expect eventstore.Expectation, events ...eventstore.Event) eventstore.Commit {
	return eventstore.Commit{Stream: stream, Expect: expect, Events: events}
}

func withOutcome(c eventstore.Commit, id, answer string) eventstore.Commit {
	c.Outcome = &eventstore.Outcome{CommandID: id, Fingerprint: []byte("fingerprint of " + id), Answer: []byte(answer)}
	return c
}

// stored is a commit's outcome as the log gives it back.
func stored(c eventstore.Commit, result eventstore.Result) eventstore.Outcome {
	outcome := *c.Outcome
	outcome.First, outcome.Last = result.First, result.Last
	return outcome
}

// appendOne appends one commit, of which the call must not fail, and returns its result.
func appendOne(t testing.TB, store eventstore.Store, c eventstore.Commit) eventstore.Result {
	t.Helper()
	results, err := store.Append(t.Context(), c)
	require.NoError(t, err, "Append of a valid commit")
	require.Len(t, results, 1, "Append answers one Result for each commit")
	return results[0]
}

// mustAppend appends one commit, which must be stored.
func mustAppend(t testing.TB, store eventstore.Store, c eventstore.Commit) eventstore.Result {
	t.Helper()
	result := appendOne(t, store, c)
	require.NoError(t, result.Err, "a commit whose expectation holds and whose command ID is new is stored")
	return result
}

// collect reads a sequence to its end, and checks that it ends at the first error.
func collect(t testing.TB, seq iter.Seq2[eventstore.Record, error]) []eventstore.Record {
	t.Helper()
	records, err := drain(t, seq)
	require.NoError(t, err, "reading")
	return records
}

func drain(t testing.TB, seq iter.Seq2[eventstore.Record, error]) (records []eventstore.Record, failed error) {
	t.Helper()
	for record, err := range seq {
		require.NoError(t, failed, "a sequence ends after its first error")
		if err != nil {
			failed = err
			continue
		}
		records = append(records, record)
	}
	return records, failed
}

func readAll(t testing.TB, store eventstore.Store, after eventstore.Position) []eventstore.Record {
	t.Helper()
	return collect(t, store.ReadAll(t.Context(), after))
}

func readStream(t testing.TB, store eventstore.Store, stream string, after eventstore.Version) []eventstore.Record {
	t.Helper()
	return collect(t, store.ReadStream(t.Context(), stream, after))
}

func head(t testing.TB, store eventstore.Store) eventstore.Position {
	t.Helper()
	position, err := store.Head(t.Context())
	require.NoError(t, err, "Head")
	return position
}

// texts are the data of records, for short comparisons.
func texts(records []eventstore.Record) []string {
	all := make([]string, len(records))
	for i, r := range records {
		all[i] = string(r.Data)
	}
	return all
}

// textsOf are the data of events.
func textsOf(events ...eventstore.Event) []string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = string(e.Data)
	}
	return all
}

// requireWhole checks what every log must be at every time: no holes in the positions,
// none in any stream's versions, and each stream's own sequence the same records.
func requireWhole(t testing.TB, store eventstore.Store) []eventstore.Record {
	t.Helper()
	all := readAll(t, store, 0)
	streams := make(map[string][]eventstore.Record)
	for i, r := range all {
		require.EqualValues(t, i+1, r.Position, "positions start at 1, rise by 1 and have no gaps")
		streams[r.Stream] = append(streams[r.Stream], r)
		require.EqualValues(t, len(streams[r.Stream]), r.Version, "versions of stream %q start at 1, rise by 1 and have no gaps", r.Stream)
	}
	for stream, records := range streams {
		require.Equal(t, records, readStream(t, store, stream, 0), "ReadStream yields what ReadAll yields of stream %q", stream)
	}
	require.EqualValues(t, len(all), head(t, store), "Head is the position of the last record")
	return all
}

// concurrently runs n functions at once and waits for them. They report with t.Error.
func concurrently(n int, run func(i int)) {
	var (
		start = make(chan struct{})
		done  sync.WaitGroup
	)
	for i := range n {
		done.Go(func() {
			<-start
			run(i)
		})
	}
	close(start)
	done.Wait()
}

// await waits for a channel to be closed.
func await(t testing.TB, ch <-chan struct{}, rule string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-ch:
	case <-ctx.Done():
		require.FailNow(t, rule)
	}
}
