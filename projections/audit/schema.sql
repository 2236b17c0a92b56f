-- The index of the audit. It holds keys and positions; what happened is read from the log.
-- Times are microseconds since 1970 in UTC.

-- What can be asked for: a letter that says of what kind it is, and the text. See term.go.
CREATE TABLE audit_terms (
	text TEXT    NOT NULL PRIMARY KEY,
	id   INTEGER NOT NULL, -- counted in the order of the log
	n    INTEGER NOT NULL  -- how many events it is found in
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX audit_terms_id ON audit_terms (id);

-- Where it is found: for each term, the positions in their order.
CREATE TABLE audit_postings (
	term     INTEGER NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (term, position)
) STRICT, WITHOUT ROWID;

-- One row an event: what is counted.
CREATE TABLE audit_events (
	position INTEGER PRIMARY KEY,
	at       INTEGER NOT NULL,
	actor    INTEGER NOT NULL, -- terms
	grp      INTEGER NOT NULL, -- 0: of no group
	type     INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_events_at ON audit_events (at);

-- Between which times the events of 1024 positions lie: those of a log need not rise.
CREATE TABLE audit_blocks (
	block INTEGER PRIMARY KEY, -- position >> 10
	first INTEGER NOT NULL,
	last  INTEGER NOT NULL
) STRICT;

-- The events of the commands that had an ID.
CREATE TABLE audit_commands (
	id       TEXT    NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (id, position)
) STRICT, WITHOUT ROWID;
