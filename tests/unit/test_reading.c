#include <config.h>

#include "test.h"

#include <stdio.h>

#include "model/reading.h"

static void same_text_has_the_same_index(void **state)
{
    (void)state;
    struct texts texts = {0};
    int64_t a, b, again, empty;
    assert_int_equal(texts_intern(&texts, "charging", 8, &a), 0);
    assert_int_equal(texts_intern(&texts, "charge", 6, &b), 0);
    assert_int_equal(texts_intern(&texts, "charging, not", 8, &again), 0);
    assert_int_equal(texts_intern(&texts, "", 0, &empty), 0);
    assert_int_equal(a, again);
    assert_int_not_equal(a, b);
    assert_int_equal(empty, 0);
    assert_string_equal(texts_at(&texts, a), "charging");
    assert_string_equal(texts_at(&texts, 0), "");
    assert_string_equal(texts_at(&texts, 99), "");
    texts_free(&texts);
}

static void many_texts_are_found_again_also_after_some_were_taken_back(void **state)
{
    (void)state;
    struct texts texts = {0};
    char text[32];
    int64_t i;
    for (int round = 0; round < 3; round++) {
        for (int n = 1; n <= 5000; n++) {
            size_t size = (size_t)snprintf(text, sizeof text, "state %d", n);
            assert_int_equal(texts_intern(&texts, text, size, &i), 0);
            assert_int_equal(i, n);
            assert_string_equal(texts_at(&texts, i), text);
        }
        assert_int_equal(texts.n, 5001);
        texts_forget(&texts, round == 1 ? 0 : 1234);
        assert_int_equal(texts.n, round == 1 ? 0 : 1234);
    }
    texts_clear(&texts);
    assert_int_equal(texts_intern(&texts, "state 77", 8, &i), 0);
    assert_int_equal(i, 1);
    texts_free(&texts);
}

static void qualities_have_names_and_an_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < QUALITY_N; i++) {
        enum quality quality;
        const char *name = quality_name((enum quality)i);
        assert_int_equal(quality_parse(name, strlen(name), &quality), 0);
        assert_int_equal(quality, i);
    }
    enum quality untouched = QUALITY_SUSPECT;
    assert_int_equal(quality_parse("measured!", 9, &untouched), ERR_INVALID);
    assert_int_equal(quality_parse("", 0, &untouched), ERR_INVALID);
    assert_int_equal(untouched, QUALITY_SUSPECT);
    assert_true(QUALITY_MEASURED < QUALITY_EDITED && QUALITY_EDITED < QUALITY_DERIVED);
    assert_true(QUALITY_DERIVED < QUALITY_ESTIMATED && QUALITY_ESTIMATED < QUALITY_SUSPECT);
}

static void a_payload_is_kept_once_for_the_refusals_of_one_object(void **state)
{
    (void)state;
    static const char first[] = "{\"a\":1}", second[] = "{\"b\":1}";
    struct batch batch;
    batch_init(&batch);
    assert_int_equal(batch.first_offset, -1);
    assert_int_equal(batch_refuse(&batch, REFUSED_NUMBER, 7, 70, "a", 1, 3, first, 7, "slot %d", 3), 0);
    assert_int_equal(batch_refuse(&batch, REFUSED_UNIT, 7, 70, "b", 1, -1, first, 7, "unit"), 0);
    assert_int_equal(batch_refuse(&batch, REFUSED_JSON, 7, 70, "", 0, -1, second, 7, "json"), 0);
    assert_int_equal(batch_refuse(&batch, REFUSED_JSON, 8, 70, "", 0, -1, second, 7, "json"), 0);
    assert_int_equal(batch.n_refusals, 4);
    assert_int_equal(batch.payloads.n, 21);
    assert_int_equal(batch.refusals[0].payload_at, batch.refusals[1].payload_at);
    assert_memory_equal(batch.payloads.data + batch.refusals[2].payload_at, second, 7);
    assert_string_equal(batch.refusals[0].detail, "slot 3");
    assert_string_equal(batch.refusals[0].property, "a");
    assert_int_equal(batch.refusals[0].slot, 3);
    assert_int_equal(batch.refusals[3].offset, 8);
    batch_free(&batch);
}

static void a_cleared_batch_keeps_its_memory_and_nothing_else(void **state)
{
    (void)state;
    struct batch batch;
    batch_init(&batch);
    for (int i = 0; i < 3000; i++) {
        struct reading *reading = batch_add(&batch);
        assert_non_null(reading);
        assert_true(reading->issued_us == ISSUED_NONE && reading->m == 0 && reading->op == OP_VALUE);
        reading->m = i;
    }
    assert_int_equal(batch.readings[2999].m, 2999);
    batch.first_offset = batch.next_offset = batch.n_messages = 5;
    size_t cap = batch.readings_cap;
    batch_clear(&batch);
    assert_int_equal(batch.n_readings, 0);
    assert_int_equal(batch.first_offset, -1);
    assert_int_equal(batch.n_messages, 0);
    assert_int_equal(batch.readings_cap, cap);
    assert_int_equal(batch_add(&batch)->m, 0);
    batch_free(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_text_has_the_same_index),
        cmocka_unit_test(many_texts_are_found_again_also_after_some_were_taken_back),
        cmocka_unit_test(qualities_have_names_and_an_order),
        cmocka_unit_test(a_payload_is_kept_once_for_the_refusals_of_one_object),
        cmocka_unit_test(a_cleared_batch_keeps_its_memory_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
