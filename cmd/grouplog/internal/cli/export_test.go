package cli

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireExports takes the real history out in every format: every event, and twice the
// same bytes.
func requireExports(t *testing.T, db string) {
	t.Helper()
	listed, _ := runMain(t, exitDone, "log", "ls", "--json", "--db", db)
	for _, format := range formatNames() {
		first, talk := runMain(t, exitDone, "export", "--format", format, "--db", db)
		require.NotContains(t, talk, "left out")
		second, _ := runMain(t, exitDone, "export", "--format", format, "--db", db)
		require.True(t, first == second, "%s: twice is not the same", format)
		if format == "jsonl" {
			require.True(t, listed == first, "log ls --json lists something else")
		}
		require.Equal(t, strings.Count(listed, "\n"), strings.Count(strings.TrimPrefix(first, csvHead(format)), "\n"), format)
	}
	first, _ := runMain(t, exitDone, "group", "chart", "kubernetes", "--db", db)
	second, _ := runMain(t, exitDone, "group", "chart", "kubernetes", "--db", db)
	require.True(t, first == second)
	require.Contains(t, first, "1 297 members")
}

func csvHead(format string) string {
	if format != "csv" {
		return ""
	}
	return "position,time,event,schema,group,stream,version,actor,app_admin,command_id,users,data\r\n"
}

// manyEvents is a log whose export does not fit into a pipe.
func manyEvents(t *testing.T) (db string) {
	file, _ := storyFile(t, 400)
	db = filepath.Join(t.TempDir(), "groups.db")
	runMain(t, exitDone, "import", file, "--db", db)
	return db
}

// Whoever reads the output may end before it: that is said, and not passed over.
func TestExportIntoABrokenPipe(t *testing.T) {
	db := manyEvents(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "export", "--db", db)
	cmd.Args[0] = "grouplog"
	var talk bytes.Buffer
	cmd.Stderr = &talk
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout = writer
	require.NoError(t, cmd.Start())
	require.NoError(t, writer.Close())
	_, err = bufio.NewReader(reader).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	require.Error(t, cmd.Wait())
	require.Equal(t, exitUnread, cmd.ProcessState.ExitCode(), talk.String())
	require.Contains(t, talk.String(), "whoever reads the output has ended before its end")
	require.Contains(t, talk.String(), "hint: where that is wanted, all is well")
}

// A full disk is an error too.
func TestExportOntoAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer full.Close()
	db := manyEvents(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "export", "--db", db)
	cmd.Args[0] = "grouplog"
	var talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = full, &talk
	require.Error(t, cmd.Run())
	require.Equal(t, exitUnexpected, cmd.ProcessState.ExitCode())
	require.Contains(t, talk.String(), "no space left on device")
	require.Contains(t, talk.String(), "hint: make room")
}
