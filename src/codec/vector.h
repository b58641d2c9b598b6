/* Up to LIMIT_VECTOR_POINTS integers in the cheapest of several encodings; self-describing, so that new encodings can be
 * added without a new chunk format. The modes are written in docs/FORMAT.md ("Vector"). */
#ifndef CODEC_VECTOR_H
#define CODEC_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/limits.h"

/* No encoding of a vector is longer: 64 bits a number and the fields around them. */
#define VECTOR_BYTES_MAX (8 * LIMIT_VECTOR_POINTS + 64)

/* Appends the encoding of n (1..LIMIT_VECTOR_POINTS) integers. Any int64 values, lossless. */
void vector_encode(const int64_t *values, size_t n, struct buf *out);

/* As vector_encode, for an entropy stage behind it, which sees bytes only: widths are powers of two and bases round numbers,
 * so that a number looks the same wherever it stands, and patches are for rare outliers. */
void vector_encode_aligned(const int64_t *values, size_t n, struct buf *out);

/* Decodes exactly n integers from in, which is moved behind them. ERR_CORRUPT: what is in ret_values then has no meaning. */
MUST_CHECK int vector_decode(struct reader *in, size_t n, int64_t *ret_values);

#endif
