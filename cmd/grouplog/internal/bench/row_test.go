package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantile(t *testing.T) {
	require.Zero(t, median(nil))
	require.InDelta(t, 3, median([]float64{5, 1, 3}), 0)
	require.InDelta(t, 2.5, median([]float64{4, 1, 3, 2}), 0)
	var times []time.Duration
	for i := range 1_000 {
		times = append(times, time.Duration(1_000-i))
	}
	require.Equal(t, time.Duration(990), quantile(times, 0.99))
	require.Equal(t, time.Duration(1_000), quantile(times, 1))
	require.Equal(t, time.Duration(1), quantile(times, 0))
}

// A ratio is the median of those of the rounds, not that of the medians.
func TestRow(t *testing.T) {
	rounds := []Sample{{10, 10, 1}, {30, 60, 0.5}, {100, 125, 0.8}}
	row := newRow(Spec{Name: "r", Unit: "x/s", Target: ratioAtLeast(0.9)}, rounds, "")
	require.InDelta(t, 30, row.Value, 0)
	require.InDelta(t, 60, *row.Floor, 0)
	require.InDelta(t, 0.8, *row.Ratio, 0)
	require.False(t, row.Met)
	require.Equal(t, "11 % short", row.Verdict())
	require.Equal(t, "≥ 0.9 ×", row.TargetText())
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		target  Target
		value   float64
		verdict string
		text    string
	}{
		{valueAtMost(2), 2, "yes", "≤ 2 ms"},
		{valueAtMost(2), 3, "50 % over", "≤ 2 ms"},
		{valueAtMost(2), 2.001, "1 % over", "≤ 2 ms"},
		{ratioAtMost(1.5), 1, "+Inf % over", "≤ 1.5 ×"}, // there is no floor
	} {
		row := newRow(Spec{Unit: "ms", Target: c.target}, []Sample{{Value: c.value}}, "")
		require.Nil(t, row.Floor)
		require.Equal(t, c.verdict, row.Verdict())
		require.Equal(t, c.text, row.TargetText())
	}
}
