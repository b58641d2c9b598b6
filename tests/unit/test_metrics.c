/* Metrics live as long as the process, so each case has its own names and looks for its own lines.
 */
#include <config.h>

#include "common/metrics.h"

#include <pthread.h>

#include "../lib/test.h"

static char *print_all(void)
{
    struct buf out = {0};
    metrics_print(&out);
    buf_putc(&out, '\0');
    assert_false(out.failed);
    return (char *)out.data;
}

static void assert_printed(const char *text, int times)
{
    char *printed = print_all();
    int n = 0;
    for (const char *at = printed; (at = strstr(at, text)); at++)
        n++;
    if (n != times)
        fail_msg("'%s' is there %d times:\n%s", text, n, printed);
    free(printed);
}

static void nothing_counted_is_nothing_printed(void **state)
{
    (void)state;
    struct buf out = {0};
    metrics_print(&out);
    assert_int_equal(out.n, 0);
    assert_false(out.failed);
    buf_free(&out);
}

static void counter_and_gauge_have_help_and_type(void **state)
{
    (void)state;
    static struct metric counter = {.name = "t_a_total", .help = "Things done."};
    static struct metric gauge = {
        .name = "t_b", .help = "Level \\ of\nthings.", .type = METRIC_GAUGE};
    metric_add(&counter, 2);
    metric_add(&counter, 3);
    metric_set(&gauge, 9);
    metric_set(&gauge, -4);
    metric_add(&gauge, 1);
    assert_printed("# HELP t_a_total Things done.\n# TYPE t_a_total counter\nt_a_total 5\n", 1);
    assert_printed("# HELP t_b Level \\\\ of\\nthings.\n# TYPE t_b gauge\nt_b -3\n", 1);
}

static void labels_of_one_family_stand_together_in_order(void **state)
{
    (void)state;
    static struct metric json = {
        .name = "t_c_total", .help = "Refused.", .labels = "reason=\"json\""};
    static struct metric other = {.name = "t_ca_total", .help = "Between."};
    static struct metric field = {
        .name = "t_c_total", .help = "Refused.", .labels = "reason=\"field\""};
    metric_add(&json, 1);
    metric_add(&other, 7);
    metric_add(&field, 0);
    assert_printed("# HELP t_c_total Refused.\n# TYPE t_c_total counter\n"
                   "t_c_total{reason=\"field\"} 0\nt_c_total{reason=\"json\"} 1\n"
                   "# HELP t_ca_total Between.\n# TYPE t_ca_total counter\nt_ca_total 7\n",
                   1);
}

static void histogram_buckets_are_cumulative_in_seconds(void **state)
{
    (void)state;
    static struct histogram plain = {.name = "t_d_seconds", .help = "Time taken."};
    static const int64_t times_us[] = {0, 100, 101, 1500, 100000000, 100000001};
    int64_t sum_us = 0;
    for (size_t i = 0; i < sizeof(times_us) / sizeof(*times_us); i++) {
        histogram_observe_us(&plain, times_us[i]);
        sum_us += times_us[i];
    }
    assert_int_equal(sum_us, 200001702);
    assert_printed("# HELP t_d_seconds Time taken.\n# TYPE t_d_seconds histogram\n"
                   "t_d_seconds_bucket{le=\"0.0001\"} 2\nt_d_seconds_bucket{le=\"0.0002\"} 3\n"
                   "t_d_seconds_bucket{le=\"0.0005\"} 3\nt_d_seconds_bucket{le=\"0.001\"} 3\n"
                   "t_d_seconds_bucket{le=\"0.002\"} 4\nt_d_seconds_bucket{le=\"0.005\"} 4\n"
                   "t_d_seconds_bucket{le=\"0.01\"} 4\nt_d_seconds_bucket{le=\"0.02\"} 4\n"
                   "t_d_seconds_bucket{le=\"0.05\"} 4\nt_d_seconds_bucket{le=\"0.1\"} 4\n"
                   "t_d_seconds_bucket{le=\"0.2\"} 4\nt_d_seconds_bucket{le=\"0.5\"} 4\n"
                   "t_d_seconds_bucket{le=\"1\"} 4\nt_d_seconds_bucket{le=\"2\"} 4\n"
                   "t_d_seconds_bucket{le=\"5\"} 4\nt_d_seconds_bucket{le=\"10\"} 4\n"
                   "t_d_seconds_bucket{le=\"20\"} 4\nt_d_seconds_bucket{le=\"50\"} 4\n"
                   "t_d_seconds_bucket{le=\"100\"} 5\nt_d_seconds_bucket{le=\"+Inf\"} 6\n"
                   "t_d_seconds_sum 200.001702\nt_d_seconds_count 6\n",
                   1);
}

static void labelled_histograms_are_one_family(void **state)
{
    (void)state;
    static struct histogram fast = {
        .name = "t_e_seconds", .help = "Time.", .labels = "route=\"range\""};
    static struct histogram slow = {
        .name = "t_e_seconds", .help = "Time.", .labels = "route=\"series\""};
    histogram_observe_us(&fast, 1000);
    histogram_observe_us(&slow, 3000);
    assert_printed("# TYPE t_e_seconds histogram\n", 1);
    assert_printed("t_e_seconds_bucket{route=\"range\",le=\"0.001\"} 1\n", 1);
    assert_printed("t_e_seconds_bucket{route=\"series\",le=\"0.001\"} 0\n", 1);
    assert_printed(
        "t_e_seconds_sum{route=\"series\"} 0.003000\nt_e_seconds_count{route=\"series\"} 1\n", 1);
}

/* Many threads count metrics that nobody registered before: nothing is lost and each stands there
 * once. */
#define N_SHARED 40
#define N_ROUNDS 2000
static struct metric shared[N_SHARED];
static struct histogram shared_time = {.name = "t_f_seconds", .help = "Time."};
static pthread_barrier_t barrier;

static void *count_all(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&barrier);
    for (int round = 0; round < N_ROUNDS; round++)
        for (int i = 0; i < N_SHARED; i++) {
            metric_add(&shared[i], 1);
            histogram_observe_us(&shared_time, i);
        }
    return NULL;
}

static void threads_lose_no_count_and_no_metric(void **state)
{
    (void)state;
    static char labels[N_SHARED][8];
    pthread_t threads[4];
    for (int i = 0; i < N_SHARED; i++) {
        labels[i][0] = 'i';
        memcpy(labels[i] + 1, "=\"00\"", 6);
        labels[i][3] = (char)('0' + i / 10);
        labels[i][4] = (char)('0' + i % 10);
        shared[i].name = "t_f_total";
        shared[i].help = "Shared.";
        shared[i].labels = labels[i];
    }
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 4), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_all, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    assert_printed("\nt_f_total{", N_SHARED);
    assert_printed("\"} 8000\n", N_SHARED);
    assert_printed("t_f_seconds_count 320000\n", 1);
    assert_printed("t_f_seconds_sum 6.240000\n", 1); /* 8000 times 0 + 1 + ... + 39 us */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_counted_is_nothing_printed),
        cmocka_unit_test(counter_and_gauge_have_help_and_type),
        cmocka_unit_test(labels_of_one_family_stand_together_in_order),
        cmocka_unit_test(histogram_buckets_are_cumulative_in_seconds),
        cmocka_unit_test(labelled_histograms_are_one_family),
        cmocka_unit_test(threads_lose_no_count_and_no_metric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
