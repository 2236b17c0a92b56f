package eventstoretest

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/eventstore"
)

// model is the log in the simplest words: a list, and a map of answers.
type model struct {
	log      []eventstore.Record
	outcomes map[string]eventstore.Outcome
}

func (m *model) version(stream string) eventstore.Version {
	n := eventstore.Version(0)
	for _, r := range m.log {
		if r.Stream == stream {
			n++
		}
	}
	return n
}

func (m *model) apply(c eventstore.Commit, base eventstore.Position, refused bool) eventstore.Result {
	if c.Outcome != nil {
		if stored, ok := m.outcomes[c.Outcome.CommandID]; ok {
			return eventstore.Result{Err: &eventstore.DuplicateError{Stored: stored}}
		}
	}
	follows := refused && c.Expect != eventstore.Any()
	if actual := m.version(c.Stream); follows || !c.Expect.Accepts(actual) {
		return eventstore.Result{Err: &eventstore.ConflictError{Stream: c.Stream, Expected: c.Expect, Actual: actual, Follows: follows}}
	}
	var result eventstore.Result
	for _, e := range c.Events {
		r := eventstore.Record{
			Position: base + eventstore.Position(len(m.log)) + 1, Stream: c.Stream, Version: m.version(c.Stream) + 1, Event: e,
		}
		m.log = append(m.log, r)
		result.Last, result.Version = r.Position, r.Version
		if result.First == 0 {
			result.First = r.Position
		}
	}
	if c.Outcome != nil {
		m.outcomes[c.Outcome.CommandID] = stored(c, result)
	}
	return result
}

// answer is what the model answers to commits that are judged in an order, and what it is
// then.
func (m *model) answer(commits []eventstore.Commit, order []int, base eventstore.Position) (*model, []eventstore.Result) {
	next := &model{log: slices.Clone(m.log), outcomes: maps.Clone(m.outcomes)}
	results := make([]eventstore.Result, len(commits))
	refused := map[string]bool{}
	for _, i := range order {
		stream := commits[i].Stream
		results[i] = next.apply(commits[i], base, refused[stream])
		refused[stream] = refused[stream] || results[i].Err != nil
	}
	return next, results
}

// orders are those in which the commits of a call may be judged: the one in which they are
// given, and, where streams are apart, every one that keeps the order of each stream.
func orders(commits []eventstore.Commit, features Features) (all [][]int) {
	var extend func(order []int)
	extend = func(order []int) {
		if len(order) == len(commits) {
			all = append(all, slices.Clone(order))
			return
		}
		var waiting []eventstore.Commit
		for i, c := range commits {
			if slices.Contains(order, i) {
				continue
			}
			if !slices.ContainsFunc(waiting, func(w eventstore.Commit) bool { return !features.Unordered || w.Stream == c.Stream }) {
				extend(append(order, i))
			}
			waiting = append(waiting, c)
		}
	}
	extend(nil)
	return all
}

// testModel holds random calls against the model. All runs share a log, as opening one
// may be slow; each has streams and command IDs of its own.
func testModel(t *testing.T, s *suite) {
	store := s.store(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		var (
			base    = head(t, store)
			m       = &model{outcomes: make(map[string]eventstore.Outcome)}
			streams = []string{fmt.Sprint("a", run), fmt.Sprint("b", run), fmt.Sprint("c", run)}
			ids     = []string{fmt.Sprint("x", run), fmt.Sprint("y", run), fmt.Sprint("z", run), ""}
		)
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				commits := rapid.SliceOfN(anyCommit(streams, ids), 1, 5).Draw(rt, "commits")
				got, err := store.Append(t.Context(), commits...)
				require.NoError(rt, err)
				var next *model
				var want []eventstore.Result
				for _, order := range orders(commits, s.features) {
					if next, want = m.answer(commits, order, base); assert.ObjectsAreEqual(want, got) {
						break
					}
				}
				require.Equal(rt, want, got, "Append answers what the model answers")
				m = next
			},
			"read all": func(rt *rapid.T) {
				skip := rapid.IntRange(0, len(m.log)).Draw(rt, "skip")
				require.Equal(rt, append([]eventstore.Record(nil), m.log[skip:]...), readAll(t, store, base+eventstore.Position(skip)),
					"ReadAll yields what the model holds")
			},
			"read stream": func(rt *rapid.T) {
				stream := rapid.SampledFrom(streams).Draw(rt, "stream")
				after := eventstore.Version(rapid.IntRange(0, 8).Draw(rt, "after"))
				var want []eventstore.Record
				for _, r := range m.log {
					if r.Stream == stream && r.Version > after {
						want = append(want, r)
					}
				}
				require.Equal(rt, want, readStream(t, store, stream, after), "ReadStream yields what the model holds")
			},
			"outcome": func(rt *rapid.T) {
				id := rapid.SampledFrom(ids[:3]).Draw(rt, "id")
				got, found, err := store.Outcome(t.Context(), id)
				require.NoError(rt, err)
				want, expected := m.outcomes[id]
				require.Equal(rt, expected, found, "an outcome is there if and only if its commit was stored")
				require.Equal(rt, want, got, "Outcome answers what the model answers")
			},
			"": func(rt *rapid.T) {
				require.EqualValues(rt, int(base)+len(m.log), head(t, store), "Head is where the model ends")
			},
		})
	})
}

