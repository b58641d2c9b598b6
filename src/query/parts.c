#include <config.h>

#include "query/parts.h"

#include <stdlib.h>

#include "common/array.h"

#define PART_EXPONENT (-9)

void parts_free(struct parts *parts)
{
    free(parts->rows);
    *parts = (struct parts){0};
}

int parts_add(struct parts *parts, int64_t t_us, int64_t period_us, struct decimal value)
{
    if (array_grow(&parts->rows, &parts->cap, parts->n + 1, sizeof(*parts->rows)))
        return ERR_NOMEM;
    parts->rows[parts->n++] = (struct amount){t_us, period_us, value};
    return 0;
}

/* An amount as total * 10^e / divisor, where e is the exponent of its parts. */
struct ratio {
    int64_t total, divisor;
    int8_t e;
};

static struct ratio ratio_of(struct decimal amount)
{
    struct decimal value = decimal_canonical(amount);
    struct ratio ratio = {value.m, 1, value.e};
    if (value.e < PART_EXPONENT) {
        ratio.divisor = decimal_pow10[PART_EXPONENT - value.e];
        ratio.e = PART_EXPONENT;
        return ratio;
    }
    while (ratio.e > PART_EXPONENT && llabs(ratio.total) <= DECIMAL_MANTISSA_MAX / 10) {
        ratio.total *= 10;
        ratio.e--;
    }
    return ratio;
}

/* value * x / period at the ratio's exponent. Periods end before the year 10000, so they have less than 59 bits, a mantissa
 * less than 64, and a divisor at most 50: no product leaves 128 bits. */
static int64_t share(const struct ratio *ratio, int64_t period_us, int64_t x_us)
{
    __int128 dividend = (__int128)ratio->total * x_us;
    __int128 divisor = (__int128)period_us * ratio->divisor;
    __int128 quotient = dividend / divisor, rest = dividend % divisor;
    __int128 twice = 2 * (rest < 0 ? -rest : rest);
    bool up = twice > divisor || (twice == divisor && quotient % 2 != 0);
    if (up && (llabs((int64_t)quotient) + 1) * ratio->divisor <= llabs(ratio->total)) /* never more than the amount */
        quotient += dividend < 0 ? -1 : 1;
    return (int64_t)quotient;
}

struct decimal part_of(struct decimal amount, int64_t period_us, int64_t begin_us, int64_t end_us)
{
    struct ratio ratio = ratio_of(amount);
    if (begin_us == 0 && end_us == period_us)
        return decimal_canonical(amount);
    int64_t before = share(&ratio, period_us, begin_us);
    if (end_us < period_us || ratio.divisor == 1)
        return decimal_canonical((struct decimal){share(&ratio, period_us, end_us) - before, ratio.e});
    /* The last part has all digits of the amount, which has more than 9 decimals. */
    struct decimal value = decimal_canonical(amount);
    return decimal_canonical((struct decimal){value.m - before * ratio.divisor, value.e});
}

int parts_take(struct parts *parts, int64_t begin_us, int64_t end_us, struct tally *tally, struct values *values,
               int64_t *ret_until_us)
{
    size_t n = 0;
    int64_t until_us = begin_us;
    int rc = 0;
    for (size_t i = 0; i < parts->n && !rc; i++) {
        const struct amount *row = &parts->rows[i];
        int64_t row_end_us = row->t_us + row->period_us;
        int64_t from_us = row->t_us > begin_us ? row->t_us : begin_us, to_us = row_end_us < end_us ? row_end_us : end_us;
        if (from_us < to_us) {
            struct decimal part = part_of(row->value, row->period_us, from_us - row->t_us, to_us - row->t_us);
            tally_add_value(tally, part);
            rc = values ? values_add(values, part) : 0;
            until_us = to_us > until_us ? to_us : until_us;
        }
        if (row_end_us > end_us)
            parts->rows[n++] = *row;
    }
    parts->n = n;
    *ret_until_us = until_us;
    return rc;
}
