-- A window of one topic-partition: NAME.open.gN.db while it is being filled, NAME.raw.gN.db when it is sealed.

-- Facts about the file: topic, partition, window, begin_us, end_us, generation; in open files mark (every batch up to this
-- one is here) and purged (states before this batch can no longer be read); in raw files horizon_ms (known-at before which
-- revisions are missing).
CREATE TABLE info (
    name  TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;

-- The series that have readings here, so that the file explains itself. The counts are filled in when it is sealed and
-- speak of the readings in force.
CREATE TABLE series (
    id          INTEGER PRIMARY KEY,
    entity      TEXT NOT NULL,
    type        TEXT NOT NULL,
    property    TEXT NOT NULL,
    unit        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    step        INTEGER NOT NULL,
    n           INTEGER NOT NULL DEFAULT 0,
    first_us    INTEGER NOT NULL DEFAULT 0,
    last_us     INTEGER NOT NULL DEFAULT 0,
    n_edited    INTEGER NOT NULL DEFAULT 0,
    n_derived   INTEGER NOT NULL DEFAULT 0,
    n_estimated INTEGER NOT NULL DEFAULT 0,
    n_suspect   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Readings of one series as compressed columns (docs/FORMAT.md, "Chunk").
CREATE TABLE chunk (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: a view may still ask for it
    series      INTEGER NOT NULL,
    role        INTEGER NOT NULL,            -- 0 plain readings, 1 with a stated issue, 2 revisions
    begin_us    INTEGER NOT NULL,            -- time of the first and of the last reading
    last_us     INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    n_edited    INTEGER NOT NULL,
    n_derived   INTEGER NOT NULL,
    n_estimated INTEGER NOT NULL,
    n_suspect   INTEGER NOT NULL,
    born        INTEGER NOT NULL,            -- part of the states from this batch on
    died        INTEGER NOT NULL,            -- and before this one
    data        BLOB NOT NULL
) STRICT;
CREATE INDEX chunk_by_time ON chunk (series, role, begin_us, last_us, born, died);

-- What was taken back: these times of lower layers (the sealed file of the same window) no longer count. Kept
-- when the window is sealed: a dead letter that was known before may still be replayed.
CREATE TABLE deletion (
    series    INTEGER NOT NULL,
    begin_us  INTEGER NOT NULL,
    end_us    INTEGER NOT NULL,
    issued_us INTEGER,                       -- NULL: every issue and the plain reading
    known_ms  INTEGER NOT NULL,
    born      INTEGER NOT NULL
) STRICT;
CREATE INDEX deletion_by_time ON deletion (series, begin_us, end_us);

-- When which time of a series changed, by batch (docs/FORMAT.md, "Window file").
CREATE TABLE change (
    series INTEGER PRIMARY KEY,
    data   BLOB NOT NULL
) STRICT;
