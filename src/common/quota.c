#include <config.h>

#include "common/quota.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/civil.h"

#define BITS 64

bool quota_limits_any(const struct quota_limits *limits)
{
    return limits->points || limits->series || limits->span_us;
}

void quota_begin(struct quota *quota, const struct quota_limits *limits)
{
    quota_done(quota);
    quota->limits = *limits;
}

void quota_done(struct quota *quota)
{
    free(quota->seen);
    *quota = (struct quota){0};
}

void quota_renew_points(struct quota *quota)
{
    if (!quota)
        return;
    quota->n_points = 0;
    quota->why = (struct err_text){0};
}

bool quota_is_over(const struct quota *quota)
{
    return quota && *quota->why.text;
}

void quota_blame(struct quota *quota, const char *field)
{
    struct err_text why = quota->why;
    err_set_field(&quota->why, ERR_QUOTA, field, "%s", why.text);
}

/* Where to put the text: only the first one stays. */
static struct err_text *why_of(struct quota *quota)
{
    return quota_is_over(quota) ? NULL : &quota->why;
}

/* ---- points ---- */

int quota_take_points(struct quota *quota, uint64_t n)
{
    if (!quota || !quota->limits.points)
        return 0;
    quota->n_points += n;
    if (quota->n_points <= (uint64_t)quota->limits.points)
        return 0;
    return err_set(why_of(quota), ERR_QUOTA, "more than %" PRId64 " readings and buckets would be read for this, and a request "
                   "may have no more (limits.points): ask for a shorter time, fewer series, a longer step or pages with a "
                   "smaller limit", quota->limits.points);
}

int quota_check_points(struct quota *quota, uint64_t n, const char *field, const char *fits)
{
    if (!quota || !quota->limits.points)
        return 0;
    uint64_t max = (uint64_t)quota->limits.points, left = max > quota->n_points ? max - quota->n_points : 0;
    if (n <= left)
        return 0;
    return err_set_field(why_of(quota), ERR_QUOTA, field, "this asks for %" PRIu64 " readings and buckets or more, and a request "
                         "may have %" PRIu64 " (limits.points): %s", n, max,
                         *fits ? fits : "ask for a shorter time or fewer series");
}

/* ---- series ---- */

static int grow_seen(struct quota *quota, size_t word)
{
    size_t n = 2 * word + 16;
    uint64_t *seen = realloc(quota->seen, n * sizeof(*seen));
    if (!seen)
        return ERR_NOMEM;
    memset(seen + quota->n_words, 0, (n - quota->n_words) * sizeof(*seen));
    quota->seen = seen;
    quota->n_words = n;
    return 0;
}

int quota_take_series(struct quota *quota, uint32_t id, const char *field)
{
    size_t word = id / BITS;
    uint64_t bit = UINT64_C(1) << id % BITS;
    if (!quota || !quota->limits.series)
        return 0;
    if (word >= quota->n_words && grow_seen(quota, word))
        return ERR_NOMEM;
    if (quota->seen[word] & bit)
        return 0;
    if (quota->n_series == (uint64_t)quota->limits.series)
        return err_set_field(why_of(quota), ERR_QUOTA, field, "this asks for more than %" PRId64 " series, and a request may "
                             "have no more (limits.series): name fewer, or ask for some of them at a time", quota->limits.series);
    quota->seen[word] |= bit;
    quota->n_series++;
    return 0;
}

/* ---- span ---- */

static size_t print_us(int64_t us, char out[static CIVIL_TEXT_MAX])
{
    struct duration duration = {.days = (int32_t)(us / US_PER_DAY), .us = us % US_PER_DAY};
    return civil_print_duration(out, &duration);
}

int quota_check_span(struct quota *quota, int64_t begin_us, int64_t end_us, const char *field)
{
    char asked[CIVIL_TEXT_MAX], most[CIVIL_TEXT_MAX], begin[CIVIL_TEXT_MAX];
    if (!quota || !quota->limits.span_us || end_us <= begin_us || end_us - begin_us <= quota->limits.span_us)
        return 0;
    size_t asked_size = print_us(end_us - begin_us, asked), most_size = print_us(quota->limits.span_us, most);
    size_t begin_size = civil_print_rfc3339(begin, end_us - quota->limits.span_us, 0, true);
    return err_set_field(why_of(quota), ERR_QUOTA, field, "this asks for %.*s, and a request may have %.*s (limits.span): begin "
                         "at %.*s, or ask for one such stretch after the other", (int)asked_size, asked, (int)most_size, most,
                         (int)begin_size, begin);
}
