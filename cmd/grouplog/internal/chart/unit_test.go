package chart

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// However long a time, its axis has a few round ticks, in order and on it, and its bars
// are few enough to be seen.
func TestTimeTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "from"), 0).UTC()
		span := time.Duration(rapid.Int64Range(int64(time.Hour), int64(200*365*day)).Draw(t, "span"))
		ticks := timeTicks(from, from.Add(span))
		require.LessOrEqual(t, len(ticks), 8)
		require.NotEmpty(t, ticks)
		if span > 4*time.Hour {
			require.GreaterOrEqual(t, len(ticks), 2, "%s from %s", span, from)
		}
		last := from.Add(-1)
		for _, tick := range ticks {
			require.True(t, tick.at.After(last) && !tick.at.After(from.Add(span)))
			last = tick.at
		}
		u := unitFor(span)
		bars := 0
		for at := u.floor(from); at.Before(from.Add(span)); at = u.after(at, 1) {
			require.Equal(t, at, u.floor(at), u.name)
			require.Equal(t, u.after(at, 1), u.ceil(at.Add(1)), u.name)
			bars++
		}
		if u.name != "year" {
			require.LessOrEqual(t, bars, most+3)
		}
	})
}

func TestTimeTicksByExample(t *testing.T) {
	for _, test := range []struct {
		from, to    string
		first, last string
		n           int
	}{
		{"2018-08-01", "2022-02-01", "Jan 2019", "Jan 2022", 7},
		{"2020-01-01", "2020-02-10", "6 Jan", "10 Feb", 6}, // Mondays
		{"2020-01-01", "2021-01-01", "Jan 2020", "Jan 2021", 7},
		{"2020-06-10", "2020-06-11", "10 Jun 00:00", "11 Jun 00:00", 5},
		{"1990-01-01", "2030-01-01", "1990", "2030", 5},
	} {
		from, _ := time.Parse(time.DateOnly, test.from)
		to, _ := time.Parse(time.DateOnly, test.to)
		ticks := timeTicks(from, to)
		require.Len(t, ticks, test.n, "%v", ticks)
		require.Equal(t, [2]string{test.first, test.last}, [2]string{ticks[0].text, ticks[len(ticks)-1].text}, "%v", ticks)
	}
}

func TestCountTicks(t *testing.T) {
	for top, want := range map[int][]int{
		1: {0, 1}, 3: {0, 1, 2, 3}, 6: {0, 2, 4, 6}, 1297: {0, 500, 1000, 1500}, 100_000: {0, 20_000, 40_000, 60_000, 80_000, 100_000},
	} {
		require.Equal(t, want, countTicks(top, 5), "%d", top)
	}
}

func TestLimits(t *testing.T) {
	for _, test := range []struct{ joined, left, want []int }{
		{[]int{648, 30, 20}, []int{136, 3}, []int{272, 136}}, // the founding is cut off
		{[]int{5, 1}, []int{3}, []int{5, 3}},
		{[]int{100}, []int{0}, []int{100, 0}}, // alone it may be as high as it is
		{nil, nil, []int{0, 0}},
	} {
		in, out := limits(test.joined, test.left)
		require.Equal(t, test.want, []int{in, out})
	}
}
