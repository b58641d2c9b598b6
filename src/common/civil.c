#include <config.h>

#include "common/civil.h"

#include <string.h>

/* Years are counted from 1 March in eras of 400 years, so that the leap day is the last of its year
 * and every era has the same number of days. */
#define DAYS_PER_ERA 146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t civil_days(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int year_of_era = (int)(y - era * 400);
    int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

void civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    days += DAYS_TO_1970;
    int64_t era = floor_div(days, DAYS_PER_ERA);
    int day_of_era = (int)(days - era * DAYS_PER_ERA);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int from_march = (5 * day_of_year + 2) / 153;
    *ret_day = day_of_year - (153 * from_march + 2) / 5 + 1;
    *ret_month = from_march < 10 ? from_march + 3 : from_march - 9;
    *ret_year = (int)(era * 400 + year_of_era + (*ret_month <= 2));
}

void civil_from_us(int64_t t_us, struct civil *ret_civil)
{
    int64_t days = floor_div(t_us, US_PER_DAY);
    int64_t of_day_us = t_us % US_PER_DAY + (t_us % US_PER_DAY < 0 ? US_PER_DAY : 0);
    int second = (int)(of_day_us / US_PER_SECOND);
    civil_from_days(days, &ret_civil->year, &ret_civil->month, &ret_civil->day);
    ret_civil->hour = second / 3600;
    ret_civil->minute = second / 60 % 60;
    ret_civil->second = second % 60;
    ret_civil->us = (int)(of_day_us % US_PER_SECOND);
}

int civil_weekday(int64_t days)
{
    return (int)((days % 7 + 7 + 3) % 7); /* 1970-01-01 was a Thursday */
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool civil_digits(const char *text, int n, int *ret_number)
{
    int number = 0;
    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (text[i] - '0');
    }
    *ret_number = number;
    return true;
}

/* Two digits as a number; 100 or more when either is no digit, which every range check below
 * refuses. */
static unsigned two_digits(const char *text)
{
    unsigned tens = (unsigned)(unsigned char)text[0] - '0';
    unsigned ones = (unsigned)(unsigned char)text[1] - '0';
    return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month] + (month == 2 && leap ? 1u : 0u);
}

/* `Z` or `+hh:mm`, and nothing behind it. */
static int parse_offset(const char *at, const char *end, int *ret_offset_s)
{
    if (end - at == 1 && (*at == 'Z' || *at == 'z')) {
        *ret_offset_s = 0;
        return 0;
    }
    if (end - at != 6 || (*at != '+' && *at != '-') || at[3] != ':')
        return ERR_INVALID;
    unsigned hour = two_digits(at + 1), minute = two_digits(at + 4);
    if (hour > 23 || minute > 59)
        return ERR_INVALID;
    int offset_s = (int)(hour * 3600 + minute * 60);
    *ret_offset_s = *at == '-' ? -offset_s : offset_s;
    return 0;
}

/* The digits after the point; those after the sixth are passed over. Returns where they end, NULL
 * when there are none. */
static const char *parse_fraction(const char *at, const char *end, int *ret_us)
{
    const char *begin = at;
    int us = 0, unit = 100000;
    for (; at < end && is_digit(*at); at++, unit /= 10)
        us += (*at - '0') * unit;
    *ret_us = us;
    return at == begin ? NULL : at;
}

