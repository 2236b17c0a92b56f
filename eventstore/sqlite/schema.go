package sqlite

import (
	_ "embed"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/grouplog/grouplog/eventstore"
)

// applicationID marks a SQLite file as a log of ours: "gLog" in its header.
const applicationID = 0x674c6f67

// schemaVersion is the version of schema.sql, in the file's user_version.
const schemaVersion = 1

// pageSize of a new file, in bytes. Twice SQLite's default: 1.4 times the events
// per second in large transactions, and no fewer in small ones.
const pageSize = 8192

// schemaSQL creates the tables of a new log.
//
//go:embed schema.sql
var schemaSQL string

// content says what kind of file a connection sees.
type content struct {
	application int64 // PRAGMA application_id
	version     int64 // PRAGMA user_version
	objects     int64 // tables, indices and triggers
	replicas    int64 // 1 if it is a replica of a log that is elsewhere
}

// inspect looks what a file is. It must be called in a transaction.
func inspect(c conn) (content, error) {
	var found content
	for query, field := range map[string]*int64{
		"PRAGMA application_id":              &found.application,
		"PRAGMA user_version":                &found.version,
		"SELECT count(*) FROM sqlite_schema": &found.objects,
		"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'replica'": &found.replicas,
	} {
		n, err := c.integer(query)
		if err != nil {
			return content{}, err
		}
		*field = n
	}
	return found, nil
}

// isEmpty reports whether nobody has put anything into the file yet.
func (c content) isEmpty() bool { return c == content{} }

// isOurs reports whether the file is a log.
func (c content) isOurs() bool { return c.application == applicationID && c.objects > 0 }

// refusal is why a file with this content cannot be used, or nil.
func (c content) refusal(path string) error {
	switch {
	case c.isEmpty():
		return nil
	case !c.isOurs():
		return notALog(path, fmt.Sprintf("it is a SQLite database of another application (application_id %#x, %d tables and other objects)",
			c.application, c.objects))
	case c.version > schemaVersion:
		return fmt.Errorf("open log %s: %w: its schema has version %d, this program knows up to %d; use a newer version of the program",
			path, eventstore.ErrNewerSchema, c.version, schemaVersion)
	case c.version < schemaVersion:
		return notALog(path, fmt.Sprintf("its schema has version %d, which no program has ever written", c.version))
	}
	return nil
}

func notALog(path, why string) error {
	return fmt.Errorf("open log %s: %w: %s", path, eventstore.ErrNotALog, why)
}

// newID names a log that is made: a replica, and a copy, has the name of the log that it
// is one of.
func (o *Options) newID() (string, error) {
	switch {
	case o.Replica != nil:
		return o.Replica.ID, nil
	case o.ID != "":
		return o.ID, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("name the log: %w", err)
	}
	return id.String(), nil
}

// createSchema turns an empty file into a log, in one transaction. Where somebody
// else was faster, it leaves everything as it is.
func createSchema(c conn, path string, o *Options) (err error) {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = c.exec("ROLLBACK") // fails where SQLite has rolled back already
		}
	}()
	found, err := inspect(c)
	if err != nil {
		return err
	}
	if !found.isEmpty() {
		if err := found.refusal(path); err != nil {
			return err
		}
		return c.exec("ROLLBACK")
	}
	if err := c.exec(schemaSQL); err != nil {
		return err
	}
	if err := c.exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, schemaVersion)); err != nil {
		return err
	}
	id, err := o.newID()
	if err != nil {
		return err
	}
	if o.Replica != nil {
		if err := createReplica(c, o.Replica); err != nil {
			return err
		}
	}
	insert, err := c.prepare("INSERT INTO log (singleton, id, created) VALUES (1, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close() //nolint:errcheck // nothing depends on it
	if _, err := insert.exec(id, time.Now().UnixMicro()); err != nil {
		return err
	}
	return c.exec("COMMIT")
}
