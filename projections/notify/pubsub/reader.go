package pubsub

import (
	"context"
	"iter"
	"math"
	"sort"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// pageSize is how many records a reader holds.
const pageSize = 64

// reader reads a topic page by page.
type reader struct {
	log     eventstore.Store
	stream  string              // empty for all events
	after   eventstore.Position // read up to here
	version eventstore.Version  // of the stream at after; found by the first read
	found   bool
}

// next is what the topic holds after what was read before; none at its end. Then the
// reader stands at the end of the log, which what others write moves on.
func (r *reader) next(ctx context.Context) (page []eventstore.Record, err error) {
	head, err := r.log.Head(ctx) // before reading: what is appended meanwhile is for the next time
	if err != nil || head == r.after {
		return nil, err
	}
	if r.stream != "" && !r.found {
		if r.version, err = versionAt(ctx, r.log, r.stream, r.after); err != nil {
			return nil, err
		}
		r.found = true
	}
	for record, err := range r.records(ctx) {
		if err != nil {
			return nil, err
		}
		r.after, r.version = record.Position, record.Version
		if _, ok := projections.TopicOf(record.Stream); ok && r.stream == "" {
			continue // a message is no event
		}
		if page = append(page, record); len(page) == pageSize {
			return page, nil
		}
	}
	r.after = max(r.after, head)
	return page, nil
}

func (r *reader) records(ctx context.Context) iter.Seq2[eventstore.Record, error] {
	if r.stream == "" {
		return r.log.ReadAll(ctx, r.after)
	}
	return r.log.ReadStream(ctx, r.stream, r.version)
}

// versionAt is how many records of a stream stand at or before a position. It looks at
// few of them: twice as far from time to time, and then in between.
func versionAt(ctx context.Context, log eventstore.Store, stream string, p eventstore.Position) (eventstore.Version, error) {
	if p == 0 {
		return 0, nil
	}
	var failed error
	beyond := func(version int) bool { // whether what follows the version stands after p
		for record, err := range log.ReadStream(ctx, stream, eventstore.Version(version)) {
			if err != nil {
				failed = err
				return true
			}
			return record.Position > p
		}
		return true
	}
	bound := 1
	for bound < math.MaxInt/2 && !beyond(bound) {
		bound *= 2
	}
	version := sort.Search(bound, beyond)
	return eventstore.Version(version), failed
}
