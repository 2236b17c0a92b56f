-- Attempts that a rule has refused: the newest ones. Times are microseconds since 1970 in UTC.

CREATE TABLE refusal_file (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	log_id    TEXT    NOT NULL,
	unkept    INTEGER NOT NULL, -- how many attempts were counted and not kept
	forgotten INTEGER NOT NULL  -- how many were kept, and have made room for newer ones
) STRICT;

CREATE TABLE attempts (
	n          INTEGER PRIMARY KEY AUTOINCREMENT,
	at         INTEGER NOT NULL,
	position   INTEGER NOT NULL, -- how far the log went
	actor      TEXT    NOT NULL,
	app_admin  INTEGER NOT NULL,
	command    TEXT    NOT NULL, -- its name
	grp        TEXT    NOT NULL, -- '' for none
	command_id TEXT    NOT NULL, -- '' for none
	data       TEXT    NOT NULL, -- the command's JSON; '' where it was too long
	code       INTEGER NOT NULL,
	rule       TEXT    NOT NULL,
	hint       TEXT    NOT NULL,
	persons    TEXT    NOT NULL, -- whom it names, each on a line, between line ends
	words      TEXT    NOT NULL, -- likewise
	more       INTEGER NOT NULL  -- attempts of the same actor after this one that were not kept
) STRICT;
CREATE INDEX attempts_actor ON attempts (actor, n);
