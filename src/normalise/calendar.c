/* Calendars: the days that a document lists, and the readings that they come to. */
#include <config.h>

#include "normalise/checker.h"

#include <stdio.h>
#include <string.h>

#include "common/civil.h"
#include "common/jsontext.h"
#include "common/zone.h"

#define DATE_SIZE 10
#define DAYS_OF_YEAR_MAX 366

static const char *const day_kinds[] = {"working", "weekend", "bankHoliday", "publicHoliday"};
#define N_DAY_KINDS (sizeof day_kinds / sizeof *day_kinds)

/* A date that exists, from the year 1 on. */
static bool read_date(const char *text, size_t size, int64_t *ret_days, int *ret_year)
{
    int year, month, day, real_year, real_month, real_day;
    if (size != DATE_SIZE || text[4] != '-' || text[7] != '-' || !civil_digits(text, 4, &year) ||
        !civil_digits(text + 5, 2, &month) || !civil_digits(text + 8, 2, &day) || year < 1 || month < 1 || month > 12 ||
        day < 1 || day > 31)
        return false;
    *ret_days = civil_days(year, month, day);
    *ret_year = year;
    civil_from_days(*ret_days, &real_year, &real_month, &real_day);
    return real_month == month;
}

static int find_day_kind(const struct asset_checker *checker, uint32_t token)
{
    for (size_t i = 0; i < N_DAY_KINDS; i++)
        if (checker_is(checker, token, day_kinds[i]))
            return (int)i;
    return -1;
}

int checker_days(struct asset_checker *checker, uint32_t object, struct calendar_span *ret_span)
{
    const struct token *tokens = checker->scanner.tokens;
    struct calendar_span span = {0};
    int64_t days;
    int year, r = names_index(&checker->names, &checker->scanner, object);
    if (r == ERR_EXISTS)
        return checker_refuse(checker, REFUSED_JSON, "a date in \"days\" is there twice");
    if (r)
        return r;
    for (uint32_t i = object + 1; i < tokens[object].next; i = tokens[i + 1].next) {
        if (!read_date(token_text(&checker->scanner, &tokens[i]), tokens[i].size, &days, &year))
            return checker_refuse(checker, REFUSED_TIME, "a name in \"days\" is no date such as 2025-12-25");
        if (find_day_kind(checker, i + 1) < 0)
            return checker_refuse(checker, REFUSED_FIELD, "%.10s in \"days\" is none of working weekend bankHoliday "
                                  "publicHoliday",
                                  token_text(&checker->scanner, &tokens[i]));
        span.first_year = !span.first_year || year < span.first_year ? year : span.first_year;
        span.last_year = year > span.last_year ? year : span.last_year;
    }
    if (!span.first_year)
        return checker_refuse(checker, REFUSED_FIELD, "the field \"days\" lists no day");
    if (span.last_year - span.first_year >= CALENDAR_YEARS_MAX)
        return checker_refuse(checker, REFUSED_LIMIT, "the field \"days\" covers more than %d years", CALENDAR_YEARS_MAX);
    *ret_span = span;
    return 0;
}

/* ---- readings ---- */

struct expansion {
    struct asset_checker *checker;
    const struct calendar_due *due;
    const struct zone *zone;
    uint32_t days;          /* the object's token */
    struct buf out;
};

static const char *kind_of_day(const struct expansion *expansion, int64_t days)
{
    char date[48];
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    snprintf(date, sizeof date, "%04d-%02d-%02d", year, month, day);
    uint32_t token = names_find(&expansion->checker->names, &expansion->checker->scanner, expansion->days, date, DATE_SIZE);
    int kind = token ? find_day_kind(expansion->checker, token) : -1;
    return kind >= 0 ? day_kinds[kind] : civil_weekday(days) >= 5 ? "weekend" : "working";
}

static int put_year(struct expansion *expansion, int year)
{
    struct buf *out = &expansion->out;
    int64_t begin = civil_days(year, 1, 1), end = civil_days(year + 1, 1, 1);
    buf_clear(out);
    buf_printf(out, "{\"entity\":\"calendar-%s\",\"type\":\"Calendar\",\"issued\":", expansion->due->id);
    jsontext_put_time(out, expansion->due->since_ms * 1000);
    buf_puts(out, ",\"time\":");
    for (int64_t day = begin; day < end; day++) {
        buf_putc(out, day == begin ? '[' : ',');
        jsontext_put_time(out, zone_day_start_us(expansion->zone, day));
    }
    buf_puts(out, "],\"values\":{\"dayType\":");
    for (int64_t day = begin; day < end; day++)
        buf_printf(out, "%c\"%s\"", day == begin ? '[' : ',', kind_of_day(expansion, day));
    buf_puts(out, "]}}");
    return out->failed ? ERR_NOMEM : 0;
}

static int read_calendar(struct expansion *expansion, struct calendar_span *ret_span)
{
    struct asset_checker *checker = expansion->checker;
    struct scanner *scanner = &checker->scanner;
    char name[LIMIT_ZONE_NAME_BYTES + 1] = "UTC";
    scanner->text = (const uint8_t *)expansion->due->document;
    scanner->size = strlen(expansion->due->document);
    scanner->at = 0;
    int r = scan_value(scanner);
    if (r || scanner->tokens[0].type != TOKEN_OBJECT)
        return r == ERR_NOMEM ? r : ERR_INVALID;
    uint32_t zone = checker_find(checker, 0, "tz");
    expansion->days = checker_find(checker, 0, "days");
    if (zone && scanner->tokens[zone].type == TOKEN_STRING)
        snprintf(name, sizeof name, "%.*s", (int)scanner->tokens[zone].size, token_text(scanner, &scanner->tokens[zone]));
    if (!expansion->days || scanner->tokens[expansion->days].type != TOKEN_OBJECT)
        return ERR_INVALID;
    r = checker_days(checker, expansion->days, ret_span);
    if (r == 0)
        r = zone_open(name, &expansion->zone);
    return r == ERR_NOMEM ? r : r ? ERR_INVALID : 0;
}

int assets_calendar(struct asset_checker *checker, const struct calendar_due *due,
                    int (*message)(void *arg, const char *entity, const void *value, size_t size), void *arg)
{
    struct expansion expansion = {.checker = checker, .due = due};
    struct documents unheard = {0}; /* it was checked before */
    struct document_message none = {.topic = ""};
    struct calendar_span span;
    char entity[LIMIT_ENTITY_BYTES + 1];
    checker->documents = &unheard;
    checker->message = &none;
    checker->row = NULL;
    snprintf(entity, sizeof entity, "calendar-%.*s", (int)sizeof entity - 10, due->id);
    int r = read_calendar(&expansion, &span);
    for (int year = span.first_year; r == 0 && year <= span.last_year; year++) {
        r = put_year(&expansion, year);
        if (r == 0)
            r = message(arg, entity, expansion.out.data, expansion.out.n);
    }
    buf_free(&expansion.out);
    documents_free(&unheard);
    return r;
}
