-- The indexes that the last commit left.
CREATE TABLE indexes (last INTEGER NOT NULL, keys INTEGER NOT NULL, sessions INTEGER NOT NULL);
INSERT INTO indexes VALUES (1, 1, 1);

-- Flags are unsigned in Consul: the upper half is kept as negative numbers.
CREATE TABLE entries (
  key BLOB PRIMARY KEY,
  value BLOB,
  flags INTEGER NOT NULL,
  session TEXT,
  lock_index INTEGER NOT NULL,
  create_index INTEGER NOT NULL,
  modify_index INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tombstones (key BLOB PRIMARY KEY, modify_index INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE sessions (id TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
