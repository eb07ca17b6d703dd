-- What was published, and how far each subscriber was told.

-- Single facts: the epoch, and what was published last.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO fact VALUES ('journal', lower(hex(randomblob(4))));

-- The keys as last published: what changes while nobody watches is told from these.
CREATE TABLE published (
    key    TEXT PRIMARY KEY,
    hash   BLOB NOT NULL,     -- SHA-256 of the value
    secret INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE event (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    id   TEXT NOT NULL UNIQUE,
    time REAL NOT NULL,       -- Unix seconds
    body BLOB NOT NULL        -- JSON, syncd.core.event.Event
);

CREATE TABLE subscriber (
    name     TEXT PRIMARY KEY,
    defined  TEXT NOT NULL,   -- a hash of its definition: a subscriber that became another starts anew
    told     INTEGER,         -- the last event that it was told; NULL: nothing yet, it is to get the full state
    retry    BLOB,            -- JSON, syncd.core.delivery.Retry; NULL: the last try did not fail
    disabled INTEGER NOT NULL,
    replay   TEXT NOT NULL    -- names a person's order to tell it anew, empty: there is none
) WITHOUT ROWID;

-- Deliveries that came to an end, and what became of them. A thousand subscribers that are told the same share a row.
CREATE TABLE delivery (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL,    -- the event's
    after   INTEGER,          -- the set is every event after this one, NULL: the full state
    upto    INTEGER NOT NULL,
    outcome TEXT NOT NULL,    -- delivered, exhausted, gone
    tries   INTEGER NOT NULL,
    ends    TEXT NOT NULL     -- JSON, by subscriber: when (Unix seconds), how long the last try took, what was said
);
