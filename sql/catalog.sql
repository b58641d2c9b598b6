-- DIR/catalog.db: what may be stored and which series exist. Facts only; the series can be had again from the window files.

-- Facts about the store: uuid (names it in Kafka's commits), created_us; elsewhere: how many partitions other members of the
-- consumer group had when ingest last asked; of one that was restored from a backup restored_us; of a snapshot
-- snapshot_created_us, snapshot_expires_us and snapshot_position.
CREATE TABLE info (
    name  TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;

-- A unit of measure: value in the dimension's base unit = (value + offset) * numerator / denominator * 10^exponent.
CREATE TABLE unit (
    name        TEXT PRIMARY KEY,
    dimension   TEXT NOT NULL,               -- only units of one dimension convert into each other
    numerator   INTEGER NOT NULL DEFAULT 1,
    denominator INTEGER NOT NULL DEFAULT 1,
    exponent    INTEGER NOT NULL DEFAULT 0,
    offset      TEXT NOT NULL DEFAULT '0',   -- a decimal
    prefixes    INTEGER NOT NULL DEFAULT 0   -- 1: every SI prefix of it is a unit, too
) STRICT;

-- Another spelling of a unit, such as its UN/ECE code.
CREATE TABLE unit_alias (
    alias TEXT PRIMARY KEY,
    name  TEXT NOT NULL
) STRICT;

-- A model: what kind of thing an entity is.
CREATE TABLE type (
    name TEXT PRIMARY KEY,
    open INTEGER NOT NULL DEFAULT 0          -- 1: takes any property with a unit stated the first time
) STRICT;

-- A property of a type.
CREATE TABLE property (
    type   TEXT NOT NULL REFERENCES type (name),
    name   TEXT NOT NULL,
    unit   TEXT NOT NULL,                    -- canonical; '' for states
    kind   TEXT NOT NULL CHECK (kind IN ('gauge', 'counter', 'interval', 'state')),
    step   INTEGER NOT NULL DEFAULT 0,       -- 1: a gauge that holds its value until the next reading
    phases INTEGER NOT NULL DEFAULT 0,       -- 1: also exists with suffix L1, L2, L3
    PRIMARY KEY (type, name)
) STRICT;

-- A thing that readings are about, under its pseudonym.
CREATE TABLE entity (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL
) STRICT;

-- One property of one entity.
CREATE TABLE series (
    id         INTEGER PRIMARY KEY,
    entity     INTEGER NOT NULL REFERENCES entity (id),
    property   TEXT NOT NULL,
    unit       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    step       INTEGER NOT NULL,
    cadence_us INTEGER NOT NULL DEFAULT 0,   -- declared distance of readings; 0: none declared
    UNIQUE (entity, property)
) STRICT;

-- A topic-partition with a folder below store/.
CREATE TABLE source (
    id        INTEGER PRIMARY KEY,
    topic     TEXT NOT NULL,
    partition INTEGER NOT NULL,
    UNIQUE (topic, partition)
) STRICT;

-- Where a series' readings lie: usually in one source.
CREATE TABLE series_source (
    series INTEGER NOT NULL,
    source INTEGER NOT NULL,
    PRIMARY KEY (series, source)
) STRICT, WITHOUT ROWID;

-- The series for people.
CREATE VIEW series_info AS
    SELECT s.id, e.name AS entity, e.type, s.property, s.unit, s.kind
      FROM series s JOIN entity e ON e.id = s.entity;
