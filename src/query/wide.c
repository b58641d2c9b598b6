#include <config.h>

#include "query/wide.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "query/matches.h"

/* What a window holds at most: cells, and times where those of a series are not those of the series before it. */
#define CELLS_MAX ((size_t)2 << 20)
#define TIMES_MAX ((size_t)1 << 20)
/* Cells that a sheet has room for where series have no row at some of its times. */
#define SPREAD_CELLS ((size_t)1 << 20)
static_assert(LIMIT_COLUMNS <= CELLS_MAX && LIMIT_COLUMNS <= TIMES_MAX && LIMIT_COLUMNS <= SPREAD_CELLS,
              "a row of any table fits");

/* The rows of one series in the window: n times from times on, and from cells on for each row its aggregates. */
struct lot {
    size_t times, n, cells;
    size_t next;      /* the first row that no sheet had yet */
    bool is_aligned;  /* its times are those of the table */
};

/* What is chosen for a series where the range names nothing: of a gauge whose step the server chose, mean, min and max. */
#define CHOSEN_MAX 3

struct member {
    struct match match;
    struct series_info shown; /* in the unit that is asked for */
    enum agg chosen[CHOSEN_MAX];
    size_t n_values;          /* columns, */
    size_t column;            /* from this one on */
};

/* A text's place changes while texts are added, so that members are allocated one by one. */
struct wide {
    struct wide_options options;
    struct member **members;
    size_t n_members, members_cap;
    struct wide_column *columns;
    size_t n_columns, columns_cap;
    size_t cells_max, times_max, spread_max;
    /* the window [begin_us, end_us), read from begin_us on */
    int64_t begin_us, end_us;
    bool is_begun;
    struct lot *lots;
    int64_t *times, *m;
    int8_t *e;
    size_t n_times, times_cap, n_cells, m_cap, e_cap;
    struct sheet_store store;
    /* the times of the table in the window, of which next_row is the first that no sheet had yet */
    const int64_t *rows;
    size_t n_rows, next_row, n_spread;
    int64_t *merged[2];        /* where they are made, if they are no series' own */
    size_t merged_cap[2];
    /* a sheet */
    struct sheet_column *sheet;
    int64_t *spread_m;
    int8_t *spread_e;
    size_t spread_m_cap, spread_e_cap;
};

/* ---- the columns ---- */

int wide_new(const struct wide_options *options, struct wide **ret_wide)
{
    struct wide *wide = calloc(1, sizeof(*wide));
    if (!wide)
        return ERR_NOMEM;
    wide->options = *options;
    wide->begin_us = options->begin_us;
    wide->cells_max = options->cells_max ? options->cells_max : CELLS_MAX;
    wide->times_max = options->cells_max ? options->cells_max : TIMES_MAX;
    wide->spread_max = options->cells_max ? options->cells_max : SPREAD_CELLS;
    *ret_wide = wide;
    return 0;
}

void wide_free(struct wide *wide)
{
    if (!wide)
        return;
    for (size_t i = 0; i < wide->n_members; i++)
        free(wide->members[i]);
    free(wide->members);
    free(wide->columns);
    free(wide->lots);
    free(wide->times);
    free(wide->m);
    free(wide->e);
    free(wide->merged[0]);
    free(wide->merged[1]);
    free(wide->sheet);
    free(wide->spread_m);
    free(wide->spread_e);
    sheet_store_free(&wide->store);
    free(wide);
}

static const enum agg *aggs_of(const struct wide *wide, const struct member *member)
{
    return wide->options.range->n_aggs ? wide->options.range->aggs : member->chosen;
}

/* Of raw readings one column, whose aggregate nobody looks at. */
static void choose_columns(const struct wide *wide, const struct series_info *info, struct member *member)
{
    enum agg aggs[AGG_N];
    bool raw = wide->options.range->raw;
    member->column = wide->n_columns;
    member->n_values = raw ? 1 : agg_choose(wide->options.range, info, aggs);
    if (!raw && !wide->options.range->n_aggs)
        memcpy(member->chosen, aggs, member->n_values * sizeof(*aggs));
}

