/* A chunk: up to LIMIT_CHUNK_POINTS readings of one series as compressed bytes, with statistics for each vector of
 * LIMIT_VECTOR_POINTS. The format is written in docs/FORMAT.md ("Chunk"), and is what chunk_encode.c and
 * chunk_decode.c do. Decoding takes foreign bytes: it never reads outside data and never allocates by an unchecked number. */
#ifndef CODEC_CHUNK_H
#define CODEC_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/column.h"
#include "codec/points.h"
#include "common/buf.h"
#include "common/err.h"
#include "model/decimal.h"

struct chunk_options {
    bool state;   /* m are indexes into texts, which are stored with the chunk */
    bool cold;    /* add the entropy stage where it saves (sealed files) */
    bool known_s; /* keep known_ms to the second only, rounded up: nothing is known before it was */
    uint64_t key; /* identity that the CRC covers too: a chunk read under another key is corrupt */
};

/* Appends the encoding of rows [begin, begin + n) of points (ordered by time, then issue) to out.
 * n is 1..LIMIT_CHUNK_POINTS. ERR_NOMEM. Lossless for every value of every column; numbers come
 * back at the chunk's exponent where they fit there, so that {2, 0} beside {15, -1} comes back as {20, -1}.
 * known_ms is stored to the millisecond, or to the second with known_s or when every one of them is a whole second. */
MUST_CHECK int chunk_encode(const struct points *points, size_t begin, size_t n, const struct chunk_options *options,
                            struct buf *out);

/* Statistics of one vector; values at the chunk's exponent. valid is false where they do not speak for all its
 * readings (states, suspect or issued readings, two at the same time, exponents that do not fit): then decode. */
struct chunk_vector {
    uint32_t n;
    int64_t first_us, last_us; /* times of its first and last reading */
    bool valid;
    int64_t min, max, first, last;
    __int128 sum;
};

enum chunk_column {
    CHUNK_TIME,
    CHUNK_MANTISSA,
    CHUNK_EXPONENT,
    CHUNK_QUALITY,
    CHUNK_PERIOD,
    CHUNK_STATED,
    CHUNK_ISSUED,
    CHUNK_KNOWN,
    CHUNK_N_COLUMNS
};

struct chunk {
    uint32_t n;
    uint32_t n_vectors;
    int8_t e;               /* exponent of the statistics */
    bool state, has_suspect, has_issued, has_period;
    int64_t first_us, last_us;
    struct chunk_vector vectors[COLUMN_VECTORS_MAX]; /* n_vectors of them */
    /* private to chunk_decode.c */
    const uint8_t *data;
    size_t size;
    uint32_t columns_at, texts_at;
    uint32_t n_texts;
    int64_t known_unit_ms;
    struct column columns[CHUNK_N_COLUMNS];
    uint32_t vectors_at[CHUNK_N_COLUMNS][COLUMN_VECTORS_MAX]; /* where each begins in its column's raw bytes */
};

/* Checks size, version, CRC and key and reads the header. data must outlive ret_chunk. ERR_CORRUPT, ERR_VERSION. */
MUST_CHECK int chunk_open(const void *data, size_t size, uint64_t key, struct chunk *ret_chunk);

/* Appends the readings of vectors [vector_i, vector_i + n_vectors) to points, with the columns of want (enum
 * points_want); columns not wanted are left unfilled. A cold column is decompressed as a whole in each call, so ask for
 * neighbouring vectors together. ERR_CORRUPT, ERR_NOMEM; on error points->n is as before. */
MUST_CHECK int chunk_decode(const struct chunk *chunk, uint32_t vector_i, uint32_t n_vectors, unsigned want,
                            struct points *points);

/* The same for the readings with begin_us <= time < end_us: of the vectors that have some, and maybe a few around them. The last
 * reading of a vector alone comes from the statistics, where they have all that is wanted of it: then nothing is decoded. */
MUST_CHECK int chunk_decode_range(const struct chunk *chunk, int64_t begin_us, int64_t end_us, unsigned want,
                                  struct points *points);

#endif
