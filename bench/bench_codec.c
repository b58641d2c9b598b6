/* Bytes a reading and millions of readings a second of some shapes, and cycles a value of each width and mode; the best of
 * several runs, one line each. */
#include <config.h>

#include "../tests/lib/random.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef __x86_64__
#include <x86intrin.h>
#endif

#include "codec/bits.h"
#include "codec/chunk.h"
#include "codec/kernels.h"
#include "codec/vector.h"
#include "common/clock.h"

#define N LIMIT_CHUNK_POINTS
#define N_RUNS 40

static double ticks_per_us;

static void check(int rc)
{
    if (rc) {
        fprintf(stderr, "bench_codec: %s\n", err_name(rc));
        exit(1);
    }
}

static double millions_per_second(size_t n, int64_t us)
{
    return (double)n / (double)(us > 0 ? us : 1);
}

static void bench_chunk(const char *name, const struct points *points, bool cold, unsigned want)
{
    struct chunk_options options = {.cold = cold};
    struct buf buf = {0};
    struct points decoded = {0};
    struct chunk chunk;
    int64_t encode_us = INT64_MAX, decode_us = INT64_MAX;
    for (int run = 0; run < N_RUNS; run++) {
        int64_t begin_us = clock_mono_us();
        buf_clear(&buf);
        check(chunk_encode(points, 0, points->n, &options, &buf));
        int64_t middle_us = clock_mono_us();
        points_clear(&decoded);
        check(chunk_open(buf.data, buf.n, 0, &chunk));
        check(chunk_decode(&chunk, 0, chunk.n_vectors, want, &decoded));
        int64_t end_us = clock_mono_us();
        encode_us = middle_us - begin_us < encode_us ? middle_us - begin_us : encode_us;
        decode_us = end_us - middle_us < decode_us ? end_us - middle_us : decode_us;
    }
    printf("chunk  %-28s %-4s %6.3f B/reading  encode %6.1f  decode %7.1f M readings/s\n", name,
           cold ? "cold" : "hot", (double)buf.n / (double)points->n,
           millions_per_second(points->n, encode_us), millions_per_second(points->n, decode_us));
    buf_free(&buf);
    points_free(&decoded);
}

/* Ticks of the processor's time stamp counter, which are cycles at its nominal speed; elsewhere nanoseconds. */
static uint64_t ticks(void)
{
#ifdef __x86_64__
    return __rdtsc();
#else
    return (uint64_t)clock_mono_us() * 1000;
#endif
}

/* The least ticks a value of runs of decoding the vector in buf. */
static double decode_ticks(const struct buf *buf)
{
    int64_t decoded[LIMIT_VECTOR_POINTS];
    uint64_t least = UINT64_MAX;
    for (int run = 0; run < N_RUNS * N_RUNS; run++) {
        struct reader in = {.at = buf->data, .end = buf->data + buf->n};
        uint64_t begin = ticks();
        check(vector_decode(&in, LIMIT_VECTOR_POINTS, decoded));
        uint64_t took = ticks() - begin;
        least = took < least ? took : least;
    }
    return (double)least / LIMIT_VECTOR_POINTS;
}

static void bench_vector(const char *name, const int64_t *values)
{
    static const char *const modes[] = {"constant", "frame", "line", "delta", "delta2", "runs", "dictionary"};
    struct buf buf = {0};
    int64_t encode_us = INT64_MAX;
    for (int run = 0; run < N_RUNS; run++) {
        int64_t begin_us = clock_mono_us();
        for (int i = 0; i < N_RUNS; i++) {
            buf_clear(&buf);
            vector_encode(values, LIMIT_VECTOR_POINTS, &buf);
        }
        int64_t us = clock_mono_us() - begin_us;
        encode_us = us < encode_us ? us : encode_us;
    }
    double ticks_each = decode_ticks(&buf);
    printf("vector %-28s %-10s %6.3f B/value   encode %6.1f  decode %7.1f M values/s  %5.2f cycles/value\n", name,
           modes[buf.data[0] & 15], (double)buf.n / LIMIT_VECTOR_POINTS,
           millions_per_second(N_RUNS * LIMIT_VECTOR_POINTS, encode_us), ticks_per_us / ticks_each, ticks_each);
    buf_free(&buf);
}

/* Unpacking alone, of every width, in both forms. */
static void bench_widths(void)
{
    uint64_t values[LIMIT_VECTOR_POINTS], seed = 3;
    uint8_t bytes[8 * LIMIT_VECTOR_POINTS + KERNELS_REACH] = {0};
    const struct kernels *forms[] = {&kernels_portable, kernels_best()};
    for (unsigned width = 1; width <= 64; width++) {
        double each[2];
        for (size_t i = 0; i < LIMIT_VECTOR_POINTS; i++)
            values[i] = random_u64(&seed);
        bits_pack(values, LIMIT_VECTOR_POINTS, width, bytes);
        for (int form = 0; form < 2; form++) {
            uint64_t least = UINT64_MAX;
            for (int run = 0; run < N_RUNS; run++) {
                uint64_t begin = ticks();
                forms[form]->unpack(bytes, LIMIT_VECTOR_POINTS, width, values);
                uint64_t took = ticks() - begin;
                least = took < least ? took : least;
            }
            each[form] = (double)least / LIMIT_VECTOR_POINTS;
        }
        printf("unpack %2u bits  %s %5.2f  %s %5.2f cycles/value\n", width, forms[0]->name, each[0], forms[1]->name,
               each[1]);
    }
}

