package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/eventstore"
)

const dropTriggers = `DROP TRIGGER events_no_update; DROP TRIGGER events_no_delete;
	DROP TRIGGER outcomes_no_update; DROP TRIGGER outcomes_no_delete`

// closedLog is the path of a log of n records, which is closed.
func closedLog(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "groups.db")
	db := openAt(t, path, nil)
	fill(t, db, n)
	require.NoError(t, db.Close())
	return path
}

// rewrite changes the bytes of a file.
func rewrite(t testing.TB, path string, change func(content []byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, change(content), 0o600))
}

func TestAppendOnly(t *testing.T) {
	db := open(t, nil)
	fill(t, db, 2)
	for _, statement := range []string{
		"UPDATE events SET actor = 'mallory'", "DELETE FROM events", "DELETE FROM events WHERE position = 2",
		"UPDATE outcomes SET answer = x''", "DELETE FROM outcomes",
		"UPDATE log SET id = 'x'", "DELETE FROM log", "INSERT INTO log VALUES (2, 'x', 0)",
	} {
		require.Error(t, db.writer.conn.exec(statement), "%s is refused by the file itself", statement)
	}
	all, err := drain(t, db)
	require.NoError(t, err)
	require.Len(t, all, 2)
}

// TestFlippedByte changes one byte of a record's data on disk, of which SQLite itself
// sees nothing.
func TestFlippedByte(t *testing.T) {
	path := closedLog(t, 300)
	rewrite(t, path, func(content []byte) []byte {
		payload := []byte(`{"text":"217"}`)
		require.Equal(t, 1, bytes.Count(content, payload))
		content[bytes.Index(content, payload)+len(`{"text":"2`)] ^= 0x01
		return content
	})
	db := openAt(t, path, nil)
	requireDamageAt(t, db, 217)
	n := 0
	for r, err := range db.ReadAll(t.Context(), 217) {
		require.NoError(t, err)
		require.EqualValues(t, 218+n, r.Position, "what lies behind the damage can be read")
		n++
	}
	require.Equal(t, 83, n)
}

// requireDamageAt checks that the log is read up to a damaged position and not beyond.
func requireDamageAt(t testing.TB, db *DB, position eventstore.Position) {
	t.Helper()
	all, err := drain(t, db)
	require.ErrorIs(t, err, eventstore.ErrDamaged)
	var damage *eventstore.DamageError
	require.ErrorAs(t, err, &damage)
	require.Equal(t, position, damage.Position, "%v", err)
	require.Len(t, all, int(position)-1, "what lies before the damage is read")

	n, failed := 0, error(nil)
	for _, err := range db.ReadStream(t.Context(), "s", 0) {
		if failed = err; err == nil {
			n++
		}
	}
	require.ErrorIs(t, failed, eventstore.ErrDamaged)
	require.ErrorContains(t, failed, `"s"`)
	require.Equal(t, int(position)-1, n)
}

func TestChangedColumn(t *testing.T) {
	for column, value := range map[string]string{
		"type": "'thing.Happened'", "schema": "2", "actor": "'mallory'", "app_admin": "1", "time": "time + 1", "command_id": "''",
		"data": `'{"text":"6"}'`, "checksum": "checksum + 1", "app_admin ": "7",
	} {
		path := closedLog(t, 9)
		tamper(t, path, dropTriggers, fmt.Sprintf("UPDATE events SET %s = %s WHERE position = 5", column, value))
		requireDamageAt(t, openAt(t, path, nil), 5)
	}
	for name, statement := range map[string]string{
		"stream":          "UPDATE events SET stream = 't' WHERE position = 9",
		"version":         "UPDATE events SET version = 10 WHERE position = 9",
		"position":        "UPDATE events SET position = 10 WHERE position = 9",
		"places swapped":  "UPDATE events SET position = 10 WHERE position = 8; UPDATE events SET position = 8 WHERE position = 9; UPDATE events SET position = 9 WHERE position = 10",
		"another's bytes": "UPDATE events SET data = (SELECT data FROM events WHERE position = 1), checksum = (SELECT checksum FROM events WHERE position = 1) WHERE position = 9",
	} {
		path := closedLog(t, 9)
		tamper(t, path, dropTriggers, statement)
		_, err := drain(t, openAt(t, path, nil))
		require.ErrorIs(t, err, eventstore.ErrDamaged, name)
	}
}

