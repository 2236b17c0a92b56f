package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

// RunCells tests cells. Each call of open makes cells that nobody has set, and each
// function that it returns gives them as another process sees them; for a store of one
// process that is the same store every time. Who opens also closes, when the test ends.
func RunCells(t *testing.T, open func(t testing.TB) (connect func() eventstore.Cells)) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, connect func() eventstore.Cells)
	}{
		{"Revisions", testCellRevisions},
		{"Names", testCellNames},
		{"Limits", testCellLimits},
		{"Isolation", testCellIsolation},
		{"Cancelled", testCellsCancelled},
		{"Counter", testCellCounter},
		{"Creation", testCellCreation},
		{"Linearizable", testCellsLinearizable},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

// setCell sets a cell, which must be at the revision.
func setCell(t testing.TB, cells eventstore.Cells, name, value string, revision uint64) uint64 {
	t.Helper()
	next, err := cells.SetCell(t.Context(), name, []byte(value), revision)
	require.NoError(t, err, "a cell at the expected revision is set")
	require.Greater(t, next, revision, "a new value has a higher revision")
	return next
}

// requireCell checks the value and the revision of a cell.
func requireCell(t testing.TB, cells eventstore.Cells, name, want string, revision uint64) {
	t.Helper()
	value, at, err := cells.Cell(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, want, string(value), "the value of cell %q is the last one that was set", name)
	require.Equal(t, revision, at, "the revision of cell %q is what SetCell has answered, and 0 where it was never set", name)
}

func testCellRevisions(t *testing.T, connect func() eventstore.Cells) {
	here, there := connect(), connect()
	requireCell(t, here, "a", "", 0)
	first := setCell(t, here, "a", "one", 0)
	requireCell(t, there, "a", "one", first)
	second := setCell(t, there, "a", "", first)
	requireCell(t, here, "a", "", second)
	for _, stale := range []uint64{0, first, second + 1, second + 1000} {
		_, err := here.SetCell(t.Context(), "a", []byte("stale"), stale)
		require.ErrorIs(t, err, eventstore.ErrConflict, "a cell at another revision is not set")
		var conflict *eventstore.CellConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, eventstore.CellConflictError{Name: "a", Expected: stale}, *conflict)
	}
	requireCell(t, here, "a", "", second)
	_, err := here.SetCell(t.Context(), "b", []byte("stale"), second)
	require.ErrorIs(t, err, eventstore.ErrConflict, "the revision of another cell is no cell's own")
	requireCell(t, here, "b", "", 0)
	setCell(t, here, "b", "x", 0)
	third := setCell(t, here, "a", "same", second)
	require.Greater(t, setCell(t, here, "a", "same", third), third, "the same value once more is a new revision")
}

