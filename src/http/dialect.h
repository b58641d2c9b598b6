/* How the fields and numbers of a format are written: the parameters sep, decimal, bom and numbers of the range query. */
#ifndef HTTP_DIALECT_H
#define HTTP_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "http/accept.h"
#include "query/range.h"

struct dialect {
    char sep, decimal;   /* CSV: between fields, and in numbers */
    bool bom;            /* CSV: begins with U+FEFF */
    bool decimals;       /* Arrow: decimal128 in place of float64 */
};

/* ERR_INVALID with the field: no such word, or not with this format. Other parameters are passed over. */
MUST_CHECK int dialect_parse(const struct parameter *parameters, size_t n, const struct media *media, struct dialect *ret_dialect,
                             struct err_text *error);

#endif
