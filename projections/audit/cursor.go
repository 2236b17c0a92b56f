package audit

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/grouplog/grouplog/eventstore"
)

// place is where a reader of the audit is. Events and refused attempts are counted
// apart: what comes late to one cannot be lost behind what was read of the other.
type place struct {
	position eventstore.Position // of the last event that was read
	attempt  int64               // the number of the last refused attempt that was read
}

// cursorVersion is that of the form of cursors: the version, n or o for newest or oldest
// first, which query, and the place.
const cursorVersion = "1"

// cursor is the place in the answer of a log to the query.
func (q *Query) cursor(logID string, oldest bool, at place) string {
	text := fmt.Sprintf("%s.%s.%x.%d.%d", cursorVersion, direction(oldest), q.sum(logID), at.position, at.attempt)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func (q *Query) badCursor(why string) error { return fmt.Errorf("%w %q: %s", ErrCursor, q.Cursor, why) }

// parseCursor reads a cursor of this query to a log.
func (q *Query) parseCursor(logID string) (at place, err error) {
	fail := func(why string) (place, error) { return place{}, q.badCursor(why) }
	data, err := base64.RawURLEncoding.Strict().DecodeString(q.Cursor)
	parts := strings.Split(string(data), ".")
	switch {
	case err != nil || len(parts) < 2:
		return fail("pass what a page gave as its next one, or nothing for the first page")
	case parts[0] != cursorVersion:
		return fail("it is of another version of the program: begin again without one")
	case len(parts) != 5:
		return fail("it is damaged")
	case parts[2] != strconv.FormatUint(q.sum(logID), 16):
		return fail("it is of another query, or of another log: pass it with the same filters, or begin again without one")
	case parts[1] != direction(q.Oldest):
		return fail("it is of the other order: pass it with the same order, or begin again without one")
	}
	position, err := strconv.ParseInt(parts[3], 10, 64)
	if err != nil || position < 0 {
		return fail("it is damaged")
	}
	at.position = eventstore.Position(position)
	if at.attempt, err = strconv.ParseInt(parts[4], 10, 64); err != nil || at.attempt < 0 {
		return fail("it is damaged")
	}
	return at, nil
}

func direction(oldest bool) string {
	if oldest {
		return "o"
	}
	return "n"
}

func (q *Query) sum(logID string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(logID + q.fingerprint()))
	return h.Sum64()
}
