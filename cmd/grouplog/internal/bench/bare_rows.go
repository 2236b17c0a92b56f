package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
)

// bareRows is what SQLite alone takes to write the rows of the read models as a rebuild
// must: into a second file, and from there into the place of the old ones at once. Nothing
// is read from the log, decoded, folded, or bound to a statement.
type bareRows struct {
	fill work // to insert the rows, in the order of their keys
	end  work // to make the indexes, and to put rows and indexes in the place of the old ones
}

// writeBareRows writes the rows of a views file, which nobody writes to meanwhile, into two
// files that it removes.
func writeBareRows(ctx context.Context, views, scratch, live string) (taken bareRows, err error) {
	defer func() { err = errors.Join(err, removeDatabase(scratch), removeDatabase(live)) }()
	var uris [3]string
	for i, path := range []string{views, scratch, live} {
		if uris[i], err = address(path); err != nil {
			return taken, err
		}
	}
	db, err := sql.Open("sqlite3", uris[1])
	if err != nil {
		return taken, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // what is attached, and the settings, are one connection's
	exec := func(statements ...string) error {
		for _, statement := range statements {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	}
	if err := exec( // as a rebuild has them
		"PRAGMA main.page_size = 8192", "PRAGMA main.locking_mode = EXCLUSIVE", "PRAGMA main.journal_mode = TRUNCATE", "PRAGMA main.synchronous = OFF", "PRAGMA main.cache_size = -128000",
		"ATTACH '"+uris[0]+"?mode=ro' AS stored",
		"ATTACH '"+uris[2]+"' AS live", "PRAGMA live.page_size = 8192", "PRAGMA live.journal_mode = WAL", "PRAGMA live.synchronous = NORMAL", "PRAGMA live.cache_size = -64000",
	); err != nil {
		return taken, err
	}
	tables, indexes, err := schemaOf(ctx, db)
	if err != nil {
		return taken, err
	}
	fill, end := []string{"BEGIN"}, []string{"BEGIN"}
	for name, text := range tables {
		// The condition keeps SQLite from copying whole records: rows come one by one in a rebuild.
		fill = append(fill, text, "INSERT INTO main."+name+" SELECT * FROM stored."+name+" WHERE true")
	}
	end = append(end, indexes...)
	for _, text := range tables {
		end = append(end, strings.Replace(text, "CREATE TABLE ", "CREATE TABLE live.", 1))
	}
	for _, text := range indexes {
		end = append(end, strings.Replace(text, "INDEX ", "INDEX live.", 1))
	}
	for name := range tables {
		end = append(end, "INSERT INTO live."+name+" SELECT * FROM main."+name)
	}
	if taken.fill, err = timeWork(func() error { return exec(append(fill, "COMMIT")...) }); err != nil {
		return taken, err
	}
	taken.end, err = timeWork(func() error { return exec(append(end, "COMMIT")...) })
	return taken, err
}

// schemaOf is what creates the tables of the read models, by name, and their indexes.
func schemaOf(ctx context.Context, db *sql.DB) (tables map[string]string, indexes []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT s.type, s.name, s.sql FROM stored.projection_tables t JOIN stored.sqlite_master s ON s.tbl_name = t.name
		WHERE t.projection = 'groupview' AND s.sql IS NOT NULL ORDER BY s.name`)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	tables = map[string]string{}
	for rows.Next() {
		var kind, name, text string
		if err := rows.Scan(&kind, &name, &text); err != nil {
			return nil, nil, err
		}
		if kind == "table" {
			tables[name] = text
		} else {
			indexes = append(indexes, text)
		}
	}
	return tables, indexes, rows.Err()
}

// removeDatabase removes a file of SQLite's, and what it has left beside it.
func removeDatabase(path string) error {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
