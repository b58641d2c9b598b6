#include <config.h>

#include "query/raw.h"

#include <stdlib.h>

#include "query/reduce.h"
#include "query/tally.h"

/* The reading before the range is looked for in this much time, then in ever more. */
#define BACK_US US_PER_HOUR
#define BACK_GROWTH 8

struct raw {
    struct raw_options options;
    struct view *view;
    enum quality worst;
    enum { BEFORE, WITHIN, AFTER, OVER } part; /* what comes next */
    struct scan *scan;
    struct points points;
    size_t next;
    bool is_plain;             /* rows are the readings at hand as they stand: nothing is left out, converted or a text */
    struct points before;      /* the reading before the range, alone */
    /* reduced: */
    bool is_reduced;
    struct reduction reduction;
    struct pixel held;         /* read already; of the next column */
    bool has_held;
    struct pixel pixels[4];
    size_t n_pixels, next_pixel;
    /* the row at hand */
    struct value value;
    struct exact room;
};

/* ---- readings ---- */

static int begin_scan(struct raw *raw, int64_t begin_us, int64_t end_us)
{
    unsigned want = raw->options.range->available ? POINTS_ISSUED | POINTS_KNOWN : 0;
    struct scan_options options = {begin_us, end_us, want, range_knowledge(raw->options.range)};
    scan_close(raw->scan);
    raw->scan = NULL;
    raw->points.n = raw->next = 0;
    return scan_open_known(raw->view, raw->options.info->id, &options, &raw->scan);
}

/* The next reading that is good enough is raw->points[*ret_i]. */
static int next_reading(struct raw *raw, size_t *ret_i)
{
    const struct points *points = &raw->points;
    for (;;) {
        while (raw->next < points->n) {
            size_t i = raw->next++;
            if (!tally_is_worse(points->quality[i], raw->worst)) {
                *ret_i = i;
                return 1;
            }
        }
        raw->next = 0;
        int rc = scan_next(raw->scan, &raw->points);
        if (rc <= 0)
            return rc;
    }
}

/* ---- rows ---- */

static int give_number(struct raw *raw, struct decimal value, struct value *ret_value)
{
    if (raw->options.conversion.to)
        return conversion_value(&raw->options.conversion, value, &raw->room, ret_value);
    *ret_value = (struct value){.type = VALUE_DECIMAL, .decimal = value};
    return 0;
}

static int give(struct raw *raw, const struct points *points, size_t i, enum bound bound, struct row *ret_row)
{
    int rc = 0;
    if (raw->options.info->kind == KIND_STATE)
        raw->value = (struct value){.type = VALUE_TEXT, .text = texts_at(&points->texts, points->m[i])};
    else
        rc = give_number(raw, (struct decimal){points->m[i], points->e[i]}, &raw->value);
    *ret_row = (struct row){.t_us = points->t_us[i], .quality = points->quality[i], .bound = bound, .values = &raw->value};
    if (raw->options.range->available)
        ret_row->available_us = points->issued_us[i] != ISSUED_NONE ? points->issued_us[i] : points->known_ms[i] * 1000;
    return rc ? rc : 1;
}

/* ---- the neighbours of the range ---- */

static int keep_before(struct raw *raw, const struct points *points, size_t i)
{
    points_clear(&raw->before);
    return points_append(&raw->before, points, i, raw->options.info->kind == KIND_STATE);
}

static bool is_acceptable(const struct raw *raw, const struct points *points, size_t i)
{
    struct knowledge knowledge = range_knowledge(raw->options.range);
    return !tally_is_worse(points->quality[i], raw->worst) && knowledge_has(&knowledge, points, i);
}

/* What has expired is older than what is left, but not always where there are several sources. */
static int look_at_carry(struct raw *raw)
{
    struct points carry = {0};
    int rc = view_carry(raw->view, raw->options.info->id, &carry);
    for (size_t i = 0; i < carry.n && !rc; i++)
        if (carry.t_us[i] < raw->options.range->from_us && is_acceptable(raw, &carry, i) &&
            (!raw->before.n || carry.t_us[i] > raw->before.t_us[0]))
            rc = keep_before(raw, &carry, i);
    points_free(&carry);
    return rc;
}

