/* What --json prints on stdout. */
#ifndef APP_JSON_PRINT_H
#define APP_JSON_PRINT_H

#include <jansson.h>
#include <stddef.h>

#include "common/err.h"

/* One object, on lines of its own. Takes over value, which may be NULL. ERR_NOMEM. */
MUST_CHECK int json_print(json_t *value);

/* Element n (from 0) of an array whose brackets the caller prints, in one line. Takes over value, which may be NULL.
 * ERR_NOMEM. */
MUST_CHECK int json_print_element(json_t *value, size_t n);

#endif
