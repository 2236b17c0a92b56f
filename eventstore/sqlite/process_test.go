package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest/powercut"
)

// What a child process is told by its environment.
const (
	childRole = "GROUPLOG_TEST_CHILD"
	childPath = "GROUPLOG_TEST_PATH"
	childStep = "GROUPLOG_TEST_STEP" // of roleFaults: which calls fail
)

// Roles of child processes.
const (
	roleAppend = "append" // append for ever, and say what was acknowledged
	roleCount  = "count"  // count a stream up, in competition with others
	roleDenied = "denied" // open files that may not be written

	roleWatched  = "watched"  // as append, on a disk whose power may fail
	roleCareless = "careless" // the same, without the syncs of a commit
	roleFaults   = "faults"   // append on a disk of which one call after the other fails
)

const childCounts = 60

func runChild(role, path string) int {
	run, ok := map[string]func(ctx context.Context, path string) error{
		roleAppend: childAppend, roleCount: childCount, roleDenied: childDenied,
		roleWatched: childWatched, roleCareless: childCareless, roleFaults: childFaults,
	}[role]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such role:", role)
		return 2
	}
	if err := run(context.Background(), path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// childAppend appends from many goroutines and prints each position and text after it
// was acknowledged, with the moment of that where a disk is watched, until it is killed.
func childAppend(ctx context.Context, path string) error {
	return appendForEver(ctx, path, &Options{BusyTimeout: time.Minute})
}

func appendForEver(ctx context.Context, path string, opts *Options) error {
	db, err := Open(ctx, path, opts)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for i := range 8 {
		go func() {
			for n := 0; ; n++ {
				text := fmt.Sprintf("%d/%d/%d", os.Getpid(), i, n)
				results, err := db.Append(ctx, withOutcome(commit(fmt.Sprint("stream ", i%3), eventstore.Any(), text, "and"), text))
				if err != nil || results[0].Err != nil {
					failed <- fmt.Errorf("append: %w %v", err, results)
					return
				}
				// One write, of less than a pipe takes at once.
				fmt.Printf("%d %s %d\n", results[0].First, text, powercut.Written())
			}
		}()
	}
	return <-failed
}

// childCount appends to a stream that others append to, as often as it is to.
func childCount(ctx context.Context, path string) error {
	db, err := Open(ctx, path, nil)
	if err != nil {
		return err
	}
	return errors.Join(countUp(ctx, db, fmt.Sprint(os.Getpid())), db.Close())
}

func countUp(ctx context.Context, db *DB, who string) error {
	at := eventstore.Version(0)
	for n := 0; n < childCounts; {
		results, err := db.Append(ctx, commit("counter", eventstore.Exactly(at), fmt.Sprintf("%s/%d", who, n)))
		var conflict *eventstore.ConflictError
		switch {
		case errors.Is(err, eventstore.ErrBusy):
		case err != nil:
			return err
		case results[0].Err == nil:
			at = results[0].Version
			n++
		case errors.As(results[0].Err, &conflict):
			at = conflict.Actual
		default:
			return results[0].Err
		}
	}
	return nil
}

func startChild(t *testing.T, role, path string, env ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), childRole+"="+role, childPath+"="+path), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, out
}

// TestKill kills a process in the midst of its appends, several times. Everything that
// it had acknowledged is there; what is there beyond that is whole.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	acknowledged := make(map[eventstore.Position]string)
	for round := range 5 {
		cmd, out := startChild(t, roleAppend, path)
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var (
				position eventstore.Position
				text     string
			)
			_, err := fmt.Sscanf(lines.Text(), "%d %s", &position, &text)
			require.NoError(t, err, lines.Text())
			require.NotContains(t, acknowledged, position, "a position is used once, even after a crash")
			acknowledged[position] = text
			if n == 40+17*round {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait())

		db := openAt(t, path, nil)
		all, err := drain(t, db)
		require.NoError(t, err)
		require.Zero(t, len(all)%2, "a commit is there as a whole or not at all")
		for position, text := range acknowledged {
			require.LessOrEqual(t, int(position), len(all), "what was acknowledged is there")
			require.Equal(t, event(text).Data, all[position-1].Data)
			_, found, err := db.Outcome(t.Context(), text)
			require.NoError(t, err)
			require.True(t, found, "an outcome is there with its events")
		}
		require.NoError(t, db.Check(t.Context()))
		require.NoError(t, db.Close())
	}
	require.Greater(t, len(acknowledged), 5*40)
}

func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	db := openAt(t, path, nil)
	cmd, _ := startChild(t, roleCount, path)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := countUp(t.Context(), db, "parent"); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	require.NoError(t, cmd.Wait())
	all, err := drain(t, db)
	require.NoError(t, err)
	require.Len(t, all, 2*childCounts, "each process's appends are stored, each once")
	require.NoError(t, db.Check(t.Context()))
}

