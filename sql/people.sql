-- For people with the sqlite3 shell: one row a series and UTC day, and the views that unfold it. In open and tier files.

CREATE TABLE day (
    series  INTEGER NOT NULL,
    day     INTEGER NOT NULL,                -- days since 1970-01-01
    base    INTEGER NOT NULL,                -- to be added to each value: registers have long numbers that differ little
    at_s    TEXT,                            -- JSON: seconds of the day; NULL: every 900 s from midnight
    value   TEXT NOT NULL,                   -- JSON: numbers or texts
    quality TEXT,                            -- one letter a value, m e d i s; NULL: all measured
    PRIMARY KEY (series, day)
) STRICT, WITHOUT ROWID;

-- What each series is: 15-min means of gauges, sums of intervals, last values of counters and states; a series at 15 min
-- or slower stands here with its own readings. Each series in time order.
CREATE VIEW readings_15m AS
    SELECT strftime('%Y-%m-%dT%H:%M:%SZ', d.day * 86400 + coalesce(json_extract(d.at_s, '$[' || v.key || ']'), v.key * 900),
                    'unixepoch') AS time,
           d.day * 86400 + coalesce(json_extract(d.at_s, '$[' || v.key || ']'), v.key * 900) AS unix,
           s.entity, s.type, s.property, iif(d.base, d.base + v.value, v.value) AS value, s.unit,
           CASE substr(d.quality, v.key + 1, 1)
                WHEN 'e' THEN 'edited' WHEN 'd' THEN 'derived' WHEN 'i' THEN 'estimated' WHEN 's' THEN 'suspect'
                ELSE 'measured' END AS quality
      FROM series s
      JOIN day d ON d.series = s.id
      JOIN json_each(d.value) v
     WHERE v.value IS NOT NULL;

CREATE VIEW series_info AS
    SELECT id, entity, type, property, unit, kind FROM series;

-- What this file is.
CREATE VIEW file_info AS
    SELECT (SELECT value FROM info WHERE name = 'topic') AS topic,
           (SELECT value FROM info WHERE name = 'partition') AS partition,
           (SELECT value FROM info WHERE name = 'kind') AS kind,
           (SELECT value FROM info WHERE name = 'generation') AS generation,
           strftime('%Y-%m-%dT%H:%M:%SZ', (SELECT value FROM info WHERE name = 'begin_us') / 1000000, 'unixepoch') AS "begin",
           strftime('%Y-%m-%dT%H:%M:%SZ', (SELECT value FROM info WHERE name = 'end_us') / 1000000, 'unixepoch') AS "end",
           (SELECT count(*) FROM series) AS n_series;
