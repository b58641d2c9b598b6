#include <config.h>

#include "tests/lib/test.h"

#include "ingest/members.h"
#include "ingest/place.h"

#define TAKE(offset) assert_int_equal(meet(&place, offset, round), PLACE_TAKE), place_taken(&place, offset)

static enum place_step meet(struct place *place, int64_t offset, uint64_t round)
{
    return place_meet(place, offset, "value", 5, round);
}

static struct place place_after(int64_t next, int64_t last, const char *value)
{
    struct place place = {.next = next, .last = last};
    hash_bytes(value, strlen(value), place.last_hash);
    place_doubt(&place, next);
    return place;
}

static void first_message_of_an_empty_store_is_taken_whatever_its_offset(void **state)
{
    (void)state;
    uint64_t round = 1;
    struct place place = {.next = -1, .last = -1};
    assert_int_equal(place_start(&place), -1);
    TAKE(42);
    TAKE(43);
    assert_int_equal(meet(&place, 42, round), PLACE_SKIP);
}

static void reading_starts_at_the_last_message_and_goes_on_when_it_is_the_same(void **state)
{
    (void)state;
    uint64_t round = 1;
    struct place place = place_after(8, 5, "value"); /* 6 and 7 were marks of a transaction */
    assert_int_equal(place_start(&place), 5);
    assert_int_equal(meet(&place, 5, round), PLACE_SKIP);
    assert_int_equal(place_start(&place), 8);
    TAKE(8);
}

static void another_message_at_the_last_offset_is_another_topic(void **state)
{
    (void)state;
    struct place place = place_after(6, 5, "another value");
    assert_int_equal(meet(&place, 5, 1), PLACE_OTHER);
}

static void a_compacted_last_message_cannot_be_compared_and_is_passed(void **state)
{
    (void)state;
    uint64_t round = 1;
    struct place place = place_after(6, 5, "gone");
    TAKE(6);
}

static void a_slip_is_read_again_once_and_is_no_hole(void **state)
{
    (void)state;
    uint64_t round = 1;
    struct place place = {.next = 10, .last = -1};
    assert_int_equal(meet(&place, 12, round), PLACE_GO_BACK);
    assert_int_equal(meet(&place, 13, round), PLACE_SKIP); /* what was read before the seek */
    round++;
    TAKE(10);
    TAKE(11);
    TAKE(12);
}

static void a_hole_that_comes_again_is_real(void **state)
{
    (void)state;
    uint64_t round = 1;
    struct place place = {.next = 10, .last = -1};
    assert_int_equal(meet(&place, 12, round), PLACE_GO_BACK);
    round++;
    assert_int_equal(meet(&place, 12, round), PLACE_HOLE);
    assert_int_equal(place.next, 10); /* the hole's begin, until the message is taken */
    place_taken(&place, 12);
    TAKE(13);
    assert_int_equal(meet(&place, 20, round), PLACE_GO_BACK); /* the next one is proved anew */
}

static void a_sparse_topic_is_not_read_again(void **state)
{
    (void)state;
    struct place place = {.next = 10, .last = -1, .sparse = true};
    assert_int_equal(meet(&place, 12, 1), PLACE_HOLE);
}

static void an_end_that_was_met_before_going_back_says_nothing(void **state)
{
    (void)state;
    uint64_t round = 1;
    struct place place = place_after(10, 9, "value");
    assert_false(place_meets_end(&place, 14, round)); /* the stored message was not met yet */
    assert_int_equal(meet(&place, 9, round), PLACE_SKIP);
    assert_true(place_meets_end(&place, 10, round));
    assert_false(place_meets_end(&place, 9, round)); /* an older one */
    assert_int_equal(meet(&place, 12, round), PLACE_GO_BACK);
    assert_int_equal(meet(&place, 13, round), PLACE_SKIP);
    assert_false(place_meets_end(&place, 14, round));
    round++;
    TAKE(10);
    assert_int_equal(meet(&place, 12, round), PLACE_GO_BACK);
    round++;
    assert_true(place_meets_end(&place, 14, round)); /* what was behind the hole has gone meanwhile */
}

static void stored_message_is_the_one_that_is_verified_after_doubt(void **state)
{
    (void)state;
    uint8_t hash[HASH_BYTES];
    hash_bytes("value", 5, hash);
    struct place place = {.next = 11, .last = -1};
    place_doubt(&place, 11);
    assert_int_equal(place_start(&place), 11); /* nothing stored, nothing to verify */
    place_stored(&place, 10, hash);
    place_doubt(&place, 11);
    assert_int_equal(place_start(&place), 10);
    assert_int_equal(meet(&place, 10, 1), PLACE_SKIP);
    place_move(&place, 0);
    assert_int_equal(place_start(&place), 0);
    assert_int_equal(meet(&place, 0, 1), PLACE_TAKE);
}

/* Version 1: topic "ab" with partitions 3 and 7, topic "c" with none, no user data. */
static void partitions_of_an_assignment_are_counted_whatever_is_cut_off(void **state)
{
    static const uint8_t bytes[] = {0, 1, 0, 0, 0, 2, 0, 2, 'a', 'b', 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 7, 0, 1, 'c', 0, 0, 0, 0};
    static const uint8_t many[] = {0, 1, 0, 0, 0, 1, 0, 1, 'a', 0x7f, 0xff, 0xff, 0xff}, below[] = {0, 1, 0xff, 0xff, 0xff, 0xff};
    (void)state;
    assert_int_equal(members_count_partitions(bytes, sizeof(bytes)), 2);
    for (size_t n = 0; n < sizeof(bytes); n++)
        assert_int_equal(members_count_partitions(bytes, n), -1);
    assert_int_equal(members_count_partitions(many, sizeof(many)), -1);
    assert_int_equal(members_count_partitions(below, sizeof(below)), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_of_an_assignment_are_counted_whatever_is_cut_off),
        cmocka_unit_test(first_message_of_an_empty_store_is_taken_whatever_its_offset),
        cmocka_unit_test(reading_starts_at_the_last_message_and_goes_on_when_it_is_the_same),
        cmocka_unit_test(another_message_at_the_last_offset_is_another_topic),
        cmocka_unit_test(a_compacted_last_message_cannot_be_compared_and_is_passed),
        cmocka_unit_test(a_slip_is_read_again_once_and_is_no_hole),
        cmocka_unit_test(a_hole_that_comes_again_is_real),
        cmocka_unit_test(a_sparse_topic_is_not_read_again),
        cmocka_unit_test(an_end_that_was_met_before_going_back_says_nothing),
        cmocka_unit_test(stored_message_is_the_one_that_is_verified_after_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