// TestAProcessGetsItsTurn appends beside a process that never stops.
func TestAProcessGetsItsTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	db := openAt(t, path, nil)
	cmd, out := startChild(t, roleAppend, path)
	_, err := bufio.NewReader(out).ReadString('\n') // it is at it
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, out)
		close(ended)
	}()
	for range 15 {
		before, err := db.Head(t.Context())
		require.NoError(t, err)
		for head := before; head < before+100; { // the other one has the lock, again and again
			select {
			case <-ended:
				require.FailNow(t, "the other process has ended")
			default:
			}
			head, err = db.Head(t.Context())
			require.NoError(t, err)
		}
		requireTurn(t, db)
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
}

// requireTurn appends. It may be ErrBusy where little is written meanwhile: the disk is slow.
func requireTurn(t *testing.T, db *DB) {
	t.Helper()
	for {
		before, err := db.Head(t.Context())
		require.NoError(t, err)
		_, busy := db.Append(t.Context(), commit("s", eventstore.Any(), "x"))
		if busy == nil {
			return
		}
		require.ErrorIs(t, busy, eventstore.ErrBusy)
		after, err := db.Head(t.Context())
		require.NoError(t, err)
		require.Less(t, after, before+200, "others were given the lock in its place")
	}
}

// childDenied opens logs that its user may read and not write, and prints what it finds.
func childDenied(ctx context.Context, dir string) error {
	for _, name := range []string{"file", "dir", "backup"} {
		path := filepath.Join(dir, name, "groups.db")
		_, err := Open(ctx, path, nil)
		fmt.Printf("%s: open: read-only=%v\n", name, errors.Is(err, eventstore.ErrReadOnly))
		if !errors.Is(err, eventstore.ErrReadOnly) {
			fmt.Fprintln(os.Stderr, name, err)
		}
		db, err := Open(ctx, path, &Options{ReadOnly: true})
		if name == "dir" {
			fmt.Printf("%s: read: hint=%v\n", name, errors.Is(err, eventstore.ErrReadOnly) && strings.Contains(err.Error(), "read a backup"))
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: for reading: %w", name, err)
		}
		n := 0
		for _, err := range db.ReadAll(ctx, 0) {
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			n++
		}
		fmt.Printf("%s: read %d\n", name, n)
		if err := db.Close(); err != nil {
			return err
		}
	}
	_, err := Open(ctx, filepath.Join(dir, "empty", "groups.db"), nil)
	fmt.Printf("empty: create: read-only=%v\n", errors.Is(err, eventstore.ErrReadOnly))
	_, err = Open(ctx, filepath.Join(dir, "secret", "groups.db"), nil)
	fmt.Printf("secret: denied=%v read-only=%v\n", errors.Is(err, os.ErrPermission), errors.Is(err, eventstore.ErrReadOnly))
	return nil
}

// TestDenied opens files that may not be written, as a user to whom that applies: root,
// as whom tests may run, may do everything.
func TestDenied(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"file", "dir", "backup", "empty", "secret"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	for name, mode := range map[string]os.FileMode{"file": 0o444, "dir": 0o444, "secret": 0} {
		path := filepath.Join(dir, name, "groups.db")
		db := openAt(t, path, nil)
		fill(t, db, 3)
		if name == "file" {
			require.NoError(t, db.Backup(t.Context(), filepath.Join(dir, "backup", "groups.db")))
		}
		require.NoError(t, db.Close())
		require.NoError(t, os.Chmod(path, mode))
	}
	for name, mode := range map[string]os.FileMode{"file": 0o777, "dir": 0o555, "backup": 0o555, "empty": 0o555, "secret": 0o755} {
		require.NoError(t, os.Chmod(filepath.Join(dir, name), mode))
	}
	program := os.Args[0]
	cmd := exec.CommandContext(t.Context(), program)
	if os.Geteuid() == 0 {
		program = filepath.Join(dir, "program")
		binary, err := os.ReadFile(os.Args[0])
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(program, binary, 0o755))
		for up := dir; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
			require.NoError(t, os.Chmod(up, 0o755)) // t.TempDir makes them for the owner only
		}
		const nobody = 65534
		cmd = exec.CommandContext(t.Context(), program)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), childRole+"="+roleDenied, childPath+"="+dir)
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skipf("no process of another user can be started here: %v", err)
	}
	require.NoError(t, err, talk.String())
	require.Equal(t, `file: open: read-only=true
file: read 3
dir: open: read-only=true
dir: read: hint=true
backup: open: read-only=true
backup: read 3
empty: create: read-only=true
secret: denied=true read-only=false
`, string(out), talk.String())
}
