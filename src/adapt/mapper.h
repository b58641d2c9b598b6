/* Applies a mapping to a source: bytes go in as they come, observations and refusals come out, in their order, in
 * bounded memory. The source is a message of Kafka, or a file. */
#ifndef ADAPT_MAPPER_H
#define ADAPT_MAPPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapt/mapping.h"
#include "adapt/observation.h"
#include "adapt/pseudonym.h"
#include "common/err.h"

struct mapper_opts {
    const struct mapping *mapping;   /* borrowed */
    struct pseudonyms *pseudonyms;   /* borrowed; NULL unless the mapping substitutes */
    const char *zone;                /* of local times, instead of the mapping's; NULL */
    /* An answer that is not 0 ends the feeding and is passed on. */
    int (*observe)(void *arg, const struct observation *observation);
    int (*refuse)(void *arg, const struct misfit *misfit);
    void *arg;
};

/* Where the bytes come from, for fields that begin with @; NULL: such fields are empty. */
struct mapper_source {
    const char *file; /* a path */
    const char *topic, *key;
    size_t key_size;
    int64_t known_us; /* when the message was sent, INT64_MIN: unknown */
};

struct mapper_counts {
    int64_t records, values, missing, refused;
};

struct mapper;
/* ERR_INVALID: a zone that is needed or unknown, pseudonyms that are needed; ERR_NOMEM. */
MUST_CHECK int mapper_new(const struct mapper_opts *opts, struct mapper **ret_mapper, struct err_text *error);
void mapper_free(struct mapper *mapper);

/* For each source: begin, feed as often as there are bytes, end. The texts of source are copied. ERR_NOMEM, or the
 * answer of a callback; then the source is not to be gone on with. */
MUST_CHECK int mapper_begin(struct mapper *mapper, const struct mapper_source *source);
MUST_CHECK int mapper_feed(struct mapper *mapper, const void *data, size_t size);
MUST_CHECK int mapper_end(struct mapper *mapper);

/* Of this source so far. */
struct mapper_counts mapper_counts(const struct mapper *mapper);

#endif
