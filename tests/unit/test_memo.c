/* What the catalog said is given again, and not what it said of another series. */
#include <config.h>

#include "../lib/test.h"
#include "store/memo.h"

#include <stdio.h>

static void keep(struct memo *memo, uint32_t id)
{
    char entity[32], property[32];
    int64_t sources[] = {id, id + 1, id + 2};
    snprintf(entity, sizeof(entity), "meter-%u", id);
    snprintf(property, sizeof(property), "p%u", id % 7);
    memo_keep_row(memo, &(struct series_info){.id = id, .entity = entity, .type = "T", .property = property, .unit = "",
                                              .kind = KIND_COUNTER, .step = id % 2, .cadence_us = id});
    memo_keep_places(memo, id, &(struct memo_places){KIND_COUNTER, sources, id % 4});
}

static void expect(const struct memo *memo, uint32_t id)
{
    char entity[32], property[32];
    struct series_info row;
    struct memo_places places;
    snprintf(entity, sizeof(entity), "meter-%u", id);
    snprintf(property, sizeof(property), "p%u", id % 7);
    assert_true(memo_row(memo, id, &row));
    assert_int_equal(row.id, id);
    assert_string_equal(row.entity, entity);
    assert_string_equal(row.type, "T");
    assert_string_equal(row.property, property);
    assert_string_equal(row.unit, "");
    assert_int_equal(row.kind, KIND_COUNTER);
    assert_int_equal(row.step, id % 2);
    assert_int_equal(row.cadence_us, id);
    assert_true(memo_places(memo, id, &places));
    assert_int_equal(places.kind, KIND_COUNTER);
    assert_int_equal(places.n, id % 4);
    for (size_t i = 0; i < places.n; i++)
        assert_int_equal(places.sources[i], id + i);
}

static void a_series_is_found_as_it_was_kept(void **state)
{
    struct memo *memo = memo_new();
    (void)state;
    assert_non_null(memo);
    for (uint32_t id = 1; id < 300; id++)
        keep(memo, id);
    for (uint32_t id = 1; id < 300; id++)
        expect(memo, id);
    keep(memo, 7); /* anew */
    expect(memo, 7);
    memo_free(memo);
}

static void a_series_is_never_taken_for_another(void **state)
{
    struct memo *memo = memo_new();
    struct series_info row;
    struct memo_places places;
    (void)state;
    assert_non_null(memo);
    assert_false(memo_row(memo, 5, &row));
    assert_false(memo_places(memo, 5, &places));
    keep(memo, 5);
    for (uint32_t bit = 1; bit; bit <<= 1)
        assert_true(!memo_row(memo, 5 ^ bit, &row) && !memo_places(memo, 5 ^ bit, &places));
    keep(memo, 5 + (1U << 20)); /* may take its place */
    expect(memo, 5 + (1U << 20));
    if (memo_row(memo, 5, &row))
        expect(memo, 5);
    memo_free(memo);
}

static void nothing_is_left_after_a_clear(void **state)
{
    struct memo *memo = memo_new();
    struct series_info row;
    struct memo_places places;
    (void)state;
    assert_non_null(memo);
    keep(memo, 5);
    memo_clear(memo);
    assert_false(memo_row(memo, 5, &row));
    assert_false(memo_places(memo, 5, &places));
    memo_free(memo);
    memo_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_is_found_as_it_was_kept),
        cmocka_unit_test(a_series_is_never_taken_for_another),
        cmocka_unit_test(nothing_is_left_after_a_clear),
    };
    return cmocka_run_group_tests_name("memo", tests, NULL, NULL);
}
