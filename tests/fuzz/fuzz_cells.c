/* Tier blocks from anywhere: the input is a block without its check, which is added so that the fuzzer gets past it. What
 * decodes must encode, and decode to the same cells again. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "rollup/cell.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_same(const struct cell *a, const struct cell *b)
{
    require(a->begin_us == b->begin_us && a->count == b->count && a->n_resets == b->n_resets);
    require(memcmp(a->n_quality, b->n_quality, sizeof a->n_quality) == 0);
    require(a->min_us == b->min_us && a->max_us == b->max_us && a->first_us == b->first_us);
    require(a->last_us == b->last_us && a->covered_us == b->covered_us);
    require(decimal_compare(a->min, b->min) == 0 && decimal_compare(a->max, b->max) == 0);
    require(decimal_compare(a->first, b->first) == 0 && decimal_compare(a->last, b->last) == 0);
    require(exact_compare(&a->sum, &b->sum) == 0 && exact_compare(&a->step, &b->step) == 0);
    require(exact_compare(&a->linear2, &b->linear2) == 0 && exact_compare(&a->increase, &b->increase) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[8];
    struct buf block = {0}, again = {0};
    struct cells cells = {0}, same = {0};

    buf_put_u32(&block, (uint32_t)crc32_z(crc32_z(0, key, sizeof key), data, size));
    buf_put(&block, data, size);
    require(!block.failed);
    if (cells_decode(block.data, block.n, 0, &cells) == 0) {
        struct reader in = {.at = data + 1, .end = data + size};
        reader_varint(&in);
        int64_t width_us = (int64_t)reader_varint(&in);
        require(cells_encode(cells.rows, cells.n, width_us, 1, &again) == 0);
        require(cells_decode(again.data, again.n, 1, &same) == 0);
        require(same.n == cells.n);
        for (size_t i = 0; i < cells.n; i++)
            require_same(&cells.rows[i], &same.rows[i]);
    } else {
        require(cells.n == 0);
    }
    struct cells_block part = {block.data, block.n, 0};
    same.n = 0;
    int64_t middle_us = cells.n ? cells.rows[cells.n / 2].begin_us : 0;
    if (cells_decode_range(&part, INT64_MIN, middle_us, &same) == 0 && cells.n)
        require(same.n == cells.n / 2);
    buf_free(&block);
    buf_free(&again);
    cells_free(&cells);
    cells_free(&same);
    return 0;
}
