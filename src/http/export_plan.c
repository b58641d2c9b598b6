#include <config.h>

#include "http/export_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "http/filter.h"
#include "http/route.h"
#include "query/foresee.h"

#define BEGIN_OF_TIME "0001-01-01T00:00:00Z"
#define END_OF_TIME "9999-12-31T23:59:59Z"
#define WINDOW_DEFAULT "P1M"
#define KEEP_DEFAULT "P7D"

/* ---- the parameters of its own ---- */

static bool is_own(const char *name)
{
    static const char *const own[] = {"window", "group", "keep", "compression"};
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (!strcmp(name, own[i]))
            return true;
    return false;
}

/* Formats of rows that stand alone are those of a range. */
static int read_format(const char *format, const struct media **ret_media, struct err_text *error)
{
    const struct route *route = routes;
    while (strcmp(route->path, "/v1/range") != 0)
        route++;
    for (const struct media *media = route->media; media->name; media++) {
        if (strcmp(media->name, format) != 0 || !strcmp(format, "json"))
            continue;
        *ret_media = media;
        return 0;
    }
    return err_set_field(error, ERR_INVALID, "format", "there is no format \"%.64s\" for files: there are csv, ndjson and arrow",
                         format);
}

static int read_coding(const char *compression, const char **ret_coding, struct err_text *error)
{
    static const char *const codings[] = {"gzip", "zstd"};
    for (size_t i = 0; i < 2; i++)
        if (!strcmp(compression, codings[i])) {
            *ret_coding = codings[i];
            return 0;
        }
    return strcmp(compression, "none") ? err_set_field(error, ERR_INVALID, "compression",
                                                       "there is no compression \"%.64s\": there are none, gzip and zstd",
                                                       compression)
                                       : 0;
}

static int read_duration(const char *name, const char *text, struct duration *ret_duration, struct err_text *error)
{
    if (civil_parse_duration(text, strlen(text), false, ret_duration) || ret_duration->months < 0 || ret_duration->days < 0 ||
        ret_duration->us < 0)
        return err_set_field(error, ERR_INVALID, name, "\"%.64s\" is no duration: write P1D, P1M or PT12H", text);
    return 0;
}

int export_form_read(const struct parameters *parameters, struct export_form *ret_form, struct err_text *error)
{
    enum { FORMAT, COMPRESSION, WINDOW, GROUP, KEEP, OVER, N };
    static const char *const names[N] = {"format", "compression", "window", "group", "keep", "over"};
    const char *texts[N];
    struct export_form form = {.per_group = EXPORT_GROUP_DEFAULT};
    uint64_t group = EXPORT_GROUP_DEFAULT;
    for (int i = 0; i < N; i++) {
        int rc = parameters_one(parameters, names[i], &texts[i], error);
        if (rc)
            return rc;
    }
    int rc = read_format(texts[FORMAT] ? texts[FORMAT] : "csv", &form.media, error);
    rc = rc ? rc : read_coding(texts[COMPRESSION] ? texts[COMPRESSION] : "none", &form.coding, error);
    rc = rc ? rc : read_duration("window", texts[WINDOW] ? texts[WINDOW] : WINDOW_DEFAULT, &form.window, error);
    rc = rc ? rc : read_duration("keep", texts[KEEP] ? texts[KEEP] : KEEP_DEFAULT, &form.keep, error);
    if (!rc && texts[GROUP] && filter_number(texts[GROUP], EXPORT_GROUP_DEFAULT, &group))
        rc = err_set_field(error, ERR_INVALID, "group", "\"%.64s\" is not how many series a file can have: 1 to %d", texts[GROUP],
                           EXPORT_GROUP_DEFAULT);
    bool is_put_together = texts[OVER] && strcmp(texts[OVER], "none") != 0;
    if (!rc && is_put_together && texts[GROUP])
        rc = err_set_field(error, ERR_INVALID, "group", "with \"over\" a file has what all series together come to: leave "
                           "\"group\" out");
    form.per_group = is_put_together ? 0 : (size_t)group;
    if (!rc)
        *ret_form = form;
    return rc;
}

