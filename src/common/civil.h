/* Instants as text, ISO 8601 durations, and the proleptic Gregorian calendar. Times are
 * microseconds since the Unix epoch, UTC; there are no leap seconds in them. */
#ifndef COMMON_CIVIL_H
#define COMMON_CIVIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_MINUTE (60 * US_PER_SECOND)
#define US_PER_HOUR (60 * US_PER_MINUTE)
#define US_PER_DAY (24 * US_PER_HOUR)

/* The instants that the store accepts: years 0001 to 9999. */
#define CIVIL_MIN_US INT64_C(-62135596800000000)
#define CIVIL_END_US INT64_C(253402300800000000)

struct civil {
    int year, month, day;         /* month and day from 1 */
    int hour, minute, second, us; /* us: microseconds of the second */
};

/* Days since 1970-01-01 of a date, and back (algorithm: H. Hinnant, "chrono-compatible low-level
 * date algorithms"). */
int64_t civil_days(int year, int month, int day);
void civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day);
void civil_from_us(int64_t t_us, struct civil *ret_civil);

/* Weekday of a day number: 0 Monday to 6 Sunday. */
int civil_weekday(int64_t days);

/* RFC 3339 with an offset or Z; T, t or a blank between date and time; fractions finer than 1 us
 * are cut off; second 60 is refused. ERR_INVALID, also outside CIVIL_MIN_US..CIVIL_END_US. Must be
 * fast: it runs once a reading. */
MUST_CHECK int civil_parse_rfc3339(const char *text, size_t size, int64_t *ret_t_us);

/* n digits as a number, 9 at the most; false when one is no digit, a NUL included. */
bool civil_digits(const char *text, int n, int *ret_number);

/* As RFC 3339 at offset_s from UTC; with zulu and offset 0 it ends in Z. 0, 3 or 6 fraction digits,
 * the fewest that are exact. The offset of the text is whole minutes below 24 h, so seconds of
 * local mean times are cut from it; the instant stays exact. No NUL is added. Returns the length.
 */
#define CIVIL_TEXT_MAX 56
size_t civil_print_rfc3339(char out[static CIVIL_TEXT_MAX], int64_t t_us, int32_t offset_s,
                           bool zulu);

/* An ISO 8601 duration. Calendar parts stay apart, since a month has no fixed length. P1D is
 * days=1, PT24H is us. */
struct duration {
    int32_t months; /* years are 12 months */
    int32_t days;   /* weeks are 7 days */
    int64_t us;
};

/* `P1DT2H`, `PT0.5S`, `P1Y2M`, `P1W`, `P10D`; an optional leading minus gives negative parts (for
 * -P7D). With client_forms also `90s`, `15m`, `2h`, `1d`, `1w` and plain seconds `900` as charting
 * clients send them (there `1d` is days=1, `1w` days=7). Only digits and the unit letters; no signs
 * inside. The last of hours, minutes and seconds may have a fraction, finer than 1 us is cut off.
 * ERR_INVALID. */
MUST_CHECK int civil_parse_duration(const char *text, size_t size, bool client_forms,
                                    struct duration *ret_duration);

/* The fixed length with a day as 24 h; ERR_MEANING where months are in it, ERR_LIMIT beyond 64
 * bits. */
MUST_CHECK int civil_fixed_us(const struct duration *duration, int64_t *ret_us);

/* The instant so much later (earlier, where the parts are negative), UTC: months first, where the last day of the month
 * stands for one that it lacks, then days, then the exact part. ERR_LIMIT far outside of CIVIL_MIN_US..CIVIL_END_US. */
MUST_CHECK int civil_add(int64_t t_us, const struct duration *duration, int64_t *ret_t_us);

/* The shortest ISO 8601 form: `PT15M`, `P1D`, `P1M`; for answers and messages. The parts have one
 * sign, as the parser leaves them. No NUL is added; returns the length. */
size_t civil_print_duration(char out[static CIVIL_TEXT_MAX], const struct duration *duration);

#endif
