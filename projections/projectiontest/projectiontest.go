package projectiontest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// Run checks a projection over random histories, each property in a subtest of its own:
//
//   - pages: the rows do not depend on how the events are cut into pages;
//   - rebuild: rows that are made anew are those that were made live, for a projections.Filler
//     too;
//   - checkpoints: an engine that is closed and opened again, anywhere, goes on rightly;
//   - turns: so do two processes that share the file, whatever a memo remembers;
//   - determinism: a second run gives the same rows, at another time of day;
//   - failures: a page that fails in the middle, by an error or a panic, leaves nothing, and
//     is applied once when it is tried again;
//   - tables: nothing is written but the rows of the projection's own tables, and messages
//     are passed over.
//
// The same value is used for all files, one after the other and side by side, so that
// whatever it remembers itself, instead of in Tx.Memo, shows. It takes some seconds; -short
// takes fewer histories, and -rapid.checks is for more.
func Run(t *testing.T, p projections.Projection) {
	for _, property := range properties {
		t.Run(property.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				require.NoError(rt, property.check(t, p, draw(rt)))
			})
		})
	}
}

// history is a log to come, and where to cut it.
type history struct {
	records []eventstore.Record
	cuts    []int // how many records there are, rising; the last is all
	page    int   // an odd size
}

// longest is how many commands a history has.
const longest = 60

func draw(t *rapid.T) history {
	h := history{records: domaintest.History(t, longest).Records(), page: rapid.IntRange(1, 9).Draw(t, "page")}
	if at := rapid.IntRange(0, len(h.records)).Draw(t, "message"); at < len(h.records) {
		h.records = append(h.records[:at:at], append([]eventstore.Record{message(h.records[at])}, h.records[at:]...)...)
	}
	for range 2 {
		h.cuts = append(h.cuts, rapid.IntRange(0, len(h.records)).Draw(t, "cut"))
	}
	h.cuts = append(h.cuts, len(h.records))
	slices.Sort(h.cuts)
	return h
}

// message is one of somebody else's in the log, at the time of a record.
func message(at eventstore.Record) eventstore.Record {
	event, err := projections.Message{UUID: "m", Payload: []byte("hello")}.Event()
	if err != nil {
		panic(fmt.Sprintf("the message of the test cannot be stored: %v", err))
	}
	event.Time = at.Time
	return eventstore.Record{Stream: projections.MessageStream("topic"), Event: event}
}
