/* The OpenAPI 3.1 document (spec.openapis.org/oas/v3.1.0) of a table of routes: every path, method and parameter that the
 * server takes, and nothing else. */
#ifndef HTTP_OPENAPI_H
#define HTTP_OPENAPI_H

#include "common/buf.h"
#include "http/route.h"

/* Appends the document; table is ended by a NULL method. ERR_NOMEM. */
MUST_CHECK int openapi_print(const struct route *table, struct buf *out);

#endif
