#include <config.h>

#include "adapt/wall.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/stamp.h"
#include "common/civil.h"

#define KEPT_SERIES 4096 /* more of them are not cleared for each message, but freed */
#define QUARTER_US (15 * US_PER_MINUTE)
#define LATE_US (5 * US_PER_MINUTE) /* so much may a source's clock be ahead of its message's */

/* What is remembered of a series to tell the two passes of a repeated hour apart. */
struct wall_series {
    uint64_t key;     /* 0: empty */
    int64_t local_us; /* its last time */
    int64_t gap_us;   /* from the one before that was another one */
    bool met;
    bool second; /* the last time was of the pass that is later in time */
};

int wall_init(struct wall *wall, const char *zone, bool descending, struct err_text *error)
{
    struct wall made = {.descending = descending};
    if (stamp_offset_parse(zone, strlen(zone), &made.offset_s) < 0) {
        int rc = zone_open(zone, &made.zone);
        if (rc < 0)
            return err_set(
                error, rc == ERR_NOMEM ? rc : ERR_INVALID,
                "\"%.64s\" is no time zone: name one of IANA's such as Europe/Berlin, or an offset such as +01:00",
                zone);
    }
    *wall = made;
    return 0;
}

void wall_done(struct wall *wall)
{
    free(wall->series);
    wall->series = NULL;
    wall->n = wall->cap = 0;
}

void wall_begin(struct wall *wall)
{
    if (wall->cap > KEPT_SERIES)
        wall_done(wall);
    else if (wall->n > 0)
        memset(wall->series, 0, wall->cap * sizeof(*wall->series));
    wall->n = 0;
}

static struct wall_series *place_of(struct wall_series *series, size_t cap, uint64_t key)
{
    size_t i = key & (cap - 1);
    while (series[i].key != 0 && series[i].key != key)
        i = (i + 1) & (cap - 1);
    return &series[i];
}

static int grow(struct wall *wall)
{
    size_t cap = wall->cap ? 2 * wall->cap : 64;
    struct wall_series *series = calloc(cap, sizeof(*series));
    if (!series)
        return ERR_NOMEM;
    for (size_t i = 0; i < wall->cap; i++)
        if (wall->series[i].key != 0)
            *place_of(series, cap, wall->series[i].key) = wall->series[i];
    free(wall->series);
    wall->series = series;
    wall->cap = cap;
    return 0;
}

static int find_series(struct wall *wall, uint64_t key, struct wall_series **ret_series)
{
    key = key ? key : 1;
    if (2 * (wall->n + 1) > wall->cap) {
        int rc = grow(wall);
        if (rc < 0)
            return rc;
    }
    struct wall_series *series = place_of(wall->series, wall->cap, key);
    if (series->key == 0) {
        if (wall->n == WALL_SERIES_MAX)
            return ERR_LIMIT;
        wall->n++;
        series->key = key;
    }
    *ret_series = series;
    return 0;
}

/* Both instants of a local time; ERR_NOTFOUND: there is none. Zones change at quarters of an hour (since 1972 all do),
 * so one answer is good for the quarter if its first and last instant have it. */
static int look_up(struct wall *wall, int64_t local_us, int64_t *ret_first_us, int64_t *ret_second_us)
{
    int64_t quarter_us = local_us - ((local_us % QUARTER_US) + QUARTER_US) % QUARTER_US,
            end_us = quarter_us + QUARTER_US - 1;
    int64_t ends[4];
    if (!wall->has_quarter || wall->quarter_us != quarter_us) {
        wall->has_quarter = zone_instant(wall->zone, quarter_us, 0, &ends[0]) == 0 &&
                            zone_instant(wall->zone, quarter_us, 1, &ends[1]) == 0 &&
                            zone_instant(wall->zone, end_us, 0, &ends[2]) == 0 &&
                            zone_instant(wall->zone, end_us, 1, &ends[3]) == 0 && ends[0] == ends[1] &&
                            ends[2] == ends[3] && ends[2] - ends[0] == QUARTER_US - 1;
        wall->quarter_us = quarter_us;
        wall->quarter_shift_us = wall->has_quarter ? ends[0] - quarter_us : 0;
    }
    if (wall->has_quarter) {
        *ret_first_us = *ret_second_us = local_us + wall->quarter_shift_us;
        return 0;
    }
    int rc = zone_instant(wall->zone, local_us, 0, ret_first_us);
    return rc < 0 ? rc : zone_instant(wall->zone, local_us, 1, ret_second_us);
}

/* Whether a repeated time is meant as the later one of its two. */
static bool is_second(const struct wall *wall, const struct wall_series *series, int64_t local_us, int64_t first_us,
                      int64_t second_us, int64_t known_us)
{
    int64_t shift_us = second_us - first_us;
    if (known_us != INT64_MIN && second_us > known_us + LATE_US) /* it would be in the future */
        return false;
    bool near = series->met && llabs(local_us - series->local_us) < shift_us;
    if (series->met && series->local_us == local_us)
        return series->gap_us >= shift_us ? !wall->descending : series->second;
    if (near) { /* both in, or next to, the repeated stretch */
        bool back = wall->descending ? local_us > series->local_us : local_us < series->local_us;
        return back ? !wall->descending : series->second;
    }
    if (!series->met && known_us != INT64_MIN)
        return known_us < second_us + shift_us;
    return wall->descending;
}

int wall_instant(struct wall *wall, uint64_t key, int64_t local_us, int64_t known_us, int64_t *ret_t_us)
{
    int64_t first_us, second_us;
    struct wall_series *series = NULL;
    if (!wall->zone) {
        *ret_t_us = local_us - wall->offset_s * US_PER_SECOND;
        return 0;
    }
    int rc = look_up(wall, local_us, &first_us, &second_us);
    if (rc == 0)
        rc = find_series(wall, key, &series);
    if (rc < 0)
        return rc;
    bool second =
        first_us == second_us ? wall->descending : is_second(wall, series, local_us, first_us, second_us, known_us);
    *ret_t_us = second ? second_us : first_us;
    if (series->met && series->local_us != local_us)
        series->gap_us = llabs(local_us - series->local_us);
    series->local_us = local_us;
    series->second = second;
    series->met = true;
    return 0;
}
