#include <config.h>

#include "http/spec.h"

#include <stddef.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct spec spec_series = {
    .name = "series", .form = SPEC_WHOLES, .text = "Ids of series, as /v1/series lists them", .example = "7"};
const struct spec spec_entity = {.name = "entity",
                                 .form = SPEC_TEXTS,
                                 .example = "roof-*",
                                 .text = "Entities, by name or glob: * is any text, ? any one byte"};
const struct spec spec_type = {
    .name = "type", .form = SPEC_TEXTS, .text = "Types, by name or glob", .example = "SmartMeter"};
const struct spec spec_property = {
    .name = "property", .form = SPEC_TEXTS, .text = "Properties, by name or glob", .example = "activePower"};
const struct spec spec_unit_is = {
    .name = "unit", .form = SPEC_TEXTS, .text = "Units in which the series are kept, by name or glob", .example = "W"};
const struct spec spec_words = {.name = "q",
                                .form = SPEC_TEXT,
                                .example = "meter voltage",
                                .text = "Words, each of which occurs in entity, type, property or unit"};

const struct spec spec_from = {
    .name = "from",
    .form = SPEC_TEXT,
    .required = true,
    .example = "2025-03-01T00:00:00Z",
    .text = "Begin of the time asked for: RFC 3339, milliseconds since 1970, now, a duration before now "
            "such as -P7D, or with tz a date"};
const struct spec spec_to = {.name = "to",
                             .form = SPEC_TEXT,
                             .required = true,
                             .example = "2025-03-02T00:00:00Z",
                             .text = "End of the time asked for, which is not included, in the forms of from"};
const struct spec spec_step = {
    .name = "step",
    .form = SPEC_TEXT,
    .example = "PT15M",
    .text = "raw (the default) for readings as they are, a duration from PT1S on for aggregates, or auto; "
            "P1D, P1W, P1M and P1Y go by the calendar of tz"};
const struct spec spec_agg = {
    .name = "agg",
    .form = SPEC_TEXTS,
    .example = "mean,max",
    .text = "Aggregates of each step: mean min max sum count first last twa integral increase stddev "
            "median p01 to p99 mintime maxtime covered; the default goes by the kind of series"};
const struct spec spec_over = {.name = "over",
                               .form = SPEC_WORD,
                               .words = WORDS("none", "sum", "mean", "min", "max"),
                               .text = "Puts the aggregates of the matching series together"};
const struct spec spec_by = {.name = "by",
                             .form = SPEC_WORD,
                             .words = WORDS("none", "type", "property", "location", "board"),
                             .text = "With over: what of the series makes a group of its own"};
const struct spec spec_tz = {.name = "tz",
                             .form = SPEC_TEXT,
                             .example = "Europe/Ljubljana",
                             .text =
                                 "Zone of the IANA list for steps of the calendar and for printing; UTC without it"};
const struct spec spec_fill = {.name = "fill",
                               .form = SPEC_WORD,
                               .words = WORDS("null", "none", "previous", "linear"),
                               .text = "Steps without readings: there and null, left out, or filled within max_gap"};
const struct spec spec_max_gap = {.name = "max_gap",
                                  .form = SPEC_TEXT,
                                  .example = "PT45M",
                                  .text = "The longest time between two readings that is bridged"};
const struct spec spec_bounds = {.name = "bounds",
                                 .form = SPEC_WORD,
                                 .words = WORDS("none", "outside"),
                                 .text = "With raw readings: also the nearest one on each side, marked"};
const struct spec spec_unit = {
    .name = "unit", .form = SPEC_TEXT, .text = "Unit to convert the values to", .example = "kWh"};
const struct spec spec_quality = {
    .name = "quality",
    .form = SPEC_TEXT,
    .example = "derived",
    .text = "The least quality accepted: measured, edited, derived, estimated or suspect; without it "
            "raw readings have all, aggregates all but suspect"};
const struct spec spec_asof = {.name = "asof",
                               .form = SPEC_TEXT,
                               .example = "2025-03-01T06:00:00Z",
                               .text = "Only what was known by that instant, in the forms of from"};
