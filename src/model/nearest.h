/* The doubles nearest to decimals, ties to even: for answers whose numbers are binary. Correctly rounded for every value that a
 * decimal or an exact sum holds. */
#ifndef MODEL_NEAREST_H
#define MODEL_NEAREST_H

#include <stddef.h>
#include <stdint.h>

#include "model/decimal.h"

double nearest_double(struct decimal value);
double nearest_exact(const struct exact *value); /* one that has not overflowed */

/* out[i] is the one nearest to m[i] * 10^e[i]. */
void nearest_doubles(const int64_t *m, const int8_t *e, size_t n, double *out);

#endif