static int refuse_columns(struct err_text *error)
{
    return err_set_field(error, ERR_MEANING, "layout", "more than %d columns: ask for fewer series or aggregates, or take "
                         "layout=long", LIMIT_COLUMNS);
}

int wide_add(struct wide *wide, const struct series_info *info, struct err_text *error)
{
    const struct range *range = wide->options.range;
    struct member *member = calloc(1, sizeof(*member));
    if (!member)
        return ERR_NOMEM;
    choose_columns(wide, info, member);
    int rc = wide->n_columns + member->n_values > LIMIT_COLUMNS ? refuse_columns(error) : match_copy(&member->match, info);
    if (!rc && (array_grow(&wide->members, &wide->members_cap, wide->n_members + 1, sizeof(*wide->members)) ||
                array_grow(&wide->columns, &wide->columns_cap, wide->n_columns + member->n_values, sizeof(*wide->columns))))
        rc = ERR_NOMEM;
    if (rc) {
        free(member);
        return rc;
    }
    wide->members[wide->n_members++] = member;
    struct conversion conversion;
    rc = conversion_init_shown(&conversion, wide->options.units, range, &member->match.info, &member->shown);
    if (rc)
        return rc;
    for (size_t i = 0; i < member->n_values; i++) {
        enum agg agg = aggs_of(wide, member)[i];
        wide->columns[wide->n_columns++] = (struct wide_column){
            .info = &member->shown, .agg = agg, .type = sheet_type(range->raw ? AGG_N : (int)agg, info->kind)};
    }
    return 0;
}

const struct wide_column *wide_columns(const struct wide *wide, size_t *ret_n)
{
    *ret_n = wide->n_columns;
    return wide->columns;
}

/* ---- their names ---- */

struct named {
    char *name;
    uint32_t id;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int find_equal(struct named *named, size_t n, struct err_text *error)
{
    qsort(named, n, sizeof(*named), compare_names);
    for (size_t i = 1; i < n; i++)
        if (!strcmp(named[i - 1].name, named[i].name))
            return err_set_field(error, ERR_MEANING, "layout", "series %" PRIu32 " and %" PRIu32 " would both be columns named "
                                 "\"%.250s\": ask for one of them, or take layout=long", named[i - 1].id, named[i].id,
                                 named[i].name);
    return 0;
}

/* Entities may have points in them, so that a name can be read in two ways only where a property has one, too. */
int wide_check_names(const struct wide *wide, struct err_text *error)
{
    bool has_points = false;
    for (size_t i = 0; i < wide->n_members && !has_points; i++)
        has_points = strchr(wide->members[i]->match.info.property, '.');
    if (!has_points)
        return 0;
    struct named *named = calloc(wide->n_members, sizeof(*named));
    int rc = named ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < wide->n_members && !rc; i++) {
        const struct series_info *info = &wide->members[i]->match.info;
        named[i].id = info->id;
        if (asprintf(&named[i].name, "%s.%s", info->entity, info->property) < 0) {
            named[i].name = NULL;
            rc = ERR_NOMEM;
        }
    }
    rc = rc ? rc : find_equal(named, wide->n_members, error);
    for (size_t i = 0; i < wide->n_members && named; i++)
        free(named[i].name);
    free(named);
    return rc;
}

/* ---- a window is read ---- */

static int grow_times(struct wide *wide, size_t n)
{
    return array_grow(&wide->times, &wide->times_cap, wide->n_times + n, sizeof(*wide->times));
}

static int grow_cells(struct wide *wide, size_t n)
{
    if (array_grow(&wide->m, &wide->m_cap, wide->n_cells + n, sizeof(*wide->m)))
        return ERR_NOMEM;
    return array_grow(&wide->e, &wide->e_cap, wide->n_cells + n, sizeof(*wide->e));
}

static bool is_full(const struct wide *wide, size_t n_rows, size_t n_values)
{
    return wide->n_times + n_rows > wide->times_max || wide->n_cells + n_rows * n_values > wide->cells_max;
}