const struct spec spec_lead_min = {.name = "lead_min",
                                   .form = SPEC_TEXT,
                                   .example = "PT24H",
                                   .text = "Only forecasts that were issued at least so long before their time"};
const struct spec spec_snapshot = {
    .name = "snapshot", .form = SPEC_TEXT, .text = "Name of a snapshot to answer from", .example = "before-the-audit"};
const struct spec spec_reduce = {.name = "reduce",
                                 .form = SPEC_WORD,
                                 .words = WORDS("none", "m4", "minmax"),
                                 .text =
                                     "Raw readings thinned out for a plot of points columns, extremes and gaps kept"};
const struct spec spec_points = {
    .name = "points", .form = SPEC_WHOLE, .text = "With reduce or step=auto: how many", .example = "800"};
const struct spec spec_layout = {.name = "layout",
                                 .form = SPEC_WORD,
                                 .words = WORDS("long", "wide"),
                                 .text = "One row a series and time, or one row a time with a column a series"};
const struct spec spec_format = {.name = "format",
                                 .form = SPEC_WORD,
                                 .words = WORDS("json", "csv", "ndjson", "arrow"),
                                 .text = "Format of the answer; it wins over the header Accept"};
const struct spec spec_time = {.name = "time",
                               .form = SPEC_WORD,
                               .words = WORDS("iso", "ms", "local"),
                               .text =
                                   "How times are printed: RFC 3339, milliseconds since 1970, or without an offset"};
const struct spec spec_sep = {
    .name = "sep", .form = SPEC_WORD, .words = WORDS(",", ";", "tab", "|"), .text = "CSV: what separates fields"};
const struct spec spec_decimal = {
    .name = "decimal", .form = SPEC_WORD, .words = WORDS(".", ","), .text = "CSV: the decimal sign, not that of sep"};
const struct spec spec_bom = {.name = "bom",
                              .form = SPEC_WORD,
                              .words = WORDS("0", "1"),
                              .text = "CSV: whether a byte order mark comes first, as spreadsheets want it"};
const struct spec spec_numbers = {
    .name = "numbers", .form = SPEC_WORD, .words = WORDS("float64", "decimal"), .text = "Arrow: the type of values"};
const struct spec spec_limit = {.name = "limit",
                                .form = SPEC_WHOLE,
                                .example = "1000",
                                .text = "At most so many rows; then next is the cursor of the next page"};
const struct spec spec_cursor = {.name = "cursor",
                                 .form = SPEC_TEXT,
                                 .text =
                                     "Where the page begins: next of the page before, with the same other parameters"};
const struct spec spec_explain = {.name = "explain",
                                  .form = SPEC_WORD,
                                  .words = WORDS("0", "1"),
                                  .text = "Whether each step tells what it was computed from"};

const struct spec spec_at = {.name = "at",
                             .form = SPEC_TEXT,
                             .example = "2025-03-01T00:00:00Z",
                             .text = "The newest reading at or before that instant, in the forms of from; without it the "
                                     "newest of all, which of forecasts lies ahead"};
const struct spec spec_max_age = {.name = "max_age",
                                  .form = SPEC_TEXT,
                                  .example = "PT1H",
                                  .text = "Readings that are older than this, at the instant asked for, count as none"};

const struct spec spec_since = {.name = "since",
                                .form = SPEC_TEXT,
                                .required = true,
                                .text = "The position of an earlier answer: its header Almanac-Position"};
const struct spec spec_live_since = {
    .name = "since",
    .form = SPEC_TEXT,
    .text = "Also what changed since that position, the header Almanac-Position of an earlier answer; the header "
            "Last-Event-ID comes before it"};
const struct spec spec_cadence = {
    .name = "cadence",
    .form = SPEC_TEXT,
    .example = "PT15M",
    .text = "How often a reading is expected, where neither a declaration nor the period of amounts says so"};
const struct spec spec_snapshot_name = {
    .name = "name", .form = SPEC_TEXT, .required = true, .text = "Name of the snapshot", .example = "before-the-audit"};
