#include <config.h>

#include "codec/exponent.h"

#include "model/decimal.h"

/* Prices in tenths of a bit. A decimal place is log2(10) bits of every value; a value that does not
 * fit takes two outliers in the column of mantissas, one in that of exponents, and its vector's
 * statistics, which is the dearest. */
#define PLACE_PRICE 33
#define MISFIT_PRICE 2000

bool exponent_shift(int64_t m, int e, int to, int64_t *ret_m)
{
    if (e == to || !m) {
        *ret_m = m;
        return true;
    }
    int64_t shifted;
    if (e < to || e - to > 18 || __builtin_mul_overflow(m, decimal_pow10[e - to], &shifted))
        return false;
    *ret_m = shifted;
    return true;
}

int8_t exponent_choose(const int64_t *m, const int8_t *e, size_t n)
{
    size_t counts[256] = {0};
    int64_t largest[256] = {0}; /* of the magnitudes, as negative numbers: they reach further */
    int best = 0, top = INT8_MIN;
    for (size_t i = 0; i < n; i++) {
        int slot = e[i] - INT8_MIN;
        int64_t negative = m[i] < 0 ? m[i] : -m[i];
        counts[slot] += m[i] != 0;
        largest[slot] = negative < largest[slot] ? negative : largest[slot];
        top = m[i] && e[i] > top ? e[i] : top;
    }
    uint64_t price_best = UINT64_MAX;
    for (int to = top; to >= INT8_MIN; to--) {
        if (!counts[to - INT8_MIN])
            continue;
        size_t n_misfits = 0;
        for (int from = INT8_MIN; from <= top; from++) {
            int64_t shifted;
            if (counts[from - INT8_MIN] &&
                !exponent_shift(largest[from - INT8_MIN], from, to, &shifted))
                n_misfits += counts[from - INT8_MIN];
        }
        uint64_t price =
            n_misfits * (uint64_t)MISFIT_PRICE + n * (uint64_t)(PLACE_PRICE * (top - to));
        if (price < price_best) {
            price_best = price;
            best = to;
        }
    }
    return (int8_t)best;
}
