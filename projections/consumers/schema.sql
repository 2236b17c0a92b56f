CREATE TABLE consumer_file (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	log_id TEXT NOT NULL
) STRICT;

CREATE TABLE consumers (
	name        TEXT PRIMARY KEY,
	tenure      INTEGER NOT NULL,          -- how often it has become active
	edits       INTEGER NOT NULL,          -- how often somebody has reset it, retried or discarded
	position    INTEGER NOT NULL,          -- the cursor: everything before it has been handled
	place       INTEGER NOT NULL,          -- … within what the record there gives rise to; 2147483647: all of it
	record      BLOB NOT NULL,             -- the fingerprint of the record there; empty at 0
	attempts    INTEGER NOT NULL,          -- how often what stands there has been begun
	since       INTEGER NOT NULL,          -- where it was reset to, or has begun
	since_place INTEGER NOT NULL,
	trouble     TEXT NOT NULL,             -- what went wrong last
	trouble_at  INTEGER NOT NULL           -- µs; 0: nothing
) STRICT, WITHOUT ROWID;

CREATE TABLE consumer_holds (
	consumer TEXT NOT NULL,
	stream   TEXT NOT NULL,
	version  INTEGER NOT NULL,
	position INTEGER NOT NULL,
	place    INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	forgiven INTEGER NOT NULL,
	due      INTEGER,                      -- µs; NULL: parked
	since    INTEGER NOT NULL,             -- µs
	error    TEXT NOT NULL,
	PRIMARY KEY (consumer, stream)
) STRICT, WITHOUT ROWID;

-- What was handled between two resets: from one place to another, but in streams that
-- were held at the end only what is before their hold.
CREATE TABLE consumer_runs (
	consumer    TEXT NOT NULL,
	run         INTEGER NOT NULL,
	since       INTEGER NOT NULL,
	since_place INTEGER NOT NULL,
	until       INTEGER NOT NULL,
	until_place INTEGER NOT NULL,
	PRIMARY KEY (consumer, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE consumer_run_holds (
	consumer TEXT NOT NULL,
	run      INTEGER NOT NULL,
	stream   TEXT NOT NULL,
	position INTEGER NOT NULL,
	place    INTEGER NOT NULL,
	PRIMARY KEY (consumer, run, stream)
) STRICT, WITHOUT ROWID;
