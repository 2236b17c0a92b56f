package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
)

// TestMain lets the test binary be the program: scripts and tests run it as grouplog.
func TestMain(m *testing.M) {
	// Under the race detector, a program else sleeps for a second before it ends, and here
	// hundreds are run. What is set from outside counts more.
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	testscript.Main(m, map[string]func(){
		"grouplog": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"mailer":   mailer,
	})
}

// TestScript runs the scripts in testdata/script, each in a directory of its own.
// GROUPLOG_UPDATE=1 writes what the program says into the files that cmp compares with.
func TestScript(t *testing.T) { runScripts(t, "testdata/script", nil) }

// TestClusterScript runs those of testdata/cluster, beside a cluster of three servers of
// which $CLUSTER is the address.
func TestClusterScript(t *testing.T) {
	cluster := jetstreamtest.Start(t, nil)
	runScripts(t, "testdata/cluster", map[string]string{"CLUSTER": cluster.URL()})
}

func runScripts(t *testing.T, dir string, variables map[string]string) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("GROUPLOG_UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			env.Setenv("TMPDIR", env.WorkDir)
			env.Setenv("GORACE", os.Getenv("GORACE"))
			for name, value := range variables {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    scriptExits,
			"sql":      scriptSQL,
			"lock":     scriptLock,
			"reads":    scriptReads,
			"damage":   scriptDamage,
			"gzip":     scriptGzip,
			"truncate": scriptTruncate,
			"repeat":   scriptRepeat,
			"lines":    scriptLines,
			"publish":  scriptPublish,
			"cursor":   scriptCursor,
			"spoil":    scriptSpoil,
		},
	})
}

// scriptExits runs a program and asks for its exit code: exits CODE PROGRAM ARG...
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func open(ts *testscript.TestScript, path string) *sql.DB {
	db, err := sql.Open("sqlite3", "file:"+ts.MkAbs(path))
	ts.Check(err)
	db.SetMaxOpenConns(1)
	return db
}

// scriptSQL changes a file behind the program's back: sql FILE STATEMENT.
func scriptSQL(ts *testscript.TestScript, neg bool, args []string) {
	db := open(ts, args[0])
	_, err := db.Exec(args[1])
	ts.Check(err)
	ts.Check(db.Close())
}

// scriptLock is another program that writes to a file until the script ends: lock FILE.
func scriptLock(ts *testscript.TestScript, neg bool, args []string) {
	db := open(ts, args[0])
	_, err := db.Exec("BEGIN IMMEDIATE")
	ts.Check(err)
	ts.Defer(func() { ts.Check(db.Close()) })
}

// scriptReads is another program that reads a file until the script ends, so that its -wal
// stays: reads FILE.
func scriptReads(ts *testscript.TestScript, neg bool, args []string) {
	db := open(ts, args[0])
	_, err := db.Exec("BEGIN; SELECT count(*) FROM sqlite_master")
	ts.Check(err)
	ts.Defer(func() { ts.Check(db.Close()) })
}

// scriptDamage overwrites a few bytes after the only occurrence of a text that a file
// is searched for: damage FILE TEXT.
func scriptDamage(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	at := bytes.Index(data, []byte(args[1]))
	if at < 0 {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	copy(data[at:], strings.Repeat("#", len(args[1])))
	ts.Check(os.WriteFile(path, data, 0o600))
}

// scriptGzip compresses: gzip FROM TO.
func scriptGzip(ts *testscript.TestScript, neg bool, args []string) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), zipped.Bytes(), 0o600))
}

// scriptTruncate takes bytes from the end of a file: truncate FILE BYTES.
func scriptTruncate(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(data[:len(data)-n]), 0o600))
}

// scriptRepeat puts a text in the place of the word REPEAT, many times: repeat FILE TEXT N.
// A text may be written as Go would: \xff.
func scriptRepeat(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	data := strings.ReplaceAll(ts.ReadFile(args[0]), "REPEAT", strings.Repeat(text, n))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(data), 0o600))
}

// scriptLines counts the lines of standard output: lines N.
func scriptLines(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile("stdout"), "\n"); got != want {
		ts.Fatalf("%d lines, want %d", got, want)
	}
}

// scriptSpoil overwrites all of a SQLite file but its first page, which says what it is: spoil FILE.
func scriptSpoil(ts *testscript.TestScript, neg bool, args []string) {
	data := []byte(ts.ReadFile(args[0]))
	copy(data[4096:], bytes.Repeat([]byte("spoilt"), len(data)/6))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// scriptCursor keeps the cursor that standard error tells: cursor NAME.
func scriptCursor(ts *testscript.TestScript, neg bool, args []string) {
	_, cursor, told := strings.Cut(ts.ReadFile("stderr"), "--cursor ")
	if !told {
		ts.Fatalf("no cursor is told")
	}
	ts.Setenv(args[0], strings.TrimSpace(cursor))
}

// scriptPublish is another program that puts messages into a log: publish FILE TOPIC TEXT...
func scriptPublish(ts *testscript.TestScript, neg bool, args []string) {
	log, err := sqlite.Open(context.Background(), ts.MkAbs(args[0]), nil)
	ts.Check(err)
	for _, text := range args[2:] {
		event, err := projections.Message{UUID: text, Payload: []byte(text)}.Event()
		ts.Check(err)
		event.Actor, event.Time = "shop", time.Unix(1_700_000_000, 0)
		_, err = log.Append(context.Background(), eventstore.Commit{Stream: projections.MessageStream(args[1]), Events: []eventstore.Event{event}})
		ts.Check(err)
	}
	ts.Check(log.Close())
}
