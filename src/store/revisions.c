#include <config.h>

#include "store/revisions.h"

#include <stdlib.h>

void revisions_free(struct revisions *revisions)
{
    free(revisions->at);
    *revisions = (struct revisions){0};
}

static int compare_keys(const void *a, const void *b)
{
    const struct revision *x = a, *y = b;
    if (x->t_us != y->t_us)
        return x->t_us < y->t_us ? -1 : 1;
    return x->issued_us < y->issued_us ? -1 : x->issued_us > y->issued_us;
}

static int compare_revisions(const void *a, const void *b)
{
    const struct revision *x = a, *y = b;
    int order = compare_keys(a, b);
    return order ? order : x->i < y->i ? -1 : x->i > y->i;
}

int revisions_sort(const struct points *points, struct revisions *ret_revisions)
{
    struct revision *at = malloc((points->n + 1) * sizeof(*at));
    if (!at)
        return ERR_NOMEM;
    for (size_t i = 0; i < points->n; i++)
        at[i] = (struct revision){points->t_us[i], points->issued_us[i], i};
    qsort(at, points->n, sizeof(*at), compare_revisions);
    *ret_revisions = (struct revisions){at, points->n};
    return 0;
}

bool revisions_have(const struct revisions *revisions, int64_t t_us, int64_t issued_us)
{
    struct revision key = {t_us, issued_us, 0};
    return revisions->n && bsearch(&key, revisions->at, revisions->n, sizeof(*revisions->at), compare_keys);
}

/* When the reading that is in force at the key became known; false where there is none. *from moves on through points, which
 * are ordered as the keys that are asked for. */
static bool find_known(const struct points *points, size_t *from, const struct revision *key, int64_t *ret_known_ms)
{
    while (*from < points->n &&
           (points->t_us[*from] < key->t_us ||
            (points->t_us[*from] == key->t_us && points->issued_us[*from] < key->issued_us)))
        ++*from;
    if (*from == points->n || points->t_us[*from] != key->t_us || points->issued_us[*from] != key->issued_us)
        return false;
    *ret_known_ms = points->known_ms[*from];
    return true;
}

/* One time and issue: revisions [0, n) and, where has_now, what is in force. */
struct history {
    const struct points *points;
    const struct revision *at;
    size_t n;
    bool has_now;
    int64_t now_ms;
};

static int64_t known_ms(const struct history *history, size_t i)
{
    int64_t known = i < history->n ? history->points->known_ms[history->at[i].i] : history->now_ms;
    return known > 1 ? known : 1; /* 0 says none */
}

/* Nothing was in force from this revision on: nobody misses it when it comes first. */
static bool is_taken_back(const struct history *history, size_t i)
{
    return i < history->n && history->points->quality[history->at[i].i] & QUALITY_TAKEN_BACK;
}

/* How many revisions go: those before the last thing that was known by then. Times may go back, so the last one counts. */
static size_t count_old(const struct history *history, struct revisions_cut *cut)
{
    for (size_t i = history->n + history->has_now; i--;) {
        if (known_ms(history, i) > cut->before_ms)
            continue;
        size_t n = is_taken_back(history, i) ? i + 1 : i;
        if (n && known_ms(history, i) > cut->horizon_ms)
            cut->horizon_ms = known_ms(history, i);
        return n;
    }
    return 0;
}

/* Of those from first on: the next time at which some may go. */
static void note_next(const struct history *history, size_t first, struct revisions_cut *cut)
{
    for (size_t i = first; first < history->n && i < history->n + history->has_now; i++)
        if ((i > first || is_taken_back(history, i)) && (!cut->replaced_ms || known_ms(history, i) < cut->replaced_ms))
            cut->replaced_ms = known_ms(history, i);
}

int revisions_keep(const struct points *points, const struct settled *settled, bool is_state, struct revisions_cut *cut,
                   struct points *kept)
{
    struct revisions all = {0};
    size_t plain_i = 0, issued_i = 0;
    int rc = revisions_sort(points, &all);
    for (size_t i = 0, end; i < all.n && !rc; i = end) {
        const struct revision *key = &all.at[i];
        for (end = i + 1; end < all.n && compare_keys(key, &all.at[end]) == 0;)
            end++;
        struct history history = {.points = points, .at = key, .n = end - i};
        bool is_plain = key->issued_us == ISSUED_NONE;
        history.has_now = find_known(is_plain ? &settled->plain : &settled->issued, is_plain ? &plain_i : &issued_i, key,
                                     &history.now_ms);
        size_t first = count_old(&history, cut);
        note_next(&history, first, cut);
        for (size_t r = first; r < history.n && !rc; r++)
            rc = points_append(kept, points, key[r].i, is_state);
    }
    revisions_free(&all);
    return rc;
}
