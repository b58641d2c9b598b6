/* What the commands on dead letters share: which ones are meant. */
#ifndef APP_DEADLETTERS_H
#define APP_DEADLETTERS_H

#include <stdbool.h>

#include "app/site.h"
#include "app/vaulting.h"
#include "store/reader.h"

/* A place in Kafka, as the operands TOPIC PARTITION OFFSET name it. */
struct deadletter_place {
    const char *topic; /* NULL: no place was named */
    int64_t partition, offset;
};
/* false when partition or offset are no whole numbers. */
bool deadletter_place_parse(const struct args *args, struct deadletter_place *ret_place);
bool deadletter_is_at(const struct deadletter_place *place, const struct dead_letter *letter);
/* ERR_NOTFOUND with what to do. */
int deadletter_none_at(const struct deadletter_place *place, struct err_text *error);

/* Appends the payload of a letter, which the vault opens and writes down as action. deadletter_wipe frees it. */
MUST_CHECK int deadletter_payload(struct vaulting *vaulting, const char *action, const struct dead_letter *letter,
                                  struct buf *out, struct err_text *error);
void deadletter_wipe(struct buf *payload);

#endif
