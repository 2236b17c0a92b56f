package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/past"
)

// runMain runs the program in this process, and returns what it wrote.
func runMain(t testing.TB, wantCode int, args ...string) (out, talk string) {
	t.Helper()
	var o, e bytes.Buffer
	code := Main(args, strings.NewReader(""), &o, &e)
	require.Equal(t, wantCode, code, "grouplog %v: %s", args, e.String())
	return o.String(), e.String()
}

// child is the program as a process of its own, so that it can be killed.
func child(t testing.TB, args ...string) (cmd *exec.Cmd, in io.WriteCloser, out *bufio.Scanner, talk *bytes.Buffer) {
	t.Helper()
	cmd = exec.Command(os.Args[0], args...)
	cmd.Args[0] = "grouplog" // see TestMain
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	talk = new(bytes.Buffer)
	cmd.Stderr = talk
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, in, bufio.NewScanner(pipe), talk
}

// data is the real history and what it must lead to. The test is skipped where they
// are not: they are not part of the repository.
func data(t *testing.T) (history, truth string) {
	dir := os.Getenv("GROUPLOG_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "data")
	}
	history = filepath.Join(dir, "k8s-org-2018-2021.commands.jsonl.gz")
	truth = filepath.Join(dir, "k8s-org-2018-2021.truth.json.gz")
	if _, err := os.Stat(history); err != nil {
		t.Skipf("the real data is not here (%v): set GROUPLOG_DATA to its directory", err)
	}
	return history, truth
}

// The history of the groups of a real organisation: 14 066 commands, no refusal, and in
// the end, as at the end of every year, exactly the members and roles that are known from
// elsewhere.
func TestRealHistory(t *testing.T) {
	history, truthFile := data(t)
	db := filepath.Join(t.TempDir(), "groups.db")
	_, talk := runMain(t, exitDone, "import", history, "--db", db)
	require.NotContains(t, talk, "refused")
	require.NotContains(t, talk, "malformed")
	requireTruth(t, truthFile, db)
	runMain(t, exitDone, "verify", "--db", db)
	requireExports(t, db)

	// Killed at several places and run again, it ends the same, to the byte.
	want, _ := runMain(t, exitDone, "log", "ls", "--json", "--db", db)
	interrupted := filepath.Join(t.TempDir(), "groups.db")
	importThroughKills(t, history, interrupted, 14_066, 3)
	got, _ := runMain(t, exitDone, "log", "ls", "--json", "--db", interrupted)
	// The same log, and read models that are what it gives (importThroughKills verifies
	// that), are the same members and roles.
	require.True(t, want == got, "the log of the interrupted import differs")
}

// requireTruth compares all memberships and roles, now and as of every time for which
// they are known from elsewhere.
func requireTruth(t *testing.T, truthFile, db string) {
	t.Helper()
	file, err := os.Open(truthFile)
	require.NoError(t, err)
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	var truth struct {
		Groups, Memberships int
		At                  map[string]rolesByGroup // "end", or a time
	}
	require.NoError(t, json.NewDecoder(zipped).Decode(&truth))
	require.Len(t, truth.At["end"], truth.Groups)
	require.Greater(t, len(truth.At), 3)

	engine, err := grouplog.Open(t.Context(), db, &grouplog.Options{MustExist: true})
	require.NoError(t, err)
	defer engine.Close()
	memberships := 0
	for _, roles := range truth.At["end"] {
		memberships += len(roles)
	}
	require.Equal(t, truth.Memberships, memberships)
	require.Equal(t, truth.At["end"], rolesOf(t, engine))
	for at, want := range truth.At {
		if at == "end" {
			continue
		}
		when, err := past.Parse(at)
		require.NoError(t, err)
		asOf, err := engine.AsOf(t.Context(), when)
		require.NoError(t, err)
		require.Equal(t, want, rolesOf(t, asOf), "as of %s", at)
	}

	// What the program lists is the same.
	listed, _ := runMain(t, exitDone, "group", "ls", "--json", "--db", db)
	require.Equal(t, truth.Groups, strings.Count(listed, "\n"))
	require.Equal(t, truth.At["end"]["kubernetes"], rolesByCommand(t, db, "kubernetes"))
}

// rolesByGroup are the roles of members, by group and user.
type rolesByGroup map[string]map[string]string

// rolesByCommand asks the program for the members of a group.
func rolesByCommand(t *testing.T, db, group string) map[string]string {
	t.Helper()
	roles := map[string]string{}
	members, _ := runMain(t, exitDone, "member", "ls", group, "--json", "--db", db)
	for line := range strings.Lines(members) {
		var member struct{ UserID, Role string }
		require.NoError(t, json.Unmarshal([]byte(line), &member))
		roles[member.UserID] = member.Role
	}
	return roles
}