int civil_parse_rfc3339(const char *text, size_t size, int64_t *ret_t_us)
{
    if (size < sizeof("2025-03-01T00:00:00Z") - 1)
        return ERR_INVALID;
    unsigned century = two_digits(text), of_century = two_digits(text + 2);
    unsigned month = two_digits(text + 5), day = two_digits(text + 8);
    unsigned hour = two_digits(text + 11), minute = two_digits(text + 14),
             second = two_digits(text + 17);
    if (century > 99 || of_century > 99 || month > 12 || hour > 23 || minute > 59 || second > 59 ||
        text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':' ||
        (text[10] != 'T' && text[10] != 't' && text[10] != ' '))
        return ERR_INVALID;
    unsigned year = century * 100 + of_century;
    if (month < 1 || day < 1 || day > days_in_month(year, month))
        return ERR_INVALID;

    const char *at = text + 19, *end = text + size;
    int us = 0, offset_s;
    if (*at == '.' && !(at = parse_fraction(at + 1, end, &us)))
        return ERR_INVALID;
    if (parse_offset(at, end, &offset_s) < 0)
        return ERR_INVALID;
    int64_t of_day_s = (int)(hour * 3600 + minute * 60 + second) - offset_s;
    int64_t t_us =
        civil_days((int)year, (int)month, (int)day) * US_PER_DAY + of_day_s * US_PER_SECOND + us;
    if (t_us < CIVIL_MIN_US || t_us >= CIVIL_END_US)
        return ERR_INVALID;
    *ret_t_us = t_us;
    return 0;
}

/* Writes v with at least width digits, zeros in front. Returns behind the last. */
static char *put_number(char *at, uint64_t v, int width)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v || n < width);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

/* The same for 0 to 99 in two digits: an instant has five of them, and every row an instant. */
static char *put_two(char *at, unsigned v)
{
    at[0] = (char)('0' + v / 10);
    at[1] = (char)('0' + v % 10);
    return at + 2;
}

static char *put_year(char *at, int year)
{
    /* years of more than four digits do not come from the store; they print as ISO 8601 expands
     * them */
    if (year < 0 || year > 9999) {
        *at++ = year < 0 ? '-' : '+';
        return put_number(at, (uint64_t)(year < 0 ? -(int64_t)year : year), 4);
    }
    return put_two(put_two(at, (unsigned)year / 100), (unsigned)year % 100);
}

static char *put_offset(char *at, int offset_min, bool zulu)
{
    if (offset_min == 0 && zulu) {
        *at++ = 'Z';
        return at;
    }
    *at++ = offset_min < 0 ? '-' : '+';
    unsigned magnitude = (unsigned)(offset_min < 0 ? -offset_min : offset_min);
    at = put_two(at, magnitude / 60);
    *at++ = ':';
    return put_two(at, magnitude % 60);
}

size_t civil_print_rfc3339(char out[static CIVIL_TEXT_MAX], int64_t t_us, int32_t offset_s,
                           bool zulu)
{
    const int offset_min_max = 23 * 60 + 59;
    int offset_min = offset_s / 60;
    if (offset_min > offset_min_max)
        offset_min = offset_min_max;
    if (offset_min < -offset_min_max)
        offset_min = -offset_min_max;
    int64_t local_us;
    if (__builtin_add_overflow(t_us, offset_min * US_PER_MINUTE, &local_us)) {
        local_us = t_us;
        offset_min = 0;
    }
    struct civil c;
    civil_from_us(local_us, &c);
    char *at = put_year(out, c.year);
    *at++ = '-';
    at = put_two(at, (unsigned)c.month);
    *at++ = '-';
    at = put_two(at, (unsigned)c.day);
    *at++ = 'T';
    at = put_two(at, (unsigned)c.hour);
    *at++ = ':';
    at = put_two(at, (unsigned)c.minute);
    *at++ = ':';
    at = put_two(at, (unsigned)c.second);
    if (c.us) {
        *at++ = '.';
        at = c.us % 1000 ? put_number(at, (unsigned)c.us, 6)
                         : put_number(at, (unsigned)c.us / 1000, 3);
    }
    return (size_t)(put_offset(at, offset_min, zulu) - out);
}

/* One number with its unit letter: `15M`, `0.5S`. Durations are read as negative numbers, since
 * their range reaches one further; the sign is turned at the end. */
struct part {
    int64_t n;    /* never above 0 */
    int64_t nano; /* the fraction, in -10^-9 */
    bool fractional;
    char unit; /* or 0 at the end of the text */
};

