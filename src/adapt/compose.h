/* Observations to normalized readings (contract section 2): what stands next to each other and is of one entity becomes
 * one message, what is of one time in it one object. The same observations always give the same bytes. */
#ifndef ADAPT_COMPOSE_H
#define ADAPT_COMPOSE_H

#include <stddef.h>

#include "adapt/observation.h"
#include "common/buf.h"
#include "common/err.h"

struct composer {
    int (*message)(void *arg, const char *entity, const void *json, size_t size);
    void *arg;
    /* its own; zero at the start */
    struct buf json;         /* of the message so far, the open object without its end */
    struct buf names, units; /* of the open object: its properties; the members of "units" */
    char entity[LIMIT_ENTITY_BYTES + 1], type[LIMIT_NAME_BYTES + 1];
    struct observation open; /* what the open object's values share; its texts are not used */
    bool has_open;
};

#define COMPOSE_BYTES (128 << 10) /* a message begins anew after so many */

/* 0, ERR_NOMEM, or what message answered. */
MUST_CHECK int compose_add(struct composer *composer, const struct observation *observation);
/* Hands over the last message. */
MUST_CHECK int compose_end(struct composer *composer);
/* Forgets what was not handed over. */
void compose_clear(struct composer *composer);
void compose_done(struct composer *composer);

#endif
