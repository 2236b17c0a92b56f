package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/grouplog/grouplog/eventstore"
)

// What a views file keeps about itself, beside the projections' own tables.
const bookkeeping = `
CREATE TABLE projection_file (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	log_id TEXT NOT NULL
) STRICT;
CREATE TABLE projection_checkpoints (
	name     TEXT PRIMARY KEY,
	version  INTEGER NOT NULL,
	epoch    INTEGER NOT NULL,
	position INTEGER NOT NULL,
	record   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE projection_tables (
	name       TEXT PRIMARY KEY,
	projection TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`

// Files from before there was parking do not have it.
const parkingLot = `
CREATE TABLE IF NOT EXISTS projection_parked (
	name     TEXT PRIMARY KEY,
	version  INTEGER NOT NULL,
	position INTEGER NOT NULL,
	reason   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`

// checkpoint says up to where a projection's rows go.
type checkpoint struct {
	version  int
	epoch    int64 // changes whenever the rows were replaced as a whole
	position eventstore.Position
	record   []byte // the fingerprint of the record at position; empty at zero
}

// create makes the bookkeeping in a file that has none, or not all, and refuses the views
// of another log.
func (w *writer) create(ctx context.Context, logID string) error {
	var tables int
	err := w.patiently(ctx, func() (err error) {
		tables, err = w.kept(logID)
		return err
	})
	if err != nil || tables == allKept {
		return err
	}
	return w.transact(ctx, func() error {
		tables, err := w.kept(logID) // another process may have done the same meanwhile
		if err != nil || tables == allKept {
			return err
		}
		if tables == 0 {
			stamp := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, fileFormat)
			if err := w.script(stamp + bookkeeping); err != nil {
				return err
			}
			if err := w.exec("INSERT INTO projection_file (one, log_id) VALUES (1, ?)", logID); err != nil {
				return err
			}
		}
		return w.script(parkingLot)
	})
}

// allKept is how many of the tables that kept counts a file has that lacks none.
const allKept = 2

// kept counts the file's own tables, the oldest and the newest. Views of another log are
// an error.
func (w *writer) kept(logID string) (tables int, err error) {
	const count = "SELECT count(*) FROM sqlite_master WHERE name IN ('projection_file', 'projection_parked')"
	if err := w.queryRow(count).Scan(&tables); err != nil || tables == 0 {
		return 0, err
	}
	var stored string
	if err := w.queryRow("SELECT log_id FROM projection_file").Scan(&stored); err != nil {
		return 0, err
	}
	if stored != logID {
		return 0, fmt.Errorf("%w: they were made from log %s, and this is log %s; delete the file or give another path",
			ErrOtherLog, stored, logID)
	}
	return tables, nil
}

// checkpoint reads where a projection is; found is false if the file does not know
// it.
func (w *writer) checkpoint(name string) (c checkpoint, found bool, err error) {
	if err := w.settle(); err != nil {
		return c, false, err
	}
	statement, err := w.prepare("SELECT version, epoch, position, record FROM projection_checkpoints WHERE name = ?")
	if err != nil {
		return c, false, err
	}
	err = statement.QueryRowContext(context.Background(), name).Scan(&c.version, &c.epoch, &c.position, &c.record)
	if errors.Is(err, sql.ErrNoRows) {
		return checkpoint{}, false, nil
	}
	return c, err == nil, err
}

// move stores where a projection is now.
func (w *writer) move(name string, to checkpoint) error {
	return w.exec("UPDATE projection_checkpoints SET position = ?, record = ? WHERE name = ?", uint64(to.position), to.record, name)
}

const (
	selectCheckpoints     = "SELECT name, version, epoch, position FROM projection_checkpoints"
	selectLiveCheckpoints = "SELECT name, version, epoch, position FROM live.projection_checkpoints"
)

// scanCheckpoints reads all checkpoints, by name, without the records' fingerprints.
// It closes the rows.
func scanCheckpoints(rows *sql.Rows) (map[string]checkpoint, error) {
	defer rows.Close()
	at := map[string]checkpoint{}
	for rows.Next() {
		var name string
		var c checkpoint
		if err := rows.Scan(&name, &c.version, &c.epoch, &c.position); err != nil {
			return nil, err
		}
		at[name] = c
	}
	return at, rows.Err()
}

// install creates a projection's tables, empty, and its checkpoint before the first
// record. The epoch is newer than any that the projection had.
func (w *writer) install(p Projection, epoch int64) error {
	before, err := w.objects()
	if err != nil {
		return err
	}
	if err := w.script(p.Schema()); err != nil {
		return fmt.Errorf("create the tables of projection %s: %w", p.Name(), err)
	}
	after, err := w.objects()
	if err != nil {
		return err
	}
	for name, kind := range after {
		if before[name] != "" {
			continue
		}
		if kind != "table" && kind != "index" || strings.HasPrefix(name, "projection_") {
			return fmt.Errorf("the schema of projection %s creates the %s %s: only tables and indexes, not named projection_…", p.Name(), kind, name)
		}
		if kind == "table" {
			if err := w.exec("INSERT INTO projection_tables (name, projection) VALUES (?, ?)", name, p.Name()); err != nil {
				return err
			}
		}
	}
	if err := w.exec("DELETE FROM projection_parked WHERE name = ?", p.Name()); err != nil {
		return err
	}
	return w.exec(`INSERT INTO projection_checkpoints (name, version, epoch, position, record) VALUES (?, ?, ?, 0, x'')
		ON CONFLICT (name) DO UPDATE SET version = excluded.version, epoch = excluded.epoch, position = 0, record = x''`,
		p.Name(), p.Version(), epoch)
}

// uninstall drops a projection's tables.
func (w *writer) uninstall(name string) error {
	tables, err := w.tables("main", name)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := w.script("DROP TABLE " + quote(table)); err != nil {
			return err
		}
	}
	return w.exec("DELETE FROM projection_tables WHERE projection = ?", name)
}

// objects are what the schema holds, by name, with their kinds. Indexes that SQLite
// made for itself are left out. A virtual table is no table: it has others, which cannot be
// copied nor dropped by themselves.
func (w *writer) objects() (map[string]string, error) {
	rows, err := w.query(`SELECT name, iif(sql LIKE 'CREATE VIRTUAL %', 'virtual table', type)
		FROM sqlite_master WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	objects := map[string]string{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, err
		}
		objects[name] = kind
	}
	return objects, rows.Err()
}

// index is one of a table, by the statement that makes it.
type index struct{ name, text string }

// indexes are those of a projection's tables, in the order in which they were made.
func (w *writer) indexes(projection string) (indexes []index, err error) {
	rows, err := w.query(`SELECT m.name, m.sql FROM main.sqlite_master m JOIN main.projection_tables t ON t.name = m.tbl_name
		WHERE m.type = 'index' AND m.sql IS NOT NULL AND t.projection = ? ORDER BY m.rowid`, projection)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var i index
		if err := rows.Scan(&i.name, &i.text); err != nil {
			return nil, err
		}
		indexes = append(indexes, i)
	}
	return indexes, rows.Err()
}

// tables lists a projection's tables in a schema of the connection, by name.
func (w *writer) tables(schema, projection string) ([]string, error) {
	rows, err := w.query("SELECT name FROM "+schema+".projection_tables WHERE projection = ? ORDER BY name", projection)
	if err != nil {
		return nil, err
	}
	return texts(rows)
}

// texts reads rows of one text column, and closes them.
func texts(rows *sql.Rows) ([]string, error) {
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}

// quote makes any text an SQL identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
