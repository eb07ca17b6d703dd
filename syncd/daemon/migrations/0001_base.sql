-- What this node remembers between runs: single facts, and the keys of the commit that it applied last.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE base (
    key    TEXT PRIMARY KEY,
    hash   BLOB NOT NULL,  -- SHA-256 of the value
    path   TEXT,           -- the file that said it, relative to the tree's root
    secret INTEGER NOT NULL
) WITHOUT ROWID;
