package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

// longLog is a log of commands with an ID, of one event each.
func longLog(t *testing.T, path string, commands int) {
	t.Helper()
	log, err := sqlite.Open(t.Context(), path, nil)
	require.NoError(t, err)
	var commits []eventstore.Commit
	for i := range commands {
		id := fmt.Sprint("command ", i)
		commits = append(commits, eventstore.Commit{
			Stream:  fmt.Sprint("group:", i%100),
			Events:  []eventstore.Event{{Type: "t", Schema: 1, Data: fmt.Appendf(nil, "%d", i), Time: time.UnixMicro(int64(1 + i)), CommandID: id}},
			Outcome: &eventstore.Outcome{CommandID: id, Answer: []byte("answer")},
		})
	}
	_, err = log.Append(t.Context(), commits...)
	require.NoError(t, err)
	require.NoError(t, log.Close())
}

// headOf is how far the log at a path goes, zero if there is none yet.
func headOf(t *testing.T, path string) eventstore.Position {
	t.Helper()
	log, err := sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true})
	if err != nil {
		return 0
	}
	head, err := log.Head(t.Context())
	require.NoError(t, errors.Join(err, log.Close()))
	return head
}

// waitFor waits until the log at a path goes so far, and returns how far it does. It ends
// with the test, should that never come.
func waitFor(t *testing.T, path string, until eventstore.Position) eventstore.Position {
	t.Helper()
	head := headOf(t, path)
	for ; head < until; head = headOf(t, path) {
		select {
		case <-t.Context().Done():
			require.NoError(t, t.Context().Err())
		case <-time.After(5 * time.Millisecond): // each look opens the log, and takes time from who writes it
		}
	}
	return head
}

// A copy that is killed (SIGKILL) again and again goes on each time where it was.
func TestStoreCopyThroughKills(t *testing.T) {
	const commands = 20_000 // five batches
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from.db"), filepath.Join(dir, "to.db")
	longLog(t, from, commands)
	for reached := eventstore.Position(0); reached < commands; {
		cmd, _, _, talk := child(t, "store", "copy", from, to)
		until := reached + 1 + eventstore.Position(rand.IntN(commands/3))
		reached = waitFor(t, to, min(until, commands))
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err == nil {
			break // the program was faster than the kill
		}
		require.Equal(t, -1, cmd.ProcessState.ExitCode(), "it ended by itself: %s", talk)
		t.Logf("killed behind position %d", reached)
	}
	var there, back copyLine
	out, _ := runMain(t, exitDone, "store", "copy", from, to, "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &there))
	require.EqualValues(t, commands, there.Events)
	require.Equal(t, commands, there.Outcomes)
	out, _ = runMain(t, exitDone, "store", "copy", to, filepath.Join(dir, "back.db"), "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &back))
	require.EqualValues(t, commands, back.Copied)
	require.Equal(t, there.Digest, back.Digest)
}

// An archive follows its log, says how far it is, and ends with Ctrl-C.
func TestStoreArchive(t *testing.T) {
	dir := t.TempDir()
	log, archive := filepath.Join(dir, "groups.db"), filepath.Join(dir, "archive.db")
	longLog(t, log, 10)
	cmd, _, out, talk := child(t, "store", "archive", log, archive, "--json")
	require.True(t, out.Scan(), talk)
	var line copyLine
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.EqualValues(t, 10, line.Events)
	require.NotEmpty(t, line.Digest)

	runMain(t, exitDone, "do", "create-group", "--as", "alice", "--type", "Public", "--group", "go", "--name", "Go", "--id", "late", "--db", log)
	head := headOf(t, log)
	waitFor(t, archive, head)
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	for out.Scan() {
		require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	}
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, exitInterrupted, exit.ExitCode(), talk)
	require.Empty(t, talk.String())
	require.GreaterOrEqual(t, line.Events, eventstore.Position(10))
	copied, _ := runMain(t, exitDone, "store", "copy", log, archive, "--json")
	require.NoError(t, json.Unmarshal([]byte(copied), &line))
	require.Zero(t, line.Copied)
	require.Equal(t, head, line.Events)
	require.Equal(t, 11, line.Outcomes)
}
