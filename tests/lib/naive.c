#include <config.h>

#include "naive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/reading.h"

static void *grow(void *at, size_t n, size_t size)
{
    void *moved = realloc(at, n * size);
    if (!moved)
        abort();
    return moved;
}

void naive_free(struct naive *naive)
{
    for (size_t i = 0; i < naive->n; i++)
        free(naive->keys[i].history);
    free(naive->keys);
    *naive = (struct naive){0};
}

const struct naive_key *naive_find(const struct naive *naive, uint32_t series, int64_t t_us, int64_t issued_us)
{
    for (size_t i = 0; i < naive->n; i++) {
        const struct naive_key *key = &naive->keys[i];
        if (key->series == series && key->t_us == t_us && key->issued_us == issued_us)
            return key;
    }
    return NULL;
}

static void add_history(struct naive_key *key, const struct naive_value *value)
{
    key->history = grow(key->history, key->n + 1, sizeof(*key->history));
    key->history[key->n++] = *value;
}

const struct naive_value *naive_now(const struct naive_key *key)
{
    return key && key->n && !key->history[key->n - 1].taken_back ? &key->history[key->n - 1] : NULL;
}

static bool same_number(int64_t ma, int ea, int64_t mb, int eb)
{
    for (; ma && ma % 10 == 0; ea++)
        ma /= 10;
    for (; mb && mb % 10 == 0; eb++)
        mb /= 10;
    return ma == mb && (ea == eb || !ma);
}

bool naive_equal(const struct naive_value *a, const struct naive_value *b)
{
    if (a->taken_back || b->taken_back)
        return a->taken_back == b->taken_back;
    return same_number(a->m, a->e, b->m, b->e) && strcmp(a->text, b->text) == 0 && a->quality == b->quality &&
           a->period_us == b->period_us;
}

static struct naive_key *make_key(struct naive *naive, uint32_t series, int64_t t_us, int64_t issued_us)
{
    struct naive_key *key = (struct naive_key *)naive_find(naive, series, t_us, issued_us);
    if (key)
        return key;
    naive->keys = grow(naive->keys, naive->n + 1, sizeof(*naive->keys));
    key = &naive->keys[naive->n++];
    *key = (struct naive_key){.series = series, .t_us = t_us, .issued_us = issued_us};
    return key;
}

void naive_append(struct naive *naive, uint32_t series, int64_t t_us, int64_t issued_us,
                  const struct naive_value *value)
{
    add_history(make_key(naive, series, t_us, issued_us), value);
}

void naive_put(struct naive *naive, uint32_t series, int64_t t_us, int64_t issued_us, const struct naive_value *value)
{
    struct naive_key *key = make_key(naive, series, t_us, issued_us);
    const struct naive_value *now = naive_now(key);
    if (!now || !naive_equal(now, value))
        add_history(key, value);
}

void naive_delete(struct naive *naive, uint32_t series, int64_t begin_us, int64_t end_us, int64_t issued_us,
                  int64_t known_ms)
{
    struct naive_value mark = {.known_ms = known_ms, .taken_back = true};
    for (size_t i = 0; i < naive->n; i++) {
        struct naive_key *key = &naive->keys[i];
        if (key->series == series && key->t_us >= begin_us && key->t_us < end_us &&
            (issued_us == ISSUED_NONE || key->issued_us == issued_us) && naive_now(key))
            add_history(key, &mark);
    }
}

const struct naive_value *naive_as_of(const struct naive_key *key, int64_t known_ms)
{
    const struct naive_value *best = NULL;
    for (size_t i = 0; key && i < key->n; i++)
        if (key->history[i].known_ms <= known_ms && (!best || key->history[i].known_ms >= best->known_ms))
            best = &key->history[i];
    return best && !best->taken_back ? best : NULL;
}

size_t naive_n_in_force(const struct naive *naive)
{
    size_t n = 0;
    for (size_t i = 0; i < naive->n; i++)
        n += naive_now(&naive->keys[i]) != NULL;
    return n;
}

static void describe(const struct naive_value *value, char out[static 120])
{
    if (!value)
        snprintf(out, 120, "nothing");
    else
        snprintf(out, 120, "%lldE%d \"%.30s\" quality %u period %lld", (long long)value->m, value->e, value->text,
                 value->quality, (long long)value->period_us);
}

static bool differ(const struct naive_key *key, const struct naive_value *expected, const struct naive_value *found,
                   char out[static 400])
{
    if ((!expected && !found) || (expected && found && naive_equal(expected, found)))
        return false;
    char expected_text[120], found_text[120];
    describe(expected, expected_text);
    describe(found, found_text);
    snprintf(out, 400, "series %u at %lld, issue %lld: expected %s, found %s", key->series, (long long)key->t_us,
             (long long)key->issued_us, expected_text, found_text);
    return true;
}

static const struct naive_value *now_of(const struct naive *naive, const struct naive_key *key)
{
    return naive_now(naive_find(naive, key->series, key->t_us, key->issued_us));
}

void naive_difference(const struct naive *expected, const struct naive *found, char out[static 400])
{
    *out = '\0';
    for (size_t i = 0; i < expected->n; i++)
        if (differ(&expected->keys[i], naive_now(&expected->keys[i]), now_of(found, &expected->keys[i]), out))
            return;
    for (size_t i = 0; i < found->n; i++)
        if (differ(&found->keys[i], now_of(expected, &found->keys[i]), naive_now(&found->keys[i]), out))
            return;
}

void naive_history_difference(const struct naive *expected, const struct naive *found, char out[static 400])
{
    *out = '\0';
    for (size_t i = 0; i < expected->n; i++) {
        const struct naive_key *key = &expected->keys[i];
        const struct naive_key *other = naive_find(found, key->series, key->t_us, key->issued_us);
        for (size_t h = 0; h < key->n; h++) {
            int64_t known_ms = key->history[h].known_ms;
            if (differ(key, naive_as_of(key, known_ms), naive_as_of(other, known_ms), out) ||
                differ(key, naive_as_of(key, known_ms - 1), naive_as_of(other, known_ms - 1), out))
                return;
        }
    }
}
