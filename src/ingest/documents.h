/* Reads topics `assets`, `optimization` and `subjects` whole, every partition of them whatever the consumer group has
 * assigned: each store of a group needs all assets. Checks what they hold, hands it to the store (model/document.h),
 * and has the days of calendars produced as readings. One thread of its own beside librdkafka's.
 *
 * A topic that does not exist is no error: it is read once it does. Reading goes on at the stored offset, if the
 * message before it still is the one that was stored last; else the topic was made anew or cut, and is read from its
 * start, which changes nothing of what is stored already. */
#ifndef INGEST_DOCUMENTS_H
#define INGEST_DOCUMENTS_H

#include <stddef.h>

#include "common/err.h"
#include "ingest/consumer.h"
#include "model/document.h"

struct documents_opts {
    const struct kafka_property *properties;
    size_t n_properties;
    const char *assets_topic, *optimization_topic; /* "": none; borrowed, as the sink */
    const char *calendar_topic;                    /* where days of calendars go; "": nowhere */
    struct documents_sink *sink;                   /* called from the reader's thread only */
    const char *subjects_topic;                    /* messages about people, sealed to the vault; "": none */
    /* Gives one to the vault, in base64, with where it came from; what lay inside is in force then. ERR_BUSY, ERR_IO:
     * it is away, and is asked again; every other code refuses the message. */
    int (*subject)(void *arg, const char *sealed, const char *from, struct err_text *error);
    void *subject_arg;
};

struct documents_reader;
/* ERR_INVALID: a property that librdkafka refuses. ERR_NOMEM. */
MUST_CHECK int documents_start(const struct documents_opts *opts, struct documents_reader **ret_reader, struct err_text *error);
/* Ends the thread; what was not handed over is read again by the next one. */
void documents_stop(struct documents_reader *reader);
/* Adds sentences for people about what is not well, as reason_add does; from any thread. */
void documents_reasons(struct documents_reader *reader, char *out, size_t size);

#endif