/* Keeps the last reading of the scan. */
static int keep_last(struct raw *raw)
{
    const struct points *points = &raw->points;
    int rc;
    while ((rc = scan_next(raw->scan, &raw->points)) > 0) {
        size_t n = points->n;
        while (n && tally_is_worse(points->quality[n - 1], raw->worst))
            n--;
        rc = n ? keep_before(raw, points, n - 1) : 0;
        if (rc)
            return rc;
    }
    return rc;
}

static int look_before(struct raw *raw)
{
    int64_t end_us = raw->options.range->from_us, back_us = BACK_US;
    int rc = 0;
    while (!raw->before.n && end_us > CIVIL_MIN_US && !rc) {
        int64_t begin_us = back_us < end_us - CIVIL_MIN_US ? end_us - back_us : CIVIL_MIN_US;
        rc = begin_scan(raw, begin_us, end_us);
        rc = rc ? rc : keep_last(raw);
        end_us = begin_us;
        back_us *= BACK_GROWTH;
    }
    return rc ? rc : look_at_carry(raw);
}

static int give_before(struct raw *raw, struct row *ret_row)
{
    int rc = look_before(raw);
    return rc || !raw->before.n ? rc : give(raw, &raw->before, 0, BOUND_BEFORE, ret_row);
}

static int give_after(struct raw *raw, struct row *ret_row)
{
    size_t i;
    int rc = begin_scan(raw, raw->options.range->to_us, CIVIL_END_US);
    rc = rc ? rc : next_reading(raw, &i);
    return rc <= 0 ? rc : give(raw, &raw->points, i, BOUND_AFTER, ret_row);
}

/* ---- reduced ---- */

/* Few readings stay as they are. */
static int is_more_than_points(struct raw *raw, bool *ret_more)
{
    const struct range *range = raw->options.range;
    int64_t n = 0;
    size_t i;
    int rc = begin_scan(raw, range->from_us, range->to_us);
    while (!rc && n <= range->points && (rc = next_reading(raw, &i)) > 0) {
        n++;
        rc = 0;
    }
    *ret_more = n > range->points;
    return rc;
}

static int next_pixel(struct raw *raw, struct pixel *ret_pixel)
{
    const struct points *points = &raw->points;
    size_t i;
    int rc = next_reading(raw, &i);
    if (rc > 0)
        *ret_pixel = (struct pixel){points->t_us[i], {points->m[i], points->e[i]}, points->quality[i]};
    return rc;
}

/* Reads the next column that has readings: 1, 0 at the end, or a code. */
static int read_column(struct raw *raw)
{
    int rc = raw->has_held ? 1 : next_pixel(raw, &raw->held);
    if (rc <= 0)
        return rc;
    int64_t end_us = reduction_begin_us(&raw->reduction, reduction_column(&raw->reduction, raw->held.t_us) + 1);
    do
        reduction_add(&raw->reduction, &raw->held);
    while ((rc = next_pixel(raw, &raw->held)) > 0 && raw->held.t_us < end_us);
    raw->has_held = rc > 0;
    raw->n_pixels = reduction_end(&raw->reduction, raw->pixels);
    raw->next_pixel = 0;
    return rc < 0 ? rc : 1;
}

static int give_pixel(struct raw *raw, struct row *ret_row)
{
    const struct pixel *pixel;
    int rc = 0;
    do { /* what an earlier page gave of a column is passed over */
        while (raw->next_pixel == raw->n_pixels)
            if ((rc = read_column(raw)) <= 0)
                return rc;
        pixel = &raw->pixels[raw->next_pixel++];
    } while (pixel->t_us < raw->options.begin_us);
    rc = give_number(raw, pixel->value, &raw->value);
    *ret_row = (struct row){.t_us = pixel->t_us, .quality = pixel->quality, .values = &raw->value};
    return rc ? rc : 1;
}

/* ---- part by part ---- */

