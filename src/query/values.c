#include <config.h>

#include "query/values.h"

#include <stdlib.h>
#include <string.h>

#include "query/tally.h"

#define INSERTION_MAX 32 /* so few are sorted one by one */

void values_free(struct values *values)
{
    free(values->m);
    free(values->scratch);
    free(values->e);
    free(values->apart);
    *values = (struct values){0};
}

void values_clear(struct values *values)
{
    free(values->apart);
    values->apart = NULL;
    values->n = 0;
    values->is_sorted = values->is_apart = false;
}

static int reserve(struct values *values, size_t n_more)
{
    size_t n = values->n + n_more, cap = values->cap < 1024 ? 1024 : values->cap;
    if (n <= values->cap)
        return 0;
    while (cap < n)
        cap *= 2;
    int64_t *m = reallocarray(values->m, cap, sizeof(*m));
    values->m = m ? m : values->m;
    int64_t *scratch = reallocarray(values->scratch, cap, sizeof(*scratch));
    values->scratch = scratch ? scratch : values->scratch;
    int8_t *e = reallocarray(values->e, cap, sizeof(*e));
    values->e = e ? e : values->e;
    if (!m || !scratch || !e)
        return ERR_NOMEM;
    values->cap = cap;
    return 0;
}

int values_add_points(struct values *values, const struct points *points, size_t begin, size_t end)
{
    int rc = reserve(values, end - begin);
    if (rc)
        return rc;
    for (size_t i = begin; i < end; i++) {
        values->m[values->n] = points->m[i];
        values->e[values->n] = points->e[i];
        values->n += !tally_leaves_out(points->quality[i]);
    }
    return values->n > VALUES_MAX ? ERR_LIMIT : 0;
}

int values_add(struct values *values, struct decimal value)
{
    int rc = reserve(values, 1);
    if (rc)
        return rc;
    values->m[values->n] = value.m;
    values->e[values->n++] = value.e;
    return values->n > VALUES_MAX ? ERR_LIMIT : 0;
}

/* ---- order ---- */

static void sort_few(int64_t *m, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        int64_t value = m[i];
        size_t at = i;
        for (; at && m[at - 1] > value; at--)
            m[at] = m[at - 1];
        m[at] = value;
    }
}

static unsigned byte_of(int64_t m, int place)
{
    return (unsigned)(((uint64_t)m ^ UINT64_C(1) << 63) >> (8 * place)) & 0xff;
}

/* Byte by byte from the least, but for bytes that all values share. */
static void sort_many(struct values *values)
{
    size_t counts[8][256] = {0}, n = values->n;
    for (size_t i = 0; i < n; i++)
        for (int place = 0; place < 8; place++)
            counts[place][byte_of(values->m[i], place)]++;
    for (int place = 0; place < 8; place++) {
        size_t *count = counts[place], at = 0;
        if (count[byte_of(values->m[0], place)] == n)
            continue;
        for (int byte = 0; byte < 256; byte++) {
            size_t here = count[byte];
            count[byte] = at;
            at += here;
        }
        for (size_t i = 0; i < n; i++)
            values->scratch[count[byte_of(values->m[i], place)]++] = values->m[i];
        int64_t *sorted = values->scratch;
        values->scratch = values->m;
        values->m = sorted;
    }
}

static int compare(const void *a, const void *b)
{
    return decimal_compare(*(const struct decimal *)a, *(const struct decimal *)b);
}

static int sort_apart(struct values *values)
{
    values->apart = reallocarray(NULL, values->n, sizeof(*values->apart));
    if (!values->apart)
        return ERR_NOMEM;
    for (size_t i = 0; i < values->n; i++)
        values->apart[i] = (struct decimal){values->m[i], values->e[i]};
    qsort(values->apart, values->n, sizeof(*values->apart), compare);
    values->is_apart = true;
    return 0;
}

/* Brings all mantissas to the least exponent. False (and nothing done) when one does not fit there. */
static bool align(struct values *values)
{
    int e = INT8_MAX;
    for (size_t i = 0; i < values->n; i++)
        e = values->e[i] < e ? values->e[i] : e;
    for (size_t i = 0; i < values->n; i++)
        if (values->e[i] - e > DECIMAL_DIGITS_MAX ||
            __builtin_mul_overflow(values->m[i], decimal_pow10[values->e[i] - e], &values->scratch[i]))
            return false;
    memcpy(values->m, values->scratch, values->n * sizeof(*values->m));
    memset(values->e, e, values->n);
    return true;
}

static int sort(struct values *values)
{
    values->is_sorted = true;
    if (!align(values))
        return sort_apart(values);
    if (values->n <= INSERTION_MAX)
        sort_few(values->m, values->n);
    else
        sort_many(values);
    return 0;
}

static struct decimal value_at(const struct values *values, size_t i)
{
    return values->is_apart ? values->apart[i] : (struct decimal){values->m[i], values->e[i]};
}

int values_percentile(struct values *values, int percent, struct exact *ret_percentile)
{
    struct exact sum = {0};
    int rc = values->is_sorted ? 0 : sort(values);
    if (rc)
        return rc;
    size_t rank = (values->n - 1) * (size_t)percent; /* in hundredths */
    struct decimal low = value_at(values, rank / 100), high = rank % 100 ? value_at(values, rank / 100 + 1) : low;
    exact_add_i128(&sum, (__int128)low.m * (100 - (int)(rank % 100)), low.e - 2);
    exact_add_i128(&sum, (__int128)high.m * (int)(rank % 100), high.e - 2);
    *ret_percentile = sum;
    return 0;
}
