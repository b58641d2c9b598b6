/* Values in the unit that was asked for (contract section 5, `unit`). */
#ifndef QUERY_CONVERT_H
#define QUERY_CONVERT_H

#include "model/unit.h"
#include "query/range.h"

/* A zeroed struct leaves values as they are. */
struct conversion {
    const struct unit *from, *to; /* to NULL: as they are */
    bool names_integral;          /* the range's unit is that of the integrals, not of the values */
};

/* What the range's unit means for a series; nothing for states, and where only counts and times are asked for. An
 * integral is converted by the factor of the series' unit, so that kW stands for kWh; where nothing else is asked
 * for, its own unit may be named, too. ERR_MEANING with the field `unit`, and what the series converts to. units must
 * outlive the conversion. */
MUST_CHECK int conversion_init(struct conversion *conversion, const struct unit_table *units, const struct range *range,
                               const struct series_info *info, struct err_text *error);

/* The same for a series that was looked at before, and the series as it is shown: in that unit, or that of its integrals
 * (query/shown.h). */
MUST_CHECK int conversion_init_shown(struct conversion *conversion, const struct unit_table *units, const struct range *range,
                                     const struct series_info *info, struct series_info *ret_shown);

/* A value as it stands in a row; room is for it where it takes more than a decimal has. */
MUST_CHECK int conversion_value(const struct conversion *conversion, struct decimal value, struct exact *room,
                                struct value *ret_value);
/* A sum of n values, or with n 0 a difference; room may be the sum. */
MUST_CHECK int conversion_sum(const struct conversion *conversion, const struct exact *sum, uint64_t n, struct exact *room,
                              struct value *ret_value);
/* A quotient, rounded once. */
MUST_CHECK int conversion_quotient(const struct conversion *conversion, const struct unit_quotient *quotient,
                                   struct decimal *ret_value);
/* The factor for differences: 1 where nothing is converted. */
MUST_CHECK int conversion_factor(const struct conversion *conversion, struct unit_factor *ret_factor);

#endif
