//go:build unix

package jetstream_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
	"github.com/grouplog/grouplog/projections/consumers"
)

// pausedAddress is what the environment of a process that is to be paused holds: a log.
const pausedAddress = "GROUPLOG_TEST_PAUSED"

func acquire(t *testing.T, store *jetstream.Store) *consumers.Consumer {
	t.Helper()
	r, err := consumers.OpenCells(t.Context(), store, store, &consumers.CellOptions{Lease: time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	c, err := r.Acquire(t.Context(), "mailer", 0)
	require.NoError(t, err)
	return c
}

func happened(expect eventstore.Expectation, by string) eventstore.Commit {
	return eventstore.Commit{Stream: "s", Expect: expect, Events: []eventstore.Event{{
		Type: "test.happened", Schema: 1, Data: []byte(`{}`), Actor: by, Time: time.Unix(1, 0),
	}}}
}

// TestPausedProcess is the process that is paused, and nothing by itself: it appends and
// saves its position by turns, says so, and ends when it may do neither any more.
func TestPausedProcess(t *testing.T) {
	address := os.Getenv(pausedAddress)
	if address == "" {
		t.Skip("a part of TestStoppedBeyondTheLease")
	}
	store := node(t, address)
	c := acquire(t, store)
	released, conflict := false, false
	for at := eventstore.Version(0); !released || !conflict; {
		if !conflict {
			results, err := store.Append(t.Context(), happened(eventstore.Exactly(at), "paused"))
			require.NoError(t, err)
			if conflict = errors.Is(results[0].Err, eventstore.ErrConflict); !conflict {
				require.NoError(t, results[0].Err)
				at = results[0].Version
			}
		}
		if err := c.Save(t.Context(), eventstore.Position(at)); err != nil {
			require.ErrorIs(t, err, consumers.ErrReleased)
			released = true
		}
		fmt.Println("saved", at, released, conflict)
	}
}

// A process that the system stops for longer than its lease, wherever it was, writes over
// nothing when it goes on, and is told why.
func TestStoppedBeyondTheLease(t *testing.T) {
	onlyWithFaults(t)
	address := jetstreamtest.Shared(t).URL() + "/" + jetstreamtest.StreamName(t) + "?sync=always"
	other := node(t, address)
	paused := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestPausedProcess$")
	paused.Env = append(os.Environ(), pausedAddress+"="+address)
	paused.Stderr = os.Stderr
	out, err := paused.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, paused.Start())
	lines := bufio.NewScanner(out)
	var saved eventstore.Position
	says := func() (released, conflict bool) {
		for lines.Scan() {
			if n, _ := fmt.Sscan(lines.Text(), new(string), &saved, &released, &conflict); n == 4 {
				return released, conflict
			}
		}
		require.FailNow(t, "it has ended before", lines.Text())
		return false, false
	}
	for saved < 20 {
		says()
	}
	require.NoError(t, paused.Process.Signal(syscall.SIGSTOP))
	second := acquire(t, other)
	require.GreaterOrEqual(t, second.Position(), saved, "it goes on where the other one was")
	results, err := other.Append(t.Context(), happened(eventstore.Any(), "other"))
	require.NoError(t, err)
	mine := results[0].Version
	require.NoError(t, second.Save(t.Context(), results[0].First))
	require.NoError(t, paused.Process.Signal(syscall.SIGCONT))

	for released, conflict := false, false; !released || !conflict; {
		released, conflict = says()
	}
	require.NoError(t, paused.Wait())
	require.Equal(t, results[0].First, second.Position(), "nothing was written over")
	require.NoError(t, second.Save(t.Context(), results[0].First))
	all := records(t, other)
	require.Equal(t, mine, all[len(all)-1].Version, "nothing follows what was appended meanwhile")
	require.GreaterOrEqual(t, eventstore.Position(mine)-1, saved, "what it was told is stored, is")
	require.NoError(t, second.Release())
}
