/* The units that an answer tells.
 *
 * `unit` is that of the values, and where the only values are integrals, theirs. Where integrals stand beside other values
 * their unit is told by itself, as `integral_unit`. Covered time is in seconds; counts and times have no unit. */
#ifndef QUERY_SHOWN_H
#define QUERY_SHOWN_H

#include "query/range.h"

struct shown_columns {
    bool has_values;    /* columns in the unit of the series' values */
    bool has_integrals;
};
struct shown_columns shown_columns(const struct range *range);

/* The unit of an integral over time of what is in `unit`, which is a series' own or the one that the range asks for: "Wh" of "W".
 * NULL where there is none. range may be NULL, for a series' own; else the text lives as long as it. */
const char *shown_integral_unit(const struct range *range, const char *unit);

/* The `integral_unit` of a series as it is shown; NULL where the answer does not tell one. */
const char *shown_integral_apart(const struct range *range, const struct series_info *shown);

/* The unit of one column of a series as it is shown; "" of counts and times. */
const char *shown_unit(const struct range *range, const struct series_info *shown, enum agg agg);

/* Writes the unit of an integral over hours of what is in `unit`: kWh of kW, m3 of m3/h, kWh/m2 of kW/m2. */
void shown_integral_text(const char *unit, char out[static LIMIT_UNIT_BYTES + 2]);

#endif
