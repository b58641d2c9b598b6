#include <config.h>

#include "../lib/test.h"

#include "codec/points.h"

static void fill(struct points *points, size_t n)
{
    assert_int_equal(points_reserve(points, n), 0);
    for (size_t i = 0; i < n; i++) {
        points->t_us[i] = (int64_t)i;
        points->m[i] = -(int64_t)i;
        points->e[i] = (int8_t) - (int)(i % 20);
        points->quality[i] = (uint8_t)(i % 5);
        points->period_us[i] = (int64_t)i * 2;
        points->issued_us[i] = i % 2 ? (int64_t)i * 3 : ISSUED_NONE;
        points->known_ms[i] = (int64_t)i * 4;
    }
    points->n = n;
}

static void appended_rows_equal_their_originals(void **state)
{
    (void)state;
    struct points a = {0}, b = {0};
    fill(&a, 1000);
    for (size_t i = 0; i < a.n; i++)
        assert_int_equal(points_append(&b, &a, i, false), 0);
    assert_int_equal(b.n, a.n);
    assert_memory_equal(a.t_us, b.t_us, a.n * sizeof *a.t_us);
    assert_memory_equal(a.m, b.m, a.n * sizeof *a.m);
    assert_memory_equal(a.e, b.e, a.n * sizeof *a.e);
    assert_memory_equal(a.quality, b.quality, a.n * sizeof *a.quality);
    assert_memory_equal(a.period_us, b.period_us, a.n * sizeof *a.period_us);
    assert_memory_equal(a.issued_us, b.issued_us, a.n * sizeof *a.issued_us);
    assert_memory_equal(a.known_ms, b.known_ms, a.n * sizeof *a.known_ms);
    points_free(&a);
    points_free(&b);
}

static void states_keep_their_text_under_another_index(void **state)
{
    (void)state;
    struct points a = {0}, b = {0};
    fill(&a, 3);
    static const char *const texts[] = {"open", "shut", "open"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(texts_intern(&a.texts, texts[i], strlen(texts[i]), &a.m[i]), 0);
    int64_t other;
    assert_int_equal(texts_intern(&b.texts, "something else", 14, &other), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(points_append(&b, &a, i, true), 0);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(texts_at(&b.texts, b.m[i]), texts[i]);
    assert_int_not_equal(b.m[0], a.m[0]);
    assert_int_equal(b.m[0], b.m[2]);
    points_free(&a);
    points_free(&b);
}

static void clear_keeps_the_memory_and_free_gives_an_empty_struct(void **state)
{
    (void)state;
    struct points points = {0};
    fill(&points, 100);
    size_t cap = points.cap;
    int64_t *t_us = points.t_us;
    points_clear(&points);
    assert_int_equal(points.n, 0);
    assert_int_equal(points.cap, cap);
    assert_ptr_equal(points.t_us, t_us);
    points_free(&points);
    assert_int_equal(points.cap, 0);
    assert_null(points.t_us);
    points_free(&points);
    points_free(NULL);
}

static void an_absurd_number_of_rows_is_refused_and_nothing_is_lost(void **state)
{
    (void)state;
    struct points points = {0};
    fill(&points, 10);
    assert_int_equal(points_reserve(&points, SIZE_MAX), ERR_NOMEM);
    assert_int_equal(points_reserve(&points, SIZE_MAX / 8), ERR_NOMEM);
    assert_int_equal(points.n, 10);
    assert_int_equal(points.t_us[9], 9);
    points_free(&points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_rows_equal_their_originals),
        cmocka_unit_test(states_keep_their_text_under_another_index),
        cmocka_unit_test(clear_keeps_the_memory_and_free_gives_an_empty_struct),
        cmocka_unit_test(an_absurd_number_of_rows_is_refused_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
