#include <config.h>

#include "http/prometheus.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/civil.h"
#include "common/jsontext.h"
#include "common/log.h"
#include "http/filter.h"
#include "http/promql.h"
#include "model/decimal.h"

#define MATCHES_MAX 8

void prometheus_fail(struct reply *reply, int code, const struct err_text *error)
{
    const char *type = "internal", *text = *error->text ? error->text : err_name(code);
    reply_error(reply, code, error); /* its status and headers, and what it writes into the log */
    switch (code) {
    case ERR_INVALID:
    case ERR_LIMIT:
        type = "bad_data";
        break;
    case ERR_MEANING:
        type = "execution";
        break;
    case ERR_EXPIRED:
        type = "execution";
        reply->status = 422;
        break;
    case ERR_QUOTA:
        type = "execution";
        break;
    case ERR_CANCELLED:
        type = "timeout";
        break;
    case ERR_BUSY:
        type = "unavailable";
        break;
    default:
        text = "the answer could not be made; the server's log says why";
        break;
    }
    buf_clear(&reply->body);
    reply->type = "application/json";
    buf_printf(&reply->body, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":", type);
    jsontext_put(&reply->body, text);
    buf_puts(&reply->body, "}\n");
}

/* ---- times ---- */

/* A decimal number of seconds in microseconds. */
static bool read_seconds(const char *text, int64_t *ret_us)
{
    struct decimal value;
    bool rounded;
    int64_t us;
    if (decimal_parse(text, strlen(text), &value, &rounded))
        return false;
    for (; value.e < -6 && value.m; value.e++)
        value.m /= 10;
    if (!value.m)
        value = (struct decimal){0};
    if (!decimal_at(value, -6, &us))
        return false;
    *ret_us = us;
    return true;
}

int prometheus_time(const char *text, const char *field, int64_t *ret_us, struct err_text *error)
{
    int64_t us;
    bool good = read_seconds(text, &us) || !civil_parse_rfc3339(text, strlen(text), &us);
    if (good && us >= CIVIL_MIN_US && us < CIVIL_END_US) {
        *ret_us = us;
        return 0;
    }
    return err_set_field(error, ERR_INVALID, field,
                         "\"%.64s\" is no time for \"%s\": take seconds since 1970 or RFC 3339", text, field);
}

int prometheus_duration(const char *text, const char *field, int64_t *ret_us, struct err_text *error)
{
    const char *end = text;
    int64_t us;
    bool good = !promql_duration(&end, &us) ? !*end : read_seconds(text, &us);
    if (!good || us <= 0 || us >= CIVIL_END_US)
        return err_set_field(error, ERR_INVALID, field,
                             "\"%.64s\" is no duration for \"%s\": take seconds or such as 15m, above zero", text, field);
    *ret_us = us;
    return 0;
}

int prometheus_limit(const struct parameters *parameters, const char *name, int64_t *ret_limit,
                     struct err_text *error)
{
    const char *text;
    uint64_t number = INT64_MAX;
    int rc = parameters_one(parameters, name, &text, error);
    if (rc)
        return rc;
    if (text && strcmp(text, "0") && filter_number(text, INT32_MAX, &number))
        return err_set_field(error, ERR_INVALID, name, "\"%.40s\" is no number for \"%s\"", text, name);
    *ret_limit = (int64_t)number;
    return 0;
}

void prometheus_put_time(struct buf *out, int64_t t_us)
{
    char *at = (char *)buf_reserve(out, DECIMAL_TEXT_MAX);
    if (at)
        out->n += decimal_print(at, decimal_canonical((struct decimal){t_us, -6}));
}

/* ---- labels ---- */

void prometheus_put_labels(struct buf *out, const struct series_info *info, bool with_name)
{
    const char *comma = "{";
    for (int label = with_name ? LABEL_NAME : LABEL_NAME + 1; label < LABEL_N; label++) {
        const char *value = label_value((enum label)label, info);
        if (!*value)
            continue;
        buf_printf(out, "%s\"%s\":", comma, label_name[label]);
        jsontext_put(out, value);
        comma = ",";
    }
    buf_puts(out, *comma == '{' ? "{}" : "}");
}

/* ---- narrowing ---- */

static int parse_matches(struct narrowing *narrowing, const struct parameters *parameters, struct err_text *error)
{
    narrowing->selectors = calloc(MATCHES_MAX, sizeof(*narrowing->selectors));
    int rc = narrowing->selectors ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < parameters->n && !rc; i++) {
        if (strcmp(parameters->rows[i].name, "match[]"))
            continue;
        if (narrowing->n == MATCHES_MAX)
            return err_set_field(error, ERR_LIMIT, "match[]", "there are more than %d of \"match[]\"", MATCHES_MAX);
        rc = promql_match(parameters->rows[i].value, &narrowing->selectors[narrowing->n++], error);
    }
    if (!rc && narrowing->n == 1)
        narrowing->filter = selector_filter(&narrowing->selectors[0]);
    return rc;
}

int narrowing_init(struct narrowing *narrowing, const struct request *request, struct err_text *error)
{
    const char *start, *end;
    *narrowing = (struct narrowing){.start_us = CIVIL_MIN_US, .end_us = CIVIL_END_US - 1};
    int rc = parse_matches(narrowing, &request->parameters, error);
    rc = rc ? rc : parameters_one(&request->parameters, "start", &start, error);
    rc = rc ? rc : parameters_one(&request->parameters, "end", &end, error);
    if (!rc && start)
        rc = prometheus_time(start, "start", &narrowing->start_us, error);
    if (!rc && end)
        rc = prometheus_time(end, "end", &narrowing->end_us, error);
    if (rc)
        return rc;
    narrowing->has_time = start || end;
    return view_open(request->dir, &narrowing->view, error);
}

void narrowing_done(struct narrowing *narrowing)
{
    for (size_t i = 0; i < narrowing->n; i++)
        selector_free(&narrowing->selectors[i]);
    free(narrowing->selectors);
    view_close(narrowing->view);
    *narrowing = (struct narrowing){0};
}

int narrowing_takes(const struct narrowing *narrowing, const struct series_info *info)
{
    struct series_stats stats;
    bool meant = !narrowing->n;
    for (size_t i = 0; i < narrowing->n && !meant; i++)
        meant = selector_matches(&narrowing->selectors[i], info);
    if (!meant || info->kind == KIND_STATE || !narrowing->has_time)
        return meant && info->kind != KIND_STATE;
    int rc = view_stats(narrowing->view, info->id, &stats);
    return rc ? rc : stats.count && stats.first_us <= narrowing->end_us && stats.last_us >= narrowing->start_us;
}
