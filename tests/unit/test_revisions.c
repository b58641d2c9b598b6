/* Revisions that were kept for long enough go, and nobody who asks for a later state of knowledge notices. */
#include <config.h>

#include "../lib/random.h"
#include "../lib/test.h"

#include <stdio.h>
#include <time.h>

#include "model/reading.h"
#include "store/revisions.h"

#define N_KEYS 6
#define N_MAX 5
#define CLOCK 16 /* known-at is 1 .. CLOCK, so that some are equal */

/* What was in force at one key, oldest first; the last one still is, where now is set. */
struct story {
    int64_t t_us, issued_us;
    int64_t known_ms[N_MAX + 1], m[N_MAX + 1];
    bool taken_back[N_MAX + 1];
    size_t n;
    bool now;
};

static struct story make_story(uint64_t *seed, int key)
{
    struct story story = {.t_us = key / 2, .issued_us = key % 2 ? 5 : ISSUED_NONE};
    story.n = (size_t)random_below(seed, N_MAX + 1);
    story.now = random_below(seed, 4) > 0;
    int64_t known_ms = 1;
    for (size_t i = 0; i < story.n + story.now; i++) {
        /* revisions stand by their known-at; what is in force may have come with an earlier one */
        known_ms = i < story.n ? known_ms + random_below(seed, 4) : 1 + random_below(seed, CLOCK);
        story.known_ms[i] = known_ms;
        story.m[i] = (int64_t)i;
        story.taken_back[i] = i < story.n && i && random_below(seed, 4) == 0;
    }
    if (!story.now && story.n) /* nothing is in force any more: that was said */
        story.taken_back[story.n - 1] = true;
    return story;
}

static void put(struct points *points, const struct story *story, size_t i)
{
    assert_int_equal(points_reserve(points, 1), 0);
    size_t at = points->n++;
    points->t_us[at] = story->t_us;
    points->issued_us[at] = story->issued_us;
    points->known_ms[at] = story->known_ms[i];
    points->m[at] = story->m[i];
    points->e[at] = 0;
    points->period_us[at] = 0;
    points->quality[at] = story->taken_back[i] ? QUALITY_TAKEN_BACK : 0;
}

/* What was in force when nothing later than known_ms was known: of what was known the last, -1 nothing. */
static int64_t as_of(const struct story *story, int64_t known_ms)
{
    int64_t m = -1;
    for (size_t i = 0; i < story->n + story->now; i++)
        if (story->known_ms[i] <= known_ms)
            m = story->taken_back[i] ? -1 : story->m[i];
    return m;
}

/* The story as it stands in kept and, what is in force, in before. */
static struct story read_story(const struct story *before, const struct points *kept)
{
    struct story story = {.t_us = before->t_us, .issued_us = before->issued_us, .now = before->now};
    for (size_t i = 0; i < kept->n; i++) {
        if (kept->t_us[i] != story.t_us || kept->issued_us[i] != story.issued_us)
            continue;
        story.known_ms[story.n] = kept->known_ms[i];
        story.m[story.n] = kept->m[i];
        story.taken_back[story.n++] = kept->quality[i] & QUALITY_TAKEN_BACK;
    }
    if (before->now) {
        story.known_ms[story.n] = before->known_ms[before->n];
        story.m[story.n] = before->m[before->n];
    }
    return story;
}

static void cut(const struct story *stories, int64_t before_ms, struct revisions_cut *ret_cut, struct points *kept)
{
    struct points points = {0};
    struct settled settled = {0};
    for (int key = 0; key < N_KEYS; key++) {
        const struct story *story = &stories[key];
        for (size_t i = 0; i < story->n; i++)
            put(&points, story, i);
        if (story->now)
            put(story->issued_us == ISSUED_NONE ? &settled.plain : &settled.issued, story, story->n);
    }
    *ret_cut = (struct revisions_cut){.before_ms = before_ms};
    kept->n = 0;
    assert_int_equal(revisions_keep(&points, &settled, false, ret_cut, kept), 0);
    points_free(&points);
    settled_free(&settled);
}

static void later_states_of_knowledge_are_the_same(void **state)
{
    (void)state;
    uint64_t seed = getenv("ALMANAC_SEED") ? strtoull(getenv("ALMANAC_SEED"), NULL, 10) : (uint64_t)time(NULL);
    print_message("# ALMANAC_SEED=%llu\n", (unsigned long long)seed);
    for (int round = 0; round < 20000; round++) {
        struct story stories[N_KEYS];
        struct revisions_cut all, now, next;
        struct points kept = {0}, again = {0};
        for (int key = 0; key < N_KEYS; key++)
            stories[key] = make_story(&seed, key);
        int64_t before_ms = random_below(&seed, CLOCK + 3);
        cut(stories, INT64_MIN, &all, &again);
        cut(stories, before_ms, &now, &kept);
        assert_true(now.horizon_ms <= before_ms);
        assert_int_equal(all.horizon_ms, 0);
        assert_true((kept.n < again.n) == (now.horizon_ms > 0));
        for (int key = 0; key < N_KEYS; key++) {
            struct story story = read_story(&stories[key], &kept);
            for (int64_t known_ms = now.horizon_ms; known_ms <= CLOCK + 1; known_ms++)
                assert_int_equal(as_of(&story, known_ms), as_of(&stories[key], known_ms));
            stories[key] = story;
        }
        /* nothing more goes before the time that is named, and something does then */
        if (now.replaced_ms) {
            assert_true(now.replaced_ms > before_ms);
            cut(stories, now.replaced_ms - 1, &next, &again);
            assert_int_equal(again.n, kept.n);
            cut(stories, now.replaced_ms, &next, &again);
            assert_true(again.n < kept.n);
        } else {
            assert_int_equal(kept.n, 0);
        }
        points_free(&kept);
        points_free(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_states_of_knowledge_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
