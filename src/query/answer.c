#include <config.h>

#include "query/range.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/agg.h"
#include "query/buckets.h"
#include "query/convert.h"
#include "query/cursor.h"
#include "query/feed.h"
#include "query/foresee.h"
#include "query/groups.h"
#include "query/lane.h"
#include "query/matches.h"
#include "query/needs.h"
#include "query/wide.h"

struct answer {
    struct view *view;
    const struct range *range;
    const struct unit_table *units; /* where a unit is asked for */
    struct matches matches;
    /* the plan */
    bool has_tier, uses_tier; /* a tier fits the grid; a series of the answer uses it */
    enum tier tier;
    char tiers[sizeof("15m,raw")];
    /* the series whose turn it is */
    struct series_info info, shown; /* as stored, and with the unit that was asked for */
    enum agg aggs[AGG_N];
    size_t n_aggs;
    struct lane *lane;
    struct wide *wide;        /* layout=wide: all of them */
    struct groups *groups;    /* with `over`, in place of series: */
    size_t next_group;
    uint32_t group_id;        /* of the first series of the group that has its turn */
    /* paging */
    int64_t n_rows;
    int64_t last_us;          /* of the row given last */
    bool is_over;             /* the page is full */
    bool has_cursor;          /* and something comes behind it */
    char cursor[CURSOR_TEXT_MAX];
};

/* ---- the plan ---- */

/* What is explained waits in memory, so it has an end. */
static int check_explained(const struct range *range, struct err_text *error)
{
    bool is_paged = range->limit && range->limit <= LIMIT_EXPLAINED;
    if (!range->explain || range->raw || is_paged ||
        grid_count(&range->grid, range->from_us, range->to_us, LIMIT_EXPLAINED + 1) <= LIMIT_EXPLAINED)
        return 0;
    return err_set_field(error, ERR_LIMIT, "explain", "at most %d buckets of a series can be explained at once; take a longer "
                         "step, or pages with limit=%d", LIMIT_EXPLAINED, LIMIT_EXPLAINED);
}

/* The coarsest tier whose cells lie within buckets, edge for edge. */
static void plan_tier(struct answer *answer)
{
    const struct range *range = answer->range;
    for (int tier = TIER_N - 1; tier >= 0 && !range->raw && !answer->has_tier; tier--) {
        answer->has_tier = grid_fits(&range->grid, range->from_us, range->to_us, tier_width_us[tier]);
        answer->tier = (enum tier)tier;
    }
}

/* Where to go on behind the row at last_us; INT64_MIN: nothing was given yet. The first bucket may have begun before
 * the range. */
static int64_t begin_behind(const struct range *range, int64_t last_us)
{
    bool is_first = last_us == INT64_MIN;
    int64_t t_us = last_us > range->from_us ? last_us : range->from_us;
    if (range->raw)
        return is_first || last_us < range->from_us ? range->from_us : last_us + 1;
    int64_t start_us = grid_start_us(&range->grid, t_us);
    return is_first ? start_us : grid_next_us(&range->grid, start_us);
}

struct check {
    struct answer *answer;
    struct foreseen foreseen;
    struct err_text *error;
};

/* Refuses a range of which something has expired, naming the first instant that is left. */
static int check_left(const struct answer *answer, const struct series_info *info, bool tiered, struct err_text *error)
{
    const struct range *range = answer->range;
    struct feed_options options = {.series_id = info->id, .has_tier = tiered, .tier = answer->tier,
                                   .begin_us = range->from_us, .end_us = range->to_us};
    int64_t left_us;
    char left[CIVIL_TEXT_MAX];
    int rc = feed_left(answer->view, &options, &left_us);
    if (rc || left_us <= range->from_us)
        return rc;
    size_t size = civil_print_rfc3339(left, left_us, 0, true);
    return err_set_field(error, ERR_EXPIRED, "from",
                         "\"%s\" of \"%s\" is not kept so far back%s: the first instant left is %.*s", info->property,
                         info->entity, tiered || range->raw ? "" : " for these aggregates", (int)size, left);
}

