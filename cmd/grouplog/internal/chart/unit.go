package chart

import "time"

// unit is a length of time by the calendar, in UTC.
type unit struct {
	name   string
	floor  func(time.Time) time.Time          // when the unit began in which a time is
	after  func(t time.Time, n int) time.Time // n units later
	length time.Duration                      // about
	format string                             // a unit in words
}

const day = 24 * time.Hour

var (
	hour  = unit{"hour", func(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }, hours, time.Hour, "2 Jan 2006, 15:00"}
	daily = unit{"day", midnight, func(t time.Time, n int) time.Time { return t.AddDate(0, 0, n) }, day, "2 Jan 2006"}
	week  = unit{"week", monday, func(t time.Time, n int) time.Time { return t.AddDate(0, 0, 7*n) }, 7 * day, "week of 2 Jan 2006"}
	month = unit{"month", months(1), func(t time.Time, n int) time.Time { return t.AddDate(0, n, 0) }, 30 * day, "Jan 2006"}
	third = unit{"quarter", months(3), func(t time.Time, n int) time.Time { return t.AddDate(0, 3*n, 0) }, 91 * day, "quarter from Jan 2006"}
	year  = unit{"year", months(12), func(t time.Time, n int) time.Time { return t.AddDate(n, 0, 0) }, 365 * day, "2006"}
)

func hours(t time.Time, n int) time.Time { return t.Add(time.Duration(n) * time.Hour) }

func midnight(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func monday(t time.Time) time.Time {
	t = midnight(t)
	return t.AddDate(0, 0, -(int(t.Weekday())+6)%7)
}

// months begin with a multiple of n months since the beginning of the year.
func months(n int) func(time.Time) time.Time {
	return func(t time.Time) time.Time {
		y, m, _ := t.UTC().Date()
		return time.Date(y, m-time.Month((int(m)-1)%n), 1, 0, 0, 0, 0, time.UTC)
	}
}

// ceil is when the next unit begins; the time itself, where one begins then.
func (u unit) ceil(t time.Time) time.Time {
	begin := u.floor(t)
	if begin.Equal(t) {
		return begin
	}
	return u.after(begin, 1)
}

// most is how many bars there are at most, unless it is for centuries.
const most = 60

// unitFor is how long a bar is, where all are for so long.
func unitFor(span time.Duration) unit {
	for _, u := range []unit{hour, daily, week, month, third} {
		if span <= most*u.length {
			return u
		}
	}
	return year
}

// steps are distances between the ticks of a time axis, and what the ticks say.
var steps = []struct {
	unit
	every  int
	format string
}{
	{hour, 1, "15:04"}, {hour, 3, "15:04"}, {hour, 6, "2 Jan 15:04"}, {hour, 12, "2 Jan 15:04"},
	{daily, 1, "2 Jan"}, {daily, 2, "2 Jan"}, {week, 1, "2 Jan"}, {week, 2, "2 Jan"},
	{month, 1, "Jan 2006"}, {month, 2, "Jan 2006"}, {third, 1, "Jan 2006"}, {third, 2, "Jan 2006"},
	{year, 1, "2006"}, {year, 2, "2006"}, {year, 5, "2006"}, {year, 10, "2006"}, {year, 50, "2006"}, {year, 500, "2006"},
}

// tick is a place on an axis, and what it says.
type tick[T any] struct {
	at   T
	text string
}

// timeTicks are round times from one to another, at most eight.
func timeTicks(from, to time.Time) []tick[time.Time] {
	const atMost = 8
	for _, s := range steps {
		var ticks []tick[time.Time]
		begin := s.floor(from)
		if s.name == year.name {
			begin = begin.AddDate(-begin.Year()%s.every, 0, 0)
		}
		if s.name == hour.name || s.name == month.name {
			begin = daily.floor(begin)
			if s.name == month.name {
				begin = year.floor(begin)
			}
		}
		for t := begin; !t.After(to) && len(ticks) <= atMost; t = s.after(t, s.every) {
			if !t.Before(from) {
				ticks = append(ticks, tick[time.Time]{t, t.Format(s.format)})
			}
		}
		if len(ticks) <= atMost {
			return ticks
		}
	}
	return nil
}

// countTicks are round numbers from 0 to at least a number, at most that many steps of 1,
// 2 or 5 times a power of ten.
func countTicks(top, atMost int) []int {
	step := 1
	for _, next := range cycle() {
		if step*atMost >= top {
			break
		}
		step = next
	}
	ticks := []int{0}
	for n := step; n-step < top; n += step {
		ticks = append(ticks, n)
	}
	return ticks
}

// cycle is 2, 5, 10, 20, 50, …
func cycle() []int {
	var all []int
	for power := 1; power < 1e15; power *= 10 {
		all = append(all, 2*power, 5*power, 10*power)
	}
	return all
}
