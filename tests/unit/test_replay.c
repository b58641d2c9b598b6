#include <config.h>

#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <stdio.h>
#include <time.h>

#include "common/civil.h"
#include "common/clock.h"
#include "store/reader.h"

/* Dead letters that are replayed into a store with batches, open windows and sealed ones. */

#define MESSAGES 260

/* What the store was told so far of a stream, message by message. */
struct told {
    struct stream stream;
    struct store store;
    bool accepted[MESSAGES];  /* by the place in the history: in the end all of them */
    int64_t waiting[MESSAGES]; /* refused */
    size_t n_waiting;
    int64_t next_offset;      /* in Kafka: replayed messages come again under another one */
    uint64_t seed;
};

static void open_store(struct told *told)
{
    if (store_open(&told->store))
        fail_msg("%s", told->store.error);
}

/* The message at place i of the history arrives now. */
static void tell(struct told *told, int64_t i, bool replayed)
{
    struct store *store = &told->store;
    struct batch *batch = &store->batch;
    struct err_text error = {0};
    store_fill(store, &told->stream, i, i + 1);
    for (size_t r = 0; r < batch->n_readings; r++) {
        batch->readings[r].offset = told->next_offset;
        batch->readings[r].replayed = replayed;
    }
    batch->first_offset = told->next_offset++;
    batch->next_offset = told->next_offset;
    struct sink *sink = writer_sink(store->writer);
    if (sink->take(sink, store->handle, batch, &error))
        fail_msg("%s", error.text);
    told->accepted[i] = true;
}

static void replay_one(struct told *told)
{
    size_t w = (size_t)random_below(&told->seed, (int64_t)told->n_waiting);
    int64_t i = told->waiting[w];
    told->waiting[w] = told->waiting[--told->n_waiting];
    tell(told, i, true);
}

static void expect(const struct told *told, struct naive *naive)
{
    for (int64_t i = 0; i < MESSAGES; i++)
        if (told->accepted[i])
            stream_apply(&told->stream, i, naive);
}

/* The plain reading of a time, else the newest issue. */
static const struct naive_value *best_at(const struct naive *naive, uint32_t number, int64_t t_us)
{
    const struct naive_value *best = NULL;
    int64_t best_issue = INT64_MIN;
    for (size_t i = 0; i < naive->n; i++) {
        const struct naive_key *key = &naive->keys[i];
        if (key->series != number || key->t_us != t_us || !naive_now(key))
            continue;
        if (key->issued_us == ISSUED_NONE)
            return naive_now(key);
        if (!best || key->issued_us > best_issue) {
            best = naive_now(key);
            best_issue = key->issued_us;
        }
    }
    return best;
}

static size_t n_times(const struct naive *naive, uint32_t number)
{
    size_t n = 0;
    for (size_t i = 0; i < naive->n; i++) {
        const struct naive_key *key = &naive->keys[i];
        bool counted = false;
        for (size_t j = 0; j < i && !counted; j++)
            counted = naive->keys[j].series == number && naive->keys[j].t_us == key->t_us && naive_now(&naive->keys[j]);
        n += key->series == number && naive_now(key) && !counted;
    }
    return n;
}

static void check_points(const struct told *told, const struct naive *naive, uint32_t number, const struct points *points)
{
    for (size_t i = 0; i < points->n; i++) {
        const struct naive_value *best = best_at(naive, number, points->t_us[i]);
        struct naive_value found = {.quality = points->quality[i], .period_us = points->period_us[i]};
        if (number >= 4)
            snprintf(found.text, sizeof(found.text), "%s", texts_at(&points->texts, points->m[i]));
        else
            found.m = points->m[i], found.e = points->e[i];
        if (!best || !naive_equal(best, &found))
            fail_msg("seed %llu: series %u at %lld: %lld \"%s\" of quality %u instead of %lld \"%s\"",
                     (unsigned long long)told->stream.seed, number, (long long)points->t_us[i], (long long)found.m, found.text,
                     found.quality, best ? (long long)best->m : -1LL, best ? best->text : "");
    }
}

