/* What decode_message should say, worked out slowly and by other means: jansson judges the text (with its numbers masked,
 * since it would make doubles of them) and unescapes the strings, regular expressions judge numbers and times, digits are
 * strings, timegm() counts the days, and series are found in a list. It shares with the decoder only durations and the
 * unit table, which have tests of their own, and is written from the contract. */
#ifndef TESTS_LIB_DECODE_ORACLE_H
#define TESTS_LIB_DECODE_ORACLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "model/reading.h"

struct oracle;

/* units is borrowed. */
struct oracle *oracle_new(const struct unit_table *units, int64_t future_max_us, int64_t oldest_us);
void oracle_free(struct oracle *oracle);

/* Appends a line a reading and a line a refusal, as oracle_print does for a batch. */
void oracle_decode(struct oracle *oracle, const char *text, size_t size, int64_t known_ms, struct buf *out);
size_t oracle_n_series(const struct oracle *oracle);

/* The batch in the same words: first its readings, then its refusals. */
void oracle_print(const struct batch *batch, const struct registry *registry, struct buf *out);

/* A random message: mostly good, often wrong in one point of the contract, sometimes with damaged bytes. */
size_t oracle_random_message(uint64_t *seed, char *out, size_t size_max);
uint64_t oracle_random(uint64_t *seed, uint64_t below);

#endif
