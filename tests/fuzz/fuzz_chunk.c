/* libFuzzer entry: the input is a chunk whose CRC is made right first, so that the fuzzer gets
 * behind it. The columns asked for depend on the input's last byte, so that each is also decoded
 * alone. What decodes must encode, and decode to the same again. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "codec/chunk.h"
#include "model/decimal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* What was decoded, encoded again with and without the entropy stage, is decoded to the same. */
static void try_again(const struct points *points, bool cold)
{
    struct chunk_options options = {.cold = cold};
    struct buf buf = {0};
    struct chunk chunk;
    struct points again = {0};
    require(chunk_encode(points, 0, points->n, &options, &buf) == 0);
    require(chunk_open(buf.data, buf.n, 0, &chunk) == 0);
    require(chunk_decode(&chunk, 0, chunk.n_vectors, POINTS_ALL, &again) == 0 && again.n == points->n);
    for (size_t i = 0; i < again.n; i++) {
        struct decimal a = {points->m[i], points->e[i]}, b = {again.m[i], again.e[i]};
        require(decimal_compare(a, b) == 0 && points->t_us[i] == again.t_us[i]);
        require(points->quality[i] == again.quality[i] && points->period_us[i] == again.period_us[i]);
        require(points->issued_us[i] == again.issued_us[i] && points->known_ms[i] == again.known_ms[i]);
    }
    points_free(&again);
    buf_free(&buf);
}

static void try_chunk(const uint8_t *bytes, size_t size)
{
    struct chunk chunk;
    struct points points = {0};
    if (chunk_open(bytes, size, 0, &chunk))
        return;
    uint32_t middle = chunk.n_vectors / 2;
    if (chunk_decode(&chunk, middle, chunk.n_vectors - middle, bytes[size - 1], &points) &&
        points.n)
        abort();
    points_clear(&points);
    int64_t at_us = chunk.vectors[middle].last_us;
    if (at_us < INT64_MAX && chunk_decode_range(&chunk, at_us, at_us + 1, 0, &points) && points.n)
        abort();
    points_clear(&points);
    if (chunk_decode(&chunk, 0, chunk.n_vectors, POINTS_ALL, &points) == 0) {
        require(points.n == chunk.n);
        if (!chunk.state)
            try_again(&points, bytes[size - 1] & 8);
    }
    points_free(&points);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[8];
    if (size < 5 || size > 1 << 16)
        return 0;
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return 0;
    memcpy(bytes, data, size);
    uint32_t crc = (uint32_t)crc32(crc32(0, key, sizeof key), bytes + 4, (uInt)size - 4);
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(crc >> (8 * i));
    try_chunk(bytes, size);
    free(bytes);
    return 0;
}