// rolesOf asks a present or a past for all groups and members.
func rolesOf(t *testing.T, of interface {
	Groups(context.Context, groupview.GroupFilter) iter.Seq2[groupview.Group, error]
	Members(context.Context, string, groupview.MemberFilter) iter.Seq2[groupview.Member, error]
},
) rolesByGroup {
	t.Helper()
	got := rolesByGroup{}
	for group, err := range of.Groups(t.Context(), groupview.GroupFilter{}) {
		require.NoError(t, err)
		got[group.GroupID] = map[string]string{}
		for member, err := range of.Members(t.Context(), group.GroupID, groupview.MemberFilter{}) {
			require.NoError(t, err)
			got[group.GroupID][member.UserID] = member.Role.String()
		}
	}
	return got
}

// importThroughKills imports a file with a program that is killed (SIGKILL) so many times,
// somewhere between two answers, until there is nothing left to do.
func importThroughKills(t *testing.T, file, db string, lines, kills int) {
	t.Helper()
	random := rand.New(rand.NewPCG(rand.Uint64(), 0))
	reached := 0
	for range kills {
		cmd, _, out, talk := child(t, "import", file, "--json", "--db", db)
		place := reached + 1 + random.IntN(max(1, (lines-reached)/3))
		position, line := 0, 0
		for line < place && out.Scan() {
			var answer struct {
				Line, Position int
				OK             bool
			}
			require.NoError(t, json.Unmarshal(out.Bytes(), &answer))
			require.True(t, answer.OK, out.Text())
			position, line = max(position, answer.Position), answer.Line
		}
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err == nil {
			// What was left fitted into the pipe, and the program was faster than the kill.
			require.NotZero(t, reached, "it was never killed")
			break
		}
		require.Equal(t, -1, cmd.ProcessState.ExitCode(), "it ended by itself: %s", talk)
		t.Logf("killed after the answer to line %d", line)
		reached = line

		// What has been answered is there, and the log is sound.
		verified, _ := runMain(t, exitDone, "verify", "--json", "--db", db)
		var log struct{ Events int }
		require.NoError(t, json.Unmarshal([]byte(verified), &log))
		require.GreaterOrEqual(t, log.Events, position)
	}
	runMain(t, exitDone, "import", file, "--db", db)
	runMain(t, exitDone, "verify", "--db", db)
	_, talk := runMain(t, exitDone, "import", file, "--db", db)
	require.Contains(t, talk, " 0 done, ")
}

// storyFile is a made-up history, whose lines build on each other.
func storyFile(t *testing.T, groups int) (path string, lines int) {
	t.Helper()
	var b strings.Builder
	for i := range groups {
		for j, line := range []string{
			`"as":"owner","command":"CreateGroup","groupType":"Public","groupID":"g%d","name":"Group %d"`,
			`"as":"bob","command":"RequestJoin","groupID":"g%d","message":"%d"`,
			`"as":"owner","command":"AcceptApplication","groupID":"g%d","fromUser":"bob","reason":"%d"`,
			`"as":"owner","command":"TransferOwner","groupID":"g%d","userID":"bob","at":"2020-02-02T02:02:02.%dZ"`,
		} {
			if j < 3 {
				line = `"at":"2020-01-01T00:00:00Z",` + line
			}
			fmt.Fprintf(&b, "{"+line+"}\n", i, i)
			lines++
		}
	}
	path = filepath.Join(t.TempDir(), "story.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path, lines
}

func TestImportThroughKills(t *testing.T) {
	defer goleak.VerifyNone(t)
	file, lines := storyFile(t, 400)
	straight := filepath.Join(t.TempDir(), "groups.db")
	runMain(t, exitDone, "import", file, "--db", straight)
	interrupted := filepath.Join(t.TempDir(), "groups.db")
	importThroughKills(t, file, interrupted, lines, 6)
	want, _ := runMain(t, exitDone, "log", "ls", "--json", "--db", straight)
	got, _ := runMain(t, exitDone, "log", "ls", "--json", "--db", interrupted)
	require.Equal(t, want, got)
}

// A producer who waits for the answer to each line gets it. Ctrl-C ends the reading;
// what was submitted is recorded and told of.
func TestRunAnswersAndCanBeInterrupted(t *testing.T) {
	db := filepath.Join(t.TempDir(), "groups.db")
	cmd, in, out, talk := child(t, "run", "-", "--json", "--name", "producer", "--db", db)
	for i, line := range []string{
		`{"as":"alice","command":"CreateGroup","groupType":"Meeting","groupID":"go","name":"Go"}`,
		`{"as":"bob","command":"RequestJoin","groupID":"go"}`,
	} {
		_, err := io.WriteString(in, line+"\n")
		require.NoError(t, err)
		require.True(t, out.Scan(), "line %d is not answered", i+1)
		require.Contains(t, out.Text(), fmt.Sprintf(`"line":%d,"ok":true`, i+1))
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.False(t, out.Scan())
	err := cmd.Wait()
	require.Error(t, err)
	require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode(), talk)
	require.Contains(t, talk.String(), "interrupted after line 2: what came before is recorded")
	members, _ := runMain(t, exitDone, "member", "ls", "go", "--json", "--db", db)
	require.Equal(t, 2, strings.Count(members, "\n"))
}

// log tail --follow shows what other processes append.
func TestTailFollows(t *testing.T) {
	db := filepath.Join(t.TempDir(), "groups.db")
	runMain(t, exitDone, "do", "create-group", "--as", "alice", "--type", "Meeting", "--group", "go", "--name", "Go", "--db", db)
	cmd, _, out, talk := child(t, "log", "tail", "--follow", "--db", db)
	require.True(t, out.Scan(), talk)
	require.Contains(t, out.Text(), "alice created the Meeting group go")
	runMain(t, exitDone, "do", "request-join", "--as", "bob", "--group", "go", "--db", db)
	require.True(t, out.Scan(), talk)
	require.Contains(t, out.Text(), "bob joined go")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.False(t, out.Scan())
	_ = cmd.Wait()
	require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode())
}

