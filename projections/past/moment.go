package past

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// Errors of moments.
var (
	// ErrAhead: the log has not come to the moment. It is beyond its end, or in the future.
	ErrAhead = errors.New("the moment is still to come")
	// ErrMoment: the text names no moment.
	ErrMoment = errors.New("not a moment")
	// ErrOrder: of two moments, the first is the later one.
	ErrOrder = errors.New("the first is the later one")
)

// Moment is a place in the history. The zero value is the present.
type Moment struct {
	kind     kind
	position eventstore.Position
	time     time.Time
}

type kind uint8

const (
	present kind = iota
	byPosition
	byTime
	byDay // time is its last microsecond
)

// AtPosition is the moment after the event at a position; 0 is before the first.
func AtPosition(p eventstore.Position) Moment { return Moment{kind: byPosition, position: p} }

// AtTime is the moment after everything that happened at or before a time.
func AtTime(t time.Time) Moment { return Moment{kind: byTime, time: t} }

// AtEndOf is the end of the day, in UTC, on which t is; now, if that day is not over.
func AtEndOf(t time.Time) Moment {
	t = t.UTC()
	return Moment{kind: byDay, time: time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC).Add(-time.Microsecond)}
}

// Parse reads a moment: "2018-12-31T23:59:59Z" is AtTime, "2020-06-30" AtEndOf,
// "position:12345" AtPosition, and "now" the present. Other text is an ErrMoment.
func Parse(text string) (Moment, error) {
	if number, ok := strings.CutPrefix(text, "position:"); ok {
		p, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return Moment{}, notMoment(text, "positions are numbers from 0 to 9223372036854775807")
		}
		return AtPosition(eventstore.Position(p)), nil
	}
	if text == "now" {
		return Moment{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	of := AtEndOf
	if err != nil {
		t, err = time.Parse(time.RFC3339Nano, text)
		of = AtTime
	}
	switch {
	case err != nil:
		return Moment{}, notMoment(text, "times are as in 2018-12-31T23:59:59Z, days as in 2020-06-30, positions as in position:12345, and there is \"now\"")
	case !t.After(time.Time{}) || t.UTC().Year() > 9999:
		return Moment{}, notMoment(text, "a log holds times after 0001-01-01, up to the year 9999")
	}
	return of(t), nil
}

func notMoment(text, right string) error {
	return fmt.Errorf("%q is %w: %s", text, ErrMoment, right)
}

// Position is the position that the moment was given by; false where it was not.
func (m Moment) Position() (eventstore.Position, bool) {
	return m.position, m.kind == byPosition
}

// Span is from when until when the moment lasts, the end not included: a day, or a
// microsecond, which is as short as a log can tell. False where it was not given by a time.
func (m Moment) Span() (begin, end time.Time, ok bool) {
	switch m.kind {
	case byDay:
		end = m.time.Add(time.Microsecond)
		return end.AddDate(0, 0, -1), end, true
	case byTime:
		return m.time, m.time.Truncate(time.Microsecond).Add(time.Microsecond), true
	default:
		return begin, end, false
	}
}

// String is the moment as Parse reads it.
func (m Moment) String() string {
	switch m.kind {
	case byPosition:
		return fmt.Sprintf("position:%d", m.position)
	case byTime:
		return m.time.UTC().Format(time.RFC3339Nano)
	case byDay:
		return m.time.Format(time.DateOnly)
	default:
		return "now"
	}
}

// bound is a moment in one log: what had happened is what stands at or before the
// position and, of each group, before the first event later than the time.
type bound struct {
	position eventstore.Position
	timed    bool // else the position alone says it
	time     time.Time
}

// in finds out where a moment is in a log that ends at head, at a time on the clock.
func (m Moment) in(head eventstore.Position, now time.Time) (bound, error) {
	switch m.kind {
	case byPosition:
		if m.position > head {
			return bound{}, fmt.Errorf("position %d: %w: the log ends at position %d", m.position, ErrAhead, head)
		}
		return bound{position: m.position}, nil
	case byTime:
		if m.time.After(now) {
			return bound{}, inFuture(m, now)
		}
		return bound{head, true, m.time}, nil
	case byDay:
		if m.time.AddDate(0, 0, -1).After(now) {
			return bound{}, inFuture(m, now)
		}
		if m.time.After(now) {
			return bound{head, true, now}, nil
		}
		return bound{head, true, m.time}, nil
	default:
		return bound{position: head}, nil
	}
}

func inFuture(m Moment, now time.Time) error {
	return fmt.Errorf("%s: %w: it is %s", m, ErrAhead, now.UTC().Format(time.RFC3339))
}

// covers reports whether an event at that position and time had happened, of a group
// whose earlier events had.
func (b *bound) covers(position eventstore.Position, at time.Time) bool {
	return position <= b.position && (!b.timed || !at.After(b.time))
}
