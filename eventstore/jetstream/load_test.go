package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
)

// node opens a log as a process on another machine would: with a replica of its own.
func node(t testing.TB, address string, change ...func(*jetstream.Options)) *jetstream.Store {
	t.Helper()
	options := &jetstream.Options{NATS: []nats.Option{nats.Timeout(10 * time.Second)}} // two are few on a busy machine
	for _, c := range change {
		c(options)
	}
	store, err := jetstream.Open(t.Context(), address, filepath.Join(t.TempDir(), "replica.db"), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// load is callers who append through several nodes, and what they were answered.
type load struct {
	nodes []*jetstream.Store
	start time.Time
	stop  atomic.Bool
	acks  atomic.Int64
	all   sync.WaitGroup

	mu      sync.Mutex
	stored  map[string]eventstore.Position // by text
	unknown map[string]bool
	history []porcupine.Operation
	last    time.Duration // when the last append was acknowledged, of any caller
	stall   time.Duration // the longest time without one
}

const (
	loadCallers = 12
	loadStreams = 4
)

func startLoad(t testing.TB, nodes ...*jetstream.Store) *load {
	l := &load{nodes: nodes, start: time.Now(), stored: map[string]eventstore.Position{}, unknown: map[string]bool{}}
	for caller := range loadCallers {
		l.all.Go(func() { l.call(t, caller) })
	}
	return l
}

// end stops the callers and waits for their last answers.
func (l *load) end() {
	l.stop.Store(true)
	l.all.Wait()
}

// call appends as one caller, to a stream that others append to as well: each commit
// where the caller believes the stream to be.
func (l *load) call(t testing.TB, caller int) {
	stream := fmt.Sprint("group:", caller%loadStreams)
	store := l.nodes[caller/loadStreams%len(l.nodes)]
	var at eventstore.Version
	for n := 0; !l.stop.Load(); n++ {
		text := fmt.Sprintf("%d/%d", caller, n)
		begun := time.Since(l.start)
		results, err := store.Append(context.Background(), eventstore.Commit{
			Stream: stream, Expect: eventstore.Exactly(at),
			Events:  []eventstore.Event{{Type: "test.happened", Schema: 1, Data: fmt.Appendf(nil, "%q", text), Time: time.Unix(1, 0)}},
			Outcome: &eventstore.Outcome{CommandID: text},
		})
		answer := appended{}
		var conflict *eventstore.ConflictError
		switch {
		case errors.Is(err, eventstore.ErrUnknown):
			t.Logf("append %s: %v", text, err)
			answer.unknown = true
		case errors.Is(err, jetstream.ErrUnavailable):
			answer.nothing = true
		case err != nil:
			t.Errorf("append %s: %v", text, err)
			return
		case errors.As(results[0].Err, &conflict):
			answer.version, answer.conflict = conflict.Actual, true
		case results[0].Err != nil:
			t.Errorf("append %s: %v", text, results[0].Err)
			return
		default:
			answer.version = results[0].Version
		}
		l.note(caller, text, stream, at, begun, answer, results)
		if answer.version > 0 {
			at = answer.version
		}
	}
}

// appended is what an append was answered.
type appended struct {
	version          eventstore.Version
	conflict         bool
	unknown, nothing bool
}

type appending struct {
	stream string
	expect eventstore.Version
}

func (l *load) note(caller int, text, stream string, at eventstore.Version, begun time.Duration, answer appended, results []eventstore.Result) {
	now := time.Since(l.start)
	l.mu.Lock()
	defer l.mu.Unlock()
	operation := porcupine.Operation{ClientId: caller, Input: appending{stream, at}, Call: int64(begun), Output: answer, Return: int64(now)}
	switch {
	case answer.nothing:
		return
	case answer.unknown: // it may take effect at any time
		operation.Return = math.MaxInt64
		operation.ClientId = loadCallers + len(l.history)
		l.unknown[text] = true
	case !answer.conflict:
		l.stored[text] = results[0].First
		l.stall = max(l.stall, now-l.last)
		l.last = now
		l.acks.Add(1)
	}
	l.history = append(l.history, operation)
}

// check compares what the callers were answered with what the log holds, as all nodes
// and one that opens it now have it.
func (l *load) check(t *testing.T, address string) {
	t.Helper()
	fresh := records(t, node(t, address))
	for _, store := range l.nodes {
		require.Equal(t, fresh, records(t, store), "every node has the same log")
	}
	versions := map[string]eventstore.Version{}
	for i, r := range fresh {
		require.EqualValues(t, i+1, r.Position, "positions have no gaps")
		versions[r.Stream]++
		require.Equal(t, versions[r.Stream], r.Version, "versions have no gaps")
		text := string(r.Data[1 : len(r.Data)-1])
		if p, ok := l.stored[text]; ok {
			require.Equal(t, p, r.Position, "%s stands where it was said to", text)
		} else {
			require.True(t, l.unknown[text], "%s was not acknowledged, and is in the log once more, or all the same", text)
		}
		delete(l.stored, text)
		delete(l.unknown, text)
	}
	require.Empty(t, l.stored, "what was acknowledged is in the log")
	result := porcupine.CheckOperationsTimeout(l.model(), l.history, time.Minute)
	require.NotEqual(t, porcupine.Illegal, result, "some order of the appends explains all answers and agrees with the time")
}

func records(t testing.TB, store eventstore.Store) (all []eventstore.Record) {
	t.Helper()
	for r, err := range store.ReadAll(t.Context(), 0) {
		require.NoError(t, err)
		all = append(all, r)
	}
	return all
}

// model is a version for each stream, which rises where it was expected.
func (l *load) model() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byStream := map[string][]porcupine.Operation{}
			for _, o := range history {
				stream := o.Input.(appending).stream
				byStream[stream] = append(byStream[stream], o)
			}
			var parts [][]porcupine.Operation
			for _, part := range byStream {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return eventstore.Version(0) },
		Step: func(state, input, output any) (bool, any) {
			at, expect, answer := state.(eventstore.Version), input.(appending).expect, output.(appended)
			switch {
			case answer.unknown && expect == at:
				return true, at + 1 // or it never happened, which the end of the history allows
			case answer.unknown:
				return true, at
			case answer.conflict:
				return expect != at && answer.version == at, at
			}
			return expect == at && answer.version == at+1, at + 1
		},
	}
}

// untilAcks waits until so many more appends are acknowledged.
func (l *load) untilAcks(t testing.TB, more int64) {
	t.Helper()
	want := l.acks.Load() + more
	require.Eventually(t, func() bool { return l.acks.Load() >= want }, 5*time.Minute, 10*time.Millisecond, "appends are acknowledged")
}
