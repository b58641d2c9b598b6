#include <config.h>

#include "vtab/value.h"

#include <float.h>

#include "common/civil.h"

/* Doubles hold these exactly. */
static const double double_pow10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define DOUBLE_POW10_MAX 22
#define DOUBLE_WHOLE_MAX (INT64_C(1) << 53)

/* Wide enough that rounding twice does no harm: quotients of 63 by 80 bits do not come that close to the middle between two
 * doubles. */
#if LDBL_MANT_DIG >= 113
typedef long double wide;
#else
typedef __float128 wide;
#endif

double value_double(struct decimal decimal)
{
    int e = decimal.e;
    int64_t m = decimal.m;
    if (m > -DOUBLE_WHOLE_MAX && m < DOUBLE_WHOLE_MAX && e >= -DOUBLE_POW10_MAX && e <= DOUBLE_POW10_MAX)
        return e < 0 ? (double)m / double_pow10[-e] : (double)m * double_pow10[e]; /* one rounding */
    wide value = (wide)m;
    for (; e < 0; e += e < -DOUBLE_POW10_MAX ? DOUBLE_POW10_MAX : -e)
        value /= (wide)double_pow10[e < -DOUBLE_POW10_MAX ? DOUBLE_POW10_MAX : -e];
    for (; e > 0; e -= e > DOUBLE_POW10_MAX ? DOUBLE_POW10_MAX : e)
        value *= (wide)double_pow10[e > DOUBLE_POW10_MAX ? DOUBLE_POW10_MAX : e];
    return (double)value;
}

void value_number(sqlite3_context *context, struct decimal decimal)
{
    int64_t whole;
    if (decimal_at(decimal, 0, &whole))
        sqlite3_result_int64(context, whole);
    else
        sqlite3_result_double(context, value_double(decimal));
}

void value_exact(sqlite3_context *context, const struct exact *exact)
{
    struct decimal rounded;
    int64_t whole;
    if (exact_at(exact, 0, &whole))
        sqlite3_result_int64(context, whole);
    else if (exact_divide(exact, 1, DECIMAL_DIGITS_MAX, &rounded) == 0)
        sqlite3_result_double(context, value_double(rounded));
    else
        sqlite3_result_error(context, "a sum has left the numbers that can be shown", -1);
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
