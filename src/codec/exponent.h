/* The common exponent of a chunk. */
#ifndef CODEC_EXPONENT_H
#define CODEC_EXPONENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The exponent at which n values m * 10^e take the least space, those that do not fit it included. */
int8_t exponent_choose(const int64_t *m, const int8_t *e, size_t n);

/* The mantissa of m * 10^e at exponent to: true and *ret_m when it takes no division and fits. */
bool exponent_shift(int64_t m, int e, int to, int64_t *ret_m);

#endif
