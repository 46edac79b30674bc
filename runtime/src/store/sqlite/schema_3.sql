-- The positions amid a queue at which nothing stands any more, none before its first payload or behind its last. So a size is what
-- lies between two positions, and a page is found without going through what stands before it. What is pushed and claimed makes none.
CREATE TABLE hole (queue INTEGER NOT NULL, pos INTEGER NOT NULL, PRIMARY KEY (queue, pos)) WITHOUT ROWID;
INSERT INTO hole (queue, pos)
WITH RECURSIVE gap (queue, pos, last) AS (
    SELECT queue, pos + 1, next - 1
    FROM (SELECT queue, pos, lead(pos) OVER (PARTITION BY queue ORDER BY pos) AS next FROM ready) WHERE next > pos + 1
    UNION ALL
    SELECT queue, pos + 1, last FROM gap WHERE pos < last
)
SELECT queue, pos FROM gap;

-- How many payloads are in each set, and how often it was changed. Kept by triggers, so that a program of the version before, which has
-- the file open, counts as well.
CREATE TABLE size (place INTEGER PRIMARY KEY, n INTEGER NOT NULL, changes INTEGER NOT NULL DEFAULT 0);
INSERT INTO size (place, n) SELECT column1, (SELECT count(*) FROM timed WHERE place = column1) FROM (VALUES (0), (1), (2));
-- A payload that stands there already is replaced, for which no trigger is told that one goes.
CREATE TRIGGER timed_put BEFORE INSERT ON timed BEGIN
    UPDATE size SET changes = changes + 1,
        n = n + NOT EXISTS (SELECT 1 FROM timed WHERE place = NEW.place AND payload = NEW.payload)
    WHERE place = NEW.place;
END;
CREATE TRIGGER timed_taken AFTER DELETE ON timed BEGIN
    UPDATE size SET changes = changes + 1, n = n - 1 WHERE place = OLD.place;
END;
