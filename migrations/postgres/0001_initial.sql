-- Times are milliseconds since 1970-01-01T00:00Z. What comes from clients is bytes, not text.

CREATE TABLE message (
    -- The place in the order in which this hub delivered.
    anchor   BIGINT   NOT NULL,
    seq      BIGINT   NOT NULL,
    -- The 16 bytes of a UUID, in network order.
    id       BYTEA    NOT NULL,
    hub      TEXT     NOT NULL,
    client   TEXT     NOT NULL,
    time_ms  BIGINT   NOT NULL,
    -- 0 chat, 1 broadcast, 2 relay.
    class    SMALLINT NOT NULL,
    kind     TEXT     NOT NULL COLLATE "C",
    nick     BYTEA,
    origin   BYTEA,
    text     BYTEA    NOT NULL,
    -- 0 UTF-8, 1 Latin-1, 2 CP1252, 3 QuakeWorld; NULL: nobody knows.
    encoding SMALLINT,
    PRIMARY KEY (anchor, seq)
);

CREATE UNIQUE INDEX message_id ON message (id);
-- For retention by count, and to find the kinds.
CREATE INDEX message_kind ON message (kind, anchor, seq);
-- For retention by age.
CREATE INDEX message_age ON message (kind, time_ms);

-- One row: the highest numbers given so far, which outlive the messages that had them, and how
-- often it was checked that the database can be written.
CREATE TABLE state (
    only_row SMALLINT PRIMARY KEY CHECK (only_row = 1),
    anchor   BIGINT   NOT NULL,
    seq      BIGINT   NOT NULL,
    checks   BIGINT   NOT NULL
);
INSERT INTO state VALUES (1, 0, 0, 0);

CREATE TABLE ban (
    id          BIGINT   PRIMARY KEY,
    -- 0 nick, 1 origin, 2 client, 3 pattern of the text.
    target_type SMALLINT NOT NULL,
    target      BYTEA    NOT NULL,
    reason      BYTEA    NOT NULL,
    set_by      TEXT     NOT NULL,
    since_ms    BIGINT   NOT NULL,
    until_ms    BIGINT
);

CREATE TABLE origin (
    origin           BYTEA  PRIMARY KEY,
    warnings         BIGINT NOT NULL,
    first_warning_ms BIGINT NOT NULL,
    muted_until_ms   BIGINT
);

CREATE TABLE client_cursor (
    client TEXT  PRIMARY KEY,
    -- The id of the last message the client has confirmed.
    id     BYTEA NOT NULL
);
