package jetstreamtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// childNode is what the environment of a process that is a server holds: a node.
const childNode = "GROUPLOG_TEST_NATS_SERVER"

var mainCalled bool

// Main is called by TestMain, with what it returns in the place of m:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(jetstreamtest.Main(m)) }
//
// It lets the test binary be a server of StartProcesses, and then does not return. When
// the tests have run, it stops the cluster that they have shared.
func Main(m *testing.M) interface{ Run() int } {
	if text := os.Getenv(childNode); text != "" {
		if err := serve([]byte(text)); err != nil {
			fmt.Fprintln(os.Stderr, "jetstreamtest:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	mainCalled = true
	return tests{m}
}

func requireMain(t testing.TB) {
	t.Helper()
	require.True(t, mainCalled, "TestMain must call jetstreamtest.Main: the test binary is run again as a server, and the shared cluster stopped")
}

type tests struct{ m *testing.M }

func (r tests) Run() int {
	code := r.m.Run()
	stopShared()
	return code
}

// serve is a server until the parent closes the pipe or is gone.
func serve(text []byte) error {
	var n node
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	s, err := n.start()
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	s.Shutdown()
	s.WaitForShutdown()
	return err
}

// process is a server in a process of its own.
type process struct {
	cmd  *exec.Cmd
	hold io.Closer // the server stops when it is closed

	done chan struct{} // closed when the process has ended
	err  error         // as what; to be read when done
	once sync.Once
}

func runProcess(n node) (runner, error) {
	text, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(context.Background(), os.Args[0]), done: make(chan struct{})}
	// Under the race detector, a process else sleeps for a second before it ends.
	p.cmd.Env = append(os.Environ(), childNode+"="+string(text), "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	p.cmd.Stderr = os.Stderr
	if p.hold, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		if p.err = p.cmd.Wait(); p.err == nil {
			p.err = errors.New("stopped")
		}
	}()
	return p, nil
}

func (p *process) stop() {
	p.once.Do(func() { _ = p.hold.Close() }) // fails where the process has ended already
	<-p.done
}

func (p *process) end() {
	_ = p.kill() // fails where the process has ended already
}

func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.done
	return err
}

func (p *process) pause(on bool) error { return pause(p.cmd.Process, on) }

func (p *process) ended() error {
	select {
	case <-p.done:
		return fmt.Errorf("the process has ended: %w", p.err)
	default:
		return nil
	}
}
