/* Kafka values to readings: contract section 2 whole. Refuses the smallest unit (slot, property, object, line) and keeps
 * its neighbours; allocates nothing a message once warm; never makes a double. */
#ifndef NORMALISE_DECODE_H
#define NORMALISE_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "model/reading.h"
#include "model/registry.h"

struct message {
    const void *value; /* need not end in NUL; nothing beyond size is read */
    size_t size;
    int64_t offset;
    int64_t known_ms;  /* Kafka timestamp */
};

struct decoder_opts {
    struct registry *registry; /* borrowed */
    int64_t future_max_us;     /* a time later than the Kafka timestamp by more needs `issued` */
    int64_t oldest_us;         /* older readings are refused as `expired`; INT64_MIN: none */
};

struct decoder;
struct decoder *decoder_new(const struct decoder_opts *opts); /* NULL without memory */
void decoder_free(struct decoder *decoder);
void decoder_set_oldest(struct decoder *decoder, int64_t oldest_us);

/* Appends the message's readings and refusals to batch. Bad input is never an error: only ERR_NOMEM is, and then batch is
 * as it was before. Does not touch the batch's offsets: they are the caller's. */
MUST_CHECK int decode_message(struct decoder *decoder, const struct message *message, struct batch *batch);

#endif