/* ---- which series, which time ---- */

static int add_id(void *arg, const struct series_info *info)
{
    struct export_plan *plan = arg;
    if (array_grow(&plan->ids, &plan->ids_cap, plan->n_ids + 1, sizeof(*plan->ids)))
        return ERR_NOMEM;
    plan->ids[plan->n_ids++] = info->id;
    return 0;
}

static bool is_filter(const char *name)
{
    return !strcmp(name, "series") || !strcmp(name, "entity") || !strcmp(name, "type") || !strcmp(name, "property");
}

static bool is_end(const char *name)
{
    return !strcmp(name, "from") || !strcmp(name, "to");
}

static int parse_range(const struct parameters *parameters, const struct export_source *source, struct export_plan *plan,
                       struct err_text *error)
{
    struct parameter asked[LIMIT_URL_PARAMETERS + 2];
    bool has_from = false, has_to = false, has_past = false;
    size_t n = 0;
    for (size_t i = 0; i < parameters->n; i++) {
        const char *name = parameters->rows[i].name;
        has_from = has_from || !strcmp(name, "from");
        has_to = has_to || !strcmp(name, "to");
        has_past = has_past || !strcmp(name, "asof") || !strcmp(name, "lead_min");
        if (!is_own(name))
            asked[n++] = parameters->rows[i];
    }
    if (has_past && !(has_from && has_to)) /* what is in force now does not tell where that was */
        return err_set_field(error, ERR_INVALID, has_from ? "to" : "from", "\"%s\" is missing: with \"asof\" or \"lead_min\" the "
                             "time is not found out", has_from ? "to" : "from");
    if (!has_from)
        asked[n++] = (struct parameter){"from", BEGIN_OF_TIME};
    if (!has_to)
        asked[n++] = (struct parameter){"to", END_OF_TIME};
    int rc = range_parse(asked, n, source->now_us, &plan->range, error);
    plan->parsed = !rc;
    return rc;
}

static int64_t floor_second(int64_t t_us)
{
    int64_t rest_us = t_us % US_PER_SECOND;
    return t_us - rest_us - (rest_us < 0 ? US_PER_SECOND : 0);
}

static void widen(struct span *span, int64_t begin_us, int64_t end_us)
{
    span->begin_us = begin_us < span->begin_us ? begin_us : span->begin_us;
    span->end_us = end_us > span->end_us ? end_us : span->end_us;
}

/* The whole seconds in which the series have readings; empty without any. */
static int measure(const struct export_plan *plan, const struct export_source *source, struct span *ret_span,
                   struct err_text *error)
{
    struct span span = {INT64_MAX, INT64_MIN};
    struct view *view = NULL;
    int rc = view_open(source->dir, &view, error);
    for (size_t i = 0; i < plan->n_ids && !rc; i++) {
        struct series_stats stats = {0};
        struct span expired = {0};
        rc = source->is_over && source->is_over(source->arg) ? ERR_CANCELLED : view_stats(view, plan->ids[i], &stats);
        rc = rc || plan->range.raw ? rc : view_expired(view, plan->ids[i], &expired);
        if (rc)
            err_set(error, rc, "series %" PRIu32 " could not be read: %s", plan->ids[i], err_name(rc));
        if (stats.count)
            widen(&span, stats.first_us, stats.last_us + 1);
        if (expired.begin_us < expired.end_us) /* of which tiers may be left */
            widen(&span, expired.begin_us, expired.end_us);
    }
    view_close(view);
    span.begin_us = floor_second(span.begin_us);
    if (span.end_us > INT64_MIN)
        span.end_us = floor_second(span.end_us - 1) + US_PER_SECOND;
    if (!rc)
        *ret_span = span;
    return rc;
}

/* Ends that are not given lie around the readings: of steps at the edges of buckets. Raw files begin and end there in any case,
 * unless readings are asked for that are no longer in force. */