/* Refuses an instant of which revisions that were in force then are gone. */
static int check_known(const struct answer *answer, const struct series_info *info, struct err_text *error)
{
    const struct range *range = answer->range;
    bool is_wide = range->bounds || (!range->raw && needs_of(range, info) & (NEED_COVER | NEED_GAIN | NEED_SIDES));
    int64_t begin_us = is_wide ? CIVIL_MIN_US : range->from_us, end_us = is_wide ? CIVIL_END_US : range->to_us, from_us;
    if (!is_wide && !range->raw && info->kind == KIND_INTERVAL && begin_us >= CIVIL_MIN_US + US_PER_DAY)
        begin_us -= US_PER_DAY; /* where amounts may have begun */
    char text[CIVIL_TEXT_MAX];
    int rc = range->asof_us == INT64_MAX ? 0 : view_known_from(answer->view, info->id, begin_us, end_us, &from_us);
    if (rc || range->asof_us == INT64_MAX || range->asof_us >= from_us)
        return rc;
    size_t size = civil_print_rfc3339(text, from_us, 0, true);
    return err_set_field(error, ERR_EXPIRED, "asof",
                         "replaced values of \"%s\" of \"%s\" are not kept so far back: the first instant of which it can be "
                         "told what was known in this range is %.*s", info->property, info->entity, (int)size, text);
}

static int check_meaning(const struct answer *answer, const struct series_info *info, struct err_text *error)
{
    const struct range *range = answer->range;
    struct conversion conversion;
    int rc = 0;
    for (size_t i = 0; i < range->n_aggs && !rc; i++)
        rc = agg_check(range->aggs[i], info, error);
    if (!rc && range->reduce && info->kind == KIND_STATE)
        rc = err_set_field(error, ERR_MEANING, "reduce",
                           "\"%.64s\" of \"%.128s\" is a state and has no least and greatest value; ask without \"reduce\"",
                           info->property, info->entity);
    return rc || !*range->unit ? rc : conversion_init(&conversion, answer->units, range, info, error);
}

/* Percentiles need all values of a bucket at once. Most series have not so many at all; else buckets are counted, which cells
 * make quick. Amounts are counted by the buckets that they touch. */
static int check_values(const struct answer *answer, const struct series_info *info, struct err_text *error)
{
    struct range range = *answer->range;
    struct series_stats stats;
    struct buckets *buckets;
    struct bucket bucket;
    char start[CIVIL_TEXT_MAX];
    int rc = needs_of(&range, info) & NEED_VALUES ? view_stats(answer->view, info->id, &stats) : 0;
    if (rc || !(needs_of(&range, info) & NEED_VALUES) || stats.count <= VALUES_MAX / 2)
        return rc;
    range.n_aggs = 1;
    range.aggs[0] = AGG_COUNT;
    range.fill = FILL_NONE;
    struct buckets_options options = {.range = &range, .info = info, .has_tier = answer->has_tier, .tier = answer->tier,
                                      .begin_us = grid_start_us(&range.grid, range.from_us), .end_us = range.to_us};
    if ((rc = buckets_open(answer->view, &options, &buckets)))
        return rc;
    while ((rc = buckets_next(buckets, &bucket)) > 0 && bucket.count <= VALUES_MAX)
        ;
    buckets_close(buckets);
    if (rc <= 0)
        return rc;
    size_t size = civil_print_rfc3339(start, bucket.start_us, 0, true);
    return err_set_field(error, ERR_LIMIT, "agg", "the bucket at %.*s has %" PRIu64 " values of \"%.64s\" of \"%.128s\", and "
                         "percentiles sort at most %d; take a shorter step", (int)size, start, bucket.count, info->property,
                         info->entity, VALUES_MAX);
}

static int check_series(void *arg, const struct series_info *info)
{
    struct check *check = arg;
    struct answer *answer = check->answer;
    bool tiered = answer->has_tier && lane_may_use_tiers(answer->range, info);
    int rc = answer->groups ? groups_want(answer->groups, info, check->error) : 1;
    if (rc <= 0)
        return rc;
    rc = foresee_series(answer->view, answer->range, info->id, tiered, &check->foreseen);
    rc = rc ? rc : check_meaning(answer, info, check->error);
    if (!rc && answer->wide)
        rc = wide_add(answer->wide, info, check->error);
    if (!rc && answer->groups)
        rc = groups_add(answer->groups, info, check->error);
    answer->uses_tier = answer->uses_tier || tiered;
    rc = rc ? rc : check_left(answer, info, tiered, check->error);
    rc = rc ? rc : check_known(answer, info, check->error);
    return rc || answer->range->raw ? rc : check_values(answer, info, check->error);
}

static int begin_wide(struct answer *answer)
{
    const struct range *range = answer->range;
    struct wide_options options = {
        .view = answer->view,
        .units = answer->units,
        .range = range,
        .has_tier = answer->has_tier,
        .tier = answer->tier,
        .begin_us = begin_behind(range, range->has_cursor ? range->after_us : INT64_MIN),
    };
    return wide_new(&options, &answer->wide);
}

