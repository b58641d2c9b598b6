#include <config.h>

#include "store/window.h"

#include <stdio.h>
#include <string.h>

#include "common/civil.h"

static const char *const length_names[] = {
    [WINDOW_AUTO] = "auto", [WINDOW_DAY] = "day", [WINDOW_WEEK] = "week", [WINDOW_MONTH] = "month"};
const char *const file_kind_name[3] = {[FILE_OPEN] = "open", [FILE_RAW] = "raw", [FILE_TIER] = "tier"};

const char *window_length_name(enum window_length length)
{
    return length_names[length];
}

int window_length_parse(const char *text, enum window_length *ret_length)
{
    for (unsigned i = WINDOW_DAY; i <= WINDOW_MONTH; i++) {
        if (strcmp(text, length_names[i]) == 0) {
            *ret_length = (enum window_length)i;
            return 0;
        }
    }
    return ERR_INVALID;
}

enum window_length window_length_for(int64_t cadence_us)
{
    if (cadence_us <= 10 * US_PER_SECOND)
        return WINDOW_DAY;
    return cadence_us <= 5 * US_PER_MINUTE ? WINDOW_WEEK : WINDOW_MONTH;
}

static int64_t floor_day(int64_t t_us)
{
    int64_t days = t_us / US_PER_DAY;
    return days - (t_us % US_PER_DAY < 0);
}

/* The calendar window of that length that holds t_us. */
static struct window calendar_window(enum window_length length, int64_t t_us)
{
    int64_t day = floor_day(t_us), begin = day, end = day + 1;
    if (length == WINDOW_WEEK) {
        begin = day - civil_weekday(day);
        end = begin + 7;
    } else if (length == WINDOW_MONTH) {
        int year, month, ignored;
        civil_from_days(day, &year, &month, &ignored);
        begin = civil_days(year, month, 1);
        end = month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, month + 1, 1);
    }
    return (struct window){begin * US_PER_DAY, end * US_PER_DAY};
}

static size_t rule_at(const struct window_rule *rules, size_t n_rules, int64_t t_us)
{
    size_t i = n_rules - 1;
    while (i && rules[i].since_us > t_us)
        i--;
    return i;
}

enum window_length window_length_at(const struct window_rule *rules, size_t n_rules, int64_t t_us)
{
    return rules[rule_at(rules, n_rules, t_us)].length;
}

struct window window_at(const struct window_rule *rules, size_t n_rules, int64_t t_us)
{
    size_t i = rule_at(rules, n_rules, t_us);
    struct window window = calendar_window(rules[i].length, t_us);
    if (i && window.begin_us < rules[i].since_us)
        window.begin_us = rules[i].since_us;
    if (i + 1 < n_rules && window.end_us > rules[i + 1].since_us)
        window.end_us = rules[i + 1].since_us;
    return window;
}

/* ISO 8601 week of a day: the week belongs to the year of its Thursday. */
static void iso_week(int64_t day, int *ret_year, int *ret_week)
{
    int64_t thursday = day - civil_weekday(day) + 3;
    int month, ignored;
    civil_from_days(thursday, ret_year, &month, &ignored);
    *ret_week = (int)((thursday - civil_days(*ret_year, 1, 1)) / 7) + 1;
}

void file_name(char out[static FILE_NAME_MAX], enum window_length length, int64_t begin_us, enum file_kind kind,
               int64_t generation)
{
    int64_t day = floor_day(begin_us);
    int year, month, month_day, week;
    char window[24];
    civil_from_days(day, &year, &month, &month_day);
    if (length == WINDOW_WEEK) {
        iso_week(day, &year, &week);
        snprintf(window, sizeof(window), "%04d-W%02d", year, week);
    } else if (length == WINDOW_MONTH) {
        snprintf(window, sizeof(window), "%04d-%02d", year, month);
    } else {
        snprintf(window, sizeof(window), "%04d-%02d-%02d", year, month, month_day);
    }
    snprintf(out, FILE_NAME_MAX, "%s.%s.g%lld.db", window, file_kind_name[kind], (long long)generation);
}