func TestMissingRecord(t *testing.T) {
	for _, position := range []eventstore.Position{1, 40, firstPage, firstPage + 1, 99} {
		path := closedLog(t, 100)
		tamper(t, path, dropTriggers, fmt.Sprintf("DELETE FROM events WHERE position = %d", position))
		db := openAt(t, path, nil)
		requireDamageAt(t, db, position)
		_, err := drain(t, db)
		require.ErrorContains(t, err, "missing")
		err = db.Check(t.Context())
		require.ErrorIs(t, err, eventstore.ErrDamaged)
		require.ErrorContains(t, err, "99 records")
		require.ErrorContains(t, err, `streams ["s"]`)
		require.ErrorContains(t, err, "trigger events_no_delete")
	}
}

func TestDamagedOutcome(t *testing.T) {
	for _, change := range []string{"fingerprint = x'02'", "answer = x''", "first = 1", "last = 4", "checksum = 1"} {
		path := closedLog(t, 5)
		tamper(t, path, dropTriggers, "UPDATE outcomes SET "+change+" WHERE command_id = 'command 3'")
		db := openAt(t, path, nil)
		_, found, err := db.Outcome(t.Context(), "command 3")
		require.ErrorIs(t, err, eventstore.ErrDamaged)
		require.ErrorContains(t, err, "command 3")
		require.False(t, found)
		require.ErrorIs(t, db.Check(t.Context()), eventstore.ErrDamaged)

		results, err := db.Append(t.Context(),
			withOutcome(commit("s", eventstore.Any(), "x"), "command 3"), commit("other", eventstore.Absent(), "y"))
		require.NoError(t, err, "one outcome that is unreadable does not stop others")
		require.ErrorIs(t, results[0].Err, eventstore.ErrDamaged)
		require.NoError(t, results[1].Err)
	}
}

func TestDamagedPages(t *testing.T) {
	path := closedLog(t, 2000)
	rewrite(t, path, func(content []byte) []byte {
		for page := 12; page < len(content)/pageSize; page += 3 {
			clear(content[page*pageSize : (page+1)*pageSize])
		}
		return content
	})
	db := openAt(t, path, nil)
	_, err := drain(t, db)
	require.ErrorIs(t, err, eventstore.ErrDamaged)
	var damage *eventstore.DamageError
	require.ErrorAs(t, err, &damage)
	require.ErrorIs(t, db.Check(t.Context()), eventstore.ErrDamaged)
}

func TestDamagedFile(t *testing.T) {
	t.Run("cut", func(t *testing.T) {
		path := closedLog(t, 2000)
		rewrite(t, path, func(content []byte) []byte { return content[:len(content)/2] })
		db, err := Open(t.Context(), path, nil)
		if err == nil { // SQLite may notice only when it reads that far
			_, err = drain(t, db)
			require.NoError(t, db.Close())
		}
		require.ErrorIs(t, err, eventstore.ErrDamaged)
		require.ErrorAs(t, err, new(sqlite3.Error), "the cause is kept")
	})
	t.Run("first bytes", func(t *testing.T) {
		path := closedLog(t, 10)
		rewrite(t, path, func(content []byte) []byte { content[3]++; return content })
		_, err := Open(t.Context(), path, nil)
		require.ErrorIs(t, err, eventstore.ErrNotALog)
		require.ErrorContains(t, err, "damaged")
	})
	t.Run("schema", func(t *testing.T) {
		path := closedLog(t, 10)
		rewrite(t, path, func(content []byte) []byte { clear(content[100:pageSize]); return content })
		_, err := Open(t.Context(), path, nil)
		require.Error(t, err)
	})
	t.Run("name", func(t *testing.T) {
		path := closedLog(t, 10)
		tamper(t, path, "DROP TRIGGER log_no_delete", "DELETE FROM log")
		_, err := Open(t.Context(), path, nil)
		require.ErrorIs(t, err, eventstore.ErrDamaged)
	})
}