/* Readings: 1 when the window is full. */
static int read_points(struct wide *wide, struct lane *lane, enum kind kind, struct lot *lot)
{
    struct stretch stretch;
    int rc;
    while ((rc = lane_next_points(lane, wide->times_max, &stretch)) > 0) {
        const struct points *points = stretch.points;
        size_t n = stretch.end - stretch.begin;
        if (is_full(wide, n, 1))
            return 1;
        if (grow_times(wide, n) || grow_cells(wide, n))
            return ERR_NOMEM;
        memcpy(wide->times + wide->n_times, points->t_us + stretch.begin, n * sizeof(*wide->times));
        memcpy(wide->m + wide->n_cells, points->m + stretch.begin, n * sizeof(*wide->m));
        memcpy(wide->e + wide->n_cells, points->e + stretch.begin, n * sizeof(*wide->e));
        for (size_t i = 0; i < n && kind == KIND_STATE; i++) {
            const char *text = texts_at(&points->texts, points->m[stretch.begin + i]);
            if (texts_intern(&wide->store.texts, text, strlen(text), &wide->m[wide->n_cells + i]))
                return ERR_NOMEM;
            wide->e[wide->n_cells + i] = 0;
        }
        wide->n_times += n;
        wide->n_cells += n;
        lot->n += n;
    }
    return rc;
}

static int read_rows(struct wide *wide, struct lane *lane, size_t n_values, struct lot *lot)
{
    struct row row;
    int rc;
    while ((rc = lane_next(lane, &row)) > 0) {
        if (is_full(wide, 1, n_values))
            return 1;
        if (grow_times(wide, 1) || grow_cells(wide, n_values))
            return ERR_NOMEM;
        wide->times[wide->n_times++] = row.t_us;
        lot->n++;
        for (size_t i = 0; i < n_values; i++, wide->n_cells++) {
            rc = sheet_store_value(&wide->store, &row.values[i], &wide->m[wide->n_cells], &wide->e[wide->n_cells]);
            if (rc)
                return rc;
        }
    }
    return rc;
}

/* Most tables have series with the same times, which then stand there once. */
static void share_times(struct wide *wide, struct lot *lot, const struct lot *before)
{
    if (!lot->n || before->n != lot->n ||
        memcmp(wide->times + before->times, wide->times + lot->times, lot->n * sizeof(*wide->times)) != 0)
        return;
    wide->n_times = lot->times;
    lot->times = before->times;
}

/* One series: 1 when the window is full. */
static int read_series(struct wide *wide, size_t i)
{
    const struct member *member = wide->members[i];
    const struct range *range = wide->options.range;
    struct lot *lot = &wide->lots[i];
    struct lane_options options = {
        .range = range,
        .info = &member->match.info,
        .aggs = aggs_of(wide, member),
        .n_aggs = range->raw ? 0 : member->n_values,
        .has_tier = wide->options.has_tier,
        .tier = wide->options.tier,
        .begin_us = wide->begin_us,
        .end_us = wide->end_us,
    };
    struct lane *lane;
    struct series_info shown;
    *lot = (struct lot){.times = wide->n_times, .cells = wide->n_cells};
    int rc = conversion_init_shown(&options.conversion, wide->options.units, range, &member->match.info, &shown);
    rc = rc ? rc : lane_open(wide->options.view, &options, &lane);
    if (rc)
        return rc;
    rc = lane_has_points(lane) ? read_points(wide, lane, member->match.info.kind, lot)
                               : read_rows(wide, lane, member->n_values, lot);
    lane_close(lane);
    if (!rc && i)
        share_times(wide, lot, lot - 1);
    return rc;
}

/* ---- how long a window is ---- */

/* An end of the window about so many microseconds behind its begin; at least one bucket, and no part of one. */
static int64_t end_behind(const struct wide *wide, int64_t length_us)
{
    const struct range *range = wide->options.range;
    int64_t begin_us = wide->begin_us, end_us = range->to_us;
    if (length_us >= end_us - begin_us)
        return end_us;
    if (range->raw)
        return begin_us + (length_us > 1 ? length_us : 1);
    int64_t start_us = grid_start_us(&range->grid, begin_us + length_us);
    start_us = start_us > begin_us ? start_us : grid_next_us(&range->grid, begin_us);
    return start_us < end_us ? start_us : end_us;
}

