-- A payload is a row of exactly one of ready, timed and claim.

-- Queues are named once and never forgotten.
CREATE TABLE queue (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- What waits. The head is the lowest position.
CREATE TABLE ready (
    queue INTEGER NOT NULL, pos INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (queue, pos)
) WITHOUT ROWID;

-- What waits for its time, in microseconds, and what is dead.
CREATE TABLE timed (
    place INTEGER NOT NULL, payload BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (place, payload)
) WITHOUT ROWID;
CREATE INDEX timed_at ON timed (place, at, payload);

-- What is in the hands of owners.
CREATE TABLE claim (
    owner INTEGER NOT NULL, token INTEGER NOT NULL,
    queue INTEGER NOT NULL, recoveries INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (owner, token)
) WITHOUT ROWID;

-- The owners. The deadline is in microseconds of the clock of that boot; seq is null once the owner is evicted. Ids are
-- never used again, so that a claim of an owner that was forgotten cannot be another's.
CREATE TABLE owner (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    boot TEXT NOT NULL, deadline INTEGER NOT NULL, seq INTEGER
);

-- The sets of names.
CREATE TABLE member (place INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (place, name)) WITHOUT ROWID;

-- The counters: in total (day is empty) and by day.
CREATE TABLE counter (
    name TEXT NOT NULL, day TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (name, day)
) WITHOUT ROWID;

-- How often each kind of change was made that someone may wait for. Other processes compare it, so that renewals and ends
-- wake nobody.
CREATE TABLE signal (kind INTEGER PRIMARY KEY, n INTEGER NOT NULL);
INSERT INTO signal (kind, n) VALUES (0, 0), (1, 0);

-- The results of the last batch of each lane.
CREATE TABLE receipt (lane TEXT PRIMARY KEY, seq INTEGER NOT NULL, results TEXT NOT NULL, expires INTEGER NOT NULL)
WITHOUT ROWID;
