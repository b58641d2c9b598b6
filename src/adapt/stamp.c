#include <config.h>

#include "adapt/stamp.h"

#include <stdio.h>
#include <string.h>

#include "common/civil.h"
#include "model/decimal.h"

static const struct {
    const char *name;
    enum stamp_kind kind;
} names[] = {{"rfc3339", STAMP_RFC3339}, {"iso", STAMP_ISO},         {"unix_s", STAMP_UNIX_S},
             {"unix_ms", STAMP_UNIX_MS}, {"unix_us", STAMP_UNIX_US}, {"unix_ns", STAMP_UNIX_NS}};

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define DIRECTIVES "YmdHMSjzyIpf%"

int stamp_format_parse(const char *text, struct stamp_format *ret_format)
{
    struct stamp_format format = {.kind = STAMP_PATTERN};
    for (size_t i = 0; i < N_OF(names); i++)
        if (strcmp(text, names[i].name) == 0) {
            *ret_format = (struct stamp_format){.kind = names[i].kind};
            return 0;
        }
    if (!strchr(text, '%') || strlen(text) >= sizeof(format.pattern))
        return ERR_INVALID;
    for (const char *at = text; (at = strchr(at, '%')); at += 2)
        if (!at[1] || !strchr(DIRECTIVES, at[1]))
            return ERR_INVALID;
    snprintf(format.pattern, sizeof(format.pattern), "%s", text);
    *ret_format = format;
    return 0;
}

bool stamp_format_is_local(const struct stamp_format *format)
{
    return format->kind == STAMP_ISO || (format->kind == STAMP_PATTERN && !strstr(format->pattern, "%z"));
}

struct text {
    const char *at, *end;
};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* One to digits_max digits. */
static bool take_number(struct text *in, int digits_max, int *ret_number)
{
    int n = 0, number = 0;
    for (; n < digits_max && in->at < in->end && is_digit(*in->at); n++)
        number = number * 10 + (*in->at++ - '0');
    *ret_number = number;
    return n > 0;
}

