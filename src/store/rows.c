#include <config.h>

#include "store/rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "model/decimal.h"

void rows_free(struct rows *rows)
{
    free(rows->at);
    texts_free(&rows->texts);
    *rows = (struct rows){0};
}

void rows_clear(struct rows *rows)
{
    rows->n = 0;
    texts_clear(&rows->texts);
}

struct row *rows_add(struct rows *rows)
{
    if (array_grow(&rows->at, &rows->cap, rows->n + 1, sizeof(*rows->at)))
        return NULL;
    struct row *row = &rows->at[rows->n++];
    memset(row, 0, sizeof(*row));
    return row;
}

int rows_add_points(struct rows *rows, const struct points *points, size_t begin, size_t n, uint64_t order)
{
    if (array_grow(&rows->at, &rows->cap, rows->n + n, sizeof(*rows->at)))
        return ERR_NOMEM;
    for (size_t i = begin; i < begin + n; i++) {
        int64_t m = points->m[i];
        if (rows->is_state) {
            const char *text = texts_at(&points->texts, m);
            if (texts_intern(&rows->texts, text, strlen(text), &m))
                return ERR_NOMEM;
        }
        rows->at[rows->n++] = (struct row){.t_us = points->t_us[i], .issued_us = points->issued_us[i], .m = m,
                                           .period_us = points->period_us[i], .known_ms = points->known_ms[i],
                                           .order = order, .e = points->e[i],
                                           .quality = points->quality[i] & (uint8_t)~QUALITY_REPLAYED, .op = OP_VALUE,
                                           .replayed = points->quality[i] & QUALITY_REPLAYED};
    }
    return 0;
}

size_t rows_drop_before(struct rows *rows, int64_t t_us)
{
    size_t n = 0, n_values = 0;
    if (t_us == INT64_MIN)
        return 0;
    for (size_t i = 0; i < rows->n; i++) {
        struct row row = rows->at[i];
        if (row.t_us < t_us && row.op == OP_DELETE_RANGE && row.t_us + row.period_us > t_us) {
            row.period_us -= t_us - row.t_us;
            row.t_us = t_us;
        }
        n_values += row.t_us < t_us && row.op == OP_VALUE;
        if (row.t_us >= t_us)
            rows->at[n++] = row;
    }
    rows->n = n;
    return n_values;
}

void deletions_free(struct deletions *deletions)
{
    free(deletions->at);
    *deletions = (struct deletions){0};
}

int deletions_add(struct deletions *deletions, const struct deletion *deletion)
{
    if (array_grow(&deletions->at, &deletions->cap, deletions->n + 1, sizeof(*deletions->at)))
        return ERR_NOMEM;
    deletions->at[deletions->n++] = *deletion;
    return 0;
}

int rows_add_deletions(struct rows *rows, const struct deletions *deletions, int64_t begin_us, int64_t end_us, uint64_t order)
{
    for (size_t i = 0; i < deletions->n; i++) {
        const struct deletion *deletion = &deletions->at[i];
        if (deletion->begin_us >= end_us || deletion->end_us <= begin_us)
            continue;
        struct row *row = rows_add(rows);
        if (!row)
            return ERR_NOMEM;
        *row = (struct row){.t_us = deletion->begin_us, .period_us = deletion->end_us - deletion->begin_us,
                            .issued_us = deletion->issued_us, .known_ms = deletion->known_ms, .order = order,
                            .replayed = deletion->replayed,
                            .op = deletion->issued_us == ISSUED_NONE ? OP_DELETE_RANGE : OP_DELETE};
    }
    return 0;
}

/* ---- keys ---- */

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->t_us != y->t_us)
        return x->t_us < y->t_us ? -1 : 1;
    return x->issued_us < y->issued_us ? -1 : x->issued_us > y->issued_us;
}

