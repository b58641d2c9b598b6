/* The readings that benches of the store are about: generated, or from a file of real ones. The same readings each time. */
#ifndef BENCH_SETS_H
#define BENCH_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"

/* For people who run a bench with a wrong argument. */
#define SETS_USAGE                                                                                                     \
    "walk:SERIES:READINGS    1 s, steps of -0.1, 0, 0.1 W\n"                                                           \
    "mix:SERIES:READINGS     1 s, a fifth each of W, 0.1 V, 1 Wh registers, 0.01 degC, 0.01 A\n"                       \
    "meters:METERS:READINGS  15 min, six properties of a smart meter\n"                                                \
    "registers:METERS:READINGS  15 min, the register of a smart meter alone\n"                                         \
    "file:PATH               lines of bench/real_data.py\n"

struct sample {
    size_t series_i;
    int64_t t_us, m, period_us, known_ms;
    int8_t e;
};

struct set_series {
    char entity[LIMIT_ENTITY_BYTES + 1], property[LIMIT_NAME_BYTES + 1];
    const char *type, *unit; /* unit NULL: the model's */
    int64_t m, rate;         /* where its walk is */
};

struct set {
    struct set_series *series;
    size_t n_series;
    int64_t n_readings, begin_us, end_us; /* of all series; every reading lies in [begin_us, end_us) */
    /* private to sets.c */
    int kind;
    int64_t n_times, time_i;
    size_t next_i;
    uint64_t seed;
    struct sample *samples; /* of a file */
};

/* Ends the program where spec or the file it names is wrong. */
void set_open(const char *spec, struct set *ret_set);
void set_close(struct set *set);

/* The next reading, in order of time: 1, or 0 at the end. */
int set_next(struct set *set, struct sample *ret_sample);

#endif
