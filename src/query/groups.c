#include <config.h>

#include "query/groups.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "query/agg.h"
#include "query/matches.h"
#include "store/assets.h"

/* Values in hand at once: some 80 bytes each. */
#define SUMS_MAX 16384
#define MEAN_DIGITS 15

struct member {
    uint32_t id, group;
    bool step;
    int64_t cadence_us;
    const struct declared *declared;
};

struct group {
    struct match match;  /* without what differs within the group */
    uint32_t first_id;
    uint64_t n_members;
};

/* One aggregate of one bucket, across the series that have it. */
struct sum {
    struct exact value;
    uint64_t n;
};

/* Of one aggregate of one bucket, where who asks may not learn of single series: absolute values. */
struct share {
    struct exact total, top;
};

struct groups {
    struct groups_options options;
    struct group **rows;        /* texts stay where they are */
    size_t n_rows, rows_cap;
    struct texts keys;          /* what the series of a group have in common, by group; with an empty one before them */
    struct asset_place place;   /* of the series at hand */
    uint64_t n_left_out;
    struct member *members;
    size_t n_members, members_cap;
    /* the group that has its turn */
    size_t group;
    const enum agg *aggs;
    size_t n_aggs;
    int64_t next_us;            /* where the next window begins */
    /* the window */
    int64_t *starts;            /* of its buckets */
    uint64_t *n_series;         /* that had something to say */
    struct sum *sums;         /* n_aggs of each bucket */
    struct share *shares;       /* as many, with a guard; else NULL */
    size_t n, next, window_max;
    bool was_empty;             /* the window before had nothing in it at all */
    struct value values[AGG_N + 3];
};

/* ---- groups ---- */

int groups_new(const struct groups_options *options, struct groups **ret_groups)
{
    struct groups *groups = calloc(1, sizeof(*groups));
    if (!groups)
        return ERR_NOMEM;
    groups->options = *options;
    *ret_groups = groups;
    return 0;
}

static void free_window(struct groups *groups)
{
    free(groups->starts);
    free(groups->n_series);
    free(groups->sums);
    free(groups->shares);
    groups->shares = NULL;
    groups->starts = NULL;
    groups->n_series = NULL;
    groups->sums = NULL;
}

void groups_free(struct groups *groups)
{
    if (!groups)
        return;
    for (size_t i = 0; i < groups->n_rows; i++)
        free(groups->rows[i]);
    free(groups->rows);
    texts_free(&groups->keys);
    free(groups->members);
    free_window(groups);
    free(groups);
}

/* What a series has in common with its group. */
static const char *key_of(const struct groups *groups, const struct series_info *info)
{
    switch (groups->options.range->by) {
    case BY_TYPE: return info->type;
    case BY_PROPERTY: return info->property;
    case BY_LOCATION: return groups->place.location;
    case BY_BOARD: return groups->place.board;
    default: return "";
    }
}

int groups_want(struct groups *groups, const struct series_info *info, struct err_text *error)
{
    const struct range *range = groups->options.range;
    if (range->by != BY_LOCATION && range->by != BY_BOARD)
        return 1;
    int rc = assets_place(groups->options.dir, info->entity, &groups->place, error);
    groups->n_left_out += rc == 0;
    return rc;
}

uint64_t groups_left_out(const struct groups *groups)
{
    return groups->n_left_out;
}

static int make_group(struct groups *groups, const struct series_info *info)
{
    const struct range *range = groups->options.range;
    struct series_info common = *info;
    struct group *group = calloc(1, sizeof(*group));
    if (!group || array_grow(&groups->rows, &groups->rows_cap, groups->n_rows + 1, sizeof(*groups->rows))) {
        free(group);
        return ERR_NOMEM;
    }
    common.entity = range->by == BY_LOCATION || range->by == BY_BOARD ? key_of(groups, info) : "";
    common.type = range->by == BY_TYPE ? info->type : "";
    common.property = range->by == BY_PROPERTY ? info->property : "";
    int rc = match_copy(&group->match, &common);
    if (rc) {
        free(group);
        return rc;
    }
    group->match.info.id = 0;
    group->match.info.declared = NULL;
    group->first_id = info->id;
    groups->rows[groups->n_rows++] = group;
    return 0;
}

