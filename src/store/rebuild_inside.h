/* Inside of rebuild.h: rebuild.c finds what is to be done and does all but the catalog, which is in rebuild_catalog.c. */
#ifndef STORE_REBUILD_INSIDE_H
#define STORE_REBUILD_INSIDE_H

#include "store/rebuild.h"

struct rebuild {
    const struct rebuild_opts *opts;
    struct err_text *error;
    struct rebuild_counts counts;
    bool catalog_wrong;
    struct path_list {
        char (*at)[512];
        size_t n, cap;
    } wrong;      /* files whose derivations verify found wrong, below dir */
    int rc;       /* what a callback answered */
};

/* Tells what was done, or what is wrong and stays so. Returns rebuild->rc. */
int rebuild_say(struct rebuild *rebuild, bool is_wrong, const char *format, ...) PRINTF_LIKE(3, 4);

/* Makes catalog.db anew; the one there is moved to catalog.db.broken. */
MUST_CHECK int rebuild_catalog(struct rebuild *rebuild);

#endif