static int compare_places(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = compare_keys(a, b);
    if (order || x->known_ms != y->known_ms)
        return order ? order : x->known_ms < y->known_ms ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

int keys_sort(const struct points *points, struct key **ret_keys)
{
    struct key *keys = malloc((points->n + 1) * sizeof(*keys));
    if (!keys)
        return ERR_NOMEM;
    for (size_t i = 0; i < points->n; i++)
        keys[i] = (struct key){points->t_us[i], points->issued_us[i], points->known_ms[i], i};
    qsort(keys, points->n, sizeof(*keys), compare_places);
    *ret_keys = keys;
    return 0;
}

bool points_same(const struct points *points, size_t i, size_t j, bool is_state)
{
    bool taken_back = points->quality[i] & QUALITY_TAKEN_BACK;
    return points->t_us[i] == points->t_us[j] && points->issued_us[i] == points->issued_us[j] &&
           points->known_ms[i] == points->known_ms[j] && points->quality[i] == points->quality[j] &&
           points->period_us[i] == points->period_us[j] && points->e[i] == points->e[j] &&
           (points->m[i] == points->m[j] ||
            (is_state && !taken_back && !strcmp(texts_at(&points->texts, points->m[i]), texts_at(&points->texts, points->m[j]))));
}

int rows_mark_again(struct rows *rows, uint64_t order, const struct points *revisions)
{
    struct key *keys;
    int rc = revisions->n ? keys_sort(revisions, &keys) : 0;
    if (rc || !revisions->n)
        return rc;
    for (size_t i = 0; i < rows->n; i++) {
        struct row *row = &rows->at[i];
        struct key key = {.t_us = row->t_us, .issued_us = row->issued_us};
        row->again = row->again || (row->order == order && bsearch(&key, keys, revisions->n, sizeof(*keys), compare_keys));
    }
    free(keys);
    return 0;
}

void settled_free(struct settled *settled)
{
    points_free(&settled->plain);
    points_free(&settled->issued);
    points_free(&settled->revisions);
    deletions_free(&settled->deletions);
}

/* ---- order ---- */

static int compare_rows(const struct row *a, const struct row *b)
{
    if (a->t_us != b->t_us)
        return a->t_us < b->t_us ? -1 : 1;
    if (a->issued_us != b->issued_us)
        return a->issued_us < b->issued_us ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Merges the sorted halves [0, middle) and [middle, n) of at into to; equal rows keep their order. */
static void merge_halves(const struct row *at, size_t middle, size_t n, struct row *to)
{
    size_t a = 0, b = middle;
    for (size_t i = 0; i < n; i++)
        to[i] = b == n || (a < middle && compare_rows(&at[a], &at[b]) <= 0) ? at[a++] : at[b++];
}

/* Sorts by merging, what is sorted already without moving it; scratch has room for n rows. */
static void merge_sort(struct row *at, size_t n, struct row *scratch)
{
    size_t middle = n / 2;
    if (n < 2)
        return;
    merge_sort(at, middle, scratch);
    merge_sort(at + middle, n - middle, scratch);
    if (compare_rows(&at[middle - 1], &at[middle]) <= 0)
        return;
    memcpy(scratch, at, n * sizeof(*at));
    merge_halves(scratch, middle, n, at);
}

/* A stable sort: qsort is not stable, and most inputs are in order but for a few. Takes the rows out that stand behind a
 * later one, sorts them, and merges them in from the back; those that equal one which was there stay behind it. */
static void sort_rows(struct row *at, size_t n, struct row *scratch)
{
    size_t kept = 1, late = 0;
    if (!n)
        return;
    for (size_t i = 1; i < n; i++) {
        if (compare_rows(&at[kept - 1], &at[i]) > 0)
            scratch[late++] = at[i];
        else if (kept++ < i)
            at[kept - 1] = at[i];
    }
    merge_sort(scratch, late, at + kept);
    for (size_t to = n; late; to--)
        at[to - 1] = kept && compare_rows(&at[kept - 1], &scratch[late - 1]) > 0 ? at[--kept] : scratch[--late];
}

/* ---- deletions of all issues that cover a time. A heap, newest on top: mostly only that one matters. ---- */

struct cover {
    const struct row **heap;
    size_t n;
};

/* By order, and of one layer by known-at. */
static bool is_newer(const struct row *a, const struct row *b)
{
    return a->order != b->order ? a->order > b->order : a->known_ms > b->known_ms;
}

static void cover_push(struct cover *cover, const struct row *row)
{
    size_t i = cover->n++;
    while (i && is_newer(row, cover->heap[(i - 1) / 2])) {
        cover->heap[i] = cover->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    cover->heap[i] = row;
}

static void cover_pop(struct cover *cover)
{
    const struct row *last = cover->heap[--cover->n];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < cover->n) {
        if (child + 1 < cover->n && is_newer(cover->heap[child + 1], cover->heap[child]))
            child++;
        if (!is_newer(cover->heap[child], last))
            break;
        cover->heap[i] = cover->heap[child];
        i = child;
    }
    cover->heap[i] = last;
}

/* Brings the newest deletion that covers t_us to the top, if there is one; times must come in ascending order. */
static void cover_at(struct cover *cover, const struct row *wide, size_t n_wide, size_t *next, int64_t t_us)
{
    while (*next < n_wide && wide[*next].t_us <= t_us)
        cover_push(cover, &wide[(*next)++]);
    while (cover->n && cover->heap[0]->t_us + cover->heap[0]->period_us <= t_us)
        cover_pop(cover);
}

/* The deletion that took the value of its time back: the first one that came after it, or NULL. */
static const struct row *first_after(struct cover *cover, const struct row *value)
{
    const struct row *first = NULL;
    if (!cover->n || cover->heap[0]->order <= value->order)
        return NULL;
    size_t n = cover->n;
    cover->n = 0;
    for (size_t i = 0; i < n; i++) { /* pushing moves only what was looked at */
        const struct row *row = cover->heap[i];
        if (row->t_us + row->period_us <= value->t_us)
            continue; /* it ended long ago, below others: forgotten, so that it is met only once */
        cover_push(cover, row);
        if (row->order > value->order && (!first || is_newer(first, row)))
            first = row;
    }
    return first;
}

/* ---- dead letters that are replayed: rare, so that nothing else has to be quick about them ---- */

static bool was_known_later(const struct row *row, const struct row *replayed)
{
    return row->known_ms > replayed->known_ms || (row->known_ms == replayed->known_ms && !row->replayed);
}

/* Moves the replayed rows of one time and issue down to their place: before the first row that was known later, and below
 * wide, the deletion of all issues there (or NULL) that was known last, where that is later. What arrived after stays after. */
static void place_replayed(struct row *at, size_t n, const struct row *wide)
{
    for (size_t i = 0; i < n; i++) {
        struct row row = at[i];
        if (!row.replayed)
            continue;
        bool covered = wide && wide->order < row.order && was_known_later(wide, &row);
        size_t to = 0;
        while (to < i && !was_known_later(&at[to], &row) && !(covered && at[to].order >= wide->order))
            to++;
        if (to < i)
            row.order = at[to].order;
        if (covered && row.order >= wide->order)
            row.order = wide->order - 1;
        memmove(&at[to + 1], &at[to], (i - to) * sizeof(*at));
        at[to] = row;
    }
}

/* Replayed deletions of all issues, by begin: unlike others each of them counts, at its own place. */
struct replayed {
    struct row *at, *group; /* group: room for all rows and deletions */
    size_t n, first;        /* those before first end before every time to come */
};

/* Of the deletions of all issues that cover t_us the one that was known last, or NULL. It need not be the newest one: a
 * deletion that is replayed is stored above others that were known later. */
static const struct row *known_last(const struct row *wide, size_t n_wide, int64_t t_us)
{
    const struct row *last = NULL;
    for (size_t i = 0; i < n_wide && wide[i].t_us <= t_us; i++)
        if (wide[i].t_us + wide[i].period_us > t_us && (!last || wide[i].known_ms > last->known_ms))
            last = &wide[i];
    return last;
}

static void insert_row(struct row *at, size_t *n, const struct row *row)
{
    size_t i = (*n)++;
    for (; i && at[i - 1].order > row->order; i--)
        at[i] = at[i - 1];
    at[i] = *row;
}

/* Gives the rows [0, *n) of one time and issue in the order of the history, with the replayed deletions of that time among
 * them as OP_DELETE_RANGE. */
static const struct row *order_history(struct replayed *replayed, const struct row *at, size_t *n, const struct row *wide,
                                       size_t n_wide)
{
    int64_t t_us = at->t_us;
    bool any = false;
    memcpy(replayed->group, at, *n * sizeof(*at));
    while (replayed->first < replayed->n &&
           replayed->at[replayed->first].t_us + replayed->at[replayed->first].period_us <= t_us)
        replayed->first++;
    for (size_t i = replayed->first; i < replayed->n && replayed->at[i].t_us <= t_us; i++) {
        struct row row = replayed->at[i];
        if (row.t_us + row.period_us <= t_us)
            continue;
        row.t_us = t_us;
        row.issued_us = at->issued_us;
        row.op = OP_DELETE_RANGE;
        insert_row(replayed->group, n, &row);
    }
    for (size_t i = 0; i < *n; i++)
        any = any || replayed->group[i].replayed;
    if (any)
        place_replayed(replayed->group, *n, known_last(wide, n_wide, t_us));
    return replayed->group;
}

/* ---- settling ---- */

static int put_point(struct points *to, const struct rows *rows, const struct row *row)
{
    if (points_reserve(to, 1))
        return ERR_NOMEM;
    size_t i = to->n;
    int64_t m = row->m;
    if (rows->is_state && row->op == OP_VALUE) {
        const char *text = texts_at(&rows->texts, m);
        if (texts_intern(&to->texts, text, strlen(text), &m))
            return ERR_NOMEM;
    }
    to->t_us[i] = row->t_us;
    to->m[i] = m;
    to->e[i] = row->e;
    to->quality[i] = row->quality | (row->replayed && rows->is_layer ? QUALITY_REPLAYED : 0);
    to->period_us[i] = row->period_us;
    to->issued_us[i] = row->issued_us;
    to->known_ms[i] = row->known_ms;
    to->n++;
    return 0;
}

static int put_revision(struct settled *settled, const struct rows *rows, const struct row *replaced)
{
    struct row row = *replaced;
    row.replayed = false;
    return put_point(&settled->revisions, rows, &row);
}

/* The value of replaced was in force until it was taken back at known_ms. */
static int put_taken_back(struct settled *settled, const struct rows *rows, const struct row *replaced, int64_t known_ms)
{
    struct row mark = {.t_us = replaced->t_us, .issued_us = replaced->issued_us, .known_ms = known_ms,
                       .quality = QUALITY_TAKEN_BACK, .op = OP_DELETE};
    int rc = put_revision(settled, rows, replaced);
    return rc ? rc : put_revision(settled, rows, &mark);
}

static int tell_deletion(struct settled *settled, const struct row *row, int64_t end_us)
{
    return row->witness ? 0 : deletions_add(&settled->deletions, &(struct deletion){row->t_us, end_us, row->issued_us,
                                                                                    row->known_ms, row->replayed});
}

/* A chunk may give 2 back as 20 * 10^-1: numbers are compared by what they are worth. */
static bool same_value(const struct row *a, const struct row *b)
{
    bool same_number = a->e == b->e ? a->m == b->m
                                    : decimal_compare((struct decimal){a->m, a->e}, (struct decimal){b->m, b->e}) == 0;
    return same_number && a->quality == b->quality && a->period_us == b->period_us;
}

/* Whether a deletion of all issues takes effect before a row. Those of one layer have one order, and their known-at tells. */
static bool comes_first(const struct row *wide, const struct row *row)
{
    if (wide->order != row->order)
        return wide->order < row->order;
    return row->op == OP_VALUE || wide->known_ms <= row->known_ms;
}

/* Applies the rows [0, n) of one time and issue, and the deletions of all issues there. */
static int settle_one(const struct rows *rows, const struct row *at, size_t n, struct cover *cover, struct settled *settled)
{
    const struct row *now = NULL;
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        const struct row *row = &at[i], *wide = now ? first_after(cover, now) : NULL;
        if (wide && comes_first(wide, row)) {
            rc = put_taken_back(settled, rows, now, wide->known_ms);
            now = NULL;
        }
        if (rc)
            break;
        if (row->op != OP_VALUE) {
            if (now)
                rc = put_taken_back(settled, rows, now, row->known_ms);
            now = NULL;
            if (!rc && row->op == OP_DELETE)
                rc = tell_deletion(settled, row, row->t_us + 1);
        } else if (!now || (row->again && row->known_ms != now->known_ms) || !same_value(now, row)) {
            if (now)
                rc = put_revision(settled, rows, now);
            now = row;
        }
    }
    const struct row *wide = now ? first_after(cover, now) : NULL;
    if (!rc && wide) {
        rc = put_taken_back(settled, rows, now, wide->known_ms);
        now = NULL;
    }
    if (!rc && now)
        rc = put_point(now->issued_us == ISSUED_NONE ? &settled->plain : &settled->issued, rows, now);
    return rc;
}

static bool takes_back_all(const struct row *row)
{
    return row->op == OP_DELETE_RANGE || (row->op == OP_DELETE && row->issued_us == ISSUED_NONE);
}

/* Moves the deletions of all issues out of rows into wide, as ranges, those that are replayed into replayed. */
static size_t part_wide(struct rows *rows, struct row *wide, struct replayed *replayed)
{
    size_t n = 0, n_wide = 0;
    for (size_t i = 0; i < rows->n; i++) {
        struct row row = rows->at[i];
        if (!takes_back_all(&row)) {
            rows->at[n++] = row;
            continue;
        }
        if (row.op == OP_DELETE)
            row.period_us = 1;
        row.issued_us = ISSUED_NONE;
        if (row.replayed)
            replayed->at[replayed->n++] = row;
        else
            wide[n_wide++] = row;
    }
    rows->n = n;
    return n_wide;
}

static int settle_all(struct rows *rows, const struct row *wide, size_t n_wide, struct cover *cover,
                      struct replayed *replayed, struct settled *settled)
{
    int rc = 0;
    size_t next_wide = 0;
    for (size_t i = 0; i < n_wide && !rc; i++)
        rc = tell_deletion(settled, &wide[i], wide[i].t_us + wide[i].period_us);
    for (size_t i = 0; i < replayed->n && !rc; i++)
        rc = tell_deletion(settled, &replayed->at[i], replayed->at[i].t_us + replayed->at[i].period_us);
    for (size_t i = 0, end; i < rows->n && !rc; i = end) {
        const struct row *first = &rows->at[i];
        for (end = i + 1; end < rows->n && rows->at[end].t_us == first->t_us &&
                          rows->at[end].issued_us == first->issued_us;)
            end++;
        cover_at(cover, wide, n_wide, &next_wide, first->t_us);
        size_t n = end - i;
        if (replayed->group)
            first = order_history(replayed, first, &n, wide, n_wide);
        rc = settle_one(rows, first, n, cover, settled);
    }
    return rc;
}

int rows_settle(struct rows *rows, struct settled *settled)
{
    points_clear(&settled->plain);
    points_clear(&settled->issued);
    points_clear(&settled->revisions);
    settled->deletions.n = 0;
    if (!rows->n)
        return 0;
    size_t n_wide = 0;
    bool any_replayed = false;
    for (size_t i = 0; i < rows->n; i++) {
        n_wide += takes_back_all(&rows->at[i]);
        any_replayed = any_replayed || rows->at[i].replayed;
    }
    struct row *scratch = malloc(rows->n * sizeof(*scratch));
    struct row *wide = malloc((n_wide + 1) * sizeof(*wide));
    struct replayed replayed = {.at = any_replayed ? malloc((n_wide + 1) * sizeof(*wide)) : NULL,
                                .group = any_replayed ? malloc(rows->n * sizeof(*wide)) : NULL};
    struct cover cover = {.heap = malloc((n_wide + 1) * sizeof(struct row *))};
    int rc = ERR_NOMEM;
    if (scratch && wide && cover.heap && (!any_replayed || (replayed.at && replayed.group))) {
        n_wide = part_wide(rows, wide, &replayed);
        sort_rows(wide, n_wide, scratch);
        sort_rows(replayed.at, replayed.n, scratch);
        sort_rows(rows->at, rows->n, scratch);
        rc = settle_all(rows, wide, n_wide, &cover, &replayed, settled);
    }
    free(scratch);
    free(wide);
    free(replayed.at);
    free(replayed.group);
    free(cover.heap);
    return rc;
}

int settled_in_force(const struct settled *settled, bool is_state, struct points *points)
{
    const struct points *plain = &settled->plain, *issued = &settled->issued;
    int rc = 0;
    for (size_t p = 0, i = 0; !rc && (p < plain->n || i < issued->n);) {
        if (p < plain->n && (i == issued->n || plain->t_us[p] <= issued->t_us[i])) {
            int64_t t_us = plain->t_us[p];
            rc = points_append(points, plain, p++, is_state);
            while (i < issued->n && issued->t_us[i] == t_us)
                i++;
        } else {
            int64_t t_us = issued->t_us[i];
            while (i + 1 < issued->n && issued->t_us[i + 1] == t_us)
                i++;
            rc = points_append(points, issued, i++, is_state);
        }
    }
    return rc;
}
