/* Series put together: what the buckets of a group of series come to, after each series' own aggregate. In constant
 * memory: a window of buckets is filled series by series. Sums and extremes are exact, means are rounded once.
 * Private to query. */
#ifndef QUERY_GROUPS_H
#define QUERY_GROUPS_H

#include "query/lane.h"
#include "query/range.h"

struct groups_options {
    struct reader_dir *dir;
    struct view *view;
    const struct unit_table *units; /* where the range asks for a unit */
    const struct range *range;  /* by step */
    bool has_tier;              /* as in struct lane_options */
    enum tier tier;
};

struct groups;

/* What the options point to must outlive it. ERR_NOMEM. */
MUST_CHECK int groups_new(const struct groups_options *options, struct groups **ret_groups);
void groups_free(struct groups *groups);

/* Where the groups are boards or locations: 1 when the series has one, 0 when it is to be left out, or a code; to be asked before
 * the series is added. Other groups take every series. */
MUST_CHECK int groups_want(struct groups *groups, const struct series_info *info, struct err_text *error);
uint64_t groups_left_out(const struct groups *groups);

/* A series behind those added before. ERR_MEANING where it does not go with the others of its group, or with no other at all;
 * ERR_NOMEM. */
MUST_CHECK int groups_add(struct groups *groups, const struct series_info *info, struct err_text *error);

/* The groups, in the order of their first series, whose id names them. Of a group's info the id is 0, and entity,
 * type and property are "" but for the one that makes the group; entity is the id of its board or location. NULL: there is none
 * at that place. */
const struct series_info *groups_at(const struct groups *groups, size_t group, uint32_t *ret_first_id);

/* Goes to the buckets of a group from the one that starts at begin_us on; aggs (n_aggs of them) live as long as that takes. */
MUST_CHECK int groups_begin(struct groups *groups, size_t group, const enum agg *aggs, size_t n_aggs, int64_t begin_us);

/* The next bucket: 1, 0 at the end, or a code. Behind its aggregates stand two counts: of the series that had something to say,
 * and of the others. Valid until the next call. */
MUST_CHECK int groups_next(struct groups *groups, struct row *ret_row);

#endif
