-- DIR/assets.db: what is known of the things that readings are about, from topic `assets`, and outputs of optimizations, from topic
-- `optimization`. A fact: what arrived, checked. Times are microseconds (_us) or milliseconds (_ms) since 1970 UTC.

-- A document in force: of one kind and id the last, by (known_ms, partition, "offset", part).
CREATE TABLE asset (
    kind        TEXT NOT NULL,             -- Customer Location MainDistributionBoard Sensor Rate Series MeterChange Calendar
    id          TEXT NOT NULL,             -- of a Series 'ENTITY PROPERTY', of a MeterChange 'ENTITY PROPERTY TIME'
    type        TEXT NOT NULL,             -- of a Sensor: Main HeatPump ...; '' else
    entity      TEXT NOT NULL,             -- of a Sensor, a Series and a MeterChange; '' else
    parent_kind TEXT NOT NULL,             -- what it belongs to: '' or a kind
    parent      TEXT NOT NULL,
    start_us    INTEGER NOT NULL,          -- of a Rate; 0 else
    document    TEXT NOT NULL,             -- the JSON object as it was sent
    since_ms    INTEGER NOT NULL,          -- Kafka timestamp since which it says so; older than known_ms where it was repeated
    known_ms    INTEGER NOT NULL,          -- Kafka timestamp of its message
    partition   INTEGER NOT NULL,          -- where that is
    "offset"    INTEGER NOT NULL,
    part        INTEGER NOT NULL,          -- in the message, from 0
    version     INTEGER NOT NULL,          -- of the batch that changed it
    PRIMARY KEY (kind, id)
) STRICT;
CREATE INDEX asset_order ON asset (kind, start_us, id);
CREATE INDEX asset_parent ON asset (kind, parent, start_us, id);
CREATE INDEX asset_version ON asset (version);
CREATE INDEX asset_entity ON asset (entity) WHERE kind = 'Sensor';

-- What an asset Series declares of its series, in numbers: a decimal is m * 10^e, in the unit of the series.
CREATE TABLE declaration (
    entity     TEXT NOT NULL,
    property   TEXT NOT NULL,
    cadence_us INTEGER NOT NULL,           -- distance of readings; 0: not declared
    max_gap_us INTEGER NOT NULL,           -- readings further apart are not bridged; 0: not declared
    step       INTEGER,                    -- 1: the value holds until the next reading, 0: it runs linearly; NULL: not declared
    register_m INTEGER NOT NULL,           -- where a counter begins again at 0; 0: nowhere
    register_e INTEGER NOT NULL,
    epsilon_m  INTEGER NOT NULL,           -- a counter's decrease up to so much is jitter
    epsilon_e  INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (entity, property)
) STRICT;
CREATE INDEX declaration_version ON declaration (version);

-- A register that was put in the place of another, of an asset MeterChange: the old one stood at end, the new one at start.
CREATE TABLE meter_change (
    entity   TEXT NOT NULL,
    property TEXT NOT NULL,
    t_us     INTEGER NOT NULL,
    end_m    INTEGER NOT NULL,
    end_e    INTEGER NOT NULL,
    start_m  INTEGER NOT NULL,
    start_e  INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    PRIMARY KEY (entity, property, t_us)
) STRICT;
CREATE INDEX meter_change_version ON meter_change (version);

-- Calendars whose readings Kafka has, as of the document's since_ms.
CREATE TABLE calendar_done (
    id       TEXT PRIMARY KEY,
    since_ms INTEGER NOT NULL
) STRICT;

-- Documents that refer to something that is not there. They come into force when it is.
CREATE TABLE waiting (
    n           INTEGER PRIMARY KEY,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    type        TEXT NOT NULL,
    entity      TEXT NOT NULL,
    parent_kind TEXT NOT NULL,
    parent      TEXT NOT NULL,
    start_us    INTEGER NOT NULL,
    document    TEXT NOT NULL,
    known_ms    INTEGER NOT NULL,
    partition   INTEGER NOT NULL,
    "offset"    INTEGER NOT NULL,
    part        INTEGER NOT NULL,
    topic       TEXT NOT NULL,
    is_refused  INTEGER NOT NULL DEFAULT 0, -- 1: every partition was read to its end, and it still waits
    UNIQUE (kind, id, known_ms, partition, "offset", part)
) STRICT;

CREATE TABLE waiting_reference (
    n     INTEGER NOT NULL REFERENCES waiting (n),
    field TEXT NOT NULL,                   -- of the document
    kind  TEXT NOT NULL,                   -- what it refers to
    id    TEXT NOT NULL,
    PRIMARY KEY (n, field, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_for ON waiting_reference (kind, id);

-- Parts of messages that are no documents. Their bytes are in Kafka only.
CREATE TABLE refused (
    topic     TEXT NOT NULL,
    partition INTEGER NOT NULL,
    "offset"  INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    known_ms  INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    detail    TEXT NOT NULL,
    PRIMARY KEY (topic, partition, "offset", part, known_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX refused_age ON refused (known_ms);

-- An output of an optimization.
CREATE TABLE optimization (
    known_ms  INTEGER NOT NULL,            -- Kafka timestamp of its message
    partition INTEGER NOT NULL,
    "offset"  INTEGER NOT NULL,
    document  TEXT NOT NULL,               -- the JSON object as it was sent
    PRIMARY KEY (known_ms, partition, "offset")
) STRICT;

-- How far each partition was read, and the BLAKE2b of its last message.
CREATE TABLE place (
    topic       TEXT NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    last_hash   BLOB NOT NULL,
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;
