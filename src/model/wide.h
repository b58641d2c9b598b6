/* Magnitudes of n words, least significant first: what exact sums, quotients and roots are made of. Private to model. */
#ifndef MODEL_WIDE_H
#define MODEL_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/decimal.h"

/* The word that did not fit. */
static inline uint64_t wide_multiply(uint64_t *word, size_t n, uint64_t factor)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned __int128 product = (unsigned __int128)word[i] * factor + carry;
        word[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    return carry;
}

/* The remainder. */
static inline uint64_t wide_divide(uint64_t *word, size_t n, uint64_t divisor)
{
    uint64_t remainder = 0;
    for (size_t i = n; i-- > 0;) {
        unsigned __int128 part = (unsigned __int128)remainder << 64 | word[i];
        word[i] = (uint64_t)(part / divisor);
        remainder = (uint64_t)(part % divisor);
    }
    return remainder;
}

static inline void wide_negate(uint64_t *word, size_t n)
{
    bool carry = true;
    for (size_t i = 0; i < n; i++) {
        word[i] = ~word[i] + carry;
        carry = carry && word[i] == 0;
    }
}

/* n without the leading words that are 0. */
static inline size_t wide_size(const uint64_t *word, size_t n)
{
    while (n > 0 && word[n - 1] == 0)
        n--;
    return n;
}

static inline bool wide_is_negative(const struct exact *value)
{
    return value->limb[EXACT_LIMBS - 1] >> 63 != 0;
}

/* An exponent that a decimal cannot have only comes from outside; with it the texts would not fit their buffers. */
static inline bool wide_is_usable(const struct exact *value)
{
    return !value->overflow && value->e >= INT8_MIN && value->e <= INT8_MAX;
}

/* A magnitude (not 0, used up) of more than digits digits, rounded half to even to so many (1 to 18), without zeros at its
 * end; *e grows by the digits left out. sticky: something follows behind its last digit. */
uint64_t wide_round(uint64_t *word, size_t n, int digits, int *e, bool sticky);

#endif
