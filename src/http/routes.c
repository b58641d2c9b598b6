/* The routes, and what each of them takes. */
#include <config.h>

#include "http/handlers.h"

#define LIST(...) ((const struct spec *const[]){__VA_ARGS__, NULL})
#define WHICH_SERIES &spec_series, &spec_entity, &spec_type, &spec_property
#define NOTHING ((const struct spec *const[]){NULL})

#define RANGE_PARAMETERS                                                                                                      \
    LIST(WHICH_SERIES, &spec_from, &spec_to, &spec_step, &spec_agg, &spec_over, &spec_by, &spec_tz, &spec_fill, &spec_max_gap, \
         &spec_bounds, &spec_unit, &spec_quality, &spec_asof, &spec_lead_min, &spec_snapshot, &spec_reduce, &spec_points,      \
         &spec_layout, &spec_format, &spec_time, &spec_limit, &spec_cursor, &spec_explain)
static const char *const range_planned[] = {"sep", "decimal", "bom", "numbers", NULL};

static const struct media json_only[] = {{"json", "application/json", false}, {NULL, NULL, false}};
static const struct media range_media[] = {
    {"json", "application/json", false},
    {"csv", "text/csv", false},
    {"ndjson", "application/x-ndjson", false},
    {"arrow", "application/vnd.apache.arrow.stream", true},
    {NULL, NULL, false},
};
static const struct media sql_media[] = {
    {"json", "application/json", false},
    {"csv", "text/csv", false},
    {"ndjson", "application/x-ndjson", false},
    {NULL, NULL, false},
};

const struct route routes[] = {
    {.method = "GET", .path = "/v1/series", .scope = SCOPE_READ, .media = json_only, .handler = h_series_list,
     .parameters = LIST(&spec_entity, &spec_type, &spec_property, &spec_unit_is, &spec_words, &spec_limit, &spec_cursor,
                        &spec_snapshot),
     .summary = "The catalog: which series there are", .answer = "Series with unit, kind, first, last and count"},
    {.method = "GET", .path = "/v1/series/{id}", .scope = SCOPE_READ, .media = json_only, .handler = h_series_one,
     .parameters = LIST(&spec_snapshot), .summary = "One series", .answer = "The series and what it is made of"},
    {.method = "GET", .path = "/v1/changes", .scope = SCOPE_READ, .media = json_only, .handler = h_changes,
     .parameters = LIST(&spec_since, WHICH_SERIES),
     .summary = "Which series changed since an earlier answer, and at which times",
     .answer = "Ranges of time of series, and the position for the next call"},
    {.method = "GET", .path = "/v1/range", .scope = SCOPE_READ, .media = range_media, .handler = h_range,
     .parameters = RANGE_PARAMETERS, .planned = range_planned,
     .summary = "Readings of a range of time, raw or condensed to steps", .answer = "Rows in the order of series and time"},
    {.method = "POST", .path = "/v1/range", .scope = SCOPE_READ, .media = range_media, .handler = h_range,
     .parameters = RANGE_PARAMETERS, .planned = range_planned,
     .summary = "The same, with the parameters in the body", .answer = "Rows in the order of series and time"},
    {.method = "GET", .path = "/v1/snapshots", .scope = SCOPE_READ, .media = json_only, .handler = h_snapshots_list,
     .parameters = NOTHING, .summary = "The snapshots that are kept", .answer = "Their names and times"},
    {.method = "POST", .path = "/v1/snapshots", .scope = SCOPE_OPS, .media = json_only, .handler = h_snapshots_make,
     .parameters = LIST(&spec_snapshot_name, &spec_keep), .summary = "Keeps the store as it stands under a name",
     .answer = "The snapshot"},
    {.method = "DELETE", .path = "/v1/snapshots", .scope = SCOPE_OPS, .handler = h_snapshots_drop,
     .parameters = LIST(&spec_snapshot_name), .summary = "Drops a snapshot", .answer = "Dropped"},
    {.method = "DELETE", .path = "/v1/snapshots/{id}", .scope = SCOPE_OPS, .handler = h_snapshots_drop, .parameters = NOTHING,
     .summary = "Drops the snapshot of that name", .answer = "Dropped"},
    {.method = "POST", .path = "/v1/sql", .scope = SCOPE_SQL, .media = sql_media, .handler = h_sql,
     .parameters = LIST(&spec_sql, &spec_sql_format), .summary = "One SQL statement that only reads", .answer = "Its rows"},
    {.method = "GET", .path = "/openapi.json", .scope = SCOPE_READ, .access = ACCESS_PUBLIC, .media = json_only, .handler = h_openapi,
     .parameters = NOTHING, .summary = "This document", .answer = "OpenAPI 3.1"},
    {.method = "GET", .path = "/healthz", .scope = SCOPE_OPS, .access = ACCESS_LOOPBACK, .handler = h_healthz,
     .parameters = NOTHING, .summary = "Whether the process lives", .answer = "It does"},
    {.method = "GET", .path = "/readyz", .scope = SCOPE_OPS, .access = ACCESS_LOOPBACK, .handler = h_readyz,
     .parameters = NOTHING, .summary = "Whether queries can be answered and ingest keeps up", .answer = "Ready, or degraded"},
    {.method = "GET", .path = "/metrics", .scope = SCOPE_OPS, .access = ACCESS_LOOPBACK, .handler = h_metrics,
     .parameters = NOTHING, .summary = "Figures for monitoring", .answer = "Prometheus text"},
    {0},
};
