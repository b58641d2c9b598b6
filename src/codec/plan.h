/* Chooses how a vector is packed: the part of vector.c that decides, apart from the part that writes. */
#ifndef CODEC_PLAN_H
#define CODEC_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/vector.h"

/* The numbers are those of docs/FORMAT.md. */
enum vector_mode {
    MODE_CONSTANT,
    MODE_FRAME,
    MODE_LINE,
    MODE_DELTA,
    MODE_DELTA2,
    MODE_RUNS,
    MODE_DICTIONARY
};

/* How many integers the fields of a packed mode give, so that they are not among the packed ones. */
static inline size_t vector_mode_skip(enum vector_mode mode)
{
    return mode == MODE_DELTA ? 1 : mode == MODE_DELTA2 ? 2 : 0;
}

struct plan {
    enum vector_mode mode; /* one of the packed modes */
    bool patched;          /* some numbers need more than width bits */
    unsigned width;
    int64_t first;         /* modes delta, delta of delta */
    int64_t step;          /* mode line; the slope of delta of delta */
    int64_t base;
    uint64_t divisor;
    size_t bytes;          /* all of them; where patched, an estimate */
};

/* Plans for n integers that are not all the same; patches says whether some may be left to patches. ret_p gets the
 * n - vector_mode_skip(mode) numbers to be packed. */
void plan_make(const int64_t *values, size_t n, bool aligned, bool patches, struct plan *ret_plan, uint64_t *ret_p);

/* width, or where aligned the next power of two. */
unsigned plan_width(unsigned width, bool aligned);

#endif