static void clamp(struct export_plan *plan, const struct parameters *parameters, struct span span)
{
    struct range *range = &plan->range;
    const char *from = NULL, *to = NULL, *asof = NULL, *lead = NULL;
    struct err_text error = {0};
    if (parameters_one(parameters, "from", &from, &error) || parameters_one(parameters, "to", &to, &error) ||
        parameters_one(parameters, "asof", &asof, &error) || parameters_one(parameters, "lead_min", &lead, &error) || asof ||
        lead)
        return;
    if (!range->raw && span.begin_us < span.end_us) {
        span.begin_us = grid_start_us(&range->grid, span.begin_us);
        span.end_us = grid_next_us(&range->grid, grid_start_us(&range->grid, span.end_us - 1));
    }
    if ((range->raw || !from) && span.begin_us > range->from_us)
        range->from_us = span.begin_us;
    if ((range->raw || !to) && span.end_us < range->to_us)
        range->to_us = span.end_us;
}

static int add_edge(struct export_plan *plan, int64_t t_us, struct err_text *error)
{
    if (plan->n_edges && plan->edges_us[plan->n_edges - 1] >= t_us)
        return 0;
    if (plan->n_edges > EXPORT_FILES_MAX)
        return err_set_field(error, ERR_MEANING, "window", "that would be more than %d files: take a longer \"window\"",
                             EXPORT_FILES_MAX);
    if (array_grow(&plan->edges_us, &plan->edges_cap, plan->n_edges + 1, sizeof(*plan->edges_us)))
        return ERR_NOMEM;
    plan->edges_us[plan->n_edges++] = t_us;
    return 0;
}

/* Windows of the calendar; a bucket is never cut. */
static int cut_time(struct export_plan *plan, struct err_text *error)
{
    const struct range *range = &plan->range;
    struct grid grid;
    if (grid_init(&grid, &plan->form.window, range->zone, NULL) || (grid.unit <= GRID_FIXED_LOCAL && grid.width_us < US_PER_HOUR))
        return err_set_field(error, ERR_INVALID, "window", "files cannot be cut so: take P1D, P1W, P1M, P3M, P6M, P1Y, or fixed "
                             "hours from PT1H on");
    if (range->from_us >= range->to_us)
        return 0;
    int rc = add_edge(plan, range->from_us, error);
    for (int64_t t_us = grid_next_us(&grid, grid_start_us(&grid, range->from_us)); !rc && t_us < range->to_us;
         t_us = grid_next_us(&grid, t_us))
        rc = add_edge(plan, range->raw ? t_us : grid_start_us(&range->grid, t_us), error);
    rc = rc ? rc : add_edge(plan, range->to_us, error);
    plan->n_windows = rc ? 0 : plan->n_edges - 1;
    return rc;
}

/* What the whole of it asks for; of steps only what buckets there will be. */
static int check_quota(const struct export_plan *plan, const struct export_source *source, struct err_text *error)
{
    struct quota *quota = reader_dir_quota(source->dir);
    struct foreseen foreseen = {0};
    struct view *view = NULL;
    int rc = quota_check_span(quota, plan->range.from_us, plan->range.to_us, "from");
    if (rc || !quota)
        return rc;
    rc = view_open(source->dir, &view, error);
    for (size_t i = 0; i < plan->n_ids && !rc; i++)
        rc = source->is_over && source->is_over(source->arg) ? ERR_CANCELLED
                                                             : foresee_series(view, &plan->range, plan->ids[i], true, &foreseen);
    rc = rc ? rc : foresee_check(view, &plan->range, &foreseen);
    view_close(view);
    return rc;
}

