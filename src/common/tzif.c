#include <config.h>

#include "common/tzif.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/civil.h"
#include "common/limits.h"

/* A file is: header and data block of version 1 (32-bit times, passed over), header and data block
 * with 64-bit times, and the footer `\nTZ-STRING\n`. A data block is, with the header's counts:
 *   times[timecnt] of 4 or 8 bytes, type numbers[timecnt] of 1,
 *   types[typecnt] of 6 (offset 4, dst 1, name 1), names[charcnt],
 *   leap seconds[leapcnt] of 8 or 12, flags[isstdcnt], flags[isutcnt].
 * All numbers are big-endian. */
struct counts {
    uint32_t isut, isstd, leap, time, type, name;
};

/* Steps beyond 270,000 years would overflow as microseconds; older zic writes one at the "big
 * bang". */
#define STEP_MAX_S (INT64_C(1) << 43)

/* Years of rule written out: 400, and as many before and behind as lookups reach over the ends. */
#define RULE_YEARS 404

static uint64_t read_big_endian(struct reader *r, size_t size)
{
    const uint8_t *at = reader_bytes(r, size);
    uint64_t v = 0;
    for (size_t i = 0; at && i < size; i++)
        v = v << 8 | at[i];
    return v;
}

/* No count may be larger than a whole file: sums and products of them are small numbers from here
 * on. */
static int read_count(struct reader *r, uint32_t *ret_n)
{
    uint64_t n = read_big_endian(r, 4);
    if (r->failed || n > LIMIT_ZONE_FILE_BYTES)
        return ERR_CORRUPT;
    *ret_n = (uint32_t)n;
    return 0;
}

static int read_header(struct reader *r, struct counts *ret_counts)
{
    const uint8_t *magic = reader_bytes(r, 4);
    uint8_t version = reader_u8(r);
    if (!magic || memcmp(magic, "TZif", 4) != 0 || version < '2' || version > '4')
        return ERR_CORRUPT;
    reader_bytes(r, 15);
    uint32_t *counts[] = {&ret_counts->isut, &ret_counts->isstd, &ret_counts->leap,
                          &ret_counts->time, &ret_counts->type,  &ret_counts->name};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        if (read_count(r, counts[i]) < 0)
            return ERR_CORRUPT;
    return 0;
}

/* Says that offset_s holds from at_s on, whatever was said about the time after that before. */
static void add_step(struct tzif *tzif, int64_t at_s, int32_t offset_s)
{
    while (tzif->n_steps > 0 && tzif->steps[tzif->n_steps - 1].at_s >= at_s)
        tzif->n_steps--;
    int32_t before_s =
        tzif->n_steps > 0 ? tzif->steps[tzif->n_steps - 1].offset_s : tzif->first_offset_s;
    if (offset_s != before_s)
        tzif->steps[tzif->n_steps++] = (struct tzif_step){at_s, offset_s};
}

/* ---- the footer: a POSIX TZ string, with the hours of RFC 8536 section 3.3.1 ---- */

struct rule_date {
    enum { DATE_MONTH_WEEKDAY, DATE_JULIAN, DATE_DAY_OF_YEAR } form;
    int month, week, weekday; /* Mm.w.d: week 1 to 5, 5 is the last of the month; 0 is Sunday */
    int day;                  /* Jn: 1 to 365, never 29 February; n: 0 to 365 */
    int time_s;               /* of local time, -167 h to 167 h */
};

struct rule {
    bool dst;
    int32_t standard_s, dst_s; /* offsets east of UTC */
    struct rule_date begin, end;
};

struct text {
    const char *at, *end;
};

static bool take(struct text *text, char c)
{
    if (text->at == text->end || *text->at != c)
        return false;
    text->at++;
    return true;
}

static int take_number(struct text *text, int min, int max, int *ret_n)
{
    int n = 0;
    const char *begin = text->at;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        n = n * 10 + *text->at - '0';
        if (n > max)
            return ERR_CORRUPT;
    }
    if (text->at == begin || n < min)
        return ERR_CORRUPT;
    *ret_n = n;
    return 0;
}

