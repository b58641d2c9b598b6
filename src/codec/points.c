#include <config.h>

#include "codec/points.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void points_free(struct points *points)
{
    if (!points)
        return;
    free(points->t_us);
    free(points->m);
    free(points->e);
    free(points->quality);
    free(points->period_us);
    free(points->issued_us);
    free(points->known_ms);
    texts_free(&points->texts);
    *points = (struct points){0};
}

void points_clear(struct points *points)
{
    points->n = 0;
    texts_clear(&points->texts);
}

/* Gives the array that the pointer at column points to room for cap rows of size bytes. */
static bool grow(void *column, size_t cap, size_t size)
{
    void *memory;
    memcpy(&memory, column, sizeof memory);
    memory = reallocarray(memory, cap, size);
    if (!memory)
        return false;
    memcpy(column, &memory, sizeof memory);
    return true;
}

int points_reserve(struct points *points, size_t n_more)
{
    size_t need, cap = points->cap ? points->cap : 64;
    if (__builtin_add_overflow(points->n, n_more, &need) || need > SIZE_MAX / 64)
        return ERR_NOMEM;
    if (need <= points->cap)
        return 0;
    while (cap < need)
        cap *= 2;
    /* A column that has grown before another one fails is merely larger than cap says. */
    if (!grow(&points->t_us, cap, sizeof *points->t_us) ||
        !grow(&points->m, cap, sizeof *points->m) || !grow(&points->e, cap, sizeof *points->e) ||
        !grow(&points->quality, cap, sizeof *points->quality) ||
        !grow(&points->period_us, cap, sizeof *points->period_us) ||
        !grow(&points->issued_us, cap, sizeof *points->issued_us) ||
        !grow(&points->known_ms, cap, sizeof *points->known_ms))
        return ERR_NOMEM;
    points->cap = cap;
    return 0;
}

int points_append(struct points *points, const struct points *other, size_t i, bool is_state)
{
    int rc = points_reserve(points, 1);
    if (rc)
        return rc;
    int64_t m = other->m[i];
    if (is_state) {
        const char *text = texts_at(&other->texts, m);
        rc = texts_intern(&points->texts, text, strlen(text), &m);
        if (rc)
            return rc;
    }
    size_t at = points->n++;
    points->t_us[at] = other->t_us[i];
    points->m[at] = m;
    points->e[at] = other->e[i];
    points->quality[at] = other->quality[i];
    points->period_us[at] = other->period_us[i];
    points->issued_us[at] = other->issued_us[i];
    points->known_ms[at] = other->known_ms[i];
    return 0;
}

size_t points_seek(const struct points *points, size_t begin, int64_t t_us)
{
    size_t low = begin, high = points->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (points->t_us[middle] < t_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
