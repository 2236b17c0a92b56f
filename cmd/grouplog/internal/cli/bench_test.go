package cli

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/bench"
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

func TestFigure(t *testing.T) {
	for x, want := range map[float64]string{
		0.0123: "0.012", 0.5: "0.50", 9.994: "9.99", 12.34: "12.3", 99.9: "99.9", 123.4: "123", 12345.6: "12 346",
	} {
		require.Equal(t, want, figure(x))
	}
}
