package export_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/export"
)

var update = flag.Bool("update", false, "write the golden files")

const logID = "0198f2a0-0000-7000-8000-000000000001"

var noon = time.Date(2026, 1, 2, 12, 0, 0, 123456000, time.UTC)

// registry is a log that holds every event there is, with every field set, as the golden
// files of the domain have them, and a message.
func registry(t testing.TB) []eventstore.Record {
	var records []eventstore.Record
	for i, fact := range domain.Events() {
		for schema := 1; schema <= domain.SchemaOf(fact.EventName()); schema++ {
			file := fmt.Sprintf("%s.v%d.json", fact.EventName(), schema)
			text, err := os.ReadFile(filepath.Join("..", "..", "domain", "testdata", "events", file))
			require.NoError(t, err)
			var data bytes.Buffer
			require.NoError(t, json.Compact(&data, text))
			r := record(fact.EventName(), data.Bytes())
			r.Schema, r.Actor, r.AppAdmin = schema, []string{"olga", "root", "@system", ""}[i%4], i%4 > 0
			if _, ok := fact.(domain.ApplicationsRead); ok {
				r.Stream = domain.UserStream("adam")
			}
			records = append(records, r)
		}
	}
	event, err := projections.Message{UUID: "7", Metadata: map[string]string{"b": "2", "a": "1"}, Payload: []byte("<&>")}.Event()
	require.NoError(t, err)
	message := record(event.Type, event.Data)
	message.Stream = projections.MessageStream("=news, \"all\"\r\nof it")
	records = append(records, message)
	for i := range records {
		records[i].Position, records[i].Version = eventstore.Position(i+1), eventstore.Version(i+1)
		records[i].Time = noon.Add(time.Duration(i) * time.Hour)
	}
	return records
}

func record(name string, data []byte) eventstore.Record {
	return eventstore.Record{Stream: domain.GroupStream("chess"), Event: eventstore.Event{
		Type: name, Schema: 1, Data: data, Actor: "olga", CommandID: "moves.jsonl:7",
	}}
}

func all(records []eventstore.Record) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func write(t require.TestingT, f export.Format, records []eventstore.Record) (string, export.Summary) {
	var out bytes.Buffer
	summary, err := export.Write(context.Background(), &out, f, all(records), nil)
	require.NoError(t, err)
	require.Equal(t, len(records), summary.Events+summary.LeftOut)
	return out.String(), summary
}

// What stands in an export stays as it is: others have come to read it.
func TestGolden(t *testing.T) {
	for _, f := range export.Formats(logID) {
		got, _ := write(t, f, registry(t))
		file := filepath.Join("testdata", f.Name()+".golden")
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), got, "%s: see what changed, and if it may: go test ./projections/export -update", f.Name())
	}
}

// histories are random logs.
func histories(t *rapid.T) []eventstore.Record { return domaintest.History(t, 40).Records() }

// An export in two pieces is the export in one: nothing depends on what came before.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := histories(t)
		cut := rapid.IntRange(0, len(records)).Draw(t, "cut")
		for _, f := range export.Formats(logID) {
			whole, _ := write(t, f, records)
			first, _ := write(t, f, records[:cut])
			second, _ := write(t, f, records[cut:])
			require.Equal(t, whole, first+strings.TrimPrefix(second, f.Head()), f.Name())
			require.Zero(t, strings.Count(whole, "\n")-strings.Count(f.Head(), "\n")-lines(records, f), "%s: one line an event", f.Name())
		}
	})
}

// lines are how many lines a format has for records.
func lines(records []eventstore.Record, f export.Format) (n int) {
	for _, r := range records {
		if _, ofGroup := domain.GroupOf(r.Stream); ofGroup || f.Name() != "ocsf" {
			n++
		}
	}
	return n
}

