/* The loops over all numbers of a vector, which is where decoding spends its time: in plain C and, for processors that have
 * it, in AVX2. Both give the same numbers; everything wraps around. */
#ifndef CODEC_KERNELS_H
#define CODEC_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Eight numbers of one width lie on whole bytes. From where such a group begins, up to this many bytes are read. */
#define KERNELS_REACH 72

struct kernels {
    const char *name;
    /* n numbers of width (1..64) bits from the lowest bit of in on. */
    void (*unpack)(const uint8_t *in, size_t n, unsigned width, uint64_t *ret_values);
    /* v[i] = base + i * step */
    void (*line)(uint64_t *v, size_t n, uint64_t base, uint64_t step);
    /* v[i] = v[i] * factor */
    void (*multiply)(uint64_t *v, size_t n, uint64_t factor);
    /* v[i] = v[i] + base + i * step */
    void (*add_line)(uint64_t *v, size_t n, uint64_t base, uint64_t step);
    /* v[i] = start + (i + 1) * step + v[0] + ... + v[i] */
    void (*add_up)(uint64_t *v, size_t n, uint64_t start, uint64_t step);
};

extern const struct kernels kernels_portable;

/* The fastest ones that run on this processor. */
const struct kernels *kernels_best(void);

#endif
