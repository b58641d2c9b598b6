/* libFuzzer entry: the input is a chunk whose CRC is made right first, so that the fuzzer gets
 * behind it. The columns asked for depend on the input's last byte, so that each is also decoded
 * alone. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "codec/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    if (chunk_decode(&chunk, 0, chunk.n_vectors, POINTS_ALL, &points) == 0 && points.n != chunk.n)
        abort();
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
