#include <config.h>

#include "store/carry.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"

void carries_free(struct carries *carries)
{
    for (size_t i = 0; i < carries->n; i++)
        free(carries->at[i].state);
    free(carries->at);
    *carries = (struct carries){0};
}

static unsigned class_of(uint8_t quality)
{
    unsigned class = quality & QUALITY_CLASS_MASK;
    return class < QUALITY_N ? class : QUALITY_SUSPECT;
}

static int add(struct carries *carries, uint32_t series_id, bool is_state, const struct points *points, size_t i)
{
    if (array_grow(&carries->at, &carries->cap, carries->n + 1, sizeof(*carries->at)))
        return ERR_NOMEM;
    struct carry carry = {.series_id = series_id, .t_us = points->t_us[i], .issued_us = points->issued_us[i],
                          .period_us = points->period_us[i], .known_ms = points->known_ms[i], .m = points->m[i],
                          .first_us = points->t_us[0], .e = points->e[i], .quality = points->quality[i]};
    if (is_state && !(carry.state = strdup(texts_at(&points->texts, points->m[i]))))
        return ERR_NOMEM;
    carry.m = is_state ? 0 : carry.m;
    carries->at[carries->n++] = carry;
    return 0;
}

int carries_add(struct carries *carries, uint32_t series_id, bool is_state, const struct points *points)
{
    unsigned found = 0;
    int rc = 0;
    for (size_t i = points->n; i-- && found != (1u << QUALITY_N) - 1 && !rc;) {
        unsigned class = class_of(points->quality[i]);
        if (!(found >> class & 1))
            rc = add(carries, series_id, is_state, points, i);
        found |= 1u << class;
    }
    return rc;
}

void carry_bind(sqlite3_stmt *stmt, const struct carry *carry)
{
    db_bind_i64(stmt, ":series", carry->series_id);
    db_bind_i64(stmt, ":quality", class_of(carry->quality));
    db_bind_i64(stmt, ":t_us", carry->t_us);
    db_bind_i64(stmt, ":issued_us", carry->issued_us);
    db_bind_i64(stmt, ":period_us", carry->period_us);
    db_bind_i64(stmt, ":known_ms", carry->known_ms);
    db_bind_i64(stmt, ":flags", carry->quality);
    db_bind_i64(stmt, ":m", carry->m);
    db_bind_i64(stmt, ":e", carry->e);
    if (carry->state)
        db_bind_text(stmt, ":state", carry->state);
    db_bind_i64(stmt, ":first_us", carry->first_us);
}

int carry_read(sqlite3_stmt *stmt, struct points *points)
{
    if (points_reserve(points, 1))
        return ERR_NOMEM;
    size_t i = points->n;
    const char *state = (const char *)sqlite3_column_text(stmt, 8);
    points->t_us[i] = sqlite3_column_int64(stmt, 1);
    points->issued_us[i] = sqlite3_column_int64(stmt, 2);
    points->period_us[i] = sqlite3_column_int64(stmt, 3);
    points->known_ms[i] = sqlite3_column_int64(stmt, 4);
    points->quality[i] = (uint8_t)sqlite3_column_int(stmt, 5);
    points->m[i] = sqlite3_column_int64(stmt, 6);
    points->e[i] = (int8_t)sqlite3_column_int(stmt, 7);
    if (state && texts_intern(&points->texts, state, strlen(state), &points->m[i]))
        return ERR_NOMEM;
    points->n++;
    return 0;
}
