-- Times are microseconds since 1970 in UTC; 0 is "never".

-- One row a user whom any event names.
CREATE TABLE users (
	uid           INTEGER PRIMARY KEY, -- counted in the order of the log
	id            TEXT    NOT NULL,
	live_groups   INTEGER NOT NULL,    -- how many live groups the user is in
	read_position INTEGER NOT NULL,    -- the read mark: the position of the last applications.read
	read_at       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_id ON users (id);

-- One row an incarnation of a group: what changes often, and what lists show.
CREATE TABLE groups (
	gid                INTEGER PRIMARY KEY, -- counted in the order of the log
	id                 TEXT    NOT NULL,
	incarnation        INTEGER NOT NULL,
	type               TEXT    NOT NULL,
	topics             INTEGER NOT NULL,    -- 1: created with topic support
	status             INTEGER NOT NULL,    -- domain.Status
	cause              TEXT    NOT NULL,    -- why it ended
	name               TEXT    NOT NULL,
	face_url           TEXT    NOT NULL,
	join_option        INTEGER NOT NULL,
	invite_option      INTEGER NOT NULL,
	muted              INTEGER NOT NULL,
	owner              INTEGER NOT NULL,    -- uid; 0: none
	members            INTEGER NOT NULL,
	admins             INTEGER NOT NULL,
	joins              INTEGER NOT NULL,    -- memberships begun: the next member's seq
	banned             INTEGER NOT NULL,    -- 1: somebody has been banned
	attributes_version INTEGER NOT NULL,
	submitted          INTEGER NOT NULL,    -- applications submitted: the last one's n
	asked              INTEGER NOT NULL,    -- submissions and refreshes: the last ord
	asked_position     INTEGER NOT NULL,    -- of the last submission or refresh
	pending            INTEGER NOT NULL,    -- open applications
	created_at         INTEGER NOT NULL,
	created_position   INTEGER NOT NULL,
	ended_at           INTEGER NOT NULL,
	last_at            INTEGER NOT NULL,    -- of the last event
	position           INTEGER NOT NULL,    -- of the last event
	version            INTEGER NOT NULL     -- of the group's stream, over all incarnations
) STRICT;
CREATE UNIQUE INDEX groups_id ON groups (id, incarnation);
CREATE UNIQUE INDEX groups_live ON groups (id) WHERE status = 1;

-- The rest of a group, which is long and changes seldom.
CREATE TABLE profiles (
	gid          INTEGER PRIMARY KEY,
	introduction TEXT NOT NULL,
	notification TEXT NOT NULL,
	custom       TEXT NOT NULL, -- JSON object
	attributes   TEXT NOT NULL  -- JSON object
) STRICT;

-- The members of live groups, in the order of joining.
CREATE TABLE members (
	gid         INTEGER NOT NULL,
	seq         INTEGER NOT NULL, -- how many had joined before; a new one for who comes back
	uid         INTEGER NOT NULL,
	role        INTEGER NOT NULL,
	joined_at   INTEGER NOT NULL,
	name_card   TEXT    NOT NULL,
	custom      TEXT    NOT NULL, -- JSON object, or empty
	muted_until INTEGER NOT NULL,
	PRIMARY KEY (gid, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX members_user ON members (uid, gid);
-- 300 is an admin, 400 the owner: who may approve. role is there to be read without the row.
CREATE INDEX members_approver ON members (uid, gid, role) WHERE role >= 300;
CREATE INDEX members_role ON members (gid, role, seq) WHERE role >= 300;

-- Whose membership has ended, by leaving or with the group: with members, all who were
-- ever in a group. Rows stay for ever.
CREATE TABLE former (
	uid INTEGER NOT NULL,
	gid INTEGER NOT NULL,
	PRIMARY KEY (uid, gid)
) STRICT, WITHOUT ROWID;

-- Every application, open or not, in the order in which lists show them: what stands on a
-- page of a list, to however many groups, lies close together. A record submits or
-- refreshes one at most. ord rises with position inside a group, without the gaps: the
-- buckets count by it.
CREATE TABLE applications (
	gid             INTEGER NOT NULL,
	n               INTEGER NOT NULL, -- counted from 1: the last part of the application's ID
	kind            INTEGER NOT NULL,
	from_uid        INTEGER NOT NULL,
	candidate       INTEGER NOT NULL, -- uid
	state           INTEGER NOT NULL, -- 0: open
	message         TEXT    NOT NULL,
	submitted_at    INTEGER NOT NULL,
	at              INTEGER NOT NULL, -- when it was submitted or last refreshed
	position        INTEGER PRIMARY KEY, -- of the event that did
	ord             INTEGER NOT NULL,
	closed_at       INTEGER NOT NULL,
	closed_position INTEGER NOT NULL,
	decided_by      INTEGER NOT NULL, -- uid; 0: nobody decided it
	by_app_admin    INTEGER NOT NULL,
	reason          TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX applications_id ON applications (gid, n);
-- A row is in one of these two, so that a list of either kind never reads past the other.
-- The ord of an open one is there to be read without the row.
CREATE INDEX applications_open ON applications (gid, position, ord) WHERE state = 0;
CREATE INDEX applications_closed ON applications (gid, position) WHERE state > 0;
-- Of whoever would become a member: the groups that they ever applied to, and what is open.
CREATE INDEX applications_candidate ON applications (candidate, gid, state);
CREATE INDEX applications_from ON applications (gid, from_uid) WHERE state = 0;

-- How many open applications have an ord in [bucket << 4*level, (bucket+1) << 4*level).
-- Bucket 0 is not kept: nothing asks for it. See unread.go.
CREATE TABLE buckets (
	gid    INTEGER NOT NULL,
	level  INTEGER NOT NULL,
	bucket INTEGER NOT NULL,
	n      INTEGER NOT NULL,
	PRIMARY KEY (gid, level, bucket)
) STRICT, WITHOUT ROWID;

-- The topics of live groups.
CREATE TABLE topics (
	gid          INTEGER NOT NULL,
	id           TEXT    NOT NULL,
	name         TEXT    NOT NULL,
	introduction TEXT    NOT NULL,
	notification TEXT    NOT NULL,
	face_url     TEXT    NOT NULL,
	PRIMARY KEY (gid, id)
) STRICT, WITHOUT ROWID;

-- The bans of live groups. They may have passed.
CREATE TABLE bans (
	gid   INTEGER NOT NULL,
	uid   INTEGER NOT NULL,
	until INTEGER NOT NULL,
	PRIMARY KEY (gid, uid)
) STRICT, WITHOUT ROWID;