/* The window was full with series i: a shorter one, with some room to spare. */
static void shorten(struct wide *wide, size_t i)
{
    int64_t length_us = wide->end_us - wide->begin_us;
    double share = (double)(i + 1) / (double)wide->n_members * 3 / 4;
    wide->end_us = end_behind(wide, (int64_t)((double)length_us * share));
    assert(wide->end_us - wide->begin_us < length_us); /* one bucket of every series fits */
}

/* Reads the next window: its end is the range's, or about as far as the one before, or farther when that had little in it. */
static int read_window(struct wide *wide)
{
    int64_t length_us = wide->end_us - wide->begin_us; /* of the window before */
    bool was_small = wide->n_cells < wide->cells_max / 4 && wide->n_times < wide->times_max / 4;
    if (wide->is_begun) {
        wide->begin_us = wide->end_us;
        length_us = was_small ? (length_us < INT64_MAX / 2 ? 2 * length_us : INT64_MAX) : length_us;
    }
    wide->end_us = end_behind(wide, wide->is_begun ? length_us : INT64_MAX);
    wide->is_begun = true;
    for (size_t i = 0; i < wide->n_members;) {
        if (!i) {
            wide->n_times = wide->n_cells = 0;
            sheet_store_clear(&wide->store);
        }
        int rc = read_series(wide, i);
        if (rc < 0)
            return rc;
        if (rc)
            shorten(wide, i);
        i = rc ? 0 : i + 1;
    }
    return 0;
}

/* ---- the times of the table ---- */

struct times {
    const int64_t *t_us;
    size_t n;
};

static bool are_equal(struct times a, struct times b)
{
    return a.n == b.n && (a.t_us == b.t_us || !a.n || !memcmp(a.t_us, b.t_us, a.n * sizeof(*a.t_us)));
}

static size_t merge(struct times a, struct times b, int64_t *out)
{
    size_t i = 0, k = 0, n = 0;
    while (i < a.n && k < b.n) {
        int64_t t_us = a.t_us[i] < b.t_us[k] ? a.t_us[i] : b.t_us[k];
        i += a.t_us[i] == t_us;
        k += b.t_us[k] == t_us;
        out[n++] = t_us;
    }
    memcpy(out + n, a.t_us + i, (a.n - i) * sizeof(*out));
    n += a.n - i;
    memcpy(out + n, b.t_us + k, (b.n - k) * sizeof(*out));
    return n + b.n - k;
}

/* Merges neighbours into half as many, in the memory `out`; what needs no merging and is a series' own stays where it is. */
static size_t merge_pairs(const struct wide *wide, struct times *all, size_t n, int64_t *out)
{
    size_t n_out = 0;
    for (size_t i = 0; i < n; i += 2) {
        struct times a = all[i], b = i + 1 < n ? all[i + 1] : a;
        bool own = a.t_us >= wide->times && a.t_us < wide->times + wide->n_times;
        if (own && are_equal(a, b)) {
            all[n_out++] = a;
            continue;
        }
        all[n_out].n = merge(a, b, out);
        all[n_out++].t_us = out;
        out += all[n_out - 1].n;
    }
    return n_out;
}

static int merge_times(struct wide *wide)
{
    size_t n = 0;
    struct times *all = calloc(wide->n_members, sizeof(*all));
    if (!all)
        return ERR_NOMEM;
    for (size_t i = 0; i < wide->n_members; i++) {
        struct times times = {wide->times + wide->lots[i].times, wide->lots[i].n};
        if (times.n && (!n || all[n - 1].t_us != times.t_us))
            all[n++] = times;
    }
    int rc = 0;
    for (int turn = 0; n > 1 && !rc; turn = !turn) {
        rc = array_grow(&wide->merged[turn], &wide->merged_cap[turn], wide->n_times, sizeof(*wide->merged[turn]));
        if (!rc)
            n = merge_pairs(wide, all, n, wide->merged[turn]);
    }
    wide->rows = n ? all[0].t_us : NULL;
    wide->n_rows = n ? all[0].n : 0;
    free(all);
    return rc;
}

