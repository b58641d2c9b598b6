/* Role adapt in the daemon: finds its mappings, its key and its name in the data directory, and runs the adapter. */
#ifndef APP_ADAPTING_H
#define APP_ADAPTING_H

#include "app/conf.h"
#include "common/err.h"

struct adapting;
/* bootstrap: of the embedded broker, or NULL. ERR_NOTFOUND: no mapping; ERR_INVALID: a bad one, or a bad key; ERR_BUSY:
 * another process adapts with this data directory. */
MUST_CHECK int adapting_start(const struct conf *conf, const char *bootstrap, struct adapting **ret_adapting,
                              struct err_text *error);
void adapting_status(struct adapting *adapting, struct consumer_status *ret_status); /* from any thread */
void adapting_stop(struct adapting *adapting);

/* Whether it could start, without starting: mappings and key. */
MUST_CHECK int adapting_check(const struct conf *conf, struct err_text *error);

#endif
