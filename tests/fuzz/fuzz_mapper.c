/* Any mapping, and any source by it: bytes, a NUL, and bytes. Each source is read whole and in pieces, and gives the same;
 * what comes out is within its limits, and its numbers are those of JSON. */
#include <config.h>

#include "adapt/mapper.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/compose.h"
#include "common/buf.h"
#include "common/hash.h"
#include "common/limits.h"
#include "model/decimal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEEN_MAX (4 << 20)

static struct buf seen;

static int take_value(void *arg, const struct observation *observation)
{
    struct decimal number;
    bool rounded;
    (void)arg;
    int rc = observation->state ? 0 : decimal_parse(observation->value, strlen(observation->value), &number, &rounded);
    if (rc != 0 && rc != ERR_LIMIT)
        abort();
    if (strlen(observation->entity) > LIMIT_ENTITY_BYTES || strlen(observation->type) > LIMIT_NAME_BYTES ||
        strlen(observation->property) > LIMIT_NAME_BYTES || strlen(observation->unit) > LIMIT_NAME_BYTES ||
        (observation->state && strlen(observation->value) > LIMIT_STATE_BYTES))
        abort();
    buf_printf(&seen, "%s %s %s %s %s %lld %lld %lld %d %lld\n", observation->entity, observation->type,
               observation->property, observation->unit, observation->value, (long long)observation->time_us,
               (long long)observation->period_us, (long long)observation->issued_us, (int)observation->quality,
               (long long)observation->line);
    return seen.n > SEEN_MAX ? ERR_CANCELLED : 0;
}

static int take_misfit(void *arg, const struct misfit *misfit)
{
    (void)arg;
    if (misfit->reason == REFUSED_NOT || misfit->reason >= REFUSED_N || !misfit->detail[0])
        abort();
    buf_printf(&seen, "! %lld %d %s\n", (long long)misfit->line, (int)misfit->reason, misfit->detail);
    return seen.n > SEEN_MAX ? ERR_CANCELLED : 0;
}

static int read_in_pieces(struct mapper *mapper, const uint8_t *data, size_t size, size_t piece)
{
    const struct mapper_source source = {
        .file = "/a/b.csv", .topic = "raw.a", .key = "k", .key_size = 1, .known_us = INT64_C(1761438600000000)};
    int rc = mapper_begin(mapper, &source);
    buf_clear(&seen);
    for (size_t at = 0; at < size && rc == 0; at += piece)
        rc = mapper_feed(mapper, data + at, size - at < piece ? size - at : piece);
    return rc == 0 ? mapper_end(mapper) : rc;
}

static void read_twice(const struct mapping *mapping, const uint8_t *data, size_t size)
{
    static uint8_t key[HASH_KEY_BYTES] = {7};
    static struct pseudonyms *pseudonyms;
    if (!pseudonyms &&
        (hash_init() || pseudonyms_new(&(struct pseudonyms_opts){.ask = pseudonyms_sample, .arg = key}, &pseudonyms)))
        abort();
    struct mapper_opts opts = {
        .mapping = mapping, .pseudonyms = pseudonyms, .zone = "Europe/Berlin", .observe = take_value, .refuse = take_misfit};
    struct mapper *mapper = NULL;
    struct err_text error = {0};
    if (mapper_new(&opts, &mapper, &error) < 0)
        return;
    int rc = read_in_pieces(mapper, data, size, size + 1);
    uint64_t first = hash_short(1, seen.data, seen.n);
    int again = read_in_pieces(mapper, data, size, 3);
    if (rc != again || (rc == 0 && first != hash_short(1, seen.data, seen.n)))
        abort();
    mapper_free(mapper);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    struct mapping *mapping = NULL;
    struct err_text error = {0};
    size_t n = end ? (size_t)(end - data) : size;
    if (hash_init() < 0)
        abort();
    int rc = mapping_parse("fuzzed", (const char *)data, n, &mapping, &error);
    if (rc < 0 && rc != ERR_NOMEM && !error.text[0])
        abort();
    if (rc == 0 && end)
        read_twice(mapping, end + 1, size - n - 1);
    mapping_free(mapping);
    return 0;
}