static int parse_part(const char **at, const char *end, struct part *ret_part)
{
    const char *p = *at;
    struct part part = {0};
    if (p == end || !is_digit(*p))
        return ERR_INVALID;
    for (; p < end && is_digit(*p); p++)
        if (__builtin_mul_overflow(part.n, 10, &part.n) ||
            __builtin_sub_overflow(part.n, *p - '0', &part.n))
            return ERR_INVALID;
    if (p < end && (*p == '.' || *p == ',')) {
        part.fractional = true;
        const char *begin = ++p;
        for (int unit = 100000000; p < end && is_digit(*p); p++, unit /= 10)
            part.nano -= (int64_t)(*p - '0') * unit;
        if (p == begin)
            return ERR_INVALID;
    }
    if (p < end)
        part.unit = *p++;
    *at = p;
    *ret_part = part;
    return 0;
}

static int add_scaled_32(int32_t *sum, int64_t n, int scale)
{
    int64_t scaled;
    return __builtin_mul_overflow(n, scale, &scaled) || __builtin_add_overflow(*sum, scaled, sum)
               ? ERR_INVALID
               : 0;
}

static int add_scaled_us(struct duration *d, const struct part *part, int64_t unit_us)
{
    /* the product is at most 10^9 * 3.6 * 10^6 */
    int64_t us, fraction_us = part->nano * (unit_us / 1000) / 1000000;
    return __builtin_mul_overflow(part->n, unit_us, &us) ||
                   __builtin_add_overflow(us, fraction_us, &us) ||
                   __builtin_add_overflow(d->us, us, &d->us)
               ? ERR_INVALID
               : 0;
}

static int add_part(struct duration *d, const struct part *part, bool after_t)
{
    if (after_t) {
        switch (part->unit) {
        case 'H':
            return add_scaled_us(d, part, US_PER_HOUR);
        case 'M':
            return add_scaled_us(d, part, US_PER_MINUTE);
        case 'S':
            return add_scaled_us(d, part, US_PER_SECOND);
        default:
            return ERR_INVALID;
        }
    }
    if (part->fractional) /* half a day is 12 hours or not, by the zone: it has no meaning here */
        return ERR_INVALID;
    switch (part->unit) {
    case 'Y':
        return add_scaled_32(&d->months, part->n, 12);
    case 'M':
        return add_scaled_32(&d->months, part->n, 1);
    case 'W':
        return add_scaled_32(&d->days, part->n, 7);
    case 'D':
        return add_scaled_32(&d->days, part->n, 1);
    default:
        return ERR_INVALID;
    }
}

/* What follows the P. */
static int parse_iso(const char *at, const char *end, struct duration *d)
{
    const char *order = "YMWD"; /* each letter may only be followed by those behind it */
    bool after_t = false;
    do {
        if (at < end && *at == 'T' && !after_t) {
            after_t = true;
            order = "HMS";
            at++;
        }
        struct part part;
        if (parse_part(&at, end, &part) < 0 || !part.unit)
            return ERR_INVALID;
        const char *found = strchr(order, part.unit);
        if (!found || add_part(d, &part, after_t) < 0 || (part.fractional && at < end))
            return ERR_INVALID;
        order = found + 1;
    } while (at < end);
    return 0;
}

/* `900`, `15m`, `1d`. */
static int parse_client_form(const char *at, const char *end, struct duration *d)
{
    struct part part;
    if (parse_part(&at, end, &part) < 0 || at != end || part.fractional)
        return ERR_INVALID;
    switch (part.unit) {
    case '\0': /* also a NUL byte from outside, which is refused */
        return end[-1] == '\0' ? ERR_INVALID : add_scaled_us(d, &part, US_PER_SECOND);
    case 's':
        return add_scaled_us(d, &part, US_PER_SECOND);
    case 'm':
        return add_scaled_us(d, &part, US_PER_MINUTE);
    case 'h':
        return add_scaled_us(d, &part, US_PER_HOUR);
    case 'd':
        return add_scaled_32(&d->days, part.n, 1);
    case 'w':
        return add_scaled_32(&d->days, part.n, 7);
    default:
        return ERR_INVALID;
    }
}