static int begin_groups(struct answer *answer, struct reader_dir *dir)
{
    struct groups_options options = {.dir = dir, .view = answer->view, .units = answer->units, .range = answer->range,
                                     .has_tier = answer->has_tier, .tier = answer->tier};
    return groups_new(&options, &answer->groups);
}

static int check_groups(const struct answer *answer, struct err_text *error)
{
    uint32_t first_id;
    if (groups_at(answer->groups, 0, &first_id))
        return 0;
    return err_set_field(error, ERR_NOTFOUND, "by", "no sensor on a board is declared for the %" PRIu64
                         " series that match; their assets are to come first", groups_left_out(answer->groups));
}

uint64_t answer_left_out(const struct answer *answer)
{
    return answer->groups ? groups_left_out(answer->groups) : 0;
}

int answer_open(struct reader_dir *dir, struct view *view, const struct range *range, struct answer **ret_answer,
                struct err_text *error)
{
    int rc = check_explained(range, error);
    if (rc)
        return rc;
    struct answer *answer = calloc(1, sizeof(*answer));
    if (!answer)
        return ERR_NOMEM;
    answer->view = view;
    answer->range = range;
    plan_tier(answer);
    struct check check = {.answer = answer, .error = error};
    rc = *range->unit ? reader_units(dir, &answer->units) : 0;
    if (!rc)
        rc = range->wide ? begin_wide(answer) : range->over ? begin_groups(answer, dir) : 0;
    if (!rc)
        rc = matches_init(&answer->matches, dir, range, check_series, &check, error);
    if (!rc && answer->groups)
        rc = check_groups(answer, error);
    if (!rc && answer->wide)
        rc = wide_check_names(answer->wide, error);
    rc = rc ? rc : foresee_check(view, range, &check.foreseen);
    if (rc == ERR_QUOTA && error)
        *error = view_quota(view)->why;
    if (rc) {
        answer_close(answer);
        return rc;
    }
    snprintf(answer->tiers, sizeof(answer->tiers), "%s%sraw", answer->uses_tier ? tier_name[answer->tier] : "",
             answer->uses_tier ? "," : "");
    *ret_answer = answer;
    return 0;
}

const char *answer_tiers(const struct answer *answer)
{
    return answer->tiers;
}

/* ---- series ---- */

static void end_series(struct answer *answer)
{
    lane_close(answer->lane);
    answer->lane = NULL;
}

/* Whether earlier pages had rows of this series. */
static bool is_resumed(const struct answer *answer)
{
    return answer->range->has_cursor && answer->range->after_id == answer->info.id;
}

static int begin_series(struct answer *answer)
{
    const struct range *range = answer->range;
    struct lane_options options = {
        .range = range,
        .info = &answer->info,
        .aggs = answer->aggs,
        .n_aggs = answer->n_aggs,
        .goes_on = is_resumed(answer),
        .has_tier = answer->has_tier,
        .tier = answer->tier,
        .begin_us = begin_behind(range, is_resumed(answer) ? range->after_us : INT64_MIN),
        .end_us = range->to_us,
    };
    int rc = conversion_init_shown(&options.conversion, answer->units, range, &answer->info, &answer->shown);
    return rc ? rc : lane_open(answer->view, &options, &answer->lane);
}

static int take_series(struct answer *answer)
{
    const struct series_info *info;
    int rc = matches_peek(&answer->matches, &info);
    if (rc <= 0)
        return rc;
    answer->info = *info;
    matches_take(&answer->matches);
    answer->n_aggs = answer->range->raw ? 0 : agg_choose(answer->range, info, answer->aggs);
    rc = begin_series(answer);
    return rc ? rc : 1;
}

/* The next group; those that earlier pages gave to their end are passed over. */
static int take_group(struct answer *answer)
{
    const struct range *range = answer->range;
    const struct series_info *info;
    int64_t last_us;
    do {
        info = groups_at(answer->groups, answer->next_group++, &answer->group_id);
        last_us = !info || !range->has_cursor || answer->group_id > range->after_id ? INT64_MIN
                  : answer->group_id < range->after_id                              ? INT64_MAX
                                                                                    : range->after_us;
    } while (info && last_us == INT64_MAX);
    if (!info)
        return 0;
    struct conversion conversion;
    answer->info = *info;
    answer->n_aggs = agg_choose(range, info, answer->aggs);
    int rc = conversion_init_shown(&conversion, answer->units, range, info, &answer->shown);
    int64_t begin_us = begin_behind(range, last_us);
    rc = rc ? rc : groups_begin(answer->groups, answer->next_group - 1, answer->aggs, answer->n_aggs, begin_us);
    return rc ? rc : 1;
}