/* `<+03>` or `CET`. */
static int skip_name(struct text *text)
{
    bool quoted = take(text, '<');
    const char *begin = text->at;
    for (; text->at < text->end; text->at++) {
        char c = *text->at;
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && !(quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-')))
            break;
    }
    if (text->at == begin || (quoted && !take(text, '>')))
        return ERR_CORRUPT;
    return 0;
}

/* `[+-]h[:mm[:ss]]` */
static int take_time(struct text *text, int hour_max, int *ret_s)
{
    bool negative = take(text, '-');
    if (!negative)
        take(text, '+');
    int hour, minute = 0, second = 0;
    if (take_number(text, 0, hour_max, &hour) < 0)
        return ERR_CORRUPT;
    if (take(text, ':')) {
        if (take_number(text, 0, 59, &minute) < 0 ||
            (take(text, ':') && take_number(text, 0, 59, &second) < 0))
            return ERR_CORRUPT;
    }
    int s = hour * 3600 + minute * 60 + second;
    *ret_s = negative ? -s : s;
    return 0;
}

/* `,M3.5.0/2`, `,J60`, `,59/-1` */
static int take_date(struct text *text, struct rule_date *ret_date)
{
    struct rule_date date = {.time_s = 2 * 3600};
    if (!take(text, ','))
        return ERR_CORRUPT;
    int rc;
    if (take(text, 'M')) {
        date.form = DATE_MONTH_WEEKDAY;
        rc = take_number(text, 1, 12, &date.month);
        if (rc < 0 || !take(text, '.') || take_number(text, 1, 5, &date.week) < 0 ||
            !take(text, '.'))
            return ERR_CORRUPT;
        rc = take_number(text, 0, 6, &date.weekday);
    } else if (take(text, 'J')) {
        date.form = DATE_JULIAN;
        rc = take_number(text, 1, 365, &date.day);
    } else {
        date.form = DATE_DAY_OF_YEAR;
        rc = take_number(text, 0, 365, &date.day);
    }
    if (rc == 0 && take(text, '/'))
        rc = take_time(text, 167, &date.time_s);
    if (rc == 0)
        *ret_date = date;
    return rc;
}

/* `CET-1CEST,M3.5.0,M10.5.0/3`. A DST name without dates is refused: POSIX leaves its dates to the
 * system. */
static int parse_rule(struct text text, struct rule *ret_rule)
{
    struct rule rule = {0};
    int west_s;
    if (skip_name(&text) < 0 || take_time(&text, 24, &west_s) < 0)
        return ERR_CORRUPT;
    rule.standard_s = -west_s;
    if (text.at < text.end) {
        rule.dst = true;
        west_s -= 3600;
        if (skip_name(&text) < 0)
            return ERR_CORRUPT;
        if (text.at < text.end && *text.at != ',' && take_time(&text, 24, &west_s) < 0)
            return ERR_CORRUPT;
        rule.dst_s = -west_s;
        if (take_date(&text, &rule.begin) < 0 || take_date(&text, &rule.end) < 0 ||
            text.at != text.end)
            return ERR_CORRUPT;
    }
    *ret_rule = rule;
    return 0;
}

static int64_t rule_local_s(const struct rule_date *date, int year)
{
    int64_t day;
    if (date->form == DATE_MONTH_WEEKDAY) {
        int64_t first = civil_days(year, date->month, 1);
        int64_t next =
            date->month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, date->month + 1, 1);
        int weekday = (civil_weekday(first) + 1) % 7;
        day = first + (date->weekday - weekday + 7) % 7 + 7 * (date->week - 1);
        if (day >= next)
            day -= 7;
    } else if (date->form == DATE_JULIAN) {
        day = date->day < 60 ? civil_days(year, 1, date->day)
                             : civil_days(year, 3, 1) + date->day - 60;
    } else {
        day = civil_days(year, 1, 1) + date->day;
    }
    return day * 86400 + date->time_s;
}

/* Writes the rule out from base_s on. What begins before it counts as begun at it. */
static void add_rule(struct tzif *tzif, const struct rule *rule, int64_t base_s)
{
    struct civil base;
    civil_from_us(base_s * US_PER_SECOND, &base);
    for (int year = base.year - 2; year < base.year - 2 + RULE_YEARS; year++) {
        int64_t begin_s = rule_local_s(&rule->begin, year) - rule->standard_s;
        int64_t end_s = rule_local_s(&rule->end, year) - rule->dst_s;
        struct tzif_step steps[2] = {{begin_s, rule->dst_s}, {end_s, rule->standard_s}};
        int first = end_s < begin_s; /* south of the equator */
        for (int i = 0; i < 2; i++) {
            const struct tzif_step *step = &steps[first ^ i];
            add_step(tzif, step->at_s > base_s ? step->at_s : base_s, step->offset_s);
        }
    }
    tzif->base_s = base_s;
    tzif->repeats = true;
}

