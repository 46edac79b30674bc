-- What is kept beside the jobs, each for a time in microseconds (null: for ever): texts, the fields of hashes, the items of lists.
-- Those whose time is over are not there for any look, and are dropped now and then.
CREATE TABLE note (key TEXT PRIMARY KEY, value BLOB, expires INTEGER) WITHOUT ROWID;
CREATE INDEX note_expires ON note (expires) WHERE expires IS NOT NULL;
CREATE TABLE field (
    key TEXT NOT NULL REFERENCES note (key) ON DELETE CASCADE, name TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (key, name)
) WITHOUT ROWID;
CREATE TABLE item (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES note (key) ON DELETE CASCADE, value BLOB NOT NULL
);
CREATE INDEX item_key ON item (key);
INSERT INTO signal (kind, n) VALUES (2, 0);