int answer_next_series(struct answer *answer, const struct series_info **ret_info, const enum agg **ret_aggs,
                       size_t *ret_n_aggs)
{
    end_series(answer);
    int rc = answer->is_over ? 0 : answer->groups ? take_group(answer) : take_series(answer);
    if (rc <= 0)
        return rc;
    *ret_info = &answer->shown;
    *ret_aggs = answer->aggs;
    *ret_n_aggs = answer->n_aggs;
    return 1;
}

/* ---- rows ---- */

/* What a cursor names as the series of the last row. */
static uint32_t row_id(const struct answer *answer)
{
    return answer->wide ? answer->matches.last_id : answer->groups ? answer->group_id : answer->info.id;
}

static int next_row(struct answer *answer, struct row *ret_row)
{
    return answer->groups ? groups_next(answer->groups, ret_row) : lane_next(answer->lane, ret_row);
}

/* Whether another series, or group, has its turn after this one. */
static bool has_more(const struct answer *answer)
{
    uint32_t first_id;
    return answer->groups ? groups_at(answer->groups, answer->next_group, &first_id) != NULL : matches_has_more(&answer->matches);
}

/* The page is full: leaves a cursor where anything comes behind it. has_rows: in this series; has_others: in another one. */
static void end_page(struct answer *answer, bool has_rows, bool has_others)
{
    const struct range *range = answer->range;
    struct cursor cursor = {range->question, row_id(answer), answer->matches.last_id, has_rows ? answer->last_us : INT64_MAX,
                            range->from_us, range->to_us, range->asof_us};
    answer->is_over = true;
    answer->has_cursor = has_rows || has_others;
    if (answer->has_cursor)
        cursor_print(&cursor, answer->cursor);
}

/* How many rows still fit on the page. */
static size_t room(const struct answer *answer)
{
    int64_t limit = answer->range->limit;
    return limit ? (size_t)(limit - answer->n_rows) : SIZE_MAX;
}

/* Whether the series has another row than those given; then the page ends here. */
static int end_full(struct answer *answer)
{
    struct row row;
    int rc = next_row(answer, &row);
    if (rc >= 0)
        end_page(answer, rc, has_more(answer));
    return rc < 0 ? rc : 0;
}

int answer_next_row(struct answer *answer, struct row *ret_row)
{
    if (answer->is_over)
        return 0;
    if (!room(answer))
        return end_full(answer);
    int rc = next_row(answer, ret_row);
    if (rc > 0) {
        answer->n_rows++;
        answer->last_us = ret_row->t_us;
    }
    return rc;
}

bool answer_has_points(const struct answer *answer)
{
    return answer->lane && lane_has_points(answer->lane);
}

int answer_next_points(struct answer *answer, size_t max, struct stretch *ret_stretch)
{
    if (answer->is_over)
        return 0;
    if (!room(answer))
        return end_full(answer);
    int rc = lane_next_points(answer->lane, max < room(answer) ? max : room(answer), ret_stretch);
    if (rc > 0) {
        answer->n_rows += (int64_t)(ret_stretch->end - ret_stretch->begin);
        answer->last_us = ret_stretch->points->t_us[ret_stretch->end - 1];
    }
    return rc;
}

/* ---- layout=wide ---- */

const struct wide_column *answer_columns(const struct answer *answer, size_t *ret_n)
{
    return wide_columns(answer->wide, ret_n);
}

int answer_next_sheet(struct answer *answer, struct sheet *ret_sheet)
{
    if (answer->is_over)
        return 0;
    if (!room(answer)) {
        int rc = wide_has_more(answer->wide);
        if (rc >= 0)
            end_page(answer, rc, false);
        return rc < 0 ? rc : 0;
    }
    int rc = wide_next(answer->wide, room(answer), ret_sheet);
    if (rc > 0) {
        answer->n_rows += (int64_t)ret_sheet->n;
        answer->last_us = ret_sheet->t_us[ret_sheet->n - 1];
    }
    return rc;
}

const char *answer_cursor(struct answer *answer)
{
    return answer->has_cursor ? answer->cursor : NULL;
}

void answer_close(struct answer *answer)
{
    if (!answer)
        return;
    end_series(answer);
    wide_free(answer->wide);
    groups_free(answer->groups);
    free(answer);
}
