-- DIR/store/TOPIC/PARTITION/ingest.db: what has arrived from one topic-partition, and how far it has been read. A batch of
-- readings and the next offset commit in one transaction (I1).

-- The source and its state; one row.
CREATE TABLE source (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    cluster       TEXT NOT NULL,             -- Kafka's cluster id
    topic         TEXT NOT NULL,
    partition     INTEGER NOT NULL,
    incarnation   INTEGER NOT NULL,          -- counts recreations of the topic, from 1
    next_offset   INTEGER NOT NULL,          -- -1: nothing was read yet
    last_offset   INTEGER NOT NULL,          -- of the last stored message; -1 none
    last_hash     BLOB NOT NULL,             -- BLAKE2b of its value
    last_known_ms INTEGER NOT NULL,          -- its Kafka timestamp
    n_holes       INTEGER NOT NULL,          -- offsets found missing; three make the topic sparse
    next_batch    INTEGER NOT NULL,
    files_version INTEGER NOT NULL DEFAULT 0, -- counts the changes of table file
    -- what lies before has expired: readings, and the cells of each tier. Always the end of a window; NULL: nothing has
    expired_us     INTEGER,
    expired_1s_us  INTEGER,
    expired_1m_us  INTEGER,
    expired_15m_us INTEGER,
    n_dead        INTEGER NOT NULL DEFAULT 0, -- dead letters and, roughly, their bytes: kept by triggers
    dead_bytes    INTEGER NOT NULL DEFAULT 0,
    n_syncs       INTEGER NOT NULL DEFAULT 0, -- something that changes, for the commit that syncs the log
    synced_batch  INTEGER NOT NULL DEFAULT 0, -- every batch up to this one outlives a loss of power
    store         TEXT NOT NULL DEFAULT '', -- the catalog's uuid, should the catalog be lost
    -- of a restored store: its uuid, once the consumer group knows its place, and 'nobody' before
    told_as       TEXT NOT NULL DEFAULT '',
    -- the owner (I4): each claim raises epoch, every write checks it
    epoch         INTEGER NOT NULL,
    generation    INTEGER NOT NULL,          -- of the consumer group, for people
    member        TEXT NOT NULL
) STRICT;

-- Batches that are in no window file yet. data: docs/FORMAT.md, "Parcel".
CREATE TABLE batch (
    n           INTEGER PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    from_offset INTEGER NOT NULL,            -- its messages: [from_offset, next_offset)
    next_offset INTEGER NOT NULL,
    n_readings  INTEGER NOT NULL,
    data        BLOB NOT NULL
) STRICT;

-- The live files of this partition.
CREATE TABLE file (
    name       TEXT PRIMARY KEY,             -- 2025-03.raw.g7.db
    kind       TEXT NOT NULL CHECK (kind IN ('open', 'raw', 'tier')),
    begin_us   INTEGER NOT NULL,             -- its window
    end_us     INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    mark       INTEGER NOT NULL,             -- holds every batch up to this one
    n_readings INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,             -- wall clock of its last change
    bytes      INTEGER NOT NULL,             -- of sealed files, as is digest (BLAKE2b)
    digest     BLOB,
    tiers      INTEGER NOT NULL DEFAULT 0,   -- of tier files: a bit for each tier that may be in it
    -- of raw files: the oldest known-at by which a revision was replaced; and known-at before which some are missing. 0: none
    replaced_ms INTEGER NOT NULL DEFAULT 0,
    horizon_ms  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Which batch was the newest in window files when: how old a position is. A row an hour.
CREATE TABLE moment (
    batch INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL                   -- wall clock
) STRICT;

-- Files that are replaced and stay until no view can need them.
CREATE TABLE retired (
    name     TEXT PRIMARY KEY,
    since_us INTEGER NOT NULL
) STRICT;

-- Of readings that have expired, the last one of each series and quality class: what came before the first that is left.
-- Older rows of a series and class stay as long as a view may still need them.
CREATE TABLE carry (
    series    INTEGER NOT NULL,
    quality   INTEGER NOT NULL,              -- the class
    t_us      INTEGER NOT NULL,
    issued_us INTEGER,                       -- NULL: a plain reading
    period_us INTEGER NOT NULL,
    known_ms  INTEGER NOT NULL,
    flags     INTEGER NOT NULL,              -- the whole quality byte
    m         INTEGER NOT NULL,              -- the value is m * 10^e, or
    e         INTEGER NOT NULL,
    state     TEXT,                          -- of states, this text
    first_us  INTEGER NOT NULL,              -- time of the series' first reading that has expired
    since_us  INTEGER NOT NULL,              -- wall clock: when it expired
    PRIMARY KEY (series, quality, t_us)
) STRICT, WITHOUT ROWID;

-- How long windows are: the rule of the newest since_us at or before a time holds.
CREATE TABLE window_rule (
    since_us INTEGER PRIMARY KEY,
    length   TEXT NOT NULL CHECK (length IN ('day', 'week', 'month'))
) STRICT;

-- Refused messages, or the smallest refused part of one.
CREATE TABLE dead (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    incarnation INTEGER NOT NULL,
    offset      INTEGER NOT NULL,
    known_ms    INTEGER NOT NULL,            -- the Kafka timestamp
    at_us       INTEGER NOT NULL,            -- wall clock when it was refused: kept 30 days from then
    reason      TEXT NOT NULL,
    detail      TEXT NOT NULL,
    property    TEXT NOT NULL,               -- '' for all of the payload
    slot        INTEGER NOT NULL,            -- -1 for all
    sealed      INTEGER NOT NULL DEFAULT 0,  -- 1: payload is sealed to the vault's public key
    copied      INTEGER NOT NULL DEFAULT 0,  -- 1: the dead topic has it
    payload     BLOB NOT NULL,
    entity      BLOB                         -- its keyed hash (docs/FORMAT.md, "Erased entities"); NULL: it was not read
) STRICT;
CREATE TRIGGER dead_came AFTER INSERT ON dead BEGIN
    UPDATE source SET n_dead = n_dead + 1, dead_bytes = dead_bytes + length(NEW.payload) + 200;
END;
CREATE TRIGGER dead_went AFTER DELETE ON dead BEGIN
    UPDATE source SET n_dead = n_dead - 1, dead_bytes = dead_bytes - length(OLD.payload) - 200;
END;
CREATE INDEX dead_to_copy ON dead (id) WHERE copied = 0;

-- Offsets that were lost or came from a topic made anew: alarms that stay on record. And, where why begins with 'held elsewhere:',
-- offsets that another store of the consumer group holds.
CREATE TABLE gap (
    id          INTEGER PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    from_offset INTEGER NOT NULL,
    to_offset   INTEGER NOT NULL,
    at_us       INTEGER NOT NULL,
    why         TEXT NOT NULL
) STRICT;