const struct spec spec_keep = {.name = "keep", .form = SPEC_TEXT, .text = "How long it is kept", .example = "P90D"};
const struct spec spec_sql = {.name = "sql",
                              .form = SPEC_TEXT,
                              .required = true,
                              .example = "SELECT count(*) FROM readings",
                              .text =
                                  "One statement that only reads, on the tables readings, rollup, last and revisions"};
const struct spec spec_sql_format = {.name = "format",
                                     .form = SPEC_WORD,
                                     .words = WORDS("json", "csv", "ndjson"),
                                     .text = "Format of the answer; it wins over the header Accept"};

const struct spec spec_export_from = {.name = "from",
                                      .form = SPEC_TEXT,
                                      .example = "2025-01-01T00:00:00Z",
                                      .text =
                                          "Begin of the time asked for, in the forms of a range; without it the first reading"};
const struct spec spec_export_to = {.name = "to",
                                    .form = SPEC_TEXT,
                                    .example = "2026-01-01T00:00:00Z",
                                    .text = "End of that time, which is not included; without it behind the last reading"};
const struct spec spec_export_format = {
    .name = "format", .form = SPEC_WORD, .words = WORDS("csv", "ndjson", "arrow"), .text = "Format of the files"};
const struct spec spec_compression = {
    .name = "compression", .form = SPEC_WORD, .words = WORDS("none", "gzip", "zstd"), .text = "How each file is packed"};
const struct spec spec_window = {.name = "window",
                                 .form = SPEC_TEXT,
                                 .example = "P1M",
                                 .text = "How much time a file has: P1D, P1W, P1M (the default), P3M, P6M, P1Y, or hours"};
const struct spec spec_group = {
    .name = "group", .form = SPEC_WHOLE, .example = "100", .text = "How many series a file has: up to 1000, the default"};
const struct spec spec_export_keep = {
    .name = "keep", .form = SPEC_TEXT, .example = "P7D", .text = "How long the export is kept; P7D without it"};
const struct spec spec_available = {.name = "available",
                                    .form = SPEC_WORD,
                                    .words = WORDS("0", "1"),
                                    .text = "Raw readings: whether a column available_at tells since when each could be known"};

const struct spec spec_pilot_from = {.name = "from",
                                     .form = SPEC_TEXT,
                                     .example = "2025-03-01T00:00:00Z",
                                     .text = "Begin of the time asked for, in the forms of a range; without it a day ago"};
const struct spec spec_pilot_to = {.name = "to",
                                   .form = SPEC_TEXT,
                                   .example = "2025-03-02T00:00:00Z",
                                   .text = "End of that time, which is not included; without it now"};
const struct spec spec_pilot_step = {.name = "step",
                                     .form = SPEC_TEXT,
                                     .example = "PT15M",
                                     .text = "A duration from PT1S on; PT15M without it"};
const struct spec spec_received_from = {.name = "from",
                                        .form = SPEC_TEXT,
                                        .example = "2025-03-01T00:00:00Z",
                                        .text = "Only what was received from then on, in the forms of a range"};
const struct spec spec_received_to = {.name = "to",
                                      .form = SPEC_TEXT,
                                      .example = "2030-01-01T00:00:00Z",
                                      .text = "Only what was received before then"};
const struct spec spec_limit_output = {
    .name = "limit", .form = SPEC_WHOLE, .example = "10", .text = "At most so many, up to 1000; 100 without it"};

const struct spec spec_purpose = {.name = "purpose",
                                  .form = SPEC_TEXT,
                                  .required = true,
                                  .example = "billing",
                                  .text = "What the data is asked for: one that the subject consents to at this moment"};
static const char *const erase_words[] = {"delete", "keep", NULL};
const struct spec spec_erase_series = {
    .name = "series",
    .form = SPEC_WORD,
    .words = erase_words,
    .text = "What becomes of the subject's curves: they are deleted, or kept with nothing that tells whose they were"};
