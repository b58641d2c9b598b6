#include <config.h>

#include "adapt/number.h"

#include <stdbool.h>
#include <string.h>

#define SCALED_EXPONENT_MAX 60 /* far beyond any reading, and within what an exact sum takes */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

struct text {
    const char *at, *end;
};

struct out {
    char *at;
    size_t n;
};

/* Copies digits and drops what separates thousands between them; how many there were. */
static size_t copy_digits(struct text *in, char thousands, struct out *out)
{
    size_t n = 0;
    for (; in->at < in->end; in->at++) {
        if (is_digit(*in->at)) {
            out->at[out->n++] = *in->at;
            n++;
        } else if (!thousands || *in->at != thousands || n == 0 || in->at + 1 == in->end || !is_digit(in->at[1])) {
            break;
        }
    }
    return n;
}

/* Digits before the point: JSON has no zeros in front of others. */
static size_t copy_whole(struct text *in, char thousands, struct out *out)
{
    size_t begin = out->n, n = copy_digits(in, thousands, out), zeros = 0;
    while (zeros + 1 < n && out->at[begin + zeros] == '0')
        zeros++;
    memmove(out->at + begin, out->at + begin + zeros, n - zeros);
    out->n -= zeros;
    return n;
}

static bool copy_exponent(struct text *in, struct out *out)
{
    if (in->at == in->end)
        return true;
    if (*in->at != 'e' && *in->at != 'E')
        return false;
    out->at[out->n++] = 'e';
    in->at++;
    if (in->at < in->end && (*in->at == '-' || *in->at == '+'))
        out->at[out->n++] = *in->at++;
    return copy_digits(in, 0, out) > 0 && in->at == in->end;
}

int number_plain(const struct number_form *form, const char *text, size_t size, char out[static NUMBER_TEXT_MAX],
                 size_t *ret_size)
{
    struct text in = {text, text + size};
    struct out to = {out, 0};
    if (size + 3 > NUMBER_TEXT_MAX) /* a zero on either side of the point */
        return ERR_LIMIT;
    if (in.at < in.end && (*in.at == '-' || *in.at == '+')) {
        if (*in.at == '-')
            out[to.n++] = '-';
        in.at++;
    }
    size_t n_whole = copy_whole(&in, form->thousands, &to), n_fraction = 0;
    if (n_whole == 0)
        out[to.n++] = '0';
    if (in.at < in.end && *in.at == form->decimal) {
        in.at++;
        out[to.n++] = '.';
        n_fraction = copy_digits(&in, 0, &to);
        if (n_fraction == 0)
            to.n--;
    }
    if (n_whole + n_fraction == 0 || !copy_exponent(&in, &to))
        return ERR_INVALID;
    *ret_size = to.n;
    return 0;
}

/* The digits of a JSON number, 18 at a time: each piece times the scale is added. */
static int add_pieces(const char *text, size_t size, struct decimal scale, int e, struct exact *sum)
{
    int64_t piece = 0;
    int n = 0, left = 0; /* digits of the piece; digits behind it */
    for (size_t i = 0; i < size; i++)
        left += is_digit(text[i]);
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i]))
            continue;
        piece = piece * 10 + (text[i] - '0');
        left--;
        if (++n < DECIMAL_DIGITS_MAX && left > 0)
            continue;
        if (e + left > SCALED_EXPONENT_MAX && piece != 0)
            return ERR_LIMIT;
        if (piece != 0)
            exact_add_i128(sum, (__int128)piece * scale.m, e + left + scale.e);
        piece = n = 0;
    }
    return 0;
}

/* The exponent of a JSON number's last digit. */
static int exponent_of(const char *text, size_t size, size_t *ret_mantissa_size)
{
    size_t point = size, end = 0;
    while (end < size && text[end] != 'e' && text[end] != 'E') {
        if (text[end] == '.')
            point = end;
        end++;
    }
    int e = 0;
    bool negative = end + 1 < size && text[end + 1] == '-';
    for (size_t i = end + 1; i < size; i++)
        if (is_digit(text[i]) && e < 10000)
            e = e * 10 + (text[i] - '0');
    *ret_mantissa_size = end;
    return (negative ? -e : e) - (point < end ? (int)(end - point - 1) : 0);
}

/* The usual case: both have few digits, and so has the product. */
static bool scale_short(const char *in, size_t in_size, struct decimal scale, char *out, size_t *ret_size)
{
    struct decimal value;
    bool rounded;
    if (decimal_parse(in, in_size, &value, &rounded) < 0 || rounded)
        return false;
    struct decimal product = {0, (int8_t)(value.e + scale.e)};
    if (__builtin_mul_overflow(value.m, scale.m, &product.m) || product.m > DECIMAL_MANTISSA_MAX ||
        product.m < -DECIMAL_MANTISSA_MAX)
        return false;
    *ret_size = decimal_print(out, decimal_canonical(product));
    return true;
}

int number_scale(const char *in, size_t in_size, struct decimal scale, char out[static NUMBER_TEXT_MAX],
                 size_t *ret_size)
{
    if (scale_short(in, in_size, scale, out, ret_size))
        return 0;
    bool negative = in[0] == '-';
    size_t mantissa_size;
    int e = exponent_of(in, in_size, &mantissa_size);
    if (e < -SCALED_EXPONENT_MAX - (int)NUMBER_TEXT_MAX / 4 || e > SCALED_EXPONENT_MAX)
        return ERR_LIMIT;
    struct exact sum = {0};
    struct decimal factor = {negative ? -scale.m : scale.m, scale.e};
    int rc = add_pieces(in, mantissa_size, factor, e, &sum);
    size_t size = rc == 0 ? exact_print(out, &sum) : 0;
    if (rc < 0 || size == 0)
        return ERR_LIMIT;
    *ret_size = size;
    return 0;
}
