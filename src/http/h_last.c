/* GET /v1/last: the newest reading of each series. */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/jsontext.h"
#include "http/listing.h"
#include "http/render.h"
#include "query/newest.h"
#include "query/when.h"

struct last {
    struct listing listing; /* first */
    int64_t end_us;    /* readings from here on do not count */
    int64_t oldest_us; /* readings before do not count */
};

static int put_newest(struct listing *listing, const struct series_info *info, const struct series_stats *stats,
                      struct buf *out, struct err_text *error)
{
    const struct last *last = (const struct last *)listing;
    struct newest newest;
    int rc = newest_find(listing->view, info->id, stats, last->end_us, &newest);
    if (rc == ERR_EXPIRED)
        return err_set_field(error, rc, "at",
                             "readings of \"%.64s\" of \"%.128s\" are not kept so far back: ask for a later instant",
                             info->property, info->entity);
    if (rc < 0)
        return err_set(error, rc, "series %" PRIu32 " could not be read: %s", info->id, err_name(rc));
    if (!rc || newest.t_us < last->oldest_us) {
        buf_puts(out, ",\"time\":null,\"value\":null");
        return 0;
    }
    buf_puts(out, ",\"time\":");
    jsontext_put_time(out, newest.t_us);
    buf_puts(out, ",\"value\":");
    if (info->kind == KIND_STATE)
        jsontext_put(out, newest.state);
    else
        render_number(&(struct value){.type = VALUE_DECIMAL, .decimal = newest.value}, out);
    if (newest.quality != QUALITY_MEASURED) {
        buf_puts(out, ",\"quality\":");
        jsontext_put(out, quality_name(newest.quality));
    }
    return 0;
}

/* A duration back from the instant: `-P7D` is one that when_parse knows. */
static int parse_age(const char *age, int64_t at_us, const struct zone *zone, int64_t *ret_oldest_us, struct err_text *error)
{
    struct duration duration;
    char back[64];
    if (*age == '-' || strlen(age) >= sizeof(back) - 1 || civil_parse_duration(age, strlen(age), false, &duration))
        return err_set_field(error, ERR_INVALID, "max_age", "\"%.64s\" is no duration: take such as PT15M or P1D", age);
    snprintf(back, sizeof(back), "-%s", age);
    return when_parse(back, "max_age", at_us, zone, ret_oldest_us, error);
}

static int parse_time(struct last *last, struct err_text *error)
{
    const struct parameters *parameters = &last->listing.filter.parameters;
    const struct zone *zone = NULL;
    const char *at, *age, *tz;
    int64_t at_us = last->listing.origin.now_us;
    int rc = parameters_one(parameters, "at", &at, error);
    rc = rc ? rc : parameters_one(parameters, "max_age", &age, error);
    rc = rc ? rc : parameters_one(parameters, "tz", &tz, error);
    rc = rc || !tz ? rc : zone_open(tz, &zone);
    if (rc && !*error->text && rc != ERR_NOMEM && rc != ERR_IO)
        rc = err_set_field(error, ERR_INVALID, "tz", "there is no time zone \"%.64s\"; take a name of the IANA list such as "
                           "Europe/Berlin", tz);
    if (!rc && at)
        rc = when_parse(at, "at", at_us, zone, &at_us, error);
    last->end_us = at ? at_us + 1 : CIVIL_END_US;
    last->oldest_us = CIVIL_MIN_US;
    return rc || !age ? rc : parse_age(age, at_us, zone, &last->oldest_us, error);
}

int h_last(struct request *request, struct reply *reply, struct err_text *error)
{
    struct listing *listing;
    int rc = listing_new(request, sizeof(struct last), &listing, error);
    if (rc)
        return rc;
    rc = parse_time((struct last *)listing, error);
    if (rc) {
        listing_free(listing);
        return rc;
    }
    listing->put_more = put_newest;
    return listing_reply(listing, reply, error);
}
