package cli

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/past"
)

// moment is a flag that names a place in the history. All flags that do are written alike,
// as past.Parse reads them; those that are about a part of what can be written refuse the
// rest.
type moment struct {
	grouplog.Moment
	only  kinds
	given bool
}

var _ pflag.Value = (*moment)(nil)

// kinds says what a flag takes.
type kinds uint8

const (
	anyMoment     kinds = iota
	onlyTimes           // days and times
	onlyPositions       // of which, here and below, the number alone will do
	onlyPlaces          // both, and not the present: where a range begins or ends
	onlyStops           // positions and the present, and the start
)

const whenHelp = "as in 2020-06-30 (the end of that day, UTC), 2018-12-31T23:59:59Z or position:12345"

// right is what a flag takes, as its errors say it.
var right = [...]string{
	onlyTimes:     "a day or a time, as in 2020-06-30 or 2018-12-31T23:59:59Z",
	onlyPositions: "a position, as in 12345",
	onlyPlaces:    "a position, a day or a time, as in 12345, 2020-06-30 or 2018-12-31T23:59:59Z",
	onlyStops:     "start, now or a position, as in 12345",
}

func (m *moment) Set(text string) (err error) {
	written := text
	if _, notNumber := strconv.ParseFloat(text, 64); notNumber == nil && m.only >= onlyPositions {
		text = "position:" + text
	}
	if text == "start" && m.only == onlyStops {
		text = "position:0"
	}
	m.given = true
	if m.Moment, err = past.Parse(text); err != nil {
		if m.only != anyMoment { // of what can be written, most would be of no use
			err = fmt.Errorf("%q is not %s", written, right[m.only])
		}
		return err
	}
	_, position := m.Position()
	_, _, timed := m.Span()
	fits := [...]bool{anyMoment: true, onlyTimes: timed, onlyPositions: position, onlyPlaces: position || timed, onlyStops: !timed}
	if !fits[m.only] {
		return fmt.Errorf("%s is of no use here: give %s", m.Moment, right[m.only])
	}
	return nil
}

// String is the default, of which there is none to show.
func (m *moment) String() string {
	if !m.given {
		return ""
	}
	return m.Moment.String()
}

func (m *moment) Type() string {
	return [...]string{anyMoment: "WHEN", onlyTimes: "TIME", onlyPositions: "POSITION", onlyPlaces: "WHEN", onlyStops: "POSITION"}[m.only]
}

// position is the one that was given, or 0.
func (m *moment) position() eventstore.Position {
	p, _ := m.Position()
	return p
}

// begin and end are those of the time that was given, of which the end is no part; zero
// where none was.
func (m *moment) begin() time.Time {
	begin, _, _ := m.Span()
	return begin
}

func (m *moment) end() time.Time {
	_, end, _ := m.Span()
	return end
}

// reach is a range of the history as --from and --to give it: both are part of it.
type reach struct{ from, to moment }

func (r *reach) addTo(c *cobra.Command, only kinds, what string) {
	r.from.only, r.to.only = only, only
	name := "`" + r.from.Type() + "`"
	c.Flags().Var(&r.from, "from", "from this "+what+" on ("+name+")")
	c.Flags().Var(&r.to, "to", "up to this "+what+" ("+name+"), with it")
	must(c.RegisterFlagCompletionFunc("from", cobra.NoFileCompletions))
	must(c.RegisterFlagCompletionFunc("to", cobra.NoFileCompletions))
}

// check refuses a range in which nothing can be.
func (r *reach) check() error {
	last, ok := r.to.Position()
	switch begin, end := r.from.begin(), r.to.end(); {
	case ok && last == 0:
		return errors.New("--to 0 is before the first event, which is at position 1")
	case ok && r.from.position() > last, !begin.IsZero() && !end.IsZero() && !begin.Before(end):
		return fmt.Errorf("--from %s is behind --to %s: swap them", r.from.String(), r.to.String())
	}
	return nil
}

// mustHaveBegun refuses a range of times that are still to come, of which there is
// nothing to say.
func (r *reach) mustHaveBegun(now time.Time) error {
	for _, m := range []*moment{&r.from, &r.to} {
		if m.begin().After(now) {
			return fmt.Errorf("%s: %w: it is %s", m.Moment, past.ErrAhead, now.UTC().Format(time.RFC3339))
		}
	}
	return nil
}
