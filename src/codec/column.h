/* One column of a chunk: up to LIMIT_CHUNK_POINTS integers as a constant, as vectors, or as vectors behind an entropy stage.
 * The kinds are written in docs/FORMAT.md ("Chunk"). */
#ifndef CODEC_COLUMN_H
#define CODEC_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/limits.h"

#define COLUMN_VECTORS_MAX (LIMIT_CHUNK_POINTS / LIMIT_VECTOR_POINTS)

enum column_kind { COLUMN_CONSTANT, COLUMN_VECTORS, COLUMN_COLD };

struct column {
    bool there;        /* false: 0 for every reading */
    bool relative;     /* to the readings' times: the chunk's business */
    uint8_t kind;      /* enum column_kind */
    int64_t constant;
    uint32_t at;       /* where its bytes begin; from the start of the columns */
    uint32_t size;     /* of its bytes */
    uint32_t raw_size; /* of the vectors: size, or before the entropy stage */
};

static inline bool column_has_vectors(const struct column *column)
{
    return column->there && column->kind != COLUMN_CONSTANT;
}

/* Appends the bytes of a column of n integers to out, as a constant or as vectors; ret_vectors_at tells where each vector
 * begins among the raw bytes. ret_column->at is left to the caller. ERR_NOMEM. */
MUST_CHECK int column_encode(const int64_t *values, size_t n, struct buf *out, struct column *ret_column,
                             uint32_t ret_vectors_at[static COLUMN_VECTORS_MAX]);
/* Replaces the bytes of that column, the last ones of out, by a zstd frame, where that saves enough. ERR_NOMEM. */
MUST_CHECK int column_compress(const int64_t *values, size_t n, struct buf *out, struct column *column,
                               uint32_t vectors_at[static COLUMN_VECTORS_MAX]);

void column_put_head(const struct column *column, struct buf *out);
MUST_CHECK int column_get_head(struct reader *in, size_t n_vectors, struct column *ret_column);

/* The vectors of a column, ready to be decoded. Cold ones are in memory of their own: free with column_done. */
struct column_bytes {
    const uint8_t *data;
    size_t size;
    uint8_t *own;
};
/* data are the size bytes of the column. ERR_CORRUPT, ERR_NOMEM. */
MUST_CHECK int column_open(const struct column *column, const uint8_t *data, struct column_bytes *ret_bytes);
void column_done(struct column_bytes *bytes);

#endif