// log tail --follow says that it waits for a group that there is not, and shows it when it
// has come.
func TestTailWaitsForAGroup(t *testing.T) {
	db := filepath.Join(t.TempDir(), "groups.db")
	create := func(group string) {
		runMain(t, exitDone, "do", "create-group", "--as", "alice", "--type", "Meeting", "--group", group, "--name", "G", "--db", db)
	}
	create("go")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, talk bytes.Buffer
	a := &app{out: io.MultiWriter(&out, interrupter(cancel)), talk: io.MultiWriter(&talk, interrupter(func() { create("chess") }))}
	root := a.root()
	root.SetArgs([]string{"log", "tail", "--follow", "--group", "chess", "--db", db})
	require.Equal(t, exitInterrupted, a.exitCode(root.ExecuteContext(ctx)))
	require.Equal(t, "group \"chess\": not found yet: waiting\n", talk.String())
	require.Contains(t, out.String(), "alice created the Meeting group chess")
}

// audit --follow shows the newest entries, and then what other processes do, and what they
// are refused.
func TestAuditFollows(t *testing.T) {
	db := filepath.Join(t.TempDir(), "groups.db")
	runMain(t, exitDone, "do", "create-group", "--as", "alice", "--type", "Meeting", "--group", "go", "--name", "Go", "--db", db)
	cmd, _, out, talk := child(t, "audit", "--follow", "--db", db)
	require.True(t, out.Scan(), talk)
	require.Contains(t, out.Text(), "alice created the Meeting group go")
	runMain(t, exitDone, "do", "request-join", "--as", "bob", "--group", "go", "--db", db)
	require.True(t, out.Scan(), talk)
	require.Contains(t, out.Text(), "bob joined go")
	runMain(t, exitRefused, "do", "request-join", "--as", "bob", "--group", "go", "--db", db)
	require.True(t, out.Scan(), talk)
	require.Contains(t, out.Text(), "bob tried RequestJoin in go and was refused, already_member")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.False(t, out.Scan())
	_ = cmd.Wait()
	require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode())
}

// audit --follow --limit 0 begins with all that there is, the oldest first.
func TestAuditFollowsFromTheFirst(t *testing.T) {
	db := filepath.Join(t.TempDir(), "groups.db")
	file := filepath.Join(t.TempDir(), "commands.jsonl")
	const groups = 120
	var lines strings.Builder
	for n := range groups {
		fmt.Fprintf(&lines, `{"as":"alice","command":"CreateGroup","groupType":"Meeting","groupID":"g%d","name":"G"}`+"\n", n)
	}
	require.NoError(t, os.WriteFile(file, []byte(lines.String()), 0o600))
	runMain(t, exitDone, "run", file, "--db", db)
	cmd, _, out, talk := child(t, "audit", "--follow", "--limit", "0", "--db", db)
	for n := range groups {
		require.True(t, out.Scan(), talk)
		require.Contains(t, out.Text(), fmt.Sprintf("alice created the Meeting group g%d,", n))
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
}
