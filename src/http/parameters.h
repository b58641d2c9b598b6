/* The parameters of a request, from a query string, a form or a JSON body. */
#ifndef HTTP_PARAMETERS_H
#define HTTP_PARAMETERS_H

#include <stddef.h>

#include "common/err.h"
#include "common/limits.h"
#include "query/range.h"

struct parameters {
    struct parameter rows[LIMIT_URL_PARAMETERS]; /* names and values are owned */
    size_t n;
};

void parameters_free(struct parameters *parameters);

/* `name=value&...` of a URL or a form, appended. A `+` is a blank, except that the offset of a time gets its plus back:
 * `from=2025-03-01T00:00:00+01:00` is what people type. ERR_INVALID (a bad escape, a NUL), ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int parameters_from_form(struct parameters *parameters, const char *text, size_t size,
                                    struct err_text *error);

/* A JSON object of texts, whole numbers, booleans (1 and 0), nulls (not given) and lists of them, appended. A number with a
 * fraction must be a text, so that it stays exact. ERR_INVALID, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int parameters_from_json(struct parameters *parameters, const char *text, size_t size,
                                    struct err_text *error);

/* One more, copied. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int parameters_add(struct parameters *parameters, const char *name, const char *value, struct err_text *error);

/* The value of a parameter that stands alone, or NULL when it is not given; twice is ERR_INVALID. */
MUST_CHECK int parameters_one(const struct parameters *parameters, const char *name, const char **ret_value,
                              struct err_text *error);

/* Decodes %XX of size bytes in place, `+` to a blank where asked, ends it with a NUL (there must be room for it).
 * ERR_INVALID for a broken escape or a NUL byte. */
MUST_CHECK int percent_decode(char *text, size_t size, int plus_is_blank);

#endif