static int find_group(struct groups *groups, const struct series_info *info, size_t *ret_group)
{
    const char *key = key_of(groups, info);
    int64_t index;
    int rc = texts_intern(&groups->keys, key, strlen(key), &index);
    if (rc)
        return rc;
    *ret_group = index ? (size_t)index - 1 : 0;
    return *ret_group < groups->n_rows ? 0 : make_group(groups, info);
}

/* Whether an aggregate of such a series can be put together with others. */
static int check_agg(const struct range *range, const struct series_info *info, enum agg agg, struct err_text *error)
{
    enum sheet_type type = sheet_type((int)agg, info->kind);
    if (type == SHEET_TEXT)
        return err_set_field(error, ERR_MEANING, "over", "\"%.64s\" of \"%.128s\" is a state, and states are not put together; "
                             "agg=count can be", info->property, info->entity);
    if (type == SHEET_TIME && (range->over == OVER_SUM || range->over == OVER_MEAN))
        return err_set_field(error, ERR_MEANING, "over", "times have no sum and no mean; use over=min or over=max with %s",
                             agg_name[agg]);
    if (type == SHEET_NUMBER && agg_is_direction(info))
        return err_set_field(error, ERR_MEANING, "over", "\"%.64s\" of \"%.128s\" is a direction, and directions are not put "
                             "together; agg=count can be", info->property, info->entity);
    return 0;
}

int groups_add(struct groups *groups, const struct series_info *info, struct err_text *error)
{
    const struct range *range = groups->options.range;
    size_t i;
    int rc = range->n_aggs ? 0 : check_agg(range, info, agg_default(info->kind), error);
    for (size_t k = 0; k < range->n_aggs && !rc; k++)
        rc = check_agg(range, info, range->aggs[k], error);
    rc = rc ? rc : find_group(groups, info, &i);
    if (rc)
        return rc;
    const struct series_info *common = &groups->rows[i]->match.info;
    if (strcmp(common->unit, info->unit) != 0 || common->kind != info->kind)
        return err_set_field(error, ERR_MEANING, "over", "\"%.64s\" of \"%.128s\" is a %s in \"%s\", and others of its group are "
                             "a %s in \"%s\"; ask with by=property, or for one property", info->property, info->entity,
                             kind_name(info->kind), info->unit, kind_name(common->kind), common->unit);
    if (array_grow(&groups->members, &groups->members_cap, groups->n_members + 1, sizeof(*groups->members)))
        return ERR_NOMEM;
    groups->members[groups->n_members++] = (struct member){info->id, (uint32_t)i, info->step, info->cadence_us, info->declared};
    groups->rows[i]->n_members++;
    return 0;
}

const struct series_info *groups_at(const struct groups *groups, size_t group, uint32_t *ret_first_id)
{
    if (group >= groups->n_rows)
        return NULL;
    *ret_first_id = groups->rows[group]->first_id;
    return &groups->rows[group]->match.info;
}

/* ---- a window is filled ---- */

int groups_begin(struct groups *groups, size_t group, const enum agg *aggs, size_t n_aggs, int64_t begin_us)
{
    const struct range *range = groups->options.range;
    free_window(groups);
    groups->group = group;
    groups->aggs = aggs;
    groups->n_aggs = n_aggs;
    groups->next_us = range->from_us < range->to_us ? begin_us : range->to_us;
    groups->n = groups->next = 0;
    groups->was_empty = false;
    groups->window_max = SUMS_MAX / n_aggs;
    groups->starts = calloc(groups->window_max, sizeof(*groups->starts));
    groups->n_series = calloc(groups->window_max, sizeof(*groups->n_series));
    groups->sums = calloc(groups->window_max * n_aggs, sizeof(*groups->sums));
    if (range->guard_k)
        groups->shares = calloc(groups->window_max * n_aggs, sizeof(*groups->shares));
    return groups->starts && groups->n_series && groups->sums && (groups->shares || !range->guard_k) ? 0 : ERR_NOMEM;
}

/* A value as an exact number; false where there is none. */
static bool take_value(const struct value *value, struct exact *ret_exact)
{
    *ret_exact = (struct exact){0};
    if (value->type == VALUE_EXACT)
        *ret_exact = *value->exact;
    else if (value->type == VALUE_DECIMAL)
        exact_add(ret_exact, value->decimal);
    else if (value->type == VALUE_COUNT)
        exact_add_i128(ret_exact, (__int128)value->count, 0);
    else if (value->type == VALUE_TIME)
        exact_add_i128(ret_exact, value->t_us, 0);
    return value->type != VALUE_NULL;
}