/* What a query sees now, whatever lies in batches. */
static void check_view(struct told *told)
{
    struct naive naive = {0};
    struct reader_dir *dir;
    struct view *view;
    struct err_text error = {0};
    expect(told, &naive);
    if (reader_dir_open(told->store.dir, &dir, &error) || view_open(dir, &view, &error))
        fail_msg("%s", error.text);
    for (uint32_t number = 0; number < STREAM_SERIES; number++) {
        uint32_t index = store_series(&told->store, number);
        uint32_t id = registry_at(writer_registry(told->store.writer), index)->id;
        struct scan *scan;
        struct points points = {0};
        struct series_stats stats;
        size_t n = 0;
        int rc;
        if (!id) /* not seen yet */
            continue;
        assert_int_equal(scan_open(view, id, CIVIL_MIN_US, CIVIL_END_US, POINTS_ALL, &scan), 0);
        while ((rc = scan_next(scan, &points)) == 1) {
            check_points(told, &naive, number, &points);
            n += points.n;
        }
        assert_int_equal(rc, 0);
        if (n != n_times(&naive, number))
            fail_msg("seed %llu: series %u has %zu readings instead of %zu", (unsigned long long)told->stream.seed, number, n,
                     n_times(&naive, number));
        assert_int_equal(view_stats(view, id, &stats), 0);
        assert_int_equal(stats.count, n);
        scan_close(scan);
        points_free(&points);
    }
    view_close(view);
    reader_dir_close(dir);
    naive_free(&naive);
}

static void check_files(struct told *told)
{
    struct naive expected = {0}, found = {0}, history = {0};
    char difference[400] = "";
    const char *wrong = store_read(&told->store, &found, &history);
    expect(told, &expected);
    if (wrong)
        fail_msg("seed %llu: %s", (unsigned long long)told->stream.seed, wrong);
    naive_difference(&expected, &found, difference);
    if (!*difference && !told->stream.with_wide)
        naive_history_difference(&expected, &history, difference);
    if (*difference)
        fail_msg("seed %llu: %s (%s)", (unsigned long long)told->stream.seed, difference, told->store.dir);
    naive_free(&expected);
    naive_free(&found);
    naive_free(&history);
}

/* Between the messages: nothing, a look, a flush, a flush and a seal. */
static void interrupt(struct told *told)
{
    int64_t what = random_below(&told->seed, 40);
    if (what == 0)
        check_view(told);
    if (what != 1 && what != 2)
        return;
    store_close(&told->store); /* flushes */
    check_files(told);
    if (what == 2) {
        assert_int_equal(store_seal(&told->store), 0);
        check_files(told);
    }
    open_store(told);
}

/* Whatever is refused and in whatever order it is replayed, over batches, open and sealed windows: at any moment the store
 * shows the history in which all that was accepted so far had been accepted at once. */
static void a_replay_shows_the_history_in_which_it_had_been_accepted_at_once(void **state)
{
    (void)state;
    uint64_t n_rounds = getenv("ALMANAC_SOAK") ? 100 : 3;
    stream_no_repeats = true; /* a message that says again what is in force leaves no trace that could stand against a replay */
    for (uint64_t round = 0; round < n_rounds; round++) {
        struct told told = {.stream = {.seed = 77 + round, .n_messages = MESSAGES, .n_days = 20, .with_wide = round % 2},
                            .seed = round};
        store_make(&told.store, &(struct writer_opts){.window = round % 3 ? WINDOW_DAY : WINDOW_WEEK,
                                                      .seal_after_us = 100 * US_PER_HOUR,
                                                      .flush_bytes = round % 2 ? 1500 : 1 << 20});
        open_store(&told);
        for (int64_t i = 0; i < MESSAGES; i++) {
            if (random_below(&told.seed, 4) == 0)
                told.waiting[told.n_waiting++] = i;
            else
                tell(&told, i, false);
            if (told.n_waiting && random_below(&told.seed, 5) == 0)
                replay_one(&told);
            interrupt(&told);
        }
        while (told.n_waiting) {
            replay_one(&told);
            interrupt(&told);
        }
        check_view(&told);
        store_close(&told.store);
        check_files(&told);
        assert_int_equal(store_seal(&told.store), 0);
        check_files(&told);
        store_remove(&told.store);
    }
}

/* ---- the list of dead letters ---- */

struct letters {
    struct {
        int64_t id, offset, known_ms;
        int32_t slot, incarnation;
        char property[32], detail[32];
    } at[64];
    size_t n;
};

static int add_letter(void *arg, const struct dead_letter *letter)
{
    struct letters *letters = arg;
    assert_true(letters->n < 64);
    letters->at[letters->n].id = letter->id;
    letters->at[letters->n].offset = letter->offset;
    letters->at[letters->n].known_ms = letter->known_ms;
    letters->at[letters->n].slot = letter->slot;
    letters->at[letters->n].incarnation = letter->incarnation;
    snprintf(letters->at[letters->n].property, 32, "%s", letter->property);
    snprintf(letters->at[letters->n++].detail, 32, "%s", letter->detail);
    return 0;
}

static void read_letters(struct store *store, struct letters *letters)
{
    struct reader_dir *dir;
    letters->n = 0;
    assert_int_equal(reader_dir_open(store->dir, &dir, NULL), 0);
    assert_int_equal(reader_dead_letters(dir, false, add_letter, letters), 0);
    reader_dir_close(dir);
}

