package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// Format is a form in which events are written, one after the other. Formats keep
// nothing between two events, and may be used at the same time.
type Format interface {
	// Name is what the format is called on the command line.
	Name() string

	// Head is what stands before the first event; empty in most formats.
	Head() string

	// Append appends an event to a buffer, with what ends it. It appends nothing
	// where the format has no words for such an event.
	Append(b []byte, e *projections.Event) ([]byte, error)
}

// Formats are all formats, for the log of that ID.
func Formats(logID string) []Format {
	return []Format{JSONLines{}, CSV{}, CloudEvents{LogID: logID}, OCSF{LogID: logID}}
}

// Summary is what has been written.
type Summary struct {
	Events  int                 `json:"events"`
	LeftOut int                 `json:"leftOut"`        // events that the format has no words for
	Last    eventstore.Position `json:"last,omitempty"` // of the last event that was read; 0 if there was none
}

// Write writes records, oldest first. Progress is called with each position, unless it
// is nil. The summary holds also where an error comes back: of the reading or the context,
// for w has all that was read then; of the writing, as far as w has taken it.
func Write(ctx context.Context, w io.Writer, f Format, records iter.Seq2[eventstore.Record, error], progress func(eventstore.Position)) (s Summary, err error) {
	const buffer = 64 << 10
	out := bufio.NewWriterSize(w, buffer)
	var taken Summary
	defer func() {
		failure := out.Flush()
		if failure == nil {
			return
		}
		if s = taken; !errors.Is(err, failure) { // it may be that of a write before
			err = errors.Join(err, failure)
		}
	}()
	if _, err := out.WriteString(f.Head()); err != nil {
		return s, err
	}
	var line []byte
	for record, err := range records {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return s, err
		}
		event, err := projections.Decode(record)
		if err != nil {
			return s, err
		}
		if line, err = f.Append(line[:0], &event); err != nil {
			return s, fmt.Errorf("event at position %d as %s: %w", record.Position, f.Name(), err)
		}
		if out.Available() < len(line) {
			if err := out.Flush(); err != nil {
				return s, err
			}
			taken = s
		}
		if s.Last = record.Position; len(line) == 0 {
			s.LeftOut++
		} else {
			s.Events++
		}
		if _, err := out.Write(line); err != nil {
			return s, err
		}
		if progress != nil {
			progress(record.Position)
		}
	}
	return s, nil
}

// groupOf is the group that an event is about; empty if there is none.
func groupOf(e *projections.Event) string {
	if id, ok := domain.GroupOf(e.Stream); ok {
		return id
	}
	return ""
}
