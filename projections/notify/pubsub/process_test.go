package pubsub_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// What a child process is told by its environment.
const (
	childRole = "GROUPLOG_TEST_CHILD"
	childDir  = "GROUPLOG_TEST_DIR"
)

// roles of child processes, each until it is killed.
var roles = map[string]func(t testing.TB, dir string){"consume": childConsume, "forward": childForward}

// TestMain lets the test binary be a child.
func TestMain(m *testing.M) {
	if role := roles[os.Getenv(childRole)]; role != nil {
		testing.Init()
		role(parentless{}, os.Getenv(childDir))
		os.Exit(1)
	}
	log.SetOutput(io.Discard)                                                                           // Watermill's suite says every message
	const forgotten = "github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe." // by the suite
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(forgotten+"func2"), goleak.IgnoreAnyFunction(forgotten+"func3"))
}

// parentless is the T of a child.
type parentless struct{ testing.TB }

func (parentless) Helper() {}

func (parentless) Cleanup(func()) {}

func (parentless) Context() context.Context { return context.Background() }

func (parentless) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (parentless) FailNow() { os.Exit(1) }

// startChild starts a child that writes to a pipe.
func startChild(t *testing.T, role, dir string, out *os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	require.NoError(t, cmd.Start())
	return cmd
}

// kill ends a child in the midst of what it does.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
}

// childConsume takes the messages of a topic and says each before it acknowledges it.
func childConsume(t testing.TB, dir string) {
	p := openPlace(t, dir)
	for m := range subscribe(t, newSubscriber(t, p.log, p.grouped("g")), "t") {
		// One write, of less than a pipe takes at once, and long enough that a pipe takes few:
		// who is killed has not said all there is to say.
		fmt.Printf("%d %s %s\n", os.Getpid(), m.UUID, strings.Repeat(".", 1000))
		m.Ack()
	}
}

// TestKill kills consumers of a group again and again, of which there are two at any
// time. Nothing is passed over, and the order holds: what is said is one run of numbers,
// that goes back only where another process takes over, and not far.
func TestKill(t *testing.T) {
	const last = 3_000
	dir := t.TempDir()
	p := openPlace(t, dir)
	publish(t, p.log, "t", 1, last)
	out, in, err := os.Pipe()
	require.NoError(t, err)
	defer out.Close()
	defer in.Close()
	children := []*exec.Cmd{startChild(t, "consume", dir, in), startChild(t, "consume", dir, in)}
	var (
		lines     = bufio.NewScanner(out)
		at        = 0
		who       string
		takeovers int
	)
	for until := 200; at < last && lines.Scan(); until-- {
		said := strings.Fields(lines.Text())
		pid, id := said[0], said[1]
		n, err := strconv.Atoi(id)
		require.NoError(t, err)
		if pid != who {
			require.LessOrEqual(t, n, at+1, "a message was passed over")
			require.Greater(t, n, at-65, "more than 64 messages come again")
			who = pid
			takeovers++
		} else {
			require.Equal(t, at+1, n)
		}
		at = n
		if until == 0 {
			victim := rand.IntN(2)
			kill(t, children[victim])
			children[victim] = startChild(t, "consume", dir, in)
			until = 50 + rand.IntN(300)
		}
	}
	require.Equal(t, last, at)
	require.Greater(t, takeovers, 2)
	for _, child := range children {
		kill(t, child)
	}
	s := newSubscriber(t, p.log, p.grouped("g"))
	publish(t, p.log, "t", last+1, last+1)
	for m := range subscribe(t, s, "t") {
		m.Ack()
		if m.UUID == strconv.Itoa(last+1) {
			break
		}
		n, err := strconv.Atoi(m.UUID)
		require.NoError(t, err)
		require.Greater(t, n, last-64)
	}
}
