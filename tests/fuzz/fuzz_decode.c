/* A message from anywhere. What is decoded must be within the contract's bounds, and a second decoding must say the same. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "common/civil.h"
#include "common/hash.h"
#include "decode_oracle.h"
#include "models.h"
#include "normalise/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_reading(const struct reading *reading, const struct registry *registry)
{
    check(reading->series_i < registry_n_series(registry));
    check(reading->t_us >= CIVIL_MIN_US && reading->t_us < CIVIL_END_US);
    check(reading->period_us >= 0 && reading->t_us + reading->period_us <= CIVIL_END_US);
    check((reading->quality & QUALITY_CLASS_MASK) < QUALITY_N && reading->op <= OP_DELETE_RANGE);
    if (reading->op != OP_VALUE || registry_at(registry, reading->series_i)->kind == KIND_STATE)
        return;
    struct decimal value = {.m = reading->m, .e = reading->e}, canonical = decimal_canonical(value);
    check(value.e >= DECIMAL_EXP_MIN && value.e <= DECIMAL_EXP_MAX);
    check(canonical.m == value.m && canonical.e == value.e && llabs(value.m) <= DECIMAL_MANTISSA_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct registry *registry;
    static struct decoder *decoder;
    static struct batch batch;
    static struct buf first, second;
    if (!registry || registry_n_series(registry) > 10000) {
        decoder_free(decoder);
        registry_free(registry);
        check(hash_init() == 0);
        registry = models_registry();
        const struct decoder_opts opts = {.registry = registry, .future_max_us = 3600000000, .oldest_us = INT64_MIN};
        decoder = decoder_new(&opts);
    }
    const struct message message = {.value = data, .size = size, .offset = 1, .known_ms = 1740873600000};
    for (int round = 0; round < 2; round++) {
        struct buf *out = round ? &second : &first;
        batch_clear(&batch);
        buf_clear(out);
        check(decode_message(decoder, &message, &batch) == 0);
        for (size_t i = 0; i < batch.n_readings; i++)
            check_reading(&batch.readings[i], registry);
        oracle_print(&batch, registry, out);
    }
    check(first.n == second.n && (first.n == 0 || memcmp(first.data, second.data, first.n) == 0));
    return 0;
}