static void refuse(struct batch *batch, int64_t offset, const char *property, const char *payload, const char *detail)
{
    assert_int_equal(batch_refuse(batch, REFUSED_PROPERTY, offset, 1000 + offset, property, strlen(property), -1, payload,
                                  strlen(payload), "%s", detail), 0);
}

static void take_batch(struct store *store, int64_t first, int64_t next)
{
    struct sink *sink = writer_sink(store->writer);
    struct err_text error = {0};
    store->batch.first_offset = first;
    store->batch.next_offset = next;
    store->batch.n_messages = next - first;
    if (sink->take(sink, store->handle, &store->batch, &error))
        fail_msg("%s", error.text);
}

/* The message at offset brings the letter again; what is refused of it from here on is refused again. */
static size_t bring_again(struct store *store, int64_t offset, const struct letters *letters, size_t i)
{
    struct replay replay = {.id = letters->at[i].id, .offset = letters->at[i].offset, .known_ms = letters->at[i].known_ms,
                            .incarnation = letters->at[i].incarnation, .slot = letters->at[i].slot, .at_offset = offset};
    snprintf(replay.property, sizeof(replay.property), "%s", letters->at[i].property);
    assert_int_equal(batch_replay(&store->batch, &replay), 0);
    return store->batch.n_refusals;
}

static void open_letters(struct store *store, const struct writer_opts *opts)
{
    store_make(store, opts);
    if (store_open(store))
        fail_msg("%s", store->error);
}

static void a_letter_that_is_brought_again_leaves_the_list_or_stays_one(void **state)
{
    (void)state;
    struct store store;
    struct letters letters;
    open_letters(&store, &(struct writer_opts){.seal_after_us = 100 * US_PER_HOUR});
    refuse(&store.batch, 0, "a", "{1}", "first");
    refuse(&store.batch, 0, "b", "{1}", "second");
    refuse(&store.batch, 0, "", "{1}", "third");
    take_batch(&store, 0, 1);
    read_letters(&store, &letters);
    assert_int_equal(letters.n, 3);
    batch_clear(&store.batch);
    bring_again(&store, 1, &letters, 0);                  /* accepted: nothing is refused */
    size_t first = bring_again(&store, 2, &letters, 2);   /* refused again, and with it what has a letter already */
    refuse(&store.batch, 2, "b", "{1}", "second again");
    refuse(&store.batch, 2, "", "{1}", "third again");
    batch_replayed(&store.batch, 0, first);
    take_batch(&store, 1, 3);
    read_letters(&store, &letters);
    assert_int_equal(letters.n, 2);
    assert_string_equal(letters.at[0].detail, "second");
    assert_string_equal(letters.at[1].detail, "third again");
    assert_int_equal(letters.at[1].offset, 0); /* its first place, not that of the replay */
    assert_int_equal(letters.at[1].incarnation, 1);

    take_batch(&store, 1, 3); /* told again: below the stored offset (I1) */
    read_letters(&store, &letters);
    assert_int_equal(letters.n, 2);
    batch_clear(&store.batch);
    struct letters wrong = letters; /* the name of a letter must fit in every part */
    wrong.at[0].offset = 9;
    wrong.at[1].incarnation = 2;
    bring_again(&store, 3, &wrong, 0);
    bring_again(&store, 4, &wrong, 1);
    take_batch(&store, 3, 5);
    read_letters(&store, &letters);
    assert_int_equal(letters.n, 2);
    store_remove(&store);
}

static void of_too_many_letters_the_oldest_go(void **state)
{
    (void)state;
    struct store store;
    struct letters letters = {0};
    char payload[900];
    memset(payload, 'x', sizeof(payload) - 1);
    payload[sizeof(payload) - 1] = '\0';
    open_letters(&store, &(struct writer_opts){.dead_bytes_max = 10 * 1099, .seal_after_us = 100 * US_PER_HOUR});
    for (int64_t offset = 0; offset < 40; offset++) {
        payload[0] = (char)('0' + offset);
        batch_clear(&store.batch);
        refuse(&store.batch, offset, "", payload, "no");
        take_batch(&store, offset, offset + 1);
    }
    for (int64_t end_us = clock_mono_us() + 20 * US_PER_SECOND; clock_mono_us() < end_us;) {
        read_letters(&store, &letters);
        if (letters.n <= 10)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    assert_int_equal(letters.n, 10);
    for (size_t i = 0; i < letters.n; i++)
        assert_int_equal(letters.at[i].offset, 30 + i);
    store_remove(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replay_shows_the_history_in_which_it_had_been_accepted_at_once),
        cmocka_unit_test(a_letter_that_is_brought_again_leaves_the_list_or_stays_one),
        cmocka_unit_test(of_too_many_letters_the_oldest_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
