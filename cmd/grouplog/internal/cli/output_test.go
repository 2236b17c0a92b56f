package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// writing are lines of all kinds, that of the library among them.
var writing = []string{
	"do request-join --as zoe --group chess",
	"group ls",
	"log ls",
	"verify --json",
	"demo",
	"bench --tiny --only commands-64",
	"help",
	"do quit --help",
	"completion bash",
	"--version",
}

func chess(t *testing.T) (dir string) {
	dir = t.TempDir()
	runMain(t, exitDone, "do", "create-group", "--as", "alice", "--type", "Public", "--group", "chess", "--name", "Chess", "--db", filepath.Join(dir, "groups.db"))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "tmp"), 0o700))
	return dir
}

// runInto runs the program with an output, and gives its exit code and what it said.
func runInto(t *testing.T, dir, line string, out *os.File) (code int, talk string) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], strings.Fields(line)...)
	var said bytes.Buffer
	cmd.Args[0], cmd.Dir, cmd.Stdout, cmd.Stderr = "grouplog", dir, out, &said
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(dir, "tmp"), envDB+"=", envStore+"=")
	_ = cmd.Run() // its code says it
	left, err := os.ReadDir(filepath.Join(dir, "tmp"))
	require.NoError(t, err)
	require.Empty(t, left, line)
	return cmd.ProcessState.ExitCode(), said.String()
}

func TestOutputOntoAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer full.Close()
	dir := chess(t)
	for _, line := range writing {
		code, talk := runInto(t, dir, line, full)
		require.Equal(t, exitUnexpected, code, line)
		require.Contains(t, talk, "no space left on device", line)
		require.Contains(t, talk, "hint: ", line)
		require.NotContains(t, talk, "--help", line)
		if strings.HasPrefix(line, "do request-join") {
			require.Contains(t, talk, "the command was carried out")
		}
	}
}

// Whoever reads may end early: nothing is said, and nothing stays behind.
func TestOutputThatNobodyReads(t *testing.T) {
	dir := chess(t)
	for _, line := range writing {
		reader, writer, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		code, talk := runInto(t, dir, line, writer)
		require.NoError(t, writer.Close())
		require.Equal(t, exitUnread, code, "%s: %s", line, talk)
		require.NotContains(t, talk, "broken pipe", line)
	}
}

func TestInterruptedRebuildSaysHowToGoOn(t *testing.T) {
	var talk bytes.Buffer
	a := &app{db: filepath.Join(chess(t), "groups.db"), talk: &talk, started: true}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := a.withEngine(t.Context(), func(engine *grouplog.Engine) error { return a.rebuild(ctx, engine, rowless{}) })
	require.Equal(t, exitInterrupted, a.exitCode(err))
	a.explain(a.rebuildCommand(), err, exitInterrupted)
	require.Equal(t, "grouplog: interrupted\nhint: run it again, and it goes on from where it was\n", talk.String())
}

// A position is an identifier: it is written as --from and --at read it.
func TestPositionsAreNotGrouped(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out}
	event := projections.Event{
		Record: eventstore.Record{Position: 14_065, Stream: domain.GroupStream("chess"), Event: eventstore.Event{Actor: "bob"}},
		Fact:   domain.MemberLeft{UserID: "bob"},
	}
	require.NoError(t, a.writeEvent(&out, &event, 114_066))
	require.NoError(t, a.writeEvents([]projections.Event{event}))
	require.NoError(t, writeGroup(&out, &groupview.Group{Position: 14_065}))
	require.Equal(t, " 14065  ", out.String()[:8])
	require.Contains(t, out.String(), "\n  #14065  bob")
	require.Contains(t, out.String(), "at position 14065\n")
}
