#include <config.h>

#include "vtab/value.h"

#include "common/civil.h"
#include "model/nearest.h"

void value_number(sqlite3_context *context, struct decimal decimal)
{
    int64_t whole;
    if (decimal_at(decimal, 0, &whole))
        sqlite3_result_int64(context, whole);
    else
        sqlite3_result_double(context, nearest_double(decimal));
}

void value_exact(sqlite3_context *context, const struct exact *exact)
{
    int64_t whole;
    if (exact->overflow)
        sqlite3_result_error(context, "a sum has left the numbers that can be shown", -1);
    else if (exact_at(exact, 0, &whole))
        sqlite3_result_int64(context, whole);
    else
        sqlite3_result_double(context, nearest_exact(exact));
}

void value_text(sqlite3_context *context, const char *text)
{
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

void value_time(sqlite3_context *context, int64_t t_us)
{
    char text[CIVIL_TEXT_MAX];
    size_t size = civil_print_rfc3339(text, t_us, 0, true);
    sqlite3_result_text(context, text, (int)size, SQLITE_TRANSIENT);
}

void value_quality(sqlite3_context *context, uint8_t quality)
{
    sqlite3_result_text(context, quality_name((enum quality)(quality & QUALITY_CLASS_MASK)), -1, SQLITE_STATIC);
}

void value_issue(sqlite3_context *context, int64_t issued_us)
{
    if (issued_us != ISSUED_NONE)
        sqlite3_result_int64(context, issued_us);
}

void value_point(sqlite3_context *context, const struct points *points, size_t i, enum kind kind, bool digits)
{
    struct decimal decimal = {points->m[i], points->e[i]};
    char text[DECIMAL_TEXT_MAX];
    if (kind == KIND_STATE)
        value_text(context, texts_at(&points->texts, decimal.m));
    else if (digits)
        sqlite3_result_text(context, text, (int)decimal_print(text, decimal_canonical(decimal)), SQLITE_TRANSIENT);
    else
        value_number(context, decimal);
}
