-- The log. Positions and versions are assigned by the writer, from 1, without gaps:
-- count(*) = max(position). Nothing is ever changed or removed.

CREATE TABLE events (
  position   INTEGER PRIMARY KEY CHECK (position > 0),
  stream     TEXT    NOT NULL,
  version    INTEGER NOT NULL CHECK (version > 0),
  type       TEXT    NOT NULL,
  schema     INTEGER NOT NULL,          -- version of the shape of data
  actor      TEXT    NOT NULL,          -- '' for the system
  app_admin  INTEGER NOT NULL,          -- 0 or 1
  time       INTEGER NOT NULL,          -- microseconds since 1970-01-01 UTC
  command_id TEXT    NOT NULL,          -- '' for none
  data       TEXT    NOT NULL,          -- JSON
  checksum   INTEGER NOT NULL,          -- CRC-32C of everything above; see checksum.go
  UNIQUE (stream, version)
) STRICT;

-- The first answer to each command that had an ID.
CREATE TABLE outcomes (
  command_id  TEXT    PRIMARY KEY,
  fingerprint BLOB    NOT NULL,
  answer      BLOB    NOT NULL,
  first       INTEGER NOT NULL,         -- positions of the command's events; 0 for none
  last        INTEGER NOT NULL,
  checksum    INTEGER NOT NULL          -- CRC-32C of everything above
) STRICT, WITHOUT ROWID;

-- One row: which log this is.
CREATE TABLE log (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  id        TEXT    NOT NULL,           -- UUID
  created   INTEGER NOT NULL            -- microseconds since 1970-01-01 UTC
) STRICT;

CREATE TRIGGER events_no_update   BEFORE UPDATE ON events   BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER events_no_delete   BEFORE DELETE ON events   BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER outcomes_no_update BEFORE UPDATE ON outcomes BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER outcomes_no_delete BEFORE DELETE ON outcomes BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_no_update      BEFORE UPDATE ON log      BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_no_delete      BEFORE DELETE ON log      BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
