/* What each parameter of the routes is called and means. The server takes a name only where the route's list has its
 * row, and /openapi.json is written from the same rows, so neither can say what the other does not. */
#ifndef HTTP_SPEC_H
#define HTTP_SPEC_H

#include <stdbool.h>

struct spec {
    const char *name;
    enum spec_form {
        SPEC_TEXT,
        SPEC_TEXTS,  /* may be repeated, or a list with commas */
        SPEC_WHOLE,  /* a whole number from 1 on */
        SPEC_WHOLES, /* a list of them */
        SPEC_WORD,   /* one of words */
    } form;
    const char *text;         /* one sentence for people, without a full stop */
    const char *const *words; /* the default first, ended by NULL */
    const char *example;      /* or NULL */
    bool required;
};

/* which series */
extern const struct spec spec_series, spec_entity, spec_type, spec_property, spec_unit_is, spec_words;
/* the range query */
extern const struct spec spec_from, spec_to, spec_step, spec_agg, spec_over, spec_by, spec_tz, spec_fill, spec_max_gap,
    spec_bounds, spec_unit, spec_quality, spec_asof, spec_lead_min, spec_snapshot, spec_reduce, spec_points,
    spec_layout, spec_format, spec_time, spec_sep, spec_decimal, spec_bom, spec_numbers, spec_limit, spec_cursor,
    spec_explain;
/* others */
extern const struct spec spec_export_from, spec_export_to, spec_export_format, spec_compression, spec_window, spec_group,
    spec_export_keep, spec_available;
extern const struct spec spec_at, spec_max_age, spec_since, spec_live_since, spec_cadence, spec_snapshot_name, spec_keep,
    spec_sql, spec_sql_format;
/* the vault */
extern const struct spec spec_purpose, spec_erase_series, spec_audit_subject, spec_audit_from, spec_audit_to, spec_audit_after,
    spec_limit_audit;
/* the Pilot 2 API */
extern const struct spec spec_pilot_from, spec_pilot_to, spec_pilot_step, spec_received_from, spec_received_to, spec_limit_output;
/* the Prometheus door */
extern const struct spec spec_query, spec_start, spec_end, spec_step_s, spec_instant, spec_timeout, spec_lookback, spec_match,
    spec_match_needed, spec_start_some, spec_end_some, spec_limit_some, spec_metric, spec_limit_metric;

#endif
