/* Numbers as foreign sources write them, to JSON numbers; scaled exactly. Never a double. */
#ifndef ADAPT_NUMBER_H
#define ADAPT_NUMBER_H

#include <stddef.h>

#include "common/err.h"
#include "model/decimal.h"

#define NUMBER_TEXT_MAX EXACT_TEXT_MAX

struct number_form {
    char decimal;   /* '.' or ',' */
    char thousands; /* 0 none */
};

/* Writes the JSON number that text means (a sign, digits on one side of the point at least, an exponent) to out; no
 * NUL; the length in *ret_size. ERR_INVALID: it is no number; ERR_LIMIT: longer than NUMBER_TEXT_MAX. */
MUST_CHECK int number_plain(const struct number_form *form, const char *text, size_t size,
                            char out[static NUMBER_TEXT_MAX], size_t *ret_size);

/* Multiplies a JSON number: all digits of the product, plain. ERR_LIMIT: too large or too small for any reading. in and
 * out may be the same. */
MUST_CHECK int number_scale(const char *in, size_t in_size, struct decimal scale, char out[static NUMBER_TEXT_MAX],
                            size_t *ret_size);

#endif
