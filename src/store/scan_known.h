/* A scan of what was known at an instant, or early enough (struct knowledge). Inside of scan.c. */
#ifndef STORE_SCAN_KNOWN_H
#define STORE_SCAN_KNOWN_H

#include "store/view.h"

struct known;

/* ERR_EXPIRED, ERR_NOMEM, errors of the catalog. */
MUST_CHECK int known_open(struct view *view, uint32_t series_id, const struct scan_options *options, struct known **ret_known);
MUST_CHECK int known_next(struct known *known, struct points *points); /* as scan_next */
void known_close(struct known *known);

#endif
