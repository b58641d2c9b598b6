#include <config.h>

#include "store/revisions.h"

#include <stdlib.h>

/* When the reading that is in force at the key became known; false where there is none. *from moves on through points, which
 * are ordered as the keys that are asked for. */
static bool find_known(const struct points *points, size_t *from, const struct key *key, int64_t *ret_known_ms)
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
    const struct key *at;
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
    struct key *keys;
    size_t plain_i = 0, issued_i = 0;
    int rc = keys_sort(points, &keys);
    if (rc)
        return rc;
    for (size_t i = 0, end; i < points->n && !rc; i = end) {
        const struct key *key = &keys[i];
        for (end = i + 1; end < points->n && keys[end].t_us == key->t_us && keys[end].issued_us == key->issued_us;)
            end++;
        struct history history = {.points = points, .at = key, .n = end - i};
        bool is_plain = key->issued_us == ISSUED_NONE;
        history.has_now = find_known(is_plain ? &settled->plain : &settled->issued, is_plain ? &plain_i : &issued_i, key,
                                     &history.now_ms);
        size_t first = count_old(&history, cut);
        note_next(&history, first, cut);
        for (size_t r = first; r < history.n && !rc; r++)
            if (r == first || !points_same(points, key[r - 1].i, key[r].i, is_state)) /* a replay may tell one twice */
                rc = points_append(kept, points, key[r].i, is_state);
    }
    free(keys);
    return rc;
}