int civil_parse_duration(const char *text, size_t size, bool client_forms,
                         struct duration *ret_duration)
{
    const char *at = text, *end = text + size;
    struct duration d = {0};
    bool negative = at < end && *at == '-';
    if (negative)
        at++;
    int rc = ERR_INVALID;
    if (at < end && *at == 'P')
        rc = parse_iso(at + 1, end, &d);
    else if (client_forms && !negative)
        rc = parse_client_form(at, end, &d);
    if (rc < 0)
        return rc;
    if (!negative &&
        (__builtin_sub_overflow(0, d.months, &d.months) ||
         __builtin_sub_overflow(0, d.days, &d.days) || __builtin_sub_overflow(0, d.us, &d.us)))
        return ERR_INVALID;
    *ret_duration = d;
    return 0;
}

int civil_fixed_us(const struct duration *duration, int64_t *ret_us)
{
    int64_t us;
    if (duration->months)
        return ERR_MEANING;
    if (__builtin_mul_overflow(duration->days, US_PER_DAY, &us) ||
        __builtin_add_overflow(us, duration->us, &us))
        return ERR_LIMIT;
    *ret_us = us;
    return 0;
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static char *put_part(char *at, uint64_t n, char unit)
{
    if (n) {
        at = put_number(at, n, 1);
        *at++ = unit;
    }
    return at;
}

static char *put_seconds(char *at, uint64_t us)
{
    if (!us)
        return at;
    at = put_number(at, us / 1000000, 1);
    if (us % 1000000) {
        *at++ = '.';
        at = put_number(at, us % 1000000, 6);
        while (at[-1] == '0')
            at--;
    }
    *at++ = 'S';
    return at;
}

/* A day number so many months on; the last of the month where that day does not exist. */
static int64_t add_months(int64_t day, int64_t n_months)
{
    int year, month, month_day;
    civil_from_days(day, &year, &month, &month_day);
    int64_t months = (int64_t)year * 12 + month - 1 + n_months;
    if (months < 0 || months / 12 > 9999)
        return INT32_MAX;
    year = (int)(months / 12);
    month = (int)(months % 12) + 1;
    int64_t next = month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, month + 1, 1);
    int64_t same = civil_days(year, month, month_day);
    return same < next ? same : next - 1;
}

int civil_add(int64_t t_us, const struct duration *duration, int64_t *ret_t_us)
{
    int64_t day = t_us / US_PER_DAY - (t_us % US_PER_DAY < 0);
    int64_t time_us = t_us - day * US_PER_DAY;
    day = add_months(day, duration->months) + duration->days;
    if (day < CIVIL_MIN_US / US_PER_DAY || day > CIVIL_END_US / US_PER_DAY)
        return ERR_LIMIT;
    return __builtin_add_overflow(day * US_PER_DAY + time_us, duration->us, ret_t_us) ? ERR_LIMIT : 0;
}

size_t civil_print_duration(char out[static CIVIL_TEXT_MAX], const struct duration *duration)
{
    uint64_t months = magnitude(duration->months), days = magnitude(duration->days),
             us = magnitude(duration->us);
    char *at = out;
    if (duration->months < 0 || duration->days < 0 || duration->us < 0)
        *at++ = '-';
    *at++ = 'P';
    at = put_part(at, months / 12, 'Y');
    at = put_part(at, months % 12, 'M');
    if (days % 7 == 0 && !months && !us)
        at = put_part(at, days / 7, 'W');
    else
        at = put_part(at, days, 'D');
    if (us || at[-1] == 'P') {
        *at++ = 'T';
        at = put_part(at, us / (uint64_t)US_PER_HOUR, 'H');
        at = put_part(at, us / (uint64_t)US_PER_MINUTE % 60, 'M');
        at = put_seconds(at, us % (uint64_t)US_PER_MINUTE);
        if (!us) {
            *at++ = '0';
            *at++ = 'S';
        }
    }
    return (size_t)(at - out);
}