/* Reads windows until one has rows: 1, 0 at the end of the range, or a code. */
static int load(struct wide *wide)
{
    if (!wide->lots)
        wide->lots = calloc(wide->n_members + 1, sizeof(*wide->lots));
    if (!wide->sheet)
        wide->sheet = calloc(wide->n_columns + 1, sizeof(*wide->sheet));
    if (!wide->lots || !wide->sheet)
        return ERR_NOMEM;
    while (wide->next_row == wide->n_rows) {
        int64_t done_us = wide->is_begun ? wide->end_us : wide->begin_us;
        if (done_us >= wide->options.range->to_us || wide->options.range->from_us >= wide->options.range->to_us)
            return 0;
        int rc = read_window(wide);
        if (!rc)
            rc = merge_times(wide);
        if (rc)
            return rc;
        wide->next_row = wide->n_spread = 0;
        for (size_t i = 0; i < wide->n_members; i++) {
            struct lot *lot = &wide->lots[i];
            struct times times = {wide->times + lot->times, lot->n}, rows = {wide->rows, wide->n_rows};
            lot->is_aligned = are_equal(times, rows);
            size_t n_values = wide->members[i]->n_values;
            wide->n_spread += lot->is_aligned && n_values == 1 ? 0 : n_values;
        }
    }
    return 1;
}

int wide_has_more(struct wide *wide)
{
    return load(wide);
}

/* ---- sheets ---- */

/* The cells of one series at the times of the sheet, each of its columns n cells after the one before. */
static void spread(struct wide *wide, size_t member, size_t n, int64_t *m, int8_t *e)
{
    struct lot *lot = &wide->lots[member];
    const int64_t *times = wide->times + lot->times, *rows = wide->rows + wide->next_row;
    size_t n_values = wide->members[member]->n_values;
    memset(m, 0, n * n_values * sizeof(*m));
    memset(e, (unsigned char)SHEET_OTHER, n * n_values);
    for (size_t row = 0; row < n && lot->next < lot->n; row++) {
        if (times[lot->next] != rows[row])
            continue;
        size_t cell = lot->cells + lot->next++ * n_values;
        for (size_t i = 0; i < n_values; i++) {
            m[i * n + row] = wide->m[cell + i];
            e[i * n + row] = wide->e[cell + i];
        }
    }
}

static int make_sheet(struct wide *wide, size_t n)
{
    size_t used = 0;
    if (array_grow(&wide->spread_m, &wide->spread_m_cap, wide->n_spread * n + 1, sizeof(*wide->spread_m)) ||
        array_grow(&wide->spread_e, &wide->spread_e_cap, wide->n_spread * n + 1, sizeof(*wide->spread_e)))
        return ERR_NOMEM;
    for (size_t i = 0; i < wide->n_members; i++) {
        const struct lot *lot = &wide->lots[i];
        size_t n_values = wide->members[i]->n_values;
        struct sheet_column *columns = &wide->sheet[wide->members[i]->column];
        if (lot->is_aligned && n_values == 1) {
            *columns = (struct sheet_column){wide->m + lot->cells + wide->next_row, wide->e + lot->cells + wide->next_row};
            continue;
        }
        spread(wide, i, n, wide->spread_m + used, wide->spread_e + used);
        for (size_t k = 0; k < n_values; k++, used += n)
            columns[k] = (struct sheet_column){wide->spread_m + used, wide->spread_e + used};
    }
    return 0;
}

int wide_next(struct wide *wide, size_t max, struct sheet *ret_sheet)
{
    int rc = load(wide);
    if (rc <= 0)
        return rc;
    size_t n = wide->n_rows - wide->next_row;
    n = n < max ? n : max;
    if (wide->n_spread && n > wide->spread_max / wide->n_spread)
        n = wide->spread_max / wide->n_spread;
    rc = make_sheet(wide, n);
    if (rc)
        return rc;
    *ret_sheet = (struct sheet){n, wide->n_columns, wide->rows + wide->next_row, wide->sheet, &wide->store.texts,
                                wide->store.exacts};
    wide->next_row += n;
    return 1;
}
