/* Role adapt in the daemon: finds its mappings and its name in the data directory, and runs the adapter. */
#ifndef APP_ADAPTING_H
#define APP_ADAPTING_H

#include "app/conf.h"
#include "app/vaulting.h"
#include "common/buf.h"
#include "common/err.h"

struct adapting;
/* Reads mappings, and takes the role for this data directory. Pseudonyms are asked of the vault, which is borrowed.
 * ERR_NOTFOUND: no mapping; ERR_INVALID: a bad one; ERR_BUSY: another process adapts with this directory. */
MUST_CHECK int adapting_open(const struct conf *conf, struct vaulting *vaulting, struct adapting **ret_adapting,
                             struct err_text *error);
/* Adds the names of the raw topics that mappings name, and of those they lead to, a blank before each. */
void adapting_topics(const struct adapting *adapting, struct buf *out);
/* Begins to work. bootstrap: of the embedded broker, or NULL. */
MUST_CHECK int adapting_start(struct adapting *adapting, const char *bootstrap, struct err_text *error);
void adapting_status(struct adapting *adapting, struct consumer_status *ret_status); /* from any thread */
void adapting_close(struct adapting *adapting);

/* Whether it could start, without starting: its mappings. */
MUST_CHECK int adapting_check(const struct conf *conf, struct err_text *error);

#endif