// JSON Lines hold all that the log does.
func TestJSONLinesReadBack(t *testing.T) {
	check := func(t require.TestingT, records []eventstore.Record) {
		text, _ := write(t, export.JSONLines{}, records)
		decoder := json.NewDecoder(strings.NewReader(text))
		for _, want := range records {
			var line export.Line
			require.NoError(t, decoder.Decode(&line))
			got := eventstore.Record{Position: line.Position, Stream: streamOf(t, line), Version: line.Version, Event: eventstore.Event{
				Type: line.Event, Schema: line.Schema, Data: line.Data, Actor: line.As, AppAdmin: line.AppAdmin, Time: line.At, CommandID: line.ID,
			}}
			require.Equal(t, want, got)
		}
		require.False(t, decoder.More())
	}
	check(t, registry(t))
	rapid.Check(t, func(t *rapid.T) { check(t, histories(t)) })
}

func streamOf(t require.TestingT, line export.Line) string {
	switch {
	case line.GroupID != "":
		return domain.GroupStream(line.GroupID)
	case line.Topic != "":
		return projections.MessageStream(line.Topic)
	default:
		var read domain.ApplicationsRead
		require.NoError(t, json.Unmarshal(line.Data, &read))
		return domain.UserStream(read.UserID)
	}
}

// A selection gives what its words say, whichever way the log is read.
func TestSelection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		world := domaintest.History(t, 30)
		store := memory.New()
		defer store.Close()
		for _, step := range world.Steps {
			if len(step.Records) > 0 {
				commit := eventstore.Commit{Stream: step.Records[0].Stream, Expect: eventstore.Any()}
				for _, r := range step.Records {
					commit.Events = append(commit.Events, r.Event)
				}
				_, err := store.Append(context.Background(), commit)
				require.NoError(t, err)
			}
		}
		records := world.Records()
		head := eventstore.Position(len(records))
		s := export.Selection{
			First: eventstore.Position(rapid.Uint64Range(0, uint64(head)+1).Draw(t, "first")),
			Last:  eventstore.Position(rapid.Uint64Range(0, uint64(head)+1).Draw(t, "last")),
		}
		if len(records) > 0 && rapid.Bool().Draw(t, "times") {
			s.Since = rapid.SampledFrom(records).Draw(t, "since").Time
			s.Until = rapid.SampledFrom(records).Draw(t, "until").Time
		}
		s.Groups = rapid.SampledFrom([][]string{nil, {"alpha"}, {"alpha", "beta"}, {"nowhere"}}).Draw(t, "groups")
		s.Actors = rapid.SampledFrom([][]string{nil, {"ann"}, {"bob", "root"}}).Draw(t, "actors")
		s.Types = rapid.SampledFrom([][]string{nil, {"member.*"}, {"member.joined", "group.created"}}).Draw(t, "types")
		var want, got []eventstore.Position
		for _, r := range records {
			if r.Position >= s.First && (s.Last == 0 || r.Position <= s.Last) && !r.Time.Before(s.Since) &&
				(s.Until.IsZero() || r.Time.Before(s.Until)) && s.Wants(&r) {
				want = append(want, r.Position)
			}
		}
		for r, err := range s.Records(context.Background(), store) {
			require.NoError(t, err)
			got = append(got, r.Position)
		}
		require.Equal(t, want, got)
	})
}

// The beginning of a time range is part of it, and its end is not.
func TestSelectionOfTimes(t *testing.T) {
	store := memory.New()
	defer store.Close()
	for i := range 3 {
		r := record("group.muted", []byte(`{"muted":true}`))
		r.Time = noon.Add(time.Duration(i) * time.Microsecond)
		_, err := store.Append(t.Context(), eventstore.Commit{Stream: r.Stream, Expect: eventstore.Any(), Events: []eventstore.Event{r.Event}})
		require.NoError(t, err)
	}
	s := export.Selection{Since: noon.Add(time.Microsecond), Until: noon.Add(2 * time.Microsecond)}
	var got []eventstore.Position
	for r, err := range s.Records(t.Context(), store) {
		require.NoError(t, err)
		got = append(got, r.Position)
	}
	require.Equal(t, []eventstore.Position{2}, got)
}

func TestSelectionRefused(t *testing.T) {
	s := export.Selection{First: 5, Last: 4, Since: noon, Until: noon}
	s.Types = []string{"member.jonied"}
	err := s.Validate()
	require.ErrorContains(t, err, `"member.jonied"`)
	require.ErrorContains(t, err, "the positions from 5 to 4 are none")
	require.ErrorContains(t, err, "the times from 2026-01-02T12:00:00Z until 2026-01-02T12:00:00Z are none")
	require.NoError(t, (&export.Selection{First: 5, Last: 5, Since: noon}).Validate())
}

