package eventstoretest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

func testFields(t *testing.T, s *suite) {
	store := s.store(t)
	var (
		zone  = time.FixedZone("UTC+8", 8*60*60)
		micro = func(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
	)
	for name, e := range map[string]eventstore.Event{
		"everything": {
			Type: "group.created", Schema: 7, Data: []byte(`{"a":1}`), Actor: "alice", AppAdmin: true, Time: noon, CommandID: "c-1",
		},
		"optional fields empty": {Type: "t", Schema: 1, Data: []byte(`null`), Time: noon},
		"unicode": {
			Type: "тип", Schema: 1, Data: []byte(`{"名":"群组 \u0000 😀"}`), Actor: "用户\u200d\U0001F468", Time: noon, CommandID: "ключ\n'\"",
		},
		"JSON as written": {
			Type: "t", Schema: 1, Data: []byte("  {\"b\" : 1e400,\n\"a\":12345678901234567890.0, \"a\":\"\\u00e4\"}\t"), Time: noon,
		},
		"JSON like a number":     {Type: "1", Schema: 1, Data: []byte(`007`[2:]), Actor: "42", Time: noon, CommandID: "1e3"},
		"big data":               {Type: "t", Schema: 1, Data: []byte(`"` + strings.Repeat("0123456789abcdef", 1<<16) + `"`), Time: noon},
		"long names":             {Type: strings.Repeat("t", eventstore.MaxNameSize), Schema: 1, Data: []byte(`0`), Actor: strings.Repeat("é", eventstore.MaxNameSize/2), Time: noon},
		"big schema":             {Type: "t", Schema: 1<<31 - 1, Data: []byte(`0`), Time: noon},
		"a microsecond":          {Type: "t", Schema: 1, Data: []byte(`0`), Time: time.Date(2024, 2, 29, 23, 59, 59, 999_999_000, time.UTC)},
		"more than microseconds": {Type: "t", Schema: 1, Data: []byte(`0`), Time: time.Date(2024, 2, 29, 23, 59, 59, 999_999_999, time.UTC)},
		"another zone":           {Type: "t", Schema: 1, Data: []byte(`0`), Time: time.Date(2024, 1, 1, 4, 0, 0, 1000, zone)},
		"a monotonic clock":      {Type: "t", Schema: 1, Data: []byte(`0`), Time: time.Now()},
		"the epoch":              {Type: "t", Schema: 1, Data: []byte(`0`), Time: time.Unix(0, 0)},
		"before the epoch":       {Type: "t", Schema: 1, Data: []byte(`0`), Time: time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC)},
		"long ago":               {Type: "t", Schema: 1, Data: []byte(`0`), Time: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)},
		"far ahead":              {Type: "t", Schema: 1, Data: []byte(`0`), Time: time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)},
	} {
		result := mustAppend(t, store, commit(name, eventstore.Absent(), e))
		want := eventstore.Record{Position: result.First, Stream: name, Version: 1, Event: e}
		want.Time = micro(e.Time)
		for reader, records := range map[string][]eventstore.Record{
			"ReadStream": readStream(t, store, name, 0),
			"ReadAll":    readAll(t, store, result.First-1),
		} {
			require.Equal(t, []eventstore.Record{want}, records,
				"%s, %s: fields come back as given; times to the microsecond, in UTC; data byte for byte", reader, name)
		}
	}
	requireWhole(t, store)
}

// testIsolation checks that the log shares no memory with those who use it.
func testIsolation(t *testing.T, s *suite) {
	store := s.store(t)
	scribble := func(b []byte) {
		for i := range b {
			b[i] = '#'
		}
	}
	c := withOutcome(commit("s", eventstore.Any(), event("as given")), "id", "answer")
	result := mustAppend(t, store, c)
	want := stored(withOutcome(eventstore.Commit{}, "id", "answer"), result)
	scribble(c.Events[0].Data)
	scribble(c.Outcome.Answer)
	scribble(c.Outcome.Fingerprint)
	for range 2 {
		records := append(readStream(t, store, "s", 0), readAll(t, store, 0)...)
		require.Equal(t, textsOf(event("as given"), event("as given")), texts(records),
			"data belongs to the log: neither who appended it nor who read it can change it afterwards")
		for _, r := range records {
			scribble(r.Data)
		}
		requireOutcome(t, store, want)
		outcome, _, err := store.Outcome(t.Context(), "id")
		require.NoError(t, err)
		scribble(outcome.Answer)
		scribble(outcome.Fingerprint)
	}
	requireDuplicate(t, appendOne(t, store, withOutcome(commit("s", eventstore.Any()), "id", "other")), want)
}

// fill appends n records, every third to the stream "third".
func fill(t testing.TB, store eventstore.Store, n int) []eventstore.Record {
	t.Helper()
	const perCall = 250
	var commits []eventstore.Commit
	for i := range n {
		stream := fmt.Sprint("stream ", i%7)
		if i%3 == 0 {
			stream = "third"
		}
		commits = append(commits, commit(stream, eventstore.Any(), event(fmt.Sprint(i))))
		if len(commits) == perCall || i == n-1 {
			results, err := store.Append(t.Context(), commits...)
			require.NoError(t, err)
			for _, result := range results {
				require.NoError(t, result.Err)
			}
			commits = nil
		}
	}
	return requireWhole(t, store)
}