static void add_value(const struct groups *groups, struct sum *sum, const struct exact *value)
{
    enum over how = groups->options.range->over;
    if (how == OVER_SUM || how == OVER_MEAN)
        exact_add_exact(&sum->value, value);
    else if (!sum->n || (exact_compare(value, &sum->value) < 0) == (how == OVER_MIN))
        sum->value = *value;
    sum->n++;
}

static void add_share(struct share *share, const struct exact *value)
{
    struct exact size = {0}, zero = {0};
    if (exact_compare(value, &zero) < 0)
        exact_subtract(&size, value);
    else
        size = *value;
    exact_add_exact(&share->total, &size);
    if (exact_compare(&size, &share->top) > 0)
        share->top = size;
}

/* Whether one aggregate of the bucket says too much of one series: too few make it, or one of them makes most of it. */
static bool is_suppressed(const struct groups *groups, size_t bucket)
{
    const struct range *range = groups->options.range;
    for (size_t i = bucket * groups->n_aggs; groups->shares && i < (bucket + 1) * groups->n_aggs; i++) {
        struct exact top = groups->shares[i].top, bound = groups->shares[i].total;
        exact_multiply_u64(&top, 100);
        exact_multiply_u64(&bound, range->guard_share_percent);
        if (groups->sums[i].n < range->guard_k || exact_compare(&top, &bound) > 0)
            return true;
    }
    return false;
}

/* Whether a series has something to say in a bucket: a count of nothing is nothing. */
static bool says_something(const struct row *row, size_t n)
{
    bool says = false;
    for (size_t i = 0; i < n; i++)
        says = says || (row->values[i].type == VALUE_COUNT ? row->values[i].count > 0 : row->values[i].type != VALUE_NULL);
    return says;
}

static void add_row(struct groups *groups, size_t bucket, const struct row *row)
{
    struct exact value;
    if (!says_something(row, groups->n_aggs))
        return;
    for (size_t i = 0; i < groups->n_aggs; i++) {
        if (!take_value(&row->values[i], &value))
            continue;
        add_value(groups, &groups->sums[bucket * groups->n_aggs + i], &value);
        if (groups->shares)
            add_share(&groups->shares[bucket * groups->n_aggs + i], &value);
    }
    groups->n_series[bucket]++;
}

static int open_lane(const struct groups *groups, const struct member *member, int64_t begin_us, int64_t end_us,
                     struct series_info *info, struct lane **ret_lane)
{
    *info = groups->rows[member->group]->match.info;
    info->id = member->id;
    info->step = member->step;
    info->cadence_us = member->cadence_us;
    info->declared = member->declared;
    struct lane_options options = {
        .range = groups->options.range,
        .info = info,
        .aggs = groups->aggs,
        .n_aggs = groups->n_aggs,
        .has_tier = groups->options.has_tier,
        .tier = groups->options.tier,
        .begin_us = begin_us,
        .end_us = end_us,
    };
    struct series_info shown;
    int rc = conversion_init_shown(&options.conversion, groups->options.units, groups->options.range, info, &shown);
    return rc ? rc : lane_open(groups->options.view, &options, ret_lane);
}

static int read_member(struct groups *groups, const struct member *member, int64_t end_us)
{
    struct series_info info;
    struct lane *lane;
    struct row row;
    size_t bucket = 0;
    int rc = open_lane(groups, member, groups->starts[0], end_us, &info, &lane);
    if (rc)
        return rc;
    while ((rc = lane_next(lane, &row)) > 0) {
        while (bucket < groups->n && groups->starts[bucket] < row.t_us)
            bucket++;
        if (bucket < groups->n && groups->starts[bucket] == row.t_us)
            add_row(groups, bucket, &row);
    }
    lane_close(lane);
    return rc;
}

/* Passes over time in which no series has a bucket. */
static int skip_empty(struct groups *groups)
{
    int64_t to_us = groups->options.range->to_us, first_us = to_us;
    int rc = 0;
    for (size_t i = 0; i < groups->n_members && rc >= 0; i++) {
        struct series_info info;
        struct lane *lane;
        struct row row;
        if (groups->members[i].group != groups->group || groups->next_us >= first_us)
            continue;
        rc = open_lane(groups, &groups->members[i], groups->next_us, to_us, &info, &lane);
        if (rc)
            return rc;
        rc = lane_next(lane, &row);
        if (rc > 0 && row.t_us < first_us)
            first_us = row.t_us;
        lane_close(lane);
    }
    groups->next_us = first_us;
    return rc < 0 ? rc : 0;
}

