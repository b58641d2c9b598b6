/* `almanac replay`: the readings of a range go to a Kafka topic again, as normalized readings, in the order and at the pace of
 * their times, or as fast as possible. What is in force is sent: the newest issue of each time, and nothing that was replaced. */
#ifndef APP_PLAYBACK_H
#define APP_PLAYBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "app/conf.h"
#include "common/err.h"
#include "query/range.h"

struct playback_opts {
    const struct conf *conf;
    const struct range *range;  /* which series, and from when to when */
    const char *topic;
    const char *state_path;     /* where it is kept how far it came; the file is removed at the end */
    double speed;               /* 1: a second takes a second; 0: as fast as possible */
    bool shifts;                /* times are moved to now: the range's begin, or where that led into the future its end */
    bool resumes;               /* goes on from the state */
    bool is_dry;                /* only counts */
};

struct playback_result {
    int64_t from_us, to_us;     /* the range */
    int64_t at_us;              /* everything before it was sent and acknowledged; some readings behind it may have been, too */
    int64_t shift_us;           /* added to times */
    int64_t n_series, n_readings, n_messages; /* of this run */
    bool is_partial;            /* another store of the consumer group holds a part */
};

/* Stops early for stop_asked: ERR_CANCELLED, with the state kept and *ret_result filled in, as at the end. ERR_NOTFOUND: no
 * series, no broker, or nothing to go on with; ERR_EXPIRED: readings of the range are not kept any more. */
MUST_CHECK int playback_run(const struct playback_opts *opts, struct playback_result *ret_result, struct err_text *error);

#endif
