-- The derivations of a sealed window: NAME.tier.gN.db beside NAME.raw.gN.db. Can be dropped and computed again (I6).

-- Facts about the file, as in the raw file.
CREATE TABLE info (
    name  TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;

-- The series of the window. tiers: bit 0 the 1 s tier, bit 1 1 min, bit 2 15 min; only these were worth writing.
CREATE TABLE series (
    id       INTEGER PRIMARY KEY,
    entity   TEXT NOT NULL,
    type     TEXT NOT NULL,
    property TEXT NOT NULL,
    unit     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    step     INTEGER NOT NULL,
    tiers    INTEGER NOT NULL
) STRICT;

-- Cells of one series and tier as compressed columns (docs/FORMAT.md, "Tier block").
CREATE TABLE block (
    id       INTEGER PRIMARY KEY,
    series   INTEGER NOT NULL,
    tier     INTEGER NOT NULL,               -- 0 1 s, 1 1 min, 2 15 min
    begin_us INTEGER NOT NULL,               -- of its first cell
    end_us   INTEGER NOT NULL,               -- of its last cell
    n        INTEGER NOT NULL,
    data     BLOB NOT NULL
) STRICT;
CREATE INDEX block_by_time ON block (series, tier, begin_us, end_us);
