package bench

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What befalls all callers alike, such as a full disk, is said once.
func TestCallersFailOnce(t *testing.T) {
	full := errors.New("the disk is full")
	_, err := callers(t.Context(), 64, 1, 0, time.Hour, func(int, int, bool) error { return full }, nothingAfter)
	require.EqualError(t, err, "the disk is full")
	_, err = callers(t.Context(), 2, 1, 0, 0, nil, func() error { return full })
	require.EqualError(t, err, "the disk is full")
}