static bool take_char(struct text *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

/* The digits of a fraction of a second; finer than 1 us is cut off. */
static bool take_fraction(struct text *in, int *ret_us)
{
    int us = 0, unit = 100000, n = 0;
    for (; in->at < in->end && is_digit(*in->at); in->at++, n++, unit /= 10)
        us += (*in->at - '0') * unit;
    *ret_us = us;
    return n > 0;
}

/* Takes nothing where there is none. */
static bool take_offset(struct text *in, int32_t *ret_offset_s)
{
    struct text rest = *in;
    int hours = 0, minutes = 0, sign = 1;
    if (!take_char(&rest, 'Z') && !take_char(&rest, 'z')) {
        sign = rest.at < rest.end && *rest.at == '-' ? -1 : 1;
        if (!take_char(&rest, '+') && !take_char(&rest, '-'))
            return false;
        if (rest.end - rest.at < 2 || !is_digit(rest.at[1]) || !take_number(&rest, 2, &hours))
            return false;
        bool colon = take_char(&rest, ':');
        bool more = rest.end - rest.at >= 2 && is_digit(rest.at[0]) && is_digit(rest.at[1]);
        if ((colon && !more) || (more && !take_number(&rest, 2, &minutes)) || hours > 23 || minutes > 59)
            return false;
    }
    *in = rest;
    *ret_offset_s = (hours * 60 + minutes) * 60 * sign;
    return true;
}

int stamp_offset_parse(const char *text, size_t size, int32_t *ret_offset_s)
{
    struct text in = {text, text + size};
    int32_t offset_s;
    if (!take_offset(&in, &offset_s) || in.at != in.end)
        return ERR_INVALID;
    *ret_offset_s = offset_s;
    return 0;
}

/* The parts of a time as they are collected. */
struct parts {
    int year, month, day, hour, minute, second, us;
    int day_of_year; /* 0 not given */
    int half;        /* of the day: 0 not given, 1 a.m., 2 p.m. */
    bool has_offset;
    int32_t offset_s;
};

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static int settle(const struct parts *parts, struct stamp *ret_stamp)
{
    int hour = parts->hour;
    if (parts->half && (hour < 1 || hour > 12))
        return ERR_INVALID;
    if (parts->half)
        hour = hour % 12 + (parts->half == 2 ? 12 : 0);
    if (parts->year < 1 || parts->year > 9999 || parts->month < 1 || parts->month > 12 || hour > 24 ||
        parts->minute > 59 || parts->second > 59 || (hour == 24 && (parts->minute | parts->second | parts->us)))
        return ERR_INVALID;
    int days_of_year = 365 + (days_in(parts->year, 2) == 29);
    if (parts->day_of_year ? parts->day_of_year > days_of_year
                           : parts->day < 1 || parts->day > days_in(parts->year, parts->month))
        return ERR_INVALID;
    int64_t day = parts->day_of_year ? civil_days(parts->year, 1, 1) + parts->day_of_year - 1
                                     : civil_days(parts->year, parts->month, parts->day);
    int64_t t_us = day * US_PER_DAY + hour * US_PER_HOUR + parts->minute * US_PER_MINUTE +
                   parts->second * US_PER_SECOND + parts->us -
                   (parts->has_offset ? parts->offset_s * US_PER_SECOND : 0);
    if (t_us < CIVIL_MIN_US || t_us >= CIVIL_END_US)
        return ERR_INVALID;
    *ret_stamp = (struct stamp){t_us, !parts->has_offset};
    return 0;
}

static int parse_iso(const char *text, size_t size, struct stamp *ret_stamp)
{
    struct text in = {text, text + size};
    struct parts parts = {0};
    if (!take_number(&in, 4, &parts.year) || in.at - text != 4 || !take_char(&in, '-') ||
        !take_number(&in, 2, &parts.month) || !take_char(&in, '-') || !take_number(&in, 2, &parts.day))
        return ERR_INVALID;
    if (in.at < in.end && (take_char(&in, 'T') || take_char(&in, 't') || take_char(&in, ' '))) {
        if (!take_number(&in, 2, &parts.hour) || !take_char(&in, ':') || !take_number(&in, 2, &parts.minute))
            return ERR_INVALID;
        if (take_char(&in, ':') && !take_number(&in, 2, &parts.second))
            return ERR_INVALID;
        if ((take_char(&in, '.') || take_char(&in, ',')) && !take_fraction(&in, &parts.us))
            return ERR_INVALID;
        take_char(&in, ' ');
        parts.has_offset = in.at < in.end && take_offset(&in, &parts.offset_s);
    }
    return in.at == in.end ? settle(&parts, ret_stamp) : ERR_INVALID;
}

static bool take_half(struct text *in, int *ret_half)
{
    if (in->end - in->at < 2 || (in->at[1] | 0x20) != 'm')
        return false;
    int half = (in->at[0] | 0x20) == 'a' ? 1 : (in->at[0] | 0x20) == 'p' ? 2 : 0;
    in->at += 2;
    *ret_half = half;
    return half != 0;
}

static bool take_directive(struct text *in, char directive, struct parts *parts)
{
    switch (directive) {
    case 'Y':
        return take_number(in, 4, &parts->year);
    case 'y':
        if (!take_number(in, 2, &parts->year))
            return false;
        parts->year += parts->year < 69 ? 2000 : 1900; /* as POSIX has it */
        return true;
    case 'm':
        return take_number(in, 2, &parts->month);
    case 'd':
        return take_number(in, 2, &parts->day);
    case 'H':
    case 'I':
        return take_number(in, 2, &parts->hour);
    case 'M':
        return take_number(in, 2, &parts->minute);
    case 'S':
        return take_number(in, 2, &parts->second);
    case 'j':
        return take_number(in, 3, &parts->day_of_year) && parts->day_of_year > 0;
    case 'f':
        return take_fraction(in, &parts->us);
    case 'p':
        return take_half(in, &parts->half);
    case 'z':
        parts->has_offset = take_offset(in, &parts->offset_s);
        return parts->has_offset;
    default:
        return take_char(in, '%');
    }
}

static int parse_pattern(const char *pattern, const char *text, size_t size, struct stamp *ret_stamp)
{
    struct text in = {text, text + size};
    struct parts parts = {.month = 1, .day = 1};
    for (const char *at = pattern; *at; at++) {
        bool good;
        if (*at == '%') {
            good = take_directive(&in, *++at, &parts);
        } else if (*at == ' ') {
            for (good = false; take_char(&in, ' '); good = true)
                ;
        } else {
            good = take_char(&in, *at);
        }
        if (!good)
            return ERR_INVALID;
    }
    return in.at == in.end ? settle(&parts, ret_stamp) : ERR_INVALID;
}

/* Microseconds of a number with an exponent, which has few digits. */
static int parse_short(const char *text, size_t size, int digits, __int128 *ret_t_us)
{
    struct decimal value;
    bool rounded;
    if (decimal_parse(text, size, &value, &rounded) < 0 || rounded)
        return ERR_INVALID;
    __int128 t_us = value.m;
    int e = value.e + digits;
    for (; e > 0; e--) /* at most 21 times */
        t_us *= 10;
    for (; e < 0; e++)
        t_us = t_us / 10 - (t_us % 10 < 0);
    *ret_t_us = t_us;
    return 0;
}

/* A count of 10^(unit_digits - 6) s; nanoseconds have 19 digits, which no decimal holds. */
static int parse_unix(const char *text, size_t size, int unit_digits, struct stamp *ret_stamp)
{
    int digits = unit_digits;
    struct text in = {text, text + size};
    bool negative = take_char(&in, '-'), cut = false;
    __int128 t_us = 0;
    int n = 0;
    for (; in.at < in.end && is_digit(*in.at) && n < 24; in.at++, n++)
        t_us = t_us * 10 + (*in.at - '0');
    if (n > 0 && take_char(&in, '.'))
        for (; in.at < in.end && is_digit(*in.at); in.at++) {
            if (digits > 0) {
                t_us = t_us * 10 + (*in.at - '0');
                digits--;
            } else {
                cut = cut || *in.at != '0';
            }
        }
    for (; digits > 0; digits--)
        t_us *= 10;
    for (; digits < 0; digits++) {
        cut = cut || t_us % 10 != 0;
        t_us /= 10;
    }
    t_us = negative ? -t_us - cut : t_us; /* cut off towards the past, like other times */
    bool has_exponent = n > 0 && in.at < in.end && (*in.at == 'e' || *in.at == 'E');
    if (has_exponent ? parse_short(text, size, unit_digits, &t_us) < 0 : n == 0 || in.at != in.end)
        return ERR_INVALID;
    if (t_us < CIVIL_MIN_US || t_us >= CIVIL_END_US)
        return ERR_INVALID;
    *ret_stamp = (struct stamp){(int64_t)t_us, false};
    return 0;
}

int stamp_parse(const struct stamp_format *format, const char *text, size_t size, struct stamp *ret_stamp)
{
    int64_t t_us;
    switch (format->kind) {
    case STAMP_RFC3339:
        if (civil_parse_rfc3339(text, size, &t_us) < 0)
            return ERR_INVALID;
        *ret_stamp = (struct stamp){t_us, false};
        return 0;
    case STAMP_ISO:
        return parse_iso(text, size, ret_stamp);
    case STAMP_UNIX_S:
        return parse_unix(text, size, 6, ret_stamp);
    case STAMP_UNIX_MS:
        return parse_unix(text, size, 3, ret_stamp);
    case STAMP_UNIX_US:
        return parse_unix(text, size, 0, ret_stamp);
    case STAMP_UNIX_NS:
        return parse_unix(text, size, -3, ret_stamp);
    case STAMP_PATTERN:
    default:
        return parse_pattern(format->pattern, text, size, ret_stamp);
    }
}
