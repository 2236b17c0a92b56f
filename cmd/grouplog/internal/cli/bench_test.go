package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/bench"
	"github.com/grouplog/grouplog/eventstore"
)

// interrupter ends a context when something is written.
type interrupter func()

func (f interrupter) Write(data []byte) (int, error) {
	f()
	return len(data), nil
}

// Ctrl-C leaves no files behind.
func TestBenchInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	a := &app{out: interrupter(cancel), talk: io.Discard}
	err := a.bench(ctx, benchOptions{tiny: true, dir: dir})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, exitInterrupted, a.exitCode(err))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// With --check, a target that is missed is a failure.
func TestBenchCheck(t *testing.T) {
	require.Equal(t, 1, missedRows([]bench.Row{{Met: true}, {}}))
}

// A terminal of 80 columns shows everything but the units.
func TestBenchTableIsNarrow(t *testing.T) {
	floor, ratio := 632_006.0, 12.34
	var rows []bench.Row
	for _, spec := range bench.Specs() {
		rows = append(rows, bench.Row{Name: spec.Name, Value: 248_080, Floor: &floor, Ratio: &ratio, Target: 0.01, Of: bench.Ratio, Unit: "|"})
	}
	var out strings.Builder
	require.NoError(t, (&app{out: &out}).benchTable(rows))
	for line := range strings.Lines(out.String()) {
		if before, _, found := strings.Cut(line, "|"); found {
			require.Contains(t, before, "over")
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(before, " ")), 80-1) // a mark of what is cut
		}
	}
}

// Where there is no room, bench says how much it needs, whoever was writing.
func TestBenchNeedsRoom(t *testing.T) {
	for _, full := range []error{eventstore.ErrFull, &os.PathError{Err: syscall.ENOSPC}, sqlite3.Error{Code: sqlite3.ErrFull}} {
		_, next := (&app{}).wordsFor(needsRoom(fmt.Errorf("commands-64: %w", full)))
		require.Contains(t, next, "300 MB")
	}
	require.NoError(t, needsRoom(nil))
}

func TestFigure(t *testing.T) {
	for x, want := range map[float64]string{
		0.0123: "0.012", 0.5: "0.50", 9.994: "9.99", 12.34: "12.3", 99.9: "99.9", 123.4: "123", 12345.6: "12 346",
	} {
		require.Equal(t, want, figure(x))
	}
}