// TestDamagedWAL copies a log as a crash leaves it, cuts its -wal or flips a byte of it
// at many places, and opens the copy: it must be a prefix of what was appended. That
// its end is missing cannot be seen from the file.
func TestDamagedWAL(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "groups.db")
	db := openAt(t, path, nil)
	for i := range 40 {
		mustAppend(t, db, withOutcome(commit("s", eventstore.Exactly(eventstore.Version(2*i)), fmt.Sprint(i), "and"), fmt.Sprint(i)))
	}
	want, err := drain(t, db)
	require.NoError(t, err)
	crashed := snapshot(t, dir)
	wal := crashed["groups.db-wal"]
	require.NotEmpty(t, wal)
	for i := range 40 {
		at := len(wal) * i / 40
		for name, damaged := range map[string]string{
			"cut":     wal[:at],
			"flipped": wal[:at] + string(wal[at]^0x10) + wal[at+1:],
		} {
			copied := filepath.Join(t.TempDir(), "groups.db")
			require.NoError(t, os.WriteFile(copied, []byte(crashed["groups.db"]), 0o600))
			require.NoError(t, os.WriteFile(copied+"-wal", []byte(damaged), 0o600))
			db := openAt(t, copied, nil)
			got, err := drain(t, db)
			require.NoError(t, err)
			require.LessOrEqual(t, len(got), len(want))
			require.Zero(t, len(got)%2, "%s at %d: a commit is there as a whole or not at all", name, at)
			if len(got) > 0 {
				require.Equal(t, want[:len(got)], got)
			}
			require.NoError(t, db.Check(t.Context()))
			mustAppend(t, db, commit("s", eventstore.Exactly(eventstore.Version(len(got))), "on"))
			require.NoError(t, db.Close())
		}
	}
}

func TestCheck(t *testing.T) {
	path := closedLog(t, 300)
	db := openAt(t, path, nil)
	require.NoError(t, db.Check(t.Context()))
	tamper(t, path, "ANALYZE")
	require.NoError(t, db.Check(t.Context()), "statistics are harmless")
	for statement, want := range map[string]string{
		"DROP TRIGGER outcomes_no_update": "missing: trigger outcomes_no_update",
		"CREATE TABLE guest (x)":          "added: table guest",
		"DROP TRIGGER events_no_delete; DELETE FROM events WHERE position > 100 AND position < 300": "101 records",
	} {
		path := closedLog(t, 300)
		tamper(t, path, statement)
		err := openAt(t, path, nil).Check(t.Context())
		require.ErrorIs(t, err, eventstore.ErrDamaged)
		require.ErrorContains(t, err, want)
	}
	// A table that is not as it was made.
	path = closedLog(t, 300)
	tamper(t, path, "ALTER TABLE outcomes ADD COLUMN extra TEXT")
	require.ErrorContains(t, openAt(t, path, nil).Check(t.Context()), "table outcomes")
}

// TestARowWithoutAValueIsDamage: SQLite reads a page of zeros as rows without values.
func TestARowWithoutAValueIsDamage(t *testing.T) {
	path := closedLog(t, 3)
	tamper(t, path, "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'outcomes'")
	tamper(t, path, "INSERT INTO outcomes VALUES ('c', x'', x'', NULL, NULL, 0)")
	err := openAt(t, path, nil).Check(t.Context())
	require.ErrorIs(t, err, eventstore.ErrDamaged)
	require.ErrorContains(t, err, "an answer to a command has no value where there must be one")
	require.NotContains(t, err.Error(), "Scan")
}

func TestOfManyProblemsTheFirstIsTold(t *testing.T) {
	for _, test := range []struct {
		problems []string
		want     string
	}{
		{[]string{"a"}, "a"},
		{[]string{"*** in database main ***\nTree 2 page 5: a\nTree 2 page 6: b", "c"}, "Tree 2 page 5: a, and 2 more"},
		{slices.Repeat([]string{"a"}, maxProblems), "a, and at least 99 more"},
	} {
		require.Equal(t, test.want, firstOf(test.problems))
	}
}

