#include <config.h>

#include "query/when.h"

#include <stdbool.h>
#include <string.h>

#include "common/civil.h"

#define DATE_SIZE (sizeof("2025-03-01") - 1)
#define OFFSET_SIZE (sizeof("+01:00") - 1)
#define LOCAL_SIZE (sizeof("2025-03-01T00:00:00") - 1)
#define MS_DIGITS_MAX 17

static bool is_known(int64_t t_us)
{
    return t_us >= CIVIL_MIN_US && t_us < CIVIL_END_US;
}

/* ---- RFC 3339 ---- */

static bool read_rfc3339(const char *text, size_t size, int64_t *ret_t_us)
{
    char plus[CIVIL_TEXT_MAX];
    if (size < LOCAL_SIZE + OFFSET_SIZE || size > sizeof(plus) || text[size - OFFSET_SIZE] != ' ')
        return civil_parse_rfc3339(text, size, ret_t_us) == 0;
    memcpy(plus, text, size);
    plus[size - OFFSET_SIZE] = '+';
    return civil_parse_rfc3339(plus, size, ret_t_us) == 0;
}

/* ---- milliseconds ---- */

static bool read_ms(const char *text, size_t size, int64_t *ret_t_us)
{
    bool negative = *text == '-';
    int64_t ms = 0;
    size_t i = negative;
    if (i == size || size - i > MS_DIGITS_MAX || strspn(text + i, "0123456789") != size - i)
        return false;
    for (; i < size; i++)
        ms = ms * 10 + (text[i] - '0');
    if (ms > CIVIL_END_US / 1000)
        return false;
    *ret_t_us = (negative ? -ms : ms) * 1000;
    return true;
}

/* ---- a date ---- */

static int two_digits(const char *text)
{
    return (text[0] - '0') * 10 + (text[1] - '0');
}

static bool read_date(const char *text, size_t size, int64_t *ret_day)
{
    if (size != DATE_SIZE || text[4] != '-' || text[7] != '-')
        return false;
    for (size_t i = 0; i < size; i++)
        if (i != 4 && i != 7 && (text[i] < '0' || text[i] > '9'))
            return false;
    int year = two_digits(text) * 100 + two_digits(text + 2), month = two_digits(text + 5), day = two_digits(text + 8);
    int again_year, again_month, again_day;
    if (month < 1 || month > 12)
        return false;
    *ret_day = civil_days(year, month, day);
    civil_from_days(*ret_day, &again_year, &again_month, &again_day);
    return again_year == year && again_month == month && again_day == day;
}

/* ---- from now ---- */

/* The calendar parts first, at the same time of day, then the exact part. */
static bool add_duration(int64_t now_us, const struct duration *duration, const struct zone *zone, int64_t *ret_t_us)
{
    const struct duration calendar = {duration->months, duration->days, 0};
    int64_t t_us = now_us;
    if (duration->months || duration->days) {
        int64_t offset_us = zone ? zone_offset_s(zone, now_us) * US_PER_SECOND : 0;
        if (civil_add(now_us + offset_us, &calendar, &t_us))
            return false;
        if (zone && zone_instant(zone, t_us, 0, &t_us)) /* a time of day that this day skips */
            t_us -= offset_us;
    }
    return !__builtin_add_overflow(t_us, duration->us, ret_t_us);
}

/* ---- all of them ---- */

static int refuse(const char *text, const char *field, struct err_text *error)
{
    return err_set_field(error, ERR_INVALID, field,
                         "\"%.64s\" is no time for \"%s\"; take RFC 3339 with an offset (2025-03-01T00:00:00Z), "
                         "milliseconds since the epoch, now, -P7D, or a date together with tz; years 0001 to 9999",
                         text, field);
}

int when_parse(const char *text, const char *field, int64_t now_us, const struct zone *zone, int64_t *ret_t_us,
               struct err_text *error)
{
    size_t size = strlen(text);
    struct duration duration;
    int64_t t_us, day;
    bool good;
    if (!strcmp(text, "now")) {
        t_us = now_us;
        good = true;
    } else if (read_date(text, size, &day)) {
        if (!zone)
            return err_set_field(error, ERR_INVALID, field,
                                 "the date \"%s\" needs tz, which says where its day begins (tz=UTC)", text);
        t_us = zone_day_start_us(zone, day);
        good = true;
    } else if (!civil_parse_duration(text, size, false, &duration)) {
        good = add_duration(now_us, &duration, zone, &t_us);
    } else {
        good = read_ms(text, size, &t_us) || read_rfc3339(text, size, &t_us);
    }
    if (!good || !is_known(t_us))
        return refuse(text, field, error);
    *ret_t_us = t_us;
    return 0;
}
