/* Weak entity tags (RFC 9110 section 8.8.3): an answer that is asked for again is not sent again while nothing of it changed. */
#ifndef HTTP_ETAG_H
#define HTTP_ETAG_H

#include <stdbool.h>

#include "http/route.h"
#include "query/range.h"

/* Sets the header ETag of a range answer: a hash of what is asked and of what was stored last in that range of each matching
 * series, and of the newest change of any asset, since assets declare how series are read. Where the client has the same
 * (If-None-Match), the reply becomes 304. Errors of the view; ERR_NOMEM. */
MUST_CHECK int etag_range(const struct request *request, struct reader_dir *dir, struct view *view, const struct range *range,
                          struct reply *reply);

/* Whether the list of If-None-Match (NULL: none) names the tag of these characters, or is `*`; weak and strong ones compare
 * alike. */
bool etag_is_listed(const char *list, const char *opaque);

#endif
