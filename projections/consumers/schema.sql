CREATE TABLE consumer_file (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	log_id TEXT NOT NULL
) STRICT;

CREATE TABLE consumers (
	name       TEXT PRIMARY KEY,
	tenure     INTEGER NOT NULL,           -- how often it has become active
	edits      INTEGER NOT NULL,           -- how often somebody has reset it, retried or discarded
	position   INTEGER NOT NULL,           -- the cursor: everything before it has been handled
	place      INTEGER NOT NULL,           -- … within what the record there gives rise to; 2147483647: all of it
	record     BLOB NOT NULL,              -- the fingerprint of the record there; empty at 0
	attempts   INTEGER NOT NULL,           -- how often what stands there has been begun
	told       INTEGER NOT NULL,           -- before a reset it had come so far
	told_place INTEGER NOT NULL,
	trouble    TEXT NOT NULL,              -- what went wrong last
	trouble_at INTEGER NOT NULL            -- µs; 0: nothing
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

-- Before a reset, these streams had not come as far as the others.
CREATE TABLE consumer_told (
	consumer TEXT NOT NULL,
	stream   TEXT NOT NULL,
	position INTEGER NOT NULL,
	place    INTEGER NOT NULL,
	PRIMARY KEY (consumer, stream)
) STRICT, WITHOUT ROWID;
