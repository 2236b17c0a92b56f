package bench

import (
	"fmt"
	"math"
	"slices"
)

// Spec says what a row is.
type Spec struct {
	Name     string
	Measures string // in a sentence: the value, and after a semicolon the floor
	Unit     string
	Target   Target
}

// Target is what a row should come to.
type Target struct {
	Of      Quantity
	AtLeast bool // or at most
	Bound   float64
}

// Quantity is what a target is about.
type Quantity string

// The quantities.
const (
	Ratio Quantity = "ratio" // the value by the floor
	Value Quantity = "value"
)

func ratioAtLeast(bound float64) Target { return Target{Of: Ratio, AtLeast: true, Bound: bound} }
func ratioAtMost(bound float64) Target  { return Target{Of: Ratio, Bound: bound} }
func valueAtMost(bound float64) Target  { return Target{Of: Value, Bound: bound} }

// TargetText says the target as the table has it: "≥ 0.7 ×" of the floor, "≤ 1 ms".
func (s Spec) TargetText() string {
	relation, unit := "≤", s.Unit
	if s.Target.AtLeast {
		relation = "≥"
	}
	if s.Target.Of == Ratio {
		unit = "×"
	}
	return fmt.Sprintf("%s %v %s", relation, s.Target.Bound, unit)
}

// Sample is what a round gave for a row. Where there is no floor, it is 0.
type Sample struct {
	Value float64 `json:"value"`
	Floor float64 `json:"floor,omitzero"`
	Ratio float64 `json:"ratio,omitzero"`
}

// Row is a figure, in the wire form.
type Row struct {
	Name    string   `json:"name"`
	Value   float64  `json:"value"` // median of the rounds'
	Unit    string   `json:"unit"`
	Floor   *float64 `json:"floor"`   // median of the rounds'; null where there is none
	Ratio   *float64 `json:"ratio"`   // median of the rounds' ratios
	Target  float64  `json:"target"`  // a bound
	Of      Quantity `json:"of"`      // what the bound is for: "ratio" or "value"
	AtLeast bool     `json:"atLeast"` // or at most
	Met     bool     `json:"met"`
	Rounds  []Sample `json:"rounds"`
	Note    string   `json:"note,omitempty"`

	spec Spec
}

// newRow makes a row of what the rounds gave.
func newRow(spec Spec, rounds []Sample, note string) Row {
	r := Row{
		Name: spec.Name, Unit: spec.Unit, Rounds: rounds, Note: note, spec: spec,
		Target: spec.Target.Bound, Of: spec.Target.Of, AtLeast: spec.Target.AtLeast,
	}
	r.Value = medianOf(rounds, func(s Sample) float64 { return s.Value })
	if floor := medianOf(rounds, func(s Sample) float64 { return s.Floor }); floor != 0 {
		ratio := medianOf(rounds, func(s Sample) float64 { return s.Ratio })
		r.Floor, r.Ratio = &floor, &ratio
	}
	r.Met = r.miss() <= 0
	return r
}

// miss is by which part of the bound the target is missed; not more than 0 where it is
// met.
func (r *Row) miss() float64 {
	reached := r.Value
	if r.Of == Ratio {
		if r.Ratio == nil {
			return math.Inf(1)
		}
		reached = *r.Ratio
	}
	if r.AtLeast {
		return 1 - reached/r.Target
	}
	return reached/r.Target - 1
}

// Verdict says that the target is met, or by how much it is missed. It is short: a table
// of 80 columns ends with it.
func (r *Row) Verdict() string {
	side := "over"
	if r.AtLeast {
		side = "short"
	}
	if r.Met {
		return "yes"
	}
	return fmt.Sprintf("%.0f %% %s", max(1, 100*r.miss()), side)
}

// TargetText says the target as a table has it.
func (r *Row) TargetText() string { return r.spec.TargetText() }

func medianOf(samples []Sample, of func(Sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return median(values)
}

// median of no values is 0.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile is the value that a part q of them, rounded up, do not exceed; between the
// two in the middle for the median of an even number. It sorts the values.
func quantile[T ~float64 | ~int64](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	if half := len(values) / 2; q == 0.5 && len(values)%2 == 0 {
		return (values[half-1] + values[half]) / 2
	}
	return values[max(0, int(math.Ceil(q*float64(len(values))))-1)]
}
