/* Kafka values to readings: contract section 2 whole. Refuses the smallest unit (slot, property, object, line) and keeps
 * its neighbours; allocates nothing a message once warm; never makes a double.
 *
 * Where the contract leaves room:
 * - A line holds one object or one array; an array may go over lines. What is no JSON is refused as `json` up to the next
 *   line that begins with `{` or `[`; of an array that is broken somewhere nothing is taken.
 * - A name twice in an object, in `values` or in `units` makes that object `json`; a name that is no field makes it `field`.
 * - NaN, Infinity and -Infinity, as some producers write them, are values that are refused as `number`.
 * - A field that is null is as if it were not there. Milliseconds have neither fraction nor exponent.
 * - Values are counted, nulls too, over all objects of a message: the object that passes the limit is refused, and all
 *   after it. A delete counts as many as it takes back.
 * - A delete may name a time in the future. A period is kept with any kind; only intervals need it.
 * - A message tells LIMIT_MESSAGE_REFUSALS refusals one by one, and all others in one that keeps the whole message.
 * - A series is made by its first reading: a message that is refused leaves nothing in the registry. */
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
    const struct replay *part; /* only what this names is taken or refused; NULL: all */
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
