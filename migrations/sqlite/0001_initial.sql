-- Times are milliseconds since 1970-01-01T00:00Z. What comes from clients is bytes, not text.

CREATE TABLE message (
    -- The place in the order in which this hub delivered.
    anchor   INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    -- The 16 bytes of a UUID, in network order.
    id       BLOB    NOT NULL,
    hub      TEXT    NOT NULL,
    client   TEXT    NOT NULL,
    time_ms  INTEGER NOT NULL,
    -- 0 chat, 1 broadcast, 2 relay.
    class    INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    nick     BLOB,
    origin   BLOB,
    text     BLOB    NOT NULL,
    -- 0 UTF-8, 1 Latin-1, 2 CP1252, 3 QuakeWorld; NULL: nobody knows.
    encoding INTEGER,
    PRIMARY KEY (anchor, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX message_id ON message (id);
-- For retention by count, and to find the kinds.
CREATE INDEX message_kind ON message (kind, anchor, seq);
-- For retention by age.
CREATE INDEX message_age ON message (kind, time_ms);

-- One row: the highest numbers given so far, which outlive the messages that had them.
CREATE TABLE state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    anchor   INTEGER NOT NULL,
    seq      INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 0, 0);

-- One row, which is written to see whether there is room on the disk.
CREATE TABLE write_check (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    filler   BLOB NOT NULL
) STRICT;
INSERT INTO write_check VALUES (1, x'');

CREATE TABLE ban (
    id          INTEGER PRIMARY KEY,
    -- 0 nick, 1 origin, 2 client, 3 pattern of the text.
    target_type INTEGER NOT NULL,
    target      BLOB    NOT NULL,
    reason      BLOB    NOT NULL,
    set_by      TEXT    NOT NULL,
    since_ms    INTEGER NOT NULL,
    until_ms    INTEGER
) STRICT;

CREATE TABLE origin (
    origin           BLOB    PRIMARY KEY,
    warnings         INTEGER NOT NULL,
    first_warning_ms INTEGER NOT NULL,
    muted_until_ms   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE client_cursor (
    client TEXT PRIMARY KEY,
    -- The id of the last message the client has confirmed.
    id     BLOB NOT NULL
) STRICT, WITHOUT ROWID;