int export_plan_make(const struct parameters *parameters, const struct export_source *source, struct export_plan *ret_plan,
                     struct err_text *error)
{
    struct export_plan *plan = ret_plan;
    struct span span;
    *plan = (struct export_plan){0};
    int rc = export_form_read(parameters, &plan->form, error);
    rc = rc ? rc : parse_range(parameters, source, plan, error);
    if (rc)
        return rc;
    if ((rc = reader_series(source->dir, &plan->range.filter, add_id, plan)))
        return err_set(error, rc, "the catalog could not be read: %s", err_name(rc));
    if (!plan->n_ids)
        return err_set(error, ERR_NOTFOUND, "no series matches what is asked for: GET /v1/series lists them");
    rc = measure(plan, source, &span, error);
    if (rc)
        return rc;
    clamp(plan, parameters, span);
    rc = check_quota(plan, source, error);
    rc = rc ? rc : cut_time(plan, error);
    plan->n_groups = plan->form.per_group ? (plan->n_ids + plan->form.per_group - 1) / plan->form.per_group : 1;
    if (!rc && plan->n_windows && plan->n_groups > EXPORT_FILES_MAX / plan->n_windows)
        rc = err_set_field(error, ERR_MEANING, "group", "that would be %zu files, and at most %d are made: take a longer "
                           "\"window\" or a larger \"group\"", plan->n_groups * plan->n_windows, EXPORT_FILES_MAX);
    return rc;
}

void export_plan_free(struct export_plan *plan)
{
    if (plan->parsed)
        range_free(&plan->range);
    free(plan->ids);
    free(plan->edges_us);
    *plan = (struct export_plan){0};
}

/* ---- its files ---- */

void export_plan_part(const struct export_plan *plan, size_t i, struct export_part *ret_part)
{
    size_t group = i / plan->n_windows, window = i % plan->n_windows, per_group = plan->form.per_group;
    struct export_part part = {.group = group + 1, .ids = plan->ids, .n_ids = plan->n_ids};
    struct civil at;
    if (per_group) {
        part.ids = plan->ids + group * per_group;
        part.n_ids = plan->n_ids - group * per_group < per_group ? plan->n_ids - group * per_group : per_group;
    }
    part.from_us = plan->edges_us[window];
    part.to_us = plan->edges_us[window + 1];
    civil_from_us(part.from_us, &at);
    const char *format = plan->form.media->name, *coding = plan->form.coding;
    snprintf(part.name, sizeof(part.name), "g%05zu-%04d%02d%02dT%02d%02d%02dZ.%s%s%s", part.group, at.year, at.month, at.day,
             at.hour, at.minute, at.second, format, strcmp(format, "arrow") ? "" : "s" /* a stream of Arrow's is `.arrows` */,
             !coding ? "" : !strcmp(coding, "gzip") ? ".gz" : ".zst");
    *ret_part = part;
}

static int ask_time(struct parameters *asked, const char *name, int64_t t_us, struct err_text *error)
{
    char text[CIVIL_TEXT_MAX + 1];
    text[civil_print_rfc3339(text, t_us, 0, true)] = '\0';
    return parameters_add(asked, name, text, error);
}

static int ask_series(struct parameters *asked, const struct export_part *part, struct err_text *error)
{
    struct buf text = {0};
    for (size_t i = 0; i < part->n_ids; i++)
        buf_printf(&text, "%s%" PRIu32, i ? "," : "", part->ids[i]);
    buf_putc(&text, '\0');
    int rc = text.failed ? ERR_NOMEM : parameters_add(asked, "series", (const char *)text.data, error);
    buf_free(&text);
    return rc;
}

int export_plan_ask(const struct export_plan *plan, const struct parameters *parameters, const struct export_part *part,
                    struct parameters *ret_asked, struct err_text *error)
{
    int rc = 0;
    for (size_t i = 0; i < parameters->n && !rc; i++) {
        const struct parameter *parameter = &parameters->rows[i];
        /* what is put together over all series keeps its filter */
        if (!is_own(parameter->name) && strcmp(parameter->name, "format") && !is_end(parameter->name) &&
            (!plan->form.per_group || !is_filter(parameter->name)))
            rc = parameters_add(ret_asked, parameter->name, parameter->value, error);
    }
    rc = rc || !plan->form.per_group ? rc : ask_series(ret_asked, part, error);
    rc = rc ? rc : ask_time(ret_asked, "from", part->from_us, error);
    return rc ? rc : ask_time(ret_asked, "to", part->to_us, error);
}
