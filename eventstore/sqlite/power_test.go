package sqlite

import (
	"bufio"
	"context"
	"database/sql/driver"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest/powercut"
)

// powerCuts is how often the power fails in each of the tests below:
//
//	go test ./eventstore/sqlite -run Power -powercuts 5000 -timeout 1h
var powerCuts = flag.Int("powercuts", 40, "how often the power fails")

// eager lets SQLite move the -wal into the file often, so that the power fails in the
// midst of that as well.
type eager struct {
	*sqlite3.SQLiteConn
	also string // a statement before the first transaction, when the settings have been read back
}

func (c *eager) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if query == "BEGIN IMMEDIATE" {
		if _, err := c.ExecContext(ctx, "PRAGMA wal_autocheckpoint = 12;"+c.also, nil); err != nil {
			return nil, err
		}
	}
	return c.SQLiteConn.PrepareContext(ctx, query)
}

func eagerly(also string) *Options {
	return &Options{dial: func(dsn string) (driver.Conn, error) {
		c, err := dial(dsn)
		if err != nil {
			return nil, err
		}
		return &eager{SQLiteConn: c.(*sqlite3.SQLiteConn), also: also}, nil
	}}
}

func childWatched(ctx context.Context, path string) error {
	return appendForEver(ctx, path, eagerly(""))
}

func childCareless(ctx context.Context, path string) error {
	return appendForEver(ctx, path, eagerly("PRAGMA synchronous = NORMAL"))
}

// receipt is what was acknowledged, and when.
type receipt struct {
	position eventstore.Position
	text     string
	moment   powercut.Moment
}

// watch runs a child on a watched disk until it has acknowledged so much, and kills it.
func watch(t *testing.T, role, dir string, enough int) (*powercut.Disk, []receipt) {
	t.Helper()
	disk := powercut.Watch(t, dir)
	cmd, out := startChild(t, role, filepath.Join(disk.Dir(), "groups.db"), disk.Env()...)
	var receipts []receipt
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var r receipt
		_, err := fmt.Sscanf(lines.Text(), "%d %s %d", &r.position, &r.text, &r.moment)
		require.NoError(t, err, lines.Text())
		require.NotZero(t, r.moment, "nothing is written down: the child does not load the library")
		if receipts = append(receipts, r); len(receipts) == enough {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait())
	return disk, receipts
}

// survives is what is wrong with the log that is in a directory after the power has
// failed at a moment, and how many acknowledged appends were due to be there.
func survives(t *testing.T, dir string, at powercut.Moment, receipts []receipt) (due int, err error) {
	t.Helper()
	for _, r := range receipts {
		if r.moment <= at {
			due++
		}
	}
	path := filepath.Join(dir, "groups.db")
	db, err := Open(t.Context(), path, &Options{MustExist: true})
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, eventstore.ErrNotALog) {
		if due > 0 {
			return due, err
		}
		db, err = Open(t.Context(), path, nil) // a log that was being made is made now
	}
	if err != nil {
		return due, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var all []eventstore.Record
	if _, err := eventstore.Verify(t.Context(), db, func(r eventstore.Record) error { all = append(all, r); return nil }, nil); err != nil {
		return due, err
	}
	if err := db.Check(t.Context()); err != nil {
		return due, err
	}
	if len(all)%2 != 0 {
		return due, fmt.Errorf("half of a commit is there: %d records", len(all))
	}
	for _, r := range receipts {
		if r.moment > at {
			continue
		}
		if int(r.position) > len(all) || string(all[r.position-1].Data) != string(event(r.text).Data) {
			return due, fmt.Errorf("%q was acknowledged at position %d, and is lost: the log ends at %d", r.text, r.position, len(all))
		}
		if _, found, err := db.Outcome(t.Context(), r.text); err != nil || !found {
			return due, fmt.Errorf("the outcome of %q is lost (%w)", r.text, err)
		}
	}
	_, err = db.Append(t.Context(), commit("after", eventstore.Any(), "on", "and"))
	return due, err
}

// What has been acknowledged survives a loss of power, at whatever moment and whatever
// the disk had written by itself; a log that has just been made, too. The next log goes on
// from what the last loss has left.
func TestPowerCut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	checked := 0
	var kept []receipt // from rounds before
	const rounds = 4
	for range rounds {
		disk, receipts := watch(t, roleWatched, dir, 30+random.IntN(150))
		receipts = append(receipts, kept...)
		var at powercut.Moment
		for i, moment := range disk.Moments(t, random, max(2, *powerCuts/rounds)) {
			at = moment
			luck := powercut.NothingOfIt()
			if i%2 == 1 {
				luck = powercut.SomeOfIt(random)
			}
			dir = t.TempDir()
			disk.Restore(t, dir, at, luck)
			due, err := survives(t, dir, at, receipts)
			require.NoError(t, err, "the power failed at moment %d", at)
			checked += due
		}
		kept = nil
		for _, r := range receipts {
			if r.moment <= at {
				r.moment = 0 // is due whenever the power fails again
				kept = append(kept, r)
			}
		}
	}
	require.Positive(t, checked, "nothing was acknowledged before any of the moments")
}

// The proof that TestPowerCut can fail: without the sync of each commit, which is the
// driver's own default, acknowledged commits are lost.
func TestPowerCutFindsWhatIsNotSynced(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	disk, receipts := watch(t, roleCareless, t.TempDir(), 100)
	lost := 0
	for _, at := range disk.Moments(t, random, 20) {
		dir := t.TempDir()
		disk.Restore(t, dir, at, powercut.NothingOfIt())
		if _, err := survives(t, dir, at, receipts); err != nil {
			lost++
		}
	}
	require.Positive(t, lost)
}