// TestADamagedFileIsToldOfOnce though every check meets the damage.
func TestADamagedFileIsToldOfOnce(t *testing.T) {
	path := closedLog(t, 3000)
	rewrite(t, path, func(content []byte) []byte {
		middle := len(content) / 2 / pageSize * pageSize
		copy(content[middle:], bytes.Repeat([]byte{0x55}, len(content)))
		return content
	})
	err := openAt(t, path, nil).Check(t.Context())
	require.ErrorIs(t, err, eventstore.ErrDamaged)
	lines := strings.Split(err.Error(), "\n")
	lines[0] = lines[0][strings.Index(lines[0], "log is damaged"):] // without what was done to which file
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(lines))), len(lines))
}

// TestChecksumIsForEver pins the encoding: a checksum that is computed in another way
// makes every log that there is look damaged.
func TestChecksumIsForEver(t *testing.T) {
	var h hasher
	record := eventstore.Record{Position: 7, Stream: "group/1", Version: 3, Event: eventstore.Event{
		Type: "member.joined", Schema: 2, Data: []byte(`{"userID":"bob"}`), Actor: "alice", AppAdmin: true, Time: noon, CommandID: "c-1",
	}}
	require.Equal(t, int64(706426624), h.event(&record))
	outcome := eventstore.Outcome{CommandID: "c-1", Fingerprint: []byte{1, 2}, Answer: []byte(`{"ok":true}`), First: 7, Last: 9}
	require.Equal(t, int64(575997583), h.outcome(&outcome))
}

// TestChecksumIsOfEverything changes any field of any record, or moves a letter from one
// to the next, and expects another checksum.
func TestChecksumIsOfEverything(t *testing.T) {
	var h hasher
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-c]{1,4}`)
		r := eventstore.Record{Position: 1, Stream: text.Draw(t, "stream"), Version: 1, Event: eventstore.Event{
			Type: text.Draw(t, "type"), Schema: 1, Data: []byte(text.Draw(t, "data")), Actor: text.Draw(t, "actor"), Time: noon, CommandID: text.Draw(t, "id"),
		}}
		before, changed := h.event(&r), r
		move := func(from, to *string) { *to = (*from)[len(*from)-1:] + *to; *from = (*from)[:len(*from)-1] }
		rapid.SampledFrom([]func(){
			func() { changed.Position++ },
			func() { changed.Version++ },
			func() { changed.Schema++ },
			func() { changed.AppAdmin = true },
			func() { changed.Time = noon.Add(1000) },
			func() { move(&changed.Stream, &changed.Type) },
			func() { move(&changed.Type, &changed.Actor) },
			func() { move(&changed.Actor, &changed.CommandID) },
			func() { changed.Data = append([]byte(changed.CommandID), changed.Data...); changed.CommandID = "" },
			func() { changed.Data = append(bytes.Clone(changed.Data), ' ') },
		}).Draw(t, "change")()
		require.NotEqual(t, before, h.event(&changed), "%+v and %+v", r, changed)
	})
}

// TestWhatIsSaidOfDamage: SQLite's complaints are told by the first; a check that was
// interrupted has found none.
func TestWhatIsSaidOfDamage(t *testing.T) {
	const heading = "*** in database main ***"
	for want, problems := range map[string][]string{
		heading:                   {heading},
		"page 4":                  {heading + "\npage 4"},
		"page 4, and 2 more":      {heading + "\npage 4\npage 5", "page 6"},
		"x, and at least 99 more": slices.Repeat([]string{"x"}, maxProblems),
	} {
		require.Equal(t, want, firstOf(problems))
	}
	require.NotErrorIs(t, unlike("a table", fmt.Errorf("scan: %w", context.Canceled)), eventstore.ErrDamaged)
	require.ErrorIs(t, unlike("a table", errors.New("converting NULL to string is unsupported")), eventstore.ErrDamaged)
}
