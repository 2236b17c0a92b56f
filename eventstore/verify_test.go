package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// changed is a log of which something has become of the record at a position.
type changed struct {
	eventstore.Store
	at     eventstore.Position
	change func(r *eventstore.Record) (there bool)
}

func (c changed) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range c.Store.ReadAll(ctx, after) {
			if r.Position == c.at && !c.change(&r) {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// shorter is a log that has lost its end while it was read.
type shorter struct{ eventstore.Store }

func (s shorter) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := s.Store.Head(ctx)
	return head - 1, err
}

func TestVerify(t *testing.T) {
	log := memory.New()
	for i := range 3000 {
		_, err := log.Append(t.Context(), eventstore.Commit{Stream: fmt.Sprint("s", i%3), Events: []eventstore.Event{
			{Type: "t", Schema: 1, Data: []byte(`{}`), Time: time.Unix(1, 0)},
		}})
		require.NoError(t, err)
	}
	summary, err := eventstore.Verify(t.Context(), log, nil, nil)
	require.NoError(t, err)
	require.Equal(t, eventstore.Summary{Records: 3000, Streams: 3}, summary)

	_, err = eventstore.Verify(t.Context(), log, func(r eventstore.Record) error {
		if r.Position == 2000 {
			return errors.New("unheard of")
		}
		return nil
	}, nil)
	require.ErrorContains(t, err, "position 2000 (stream \"s1\") is damaged: unheard of")
	_, err = eventstore.Verify(t.Context(), shorter{log}, nil, nil)
	require.ErrorContains(t, err, "position 3000 is damaged: the log has become shorter")

	for name, change := range map[string]func(r *eventstore.Record) bool{
		"a missing record":  func(*eventstore.Record) bool { return false },
		"a position twice":  func(r *eventstore.Record) bool { r.Position--; return true },
		"a missing version": func(r *eventstore.Record) bool { r.Version++; return true },
		"a version twice":   func(r *eventstore.Record) bool { r.Version--; return true },
		"another stream":    func(r *eventstore.Record) bool { r.Stream = "s9"; return true },
	} {
		for _, at := range []eventstore.Position{1, 1024, 1025, 2999} {
			summary, err := eventstore.Verify(t.Context(), changed{log, at, change}, nil, nil)
			require.ErrorIs(t, err, eventstore.ErrDamaged, "%s at %d", name, at)
			var damage *eventstore.DamageError
			require.ErrorAs(t, err, &damage)
			require.GreaterOrEqual(t, damage.Position, at, "%s at %d", name, at)
			require.Equal(t, damage.Position-1, summary.Records, "what comes before is sound: %s at %d", name, at)
		}
	}
}

// sharing is a log of a stream for each record, whose name shares its memory with the data.
type sharing struct {
	eventstore.Store
	records eventstore.Position
}

func (s sharing) Head(context.Context) (eventstore.Position, error) { return s.records, nil }

func (s sharing) ReadAll(context.Context, eventstore.Position) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for p := eventstore.Position(1); p <= s.records; p++ {
			texts := fmt.Sprintf("%08d", p) + strings.Repeat("x", 4<<10)
			if !yield(eventstore.Record{Position: p, Version: 1, Stream: texts[:8]}, nil) {
				return
			}
		}
	}
}

// TestVerifyKeepsNoRecords: what it keeps of each stream is small, whatever its records are.
func TestVerifyKeepsNoRecords(t *testing.T) {
	const records = 40_000 // 160 MiB; up to 25 of them are read ahead
	var kept runtime.MemStats
	summary, err := eventstore.Verify(t.Context(), sharing{records: records}, nil, func(p eventstore.Position) {
		if p == records {
			runtime.GC()
			runtime.ReadMemStats(&kept)
		}
	})
	require.NoError(t, err)
	require.Equal(t, eventstore.Summary{Records: records, Streams: records}, summary)
	require.Less(t, kept.HeapAlloc, uint64(80<<20))
}