// limited is a writer with room for so many bytes.
type limited int

var errFull = errors.New("full")

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), int(*l))
	*l -= limited(n)
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// Whatever goes wrong comes back, at the latest at the end.
func TestFailures(t *testing.T) {
	records := registry(t)
	for _, f := range export.Formats(logID) {
		text, _ := write(t, f, records)
		for _, room := range []int{0, 1, len(text) - 1} {
			w := limited(room)
			_, err := export.Write(t.Context(), &w, f, all(records), nil)
			require.ErrorIs(t, err, errFull, "%s with room for %d bytes", f.Name(), room)
		}
		failing := func(yield func(eventstore.Record, error) bool) {
			_ = yield(records[0], nil) && yield(eventstore.Record{}, errFull)
		}
		summary, err := export.Write(t.Context(), io.Discard, f, failing, nil)
		require.ErrorIs(t, err, errFull)
		require.Equal(t, 1, summary.Events)
		unknown := record("member.teleported", []byte(`{}`))
		_, err = export.Write(t.Context(), io.Discard, f, all([]eventstore.Record{unknown}), nil)
		require.ErrorContains(t, err, "member.teleported")
		ctx, cancel := context.WithCancel(t.Context())
		summary, err = export.Write(ctx, io.Discard, f, all(records), func(p eventstore.Position) {
			if p == 3 {
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, eventstore.Position(3), summary.Last)
	}
}

// What the summary counts has been written, whatever stopped the export and when.
func TestSummaryOfWhatIsWritten(t *testing.T) {
	muted := record("group.muted", []byte(`{"muted":true}`))
	line, _ := write(t, export.JSONLines{}, []eventstore.Record{muted})
	errDisk := errors.New("disk")
	for _, n := range []int{0, 1, 1_500} { // the last: some buffers full
		source := func(yield func(eventstore.Record, error) bool) {
			for range n {
				if !yield(muted, nil) {
					return
				}
			}
			yield(eventstore.Record{}, errDisk)
		}
		var out bytes.Buffer
		summary, err := export.Write(t.Context(), &out, export.JSONLines{}, source, nil)
		require.ErrorIs(t, err, errDisk)
		require.Equal(t, n, summary.Events)
		require.Equal(t, n, strings.Count(out.String(), "\n"))
		if n == 0 {
			continue
		}
		room := limited(n*len(line) - 1) // then the writer fails, too
		summary, err = export.Write(t.Context(), &room, export.JSONLines{}, source, nil)
		require.ErrorIs(t, err, errDisk)
		require.ErrorIs(t, err, errFull)
		require.Less(t, summary.Events, n)

		room = limited(n * len(line) / 2)
		summary, err = export.Write(t.Context(), &room, export.JSONLines{}, source, nil)
		require.ErrorIs(t, err, errFull)
		require.LessOrEqual(t, summary.Events, n/2)
		require.Equal(t, n > 1, summary.Events > 0, "full buffers are counted")
		if n > 1 {
			require.EqualError(t, err, errFull.Error(), "told once")
		}
	}
}

// However long the log is, an export needs the memory of one event.
func TestMemory(t *testing.T) {
	records := registry(t)
	endless := func(n int) iter.Seq2[eventstore.Record, error] {
		return func(yield func(eventstore.Record, error) bool) {
			for i := range n {
				if !yield(records[i%len(records)], nil) {
					return
				}
			}
		}
	}
	for _, f := range export.Formats(logID) {
		w := zipCounter()
		summary, err := export.Write(t.Context(), w, f, endless(5_000), nil)
		require.NoError(t, err)
		require.Equal(t, 5_000, summary.Events+summary.LeftOut)
		require.Less(t, w.most, 128<<10, "%s passes on what it has", f.Name())
	}
}

// counter sees how much comes at once.
type counter struct {
	io.Writer
	most int
}

func zipCounter() *counter { return &counter{Writer: gzip.NewWriter(io.Discard)} }

func (c *counter) Write(p []byte) (int, error) {
	c.most = max(c.most, len(p))
	return c.Writer.Write(p)
}
