package cli

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/projections/consumers"
	"github.com/grouplog/grouplog/projections/notify"
)

// mailer is a program that embeds the engine: it listens under the name "mailer" from
// the start, and says what it is told, a line each, when it has handled it:
//
//	mailer [--fail GROUP] [--slow TIME] [--long] [--stay] DB
//
// What it is told of a group that is to fail it cannot handle, and has one attempt. It
// ends when it has come to the end of the log, or, with --stay, when it is killed. With
// --long, its lines are so long that a pipe takes few of them.
func mailer() {
	flags := flag.NewFlagSet("mailer", flag.ExitOnError)
	fail := flags.String("fail", "", "")
	slow := flags.Duration("slow", 0, "")
	long := flags.Bool("long", false, "")
	stay := flags.Bool("stay", false, "")
	_ = flags.Parse(os.Args[1:])
	end := "\n"
	if *long {
		end = " " + strings.Repeat(".", 1000) + end
	}
	if err := mail(context.Background(), flags.Arg(0), *fail, *slow, end, *stay); err != nil {
		fmt.Fprintln(os.Stderr, "mailer:", err)
		os.Exit(1)
	}
}

func mail(ctx context.Context, db, fail string, slow time.Duration, end string, stay bool) (err error) {
	engine, err := grouplog.Open(ctx, db, &grouplog.Options{MustExist: true, Poll: 10 * time.Millisecond})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	opts := []notify.ListenOption{notify.FromStart()}
	if fail != "" {
		opts = append(opts, notify.Attempts(1))
	}
	l, err := engine.Listen(ctx, "mailer", func(_ context.Context, d notify.Delivery) error {
		time.Sleep(slow)
		if d.GroupID == fail {
			return errors.New("no mail for this group")
		}
		_, err := fmt.Printf("%s %s %s %d %s%s", d.ID, d.Kind, d.GroupID, d.Attempt, d.Occasion, end)
		return err
	}, opts...)
	if err != nil {
		return err
	}
	if stay {
		<-l.Done()
		return nil
	}
	head, err := engine.Log().Head(ctx)
	if err != nil {
		return err
	}
	return l.WaitFor(ctx, head)
}

// program is one of TestMain's programs as a process of its own.
func program(t *testing.T, name string, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Args[0] = name
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// Listeners are killed again and again, between the write and the handler's work, after
// it, and anywhere: what the log says is told, each group's in order, and nothing twice
// but what was under way.
func TestListenerThroughKills(t *testing.T) {
	file, _ := storyFile(t, 40)
	db := filepath.Join(t.TempDir(), "groups.db")
	runMain(t, exitDone, "import", file, "--db", db)
	seen, last, kills := map[string]int{}, map[string]string{}, 0
	for round := 0; ; round++ {
		cmd, out := program(t, "mailer", "--slow", "100us", "--long", db)
		for n := 0; out.Scan(); n++ {
			fields := strings.Fields(out.Text())
			id, group := fields[0], fields[2]
			seen[id]++
			require.False(t, before(id, last[group]), "%s after %s, in one group", id, last[group])
			last[group] = id
			if n == 7*round {
				_ = cmd.Process.Kill()
			}
		}
		if cmd.Wait() == nil {
			break
		}
		kills++
	}
	require.Greater(t, kills, 3)
	want := allTold(t, db)
	again := 0
	for id := range want {
		require.Positive(t, seen[id], "%s was not told", id)
		again += seen[id] - 1
	}
	require.Len(t, seen, len(want))
	require.LessOrEqual(t, again, kills, "what was under way, and no more")
}

// before compares the IDs of notifications.
func before(a, b string) bool {
	var p, q consumers.Place
	_, _ = fmt.Sscanf(a, "%d/%d", &p.Position, &p.Index)
	_, _ = fmt.Sscanf(b, "%d/%d", &q.Position, &q.Index)
	return p.Before(q)
}

// allTold are the IDs of all notifications, from those of every user.
func allTold(t *testing.T, db string) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for _, user := range []string{"owner", "bob"} {
		out, _ := runMain(t, exitDone, "told", user, "--db", db)
		for line := range strings.Lines(out) {
			ids[strings.Fields(line)[0]] = true
		}
	}
	require.NotEmpty(t, ids)
	return ids
}

// Of two processes that listen under one name, one is told; when it is killed, the other
// goes on where it was.
func TestListenerTakesOver(t *testing.T) {
	file, _ := storyFile(t, 30)
	db := filepath.Join(t.TempDir(), "groups.db")
	runMain(t, exitDone, "import", file, "--db", db)
	want := allTold(t, db)
	one, told := program(t, "mailer", "--stay", "--slow", "1ms", db)
	seen := map[string]int{}
	id := func(s *bufio.Scanner) string { return strings.Fields(s.Text())[0] }
	for range 20 {
		require.True(t, told.Scan())
		seen[id(told)]++
	}
	two, next := program(t, "mailer", "--stay", db)
	t.Cleanup(func() { _ = two.Process.Kill(); _ = two.Wait() })
	for range 20 {
		require.True(t, told.Scan())
		seen[id(told)]++
	}
	require.NoError(t, one.Process.Kill())
	for told.Scan() { // what it had written
		seen[id(told)]++
	}
	_ = one.Wait()
	for len(seen) < len(want) {
		require.True(t, next.Scan())
		seen[id(next)]++
	}
	again := 0
	for id := range want {
		again += seen[id] - 1
	}
	require.LessOrEqual(t, again, 1, "only what was under way is told twice")
}
