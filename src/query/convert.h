/* Values in the unit that was asked for (contract section 5, `unit`). Private to query. */
#ifndef QUERY_CONVERT_H
#define QUERY_CONVERT_H

#include "model/unit.h"
#include "query/range.h"

/* A zeroed struct leaves values as they are. */
struct conversion {
    const struct unit *from, *to; /* to NULL: as they are */
};

/* What the range's unit means for a series with those columns (n_aggs 0: raw); nothing where no value has a unit: states, counts,
 * times. ERR_MEANING with the field `unit`, and what the series converts to. units must outlive the conversion. */
MUST_CHECK int conversion_init(struct conversion *conversion, const struct unit_table *units, const struct range *range,
                               const struct series_info *info, struct err_text *error);

/* A value as it stands in a row; room is for it where it takes more than a decimal has. */
MUST_CHECK int conversion_value(const struct conversion *conversion, struct decimal value, struct exact *room,
                                struct value *ret_value);
/* A sum of n values, or with n 0 a difference. */
MUST_CHECK int conversion_sum(const struct conversion *conversion, const struct exact *sum, uint64_t n, struct exact *room,
                              struct value *ret_value);
/* dividend / divisor, which has the unit's offset n times in the dividend, rounded once to `digits`. */
MUST_CHECK int conversion_quotient(const struct conversion *conversion, const struct unit_quotient *quotient,
                                   struct value *ret_value);

#endif