/* The first instant to read: a column is read as a whole, also where an earlier page ended in it. */
static int64_t first_us(const struct raw *raw)
{
    int64_t begin_us = raw->options.begin_us;
    if (!raw->is_reduced || begin_us <= raw->options.range->from_us)
        return begin_us;
    return reduction_begin_us(&raw->reduction, reduction_column(&raw->reduction, begin_us - 1));
}

static int begin_within(struct raw *raw)
{
    const struct range *range = raw->options.range;
    int rc = 0;
    raw->part = WITHIN;
    if (range->reduce) {
        raw->reduction = (struct reduction){.reduce = range->reduce, .from_us = range->from_us, .to_us = range->to_us,
                                  .n_columns = range->points};
        rc = is_more_than_points(raw, &raw->is_reduced);
    }
    raw->is_plain = !raw->is_reduced && raw->worst == QUALITY_SUSPECT && !raw->options.conversion.to && !range->available &&
                    raw->options.info->kind != KIND_STATE;
    if (raw->is_plain)
        raw->value.type = VALUE_DECIMAL;
    return rc ? rc : begin_scan(raw, first_us(raw), raw->options.end_us);
}

int raw_open(struct view *view, const struct raw_options *options, struct raw **ret_raw)
{
    struct raw *raw = calloc(1, sizeof(*raw));
    if (!raw)
        return ERR_NOMEM;
    const struct range *range = options->range;
    raw->options = *options;
    raw->view = view;
    raw->worst = range_worst(range);
    raw->part = range->from_us < range->to_us ? BEFORE : OVER;
    int rc = raw->part == OVER || (range->bounds && !options->goes_on) ? 0 : begin_within(raw);
    if (rc) {
        raw_close(raw);
        return rc;
    }
    *ret_raw = raw;
    return 0;
}

static int give_within(struct raw *raw, struct row *ret_row)
{
    size_t i;
    if (raw->is_reduced)
        return give_pixel(raw, ret_row);
    int rc = next_reading(raw, &i);
    return rc > 0 ? give(raw, &raw->points, i, BOUND_NONE, ret_row) : rc;
}

static int end_part(struct raw *raw)
{
    raw->is_plain = false;
    if (raw->part == BEFORE)
        return begin_within(raw);
    raw->part = raw->part == WITHIN && raw->options.range->bounds ? AFTER : OVER;
    return 0;
}

int raw_next(struct raw *raw, struct row *ret_row)
{
    if (raw->is_plain && raw->next < raw->points.n) {
        const struct points *points = &raw->points;
        size_t i = raw->next++;
        raw->value.decimal = (struct decimal){points->m[i], points->e[i]};
        *ret_row = (struct row){.t_us = points->t_us[i], .quality = points->quality[i], .values = &raw->value};
        return 1;
    }
    while (raw->part != OVER) {
        bool alone = raw->part != WITHIN;
        int rc = !alone ? give_within(raw, ret_row) : raw->part == BEFORE ? give_before(raw, ret_row) : give_after(raw, ret_row);
        int ended = rc >= 0 && (alone || !rc) ? end_part(raw) : 0;
        if (rc || ended)
            return ended ? ended : rc;
    }
    return 0;
}

bool raw_has_points(const struct raw *raw)
{
    const struct range *range = raw->options.range;
    return !range->bounds && !range->reduce && !range->available && raw->worst == QUALITY_SUSPECT && !raw->options.conversion.to;
}

int raw_next_points(struct raw *raw, size_t max, struct stretch *ret_stretch)
{
    struct points *points = &raw->points;
    if (raw->part == OVER)
        return 0;
    if (raw->next == points->n) {
        raw->next = 0;
        int rc = scan_next(raw->scan, points);
        if (rc <= 0)
            return rc;
    }
    size_t begin = raw->next, n = points->n - begin;
    raw->next += n < max ? n : max;
    *ret_stretch = (struct stretch){points, begin, raw->next};
    return 1;
}

void raw_close(struct raw *raw)
{
    if (!raw)
        return;
    scan_close(raw->scan);
    points_free(&raw->points);
    points_free(&raw->before);
    free(raw);
}