const struct spec spec_audit_subject = {
    .name = "subject", .form = SPEC_TEXT, .example = "c-1", .text = "Only what concerned this subject"};
const struct spec spec_audit_from = {.name = "from",
                                     .form = SPEC_TEXT,
                                     .example = "2025-03-01T00:00:00Z",
                                     .text = "Only what was from then on, in the forms of a range"};
const struct spec spec_audit_to = {
    .name = "to", .form = SPEC_TEXT, .example = "2030-01-01T00:00:00Z", .text = "Only what was before that"};
const struct spec spec_audit_after = {
    .name = "after", .form = SPEC_TEXT, .example = "100", .text = "Go on behind this entry: \"next\" of the answer before"};
const struct spec spec_limit_audit = {
    .name = "limit", .form = SPEC_WHOLE, .example = "10", .text = "At most so many, up to 1000; 100 without it"};

#define SECONDS_OR_RFC3339 "seconds since 1970 or RFC 3339"
const struct spec spec_query = {
    .name = "query",
    .form = SPEC_TEXT,
    .required = true,
    .example = "avg_over_time(voltage{entity=~\"p2-.*\"}[15m])",
    .text = "A selector, or avg, min, max, sum, last or count_over_time of one with a range, or a sum of numbers"};
const struct spec spec_start = {.name = "start",
                                .form = SPEC_TEXT,
                                .required = true,
                                .example = "2025-03-01T00:00:00Z",
                                .text = "The first time that is evaluated: " SECONDS_OR_RFC3339};
const struct spec spec_end = {.name = "end",
                              .form = SPEC_TEXT,
                              .required = true,
                              .example = "2025-03-02T00:00:00Z",
                              .text = "No time after this is evaluated: " SECONDS_OR_RFC3339};
const struct spec spec_step_s = {.name = "step",
                                 .form = SPEC_TEXT,
                                 .required = true,
                                 .example = "15m",
                                 .text = "Between two times that are evaluated: seconds, or such as 15m; at most 11,000 "
                                         "points a series"};
const struct spec spec_instant = {.name = "time",
                                  .form = SPEC_TEXT,
                                  .example = "2025-03-01T00:00:00Z",
                                  .text = "The time that is evaluated, now without it: " SECONDS_OR_RFC3339};
const struct spec spec_timeout = {
    .name = "timeout", .form = SPEC_TEXT, .example = "30s", .text = "After this the query is given up: seconds, or 15s"};
const struct spec spec_lookback = {.name = "lookback_delta",
                                   .form = SPEC_TEXT,
                                   .example = "5m",
                                   .text = "How far a selector without a range looks back for a reading: seconds, or such as "
                                           "5m (the default)"};
const struct spec spec_match = {
    .name = "match[]", .form = SPEC_TEXTS, .example = "voltage", .text = "Selectors; a series that one of them means counts"};
const struct spec spec_match_needed = {.name = "match[]",
                                       .form = SPEC_TEXTS,
                                       .required = true,
                                       .example = "{entity=~\"p2-.*\"}",
                                       .text = "Selectors; a series that one of them means counts"};
const struct spec spec_start_some = {.name = "start",
                                     .form = SPEC_TEXT,
                                     .example = "2025-03-01T00:00:00Z",
                                     .text = "Only series with readings from then on: " SECONDS_OR_RFC3339};
const struct spec spec_end_some = {.name = "end",
                                   .form = SPEC_TEXT,
                                   .example = "2025-03-02T00:00:00Z",
                                   .text = "Only series with readings up to then: " SECONDS_OR_RFC3339};
const struct spec spec_limit_some = {
    .name = "limit", .form = SPEC_TEXT, .example = "100", .text = "At most so many, 0 for all; a warning tells of more"};
const struct spec spec_metric = {.name = "metric", .form = SPEC_TEXT, .text = "Only of this property", .example = "voltage"};
const struct spec spec_limit_metric = {
    .name = "limit_per_metric", .form = SPEC_TEXT, .example = "1", .text = "At most so many entries of a property, 0 for all"};