static int read_window(struct groups *groups)
{
    const struct range *range = groups->options.range;
    uint64_t n_said = 0;
    int rc = groups->was_empty && range->fill == FILL_NONE ? skip_empty(groups) : 0;
    groups->n = groups->next = 0;
    while (groups->n < groups->window_max && groups->next_us < range->to_us) {
        groups->starts[groups->n++] = groups->next_us;
        groups->next_us = grid_next_us(&range->grid, groups->next_us);
    }
    memset(groups->n_series, 0, groups->n * sizeof(*groups->n_series));
    memset(groups->sums, 0, groups->n * groups->n_aggs * sizeof(*groups->sums));
    if (groups->shares)
        memset(groups->shares, 0, groups->n * groups->n_aggs * sizeof(*groups->shares));
    int64_t end_us = groups->next_us < range->to_us ? groups->next_us : range->to_us;
    for (size_t i = 0; i < groups->n_members && groups->n && !rc; i++)
        if (groups->members[i].group == groups->group)
            rc = read_member(groups, &groups->members[i], end_us);
    for (size_t i = 0; i < groups->n; i++)
        n_said += groups->n_series[i];
    groups->was_empty = !n_said;
    return rc;
}

/* ---- what it comes to ---- */

static int put_value(const struct groups *groups, const struct sum *sum, enum agg agg, struct value *ret_value)
{
    enum sheet_type type = sheet_type((int)agg, groups->rows[groups->group]->match.info.kind);
    struct decimal mean;
    int64_t whole;
    *ret_value = (struct value){.type = type == SHEET_COUNT ? VALUE_COUNT : VALUE_NULL};
    if (!sum->n)
        return 0;
    if (groups->options.range->over == OVER_MEAN) {
        int rc = exact_divide(&sum->value, sum->n, MEAN_DIGITS, &mean);
        *ret_value = (struct value){.type = VALUE_DECIMAL, .decimal = mean};
        return rc;
    }
    *ret_value = (struct value){.type = VALUE_EXACT, .exact = &sum->value};
    if (type == SHEET_COUNT && exact_at(&sum->value, 0, &whole))
        *ret_value = (struct value){.type = VALUE_COUNT, .count = (uint64_t)whole};
    else if (type == SHEET_TIME && exact_at(&sum->value, 0, &whole))
        *ret_value = (struct value){.type = VALUE_TIME, .t_us = whole};
    return 0;
}

/* The place of the next bucket of the answer: 1, 0 at the end, or a code. */
static int find_bucket(struct groups *groups)
{
    for (;;) {
        bool skips = groups->options.range->fill == FILL_NONE;
        while (skips && groups->next < groups->n && (!groups->n_series[groups->next] || is_suppressed(groups, groups->next)))
            groups->next++;
        if (groups->next < groups->n)
            return 1;
        if (groups->next_us >= groups->options.range->to_us)
            return 0;
        int rc = read_window(groups);
        if (rc)
            return rc;
    }
}

int groups_next(struct groups *groups, struct row *ret_row)
{
    int rc = find_bucket(groups);
    if (rc <= 0)
        return rc;
    size_t bucket = groups->next++;
    bool hides = is_suppressed(groups, bucket);
    groups->values[groups->n_aggs + 2] = (struct value){.type = VALUE_COUNT, .count = hides};
    struct row row = {.t_us = groups->starts[bucket], .values = groups->values};
    if (hides) { /* how many contribute, too, would tell whether one does */
        for (size_t i = 0; i < groups->n_aggs + 2; i++)
            groups->values[i] = (struct value){.type = VALUE_NULL};
        *ret_row = row;
        return 1;
    }
    for (size_t i = 0; i < groups->n_aggs; i++) {
        rc = put_value(groups, &groups->sums[bucket * groups->n_aggs + i], groups->aggs[i], &groups->values[i]);
        if (rc)
            return rc;
    }
    uint64_t n_series = groups->n_series[bucket], n_members = groups->rows[groups->group]->n_members;
    groups->values[groups->n_aggs] = (struct value){.type = VALUE_COUNT, .count = n_series};
    groups->values[groups->n_aggs + 1] = (struct value){.type = VALUE_COUNT, .count = n_members - n_series};
    *ret_row = row;
    return 1;
}
