package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/grouplog/grouplog/eventstore"
)

// How many of SQLite's complaints are counted, and how many streams an error names.
const (
	maxProblems = 100
	maxStreams  = 10
)

// Check looks for damage that reading the log does not show: in the structure of the
// file, in its indices, in tables and triggers that are missing, in positions or
// versions that do not add up, in outcomes. It reads the whole file, some seconds for a
// million records; appends go on meanwhile. It does not check the records themselves:
// ReadAll does.
//
// Damage is an error that wraps eventstore.ErrDamaged, all of it that was found.
func (db *DB) Check(ctx context.Context) error {
	leave, err := db.enter()
	if err != nil {
		return err
	}
	defer leave()
	// One transaction, so that an append cannot come between two numbers.
	tx, err := db.readers.BeginTx(ctx, nil)
	if err != nil {
		return db.readError(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was changed

	var errs []error
	for _, check := range []func(context.Context, *sql.Tx) error{
		checkStructure, checkSchema, checkPositions, checkVersions, checkOutcomes,
	} {
		if err := check(ctx, tx); err != nil {
			if ctx.Err() != nil {
				return db.readError(ctx.Err())
			}
			err = explain(err)
			same := func(known error) bool { return known.Error() == err.Error() }
			if !slices.ContainsFunc(errs, same) {
				errs = append(errs, err)
			}
		}
	}
	if len(errs) > 0 {
		return db.readError(errors.Join(errs...))
	}
	return nil
}

// checkStructure asks SQLite itself, which compares indices with their tables too.
func checkStructure(ctx context.Context, tx *sql.Tx) error {
	problems, err := column(ctx, tx, fmt.Sprintf("PRAGMA integrity_check(%d)", maxProblems))
	if err != nil || slices.Equal(problems, []string{"ok"}) {
		return err
	}
	return damage("SQLite finds: %s", firstOf(problems))
}

// firstOf is the first of SQLite's complaints, which may have several lines each, and how
// many there are beside it.
func firstOf(problems []string) string {
	const heading = "*** in database" // names the only one there is
	all := slices.DeleteFunc(strings.Split(strings.Join(problems, "\n"), "\n"), func(line string) bool {
		return strings.HasPrefix(line, heading)
	})
	switch {
	case len(all) == 0:
		return strings.Join(problems, ", ")
	case len(all) == 1:
		return all[0]
	case len(all) >= maxProblems:
		return fmt.Sprintf("%s, and at least %d more", all[0], len(all)-1)
	default:
		return fmt.Sprintf("%s, and %d more", all[0], len(all)-1)
	}
}

// checkSchema compares tables, indices and triggers with those that a new log has.
func checkSchema(ctx context.Context, tx *sql.Tx) error {
	const query = "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema"
	want, err := schemaOfNewLog(ctx, query)
	if err != nil {
		return err
	}
	got, err := column(ctx, tx, query)
	if err != nil {
		return err
	}
	missing, extra := want, make(map[string]bool)
	for _, object := range got {
		if !missing[object] && !isStatistics(object) && object != "table replica: "+replicaSQL {
			extra[object] = true
		}
		delete(missing, object)
	}
	if len(missing) == 0 && len(extra) == 0 {
		return nil
	}
	return damage("tables, indices or triggers are not as they were made; missing: %s; changed or added: %s", names(missing), names(extra))
}

// isStatistics reports whether an object is one that ANALYZE leaves, which is harmless.
func isStatistics(object string) bool { return strings.HasPrefix(object, "table sqlite_stat") }

// names lists the objects without the SQL that made them.
func names(objects map[string]bool) string {
	if len(objects) == 0 {
		return "none"
	}
	var list []string
	for object := range maps.Keys(objects) {
		name, _, _ := strings.Cut(object, ":")
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func schemaOfNewLog(ctx context.Context, query string) (_ map[string]bool, err error) {
	db := sql.OpenDB(connector{dial: dial, dsn: "file::memory:", setup: []string{schemaSQL}})
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was changed
	objects, err := column(ctx, tx, query)
	set := make(map[string]bool, len(objects))
	for _, object := range objects {
		set[object] = true
	}
	return set, err
}

func checkPositions(ctx context.Context, tx *sql.Tx) error {
	var count, last int64
	if err := tx.QueryRowContext(ctx, "SELECT count(*), coalesce(max(position), 0) FROM events").Scan(&count, &last); err != nil {
		return err
	}
	if count != last {
		return damage("there are %d records, and the last is at position %d", count, last)
	}
	return nil
}

func checkVersions(ctx context.Context, tx *sql.Tx) error {
	streams, err := column(ctx, tx, fmt.Sprintf(
		"SELECT stream FROM events GROUP BY stream HAVING count(*) <> max(version) LIMIT %d", maxStreams))
	if err != nil || len(streams) == 0 {
		return err
	}
	return damage("records are missing in streams %q", streams)
}

func checkOutcomes(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, "SELECT command_id, fingerprint, answer, first, last, checksum FROM outcomes")
	if err != nil {
		return err
	}
	defer rows.Close()
	var h hasher
	for rows.Next() {
		var (
			o        eventstore.Outcome
			checksum int64
		)
		if err := rows.Scan(&o.CommandID, &o.Fingerprint, &o.Answer, &o.First, &o.Last, &checksum); err != nil {
			return unlike("an answer to a command", err)
		}
		if err := checkOutcome(&o, checksum, &h); err != nil {
			return err
		}
	}
	return rows.Err()
}

// column is the one column of text that a query answers.
func column(ctx context.Context, tx *sql.Tx, query string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, unlike("a table", err)
		}
		all = append(all, text)
	}
	return all, rows.Err()
}

// unlike is a row that cannot be taken for what was stored: a value is missing, or of
// another type. That the context has ended is an error of reading a row as well.
func unlike(what string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &eventstore.DamageError{Reason: what + " has no value where there must be one, or one of another kind", Err: err}
}

func damage(format string, args ...any) error {
	return &eventstore.DamageError{Reason: fmt.Sprintf(format, args...)}
}