enum shape { WALK, WALK_1W, JITTER, REGISTER_15M, N_SHAPES };
static const char *const shape_names[N_SHAPES] = {"1 s, walk of 0.1 steps",
                                                  "1 s, walk of 4 W spread",
                                                  "1 s +-20 ms, walk of 0.1", "15 min register"};

static void generate(struct points *points, enum shape shape)
{
    uint64_t seed = 1;
    for (size_t i = 0; i < N; i++) {
        int64_t former = i ? points->m[i - 1] : 2300;
        int64_t period_us = shape == REGISTER_15M ? 900000000 : 1000000;
        points->t_us[i] = INT64_C(1700000000000000) + (int64_t)i * period_us;
        points->t_us[i] += shape == JITTER ? random_below(&seed, 41) * 1000 - 20000 : 0;
        points->m[i] =
            former + (shape == REGISTER_15M ? random_below(&seed, 400) + 50
                                            : random_normal(&seed, shape == WALK_1W ? 4 : 1));
        points->e[i] = -1;
        points->quality[i] = 0;
        points->period_us[i] = 0;
        points->issued_us[i] = ISSUED_NONE;
        points->known_ms[i] =
            (points->t_us[i] / 1000 + 1300 + random_below(&seed, 300)) / 1000 * 1000;
    }
    points->n = N;
}

static void bench_vectors(void)
{
    int64_t values[LIMIT_VECTOR_POINTS];
    uint64_t seed = 1;
    for (unsigned width = 1; width <= 61; width += width < 16 ? 3 : 15) {
        char name[32];
        snprintf(name, sizeof name, "random numbers of %u bits", width);
        for (size_t i = 0; i < LIMIT_VECTOR_POINTS; i++)
            values[i] = (int64_t)(random_u64(&seed) >> (64 - width));
        bench_vector(name, values);
    }
    for (size_t i = 1; i < LIMIT_VECTOR_POINTS; i++)
        values[i] = values[i - 1] + random_below(&seed, 30);
    bench_vector("register", values);
    for (size_t i = 1, rate = 0; i < LIMIT_VECTOR_POINTS; i++)
        values[i] = values[i - 1] + (int64_t)(rate += (size_t)random_below(&seed, 3));
    bench_vector("register under rising load", values);
    for (size_t i = 0; i < LIMIT_VECTOR_POINTS; i++)
        values[i] = (int64_t)i * 1000000;
    bench_vector("time grid", values);
    for (size_t i = 1; i < LIMIT_VECTOR_POINTS; i++)
        values[i] = values[i - 1] + (random_below(&seed, 50) ? 1000000 : 7000000);
    bench_vector("time grid with holes", values);
    for (size_t i = 0; i < LIMIT_VECTOR_POINTS; i++)
        values[i] = (int64_t)i * 1000000 + random_below(&seed, 40) * 1000;
    bench_vector("time with jitter", values);
    for (size_t i = 0; i < LIMIT_VECTOR_POINTS; i++)
        values[i] = (int64_t)(random_below(&seed, 5) * random_below(&seed, 5) * INT64_C(1234567891) % 100003);
    bench_vector("five set points", values);
    for (size_t i = 1; i < LIMIT_VECTOR_POINTS; i++)
        values[i] = random_below(&seed, 50) ? values[i - 1] : (int64_t)random_u64(&seed);
    bench_vector("runs", values);
    for (size_t i = 0; i < LIMIT_VECTOR_POINTS; i++)
        values[i] = random_below(&seed, 50) ? random_below(&seed, 16) : (int64_t)random_u64(&seed);
    bench_vector("4 bits with 2 % outliers", values);
}

static void measure_ticks(void)
{
    int64_t begin_us = clock_mono_us();
    uint64_t begin = ticks();
    while (clock_mono_us() - begin_us < 20000)
        ;
    ticks_per_us = (double)(ticks() - begin) / (double)(clock_mono_us() - begin_us);
}

int main(void)
{
    struct points points = {0};
    check(points_reserve(&points, N));
    measure_ticks();
    bench_widths();
    bench_vectors();
    for (enum shape shape = 0; shape < N_SHAPES; shape++) {
        generate(&points, shape);
        bench_chunk(shape_names[shape], &points, false, 0);
        bench_chunk(shape_names[shape], &points, true, 0);
        for (size_t i = 0; i < N; i++)
            points.known_ms[i] = 0;
        bench_chunk("  the same without known-at", &points, false, 0);
        bench_chunk("  the same without known-at", &points, true, 0);
    }
    points_free(&points);
    return 0;
}