static int read_footer(struct reader *r, struct tzif *tzif, bool has_times, int64_t last_s)
{
    if (reader_u8(r) != '\n' || r->failed)
        return ERR_CORRUPT;
    const char *begin = (const char *)r->at;
    const char *end = memchr(begin, '\n', (size_t)(r->end - r->at));
    if (!end)
        return ERR_CORRUPT;
    if (begin == end) /* nothing is known: the last offset stays */
        return 0;
    struct rule rule;
    if (parse_rule((struct text){begin, end}, &rule) < 0)
        return ERR_CORRUPT;
    if (rule.dst) {
        tzif->repeats_before = !has_times;
        add_rule(tzif, &rule, has_times ? last_s : 0);
    } else if (has_times) {
        add_step(tzif, last_s, rule.standard_s);
    } else {
        tzif->first_offset_s = rule.standard_s;
    }
    return 0;
}

/* ---- the data block ---- */

static int read_type_offset(const uint8_t *types, uint32_t type, int32_t *ret_offset_s)
{
    const uint8_t *at = types + (size_t)type * 6;
    struct reader r = {at, at + 4, false};
    int32_t offset_s = (int32_t)(uint32_t)read_big_endian(&r, 4);
    if (offset_s < -TZIF_OFFSET_MAX_S || offset_s > TZIF_OFFSET_MAX_S)
        return ERR_CORRUPT;
    *ret_offset_s = offset_s;
    return 0;
}

/* The steps of the block. ret_last_s is the last transition, even where it does not change the
 * offset. */
static int read_steps(struct reader times, const uint8_t *numbers, const uint8_t *types,
                      const struct counts *counts, struct tzif *tzif, int64_t *ret_last_s)
{
    if (read_type_offset(types, 0, &tzif->first_offset_s) < 0)
        return ERR_CORRUPT;
    int64_t last_s = INT64_MIN;
    for (uint32_t i = 0; i < counts->time; i++) {
        int64_t at_s = (int64_t)read_big_endian(&times, 8);
        int32_t offset_s;
        if ((i > 0 && at_s <= last_s) || numbers[i] >= counts->type ||
            read_type_offset(types, numbers[i], &offset_s) < 0)
            return ERR_CORRUPT;
        last_s = at_s;
        if (at_s < -STEP_MAX_S)
            tzif->first_offset_s = offset_s;
        else if (at_s > STEP_MAX_S)
            return ERR_CORRUPT;
        else
            add_step(tzif, at_s, offset_s);
    }
    *ret_last_s = last_s < -STEP_MAX_S ? -STEP_MAX_S : last_s;
    return 0;
}

static int read_block(struct reader *r, const struct counts *counts, struct tzif *tzif)
{
    const uint8_t *times = reader_bytes(r, (size_t)counts->time * 8);
    const uint8_t *numbers = reader_bytes(r, counts->time);
    const uint8_t *types = reader_bytes(r, (size_t)counts->type * 6);
    reader_bytes(r, (size_t)counts->name + counts->isstd + counts->isut);
    if (r->failed || counts->type == 0 || counts->leap != 0)
        return ERR_CORRUPT;
    tzif->steps = malloc(((size_t)counts->time + 2 * RULE_YEARS) * sizeof(*tzif->steps));
    if (!tzif->steps)
        return ERR_NOMEM;
    struct reader times_reader = {times, numbers, false};
    int64_t last_s;
    int rc = read_steps(times_reader, numbers, types, counts, tzif, &last_s);
    return rc < 0 ? rc : read_footer(r, tzif, counts->time > 0, last_s);
}

int tzif_parse(const uint8_t *data, size_t size, struct tzif *ret_tzif)
{
    struct reader r = {data, data + size, false};
    struct counts counts;
    if (read_header(&r, &counts) < 0)
        return ERR_CORRUPT;
    size_t first_block = (size_t)counts.time * 5 + (size_t)counts.type * 6 +
                         (size_t)counts.leap * 8 + counts.name + counts.isstd + counts.isut;
    if (!reader_bytes(&r, first_block) || read_header(&r, &counts) < 0)
        return ERR_CORRUPT;
    struct tzif tzif = {0};
    int rc = read_block(&r, &counts, &tzif);
    if (rc < 0) {
        tzif_done(&tzif);
        return rc;
    }
    *ret_tzif = tzif;
    return 0;
}

void tzif_done(struct tzif *tzif)
{
    free(tzif->steps);
    *tzif = (struct tzif){0};
}