func anyCommit(streams, ids []string) *rapid.Generator[eventstore.Commit] {
	return rapid.Custom(func(rt *rapid.T) eventstore.Commit {
		c := commit(rapid.SampledFrom(streams).Draw(rt, "stream"), rapid.SampledFrom([]eventstore.Expectation{
			eventstore.Any(), eventstore.Absent(), eventstore.Present(), eventstore.Exactly(1), eventstore.Exactly(2), eventstore.Exactly(3),
		}).Draw(rt, "expect"))
		if id := rapid.SampledFrom(ids).Draw(rt, "id"); id != "" {
			c = withOutcome(c, id, rapid.String().Draw(rt, "answer")+"!")
		}
		n := rapid.IntRange(0, 3).Draw(rt, "events")
		if n == 0 && c.Outcome == nil {
			n = 1
		}
		for range n {
			c.Events = append(c.Events, event(rapid.StringMatching(`[a-z]{0,8}`).Draw(rt, "text")))
		}
		return c
	})
}

// recorder writes down who called what when, by a clock that only counts.
type recorder struct {
	clock   atomic.Int64
	history [][]porcupine.Operation // one list a caller
}

func newRecorder(callers int) *recorder {
	return &recorder{history: make([][]porcupine.Operation, callers)}
}

func (r *recorder) record(caller int, input any, call func() any) {
	start := r.clock.Add(1)
	output := call()
	r.history[caller] = append(r.history[caller], porcupine.Operation{
		ClientId: caller, Input: input, Call: start, Output: output, Return: r.clock.Add(1),
	})
}

func (r *recorder) check(t *testing.T, m porcupine.Model, rule string) {
	t.Helper()
	var all []porcupine.Operation
	for _, operations := range r.history {
		all = append(all, operations...)
	}
	result := porcupine.CheckOperationsTimeout(m, all, patience)
	require.NotEqual(t, porcupine.Illegal, result, rule)
}

// streamOp appends an event where the stream is expected at a version, or reads it.
type streamOp struct {
	stream string
	read   bool
	expect eventstore.Version
}

// streamAnswer is the version that the call has seen or made.
type streamAnswer struct {
	version  eventstore.Version
	conflict bool
}

// testLinearizableStreams checks that callers who append to and read a few streams at
// once see what they would have seen one after the other, in an order that agrees with
// the time.
func testLinearizableStreams(t *testing.T, s *suite) {
	store := s.store(t)
	const callers, each, streams = 4, 40, 3
	r := newRecorder(callers)
	concurrently(callers, func(i int) {
		seen := make([]eventstore.Version, streams)
		for n := range each {
			k := (i*7 + n*n) % streams
			op := streamOp{stream: fmt.Sprint("stream ", k), read: (i+n)%3 == 0, expect: seen[k]}
			r.record(i, op, func() any {
				answer, err := op.call(t, store)
				if err != nil {
					t.Errorf("%+v: %v", op, err)
				}
				seen[k] = answer.version
				return answer
			})
		}
	})
	r.check(t, porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byStream := make(map[string][]porcupine.Operation)
			for _, op := range history {
				stream := op.Input.(streamOp).stream
				byStream[stream] = append(byStream[stream], op)
			}
			var parts [][]porcupine.Operation
			for _, part := range byStream {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return eventstore.Version(0) },
		Step: func(state, input, output any) (bool, any) {
			at, op, answer := state.(eventstore.Version), input.(streamOp), output.(streamAnswer)
			if op.read || op.expect != at {
				return answer == streamAnswer{version: at, conflict: !op.read}, at
			}
			return answer == streamAnswer{version: at + 1}, at + 1
		},
	}, "appends to a stream and reads of it can be put into one order that explains all answers and agrees with the time")
	requireWhole(t, store)
}

func (op streamOp) call(t *testing.T, store eventstore.Store) (streamAnswer, error) {
	if op.read {
		var answer streamAnswer
		for record, err := range store.ReadStream(t.Context(), op.stream, 0) {
			if err != nil {
				return answer, err
			}
			answer.version = record.Version
		}
		return answer, nil
	}
	results, err := store.Append(t.Context(), commit(op.stream, eventstore.Exactly(op.expect), event("x")))
	if err != nil {
		return streamAnswer{}, err
	}
	if conflict, ok := results[0].Err.(*eventstore.ConflictError); ok { //nolint:errorlint // that is its type
		return streamAnswer{version: conflict.Actual, conflict: true}, nil
	}
	return streamAnswer{version: results[0].Version}, results[0].Err
}

// testLinearizableHead checks the same of appends to the log as a whole and of Head.
func testLinearizableHead(t *testing.T, s *suite) {
	store := s.store(t)
	const callers, each = 4, 40
	r := newRecorder(callers)
	concurrently(callers, func(i int) {
		for n := range each {
			size := (i + n) % 3 // 0 asks for the head
			r.record(i, size, func() any {
				if size == 0 {
					position, err := store.Head(t.Context())
					if err != nil {
						t.Errorf("Head: %v", err)
					}
					return position
				}
				results, err := store.Append(t.Context(), commit(fmt.Sprint("stream ", i), eventstore.Any(), events("x", size)...))
				if err != nil || results[0].Err != nil {
					t.Errorf("Append: %v %v", err, results)
					return eventstore.Position(0)
				}
				return results[0].Last
			})
		}
	})
	r.check(t, porcupine.Model{
		Init: func() any { return eventstore.Position(0) },
		Step: func(state, input, output any) (bool, any) {
			next := state.(eventstore.Position) + eventstore.Position(input.(int))
			return output.(eventstore.Position) == next, next
		},
	}, "appends and heads can be put into one order that explains all answers and agrees with the time")
	requireWhole(t, store)
}