// testCellNames checks that names are kept apart and found, whatever is in them.
func testCellNames(t *testing.T, connect func() eventstore.Cells) {
	cells := connect()
	names, err := cells.CellNames(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, names)
	all := []string{"%", "*", ".", ">", "A", "a", "a b", "a*", "a.", "a..b", "a.b", "a/b", "a=2Eb", "a>", "a_b", "group/é世", strings.Repeat("n", eventstore.MaxCellName)}
	for i, name := range all {
		setCell(t, cells, name, strconv.Itoa(i), 0)
	}
	for i, name := range all {
		value, _, err := cells.Cell(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(i), string(value), "cell %q is its own", name)
	}
	for _, prefix := range []string{"", "a", "a.", "g", "group/é", "none", "=", "a=2E"} {
		want := []string{}
		for _, name := range all {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		names, err := cells.CellNames(t.Context(), prefix)
		require.NoError(t, err)
		require.Equal(t, want, append([]string{}, names...), "the names that begin with %q, in order", prefix)
	}
}

func testCellLimits(t *testing.T, connect func() eventstore.Cells) {
	cells := connect()
	for _, name := range []string{"", strings.Repeat("n", eventstore.MaxCellName+1), "\xff"} {
		_, _, err := cells.Cell(t.Context(), name)
		require.ErrorIs(t, err, eventstore.ErrCellName, "%q", name)
		_, err = cells.SetCell(t.Context(), name, nil, 0)
		require.ErrorIs(t, err, eventstore.ErrCellName, "%q", name)
	}
	largest := strings.Repeat("v", eventstore.MaxCell)
	at := setCell(t, cells, "large", largest, 0)
	_, err := cells.SetCell(t.Context(), "large", []byte(largest+"v"), at)
	require.ErrorIs(t, err, eventstore.ErrCellSize)
	requireCell(t, cells, "large", largest, at)
}

func testCellIsolation(t *testing.T, connect func() eventstore.Cells) {
	cells := connect()
	given := []byte("value")
	at, err := cells.SetCell(t.Context(), "a", given, 0)
	require.NoError(t, err)
	copy(given, "XXXXX")
	value, _, err := cells.Cell(t.Context(), "a")
	require.NoError(t, err)
	copy(value, "YYYYY")
	requireCell(t, cells, "a", "value", at)
}

func testCellsCancelled(t *testing.T, connect func() eventstore.Cells) {
	cells := connect()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := cells.Cell(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
	_, err = cells.SetCell(ctx, "a", nil, 0)
	require.ErrorIs(t, err, context.Canceled)
	_, err = cells.CellNames(ctx, "")
	require.ErrorIs(t, err, context.Canceled)
}

// testCellCounter checks that of what many add to a number at once, nothing is lost.
func testCellCounter(t *testing.T, connect func() eventstore.Cells) {
	const callers, each = 8, 25
	concurrently(callers, func(int) {
		cells := connect()
		for added := 0; added < each; {
			value, revision, err := cells.Cell(t.Context(), "counter")
			if err != nil {
				t.Errorf("Cell: %v", err)
				return
			}
			n, _ := strconv.Atoi(string(value))
			switch _, err = cells.SetCell(t.Context(), "counter", strconv.AppendInt(nil, int64(n+1), 10), revision); {
			case err == nil:
				added++
			case !errors.Is(err, eventstore.ErrConflict):
				t.Errorf("SetCell: %v", err)
				return
			}
		}
	})
	value, _, err := connect().Cell(t.Context(), "counter")
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(callers*each), string(value), "what replaces a value has seen it")
}

// testCellCreation checks that of those who make one cell at once, one does.
func testCellCreation(t *testing.T, connect func() eventstore.Cells) {
	for round := range 10 {
		const callers = 8
		name, made := fmt.Sprint("cell ", round), make([]bool, callers)
		concurrently(callers, func(i int) {
			_, err := connect().SetCell(t.Context(), name, []byte{byte(i)}, 0)
			if err != nil && !errors.Is(err, eventstore.ErrConflict) {
				t.Errorf("SetCell: %v", err)
			}
			made[i] = err == nil
		})
		value, _, err := connect().Cell(t.Context(), name)
		require.NoError(t, err)
		require.Len(t, value, 1)
		want := make([]bool, callers)
		want[value[0]] = true
		require.Equal(t, want, made, "one call made the cell, and its value is there")
	}
}

// cellOp sets a cell that is at a revision, or reads it.
type cellOp struct {
	read   bool
	expect uint64
	value  string
}

// cellAnswer is what a call has seen or made.
type cellAnswer struct {
	value    string
	revision uint64
	conflict bool
}

// testCellsLinearizable checks that callers who set and read a cell at once see what they
// would have seen one after the other, in an order that agrees with the time.
func testCellsLinearizable(t *testing.T, connect func() eventstore.Cells) {
	const callers, each = 4, 40
	r := newRecorder(callers)
	concurrently(callers, func(i int) {
		cells, seen := connect(), uint64(0)
		for n := range each {
			op := cellOp{read: (i+n)%3 == 0, expect: seen, value: fmt.Sprint(i, ".", n)}
			r.record(i, op, func() any {
				answer, err := op.call(t, cells)
				if err != nil {
					t.Errorf("%+v: %v", op, err)
				}
				if !answer.conflict {
					seen = answer.revision
				}
				return answer
			})
		}
	})
	r.check(t, porcupine.Model{
		Init: func() any { return cellAnswer{} },
		Step: func(state, input, output any) (bool, any) {
			at, op, answer := state.(cellAnswer), input.(cellOp), output.(cellAnswer)
			switch {
			case op.read:
				return answer == at, at
			case op.expect != at.revision:
				return answer.conflict, at
			}
			now := cellAnswer{value: op.value, revision: answer.revision}
			return answer == now && now.revision > at.revision, now
		},
	}, "what sets a cell and what reads it can be put into one order that explains all answers and agrees with the time")
}

func (op cellOp) call(t *testing.T, cells eventstore.Cells) (cellAnswer, error) {
	if op.read {
		value, revision, err := cells.Cell(t.Context(), "a")
		return cellAnswer{value: string(value), revision: revision}, err
	}
	next, err := cells.SetCell(t.Context(), "a", []byte(op.value), op.expect)
	if errors.Is(err, eventstore.ErrConflict) {
		return cellAnswer{conflict: true}, nil
	}
	return cellAnswer{value: op.value, revision: next}, err
}
