#include <config.h>

#include "tests/lib/test.h"

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "common/log.h"
#include "tests/kafka/rig.h"
#include "tests/lib/parallel.h"

#define ASK_MS 20000

static char bootstrap[64]; /* of the broker, started once for all cases */

/* Topics and group of a case carry the number of its process. */
struct fixture {
    rd_kafka_t *admin;
    char topic[64], second_topic[64], pattern[64], group[64], instance[64];
    struct rig rig;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    int pid = (int)getpid();
    snprintf(f->topic, sizeof(f->topic), "case%d.a", pid);
    snprintf(f->second_topic, sizeof(f->second_topic), "case%d.b", pid);
    snprintf(f->pattern, sizeof(f->pattern), "^case%d\\.", pid);
    snprintf(f->group, sizeof(f->group), "group%d", pid);
    snprintf(f->instance, sizeof(f->instance), "instance%d", pid);
    rig_open(&f->rig, bootstrap, f->topic, f->pattern, NULL);
    rig_property(&f->rig, "group.id", f->group);
    rig_property(&f->rig, "topic.metadata.refresh.interval.ms", "500");
    f->rig.opts.instance_id = f->instance;
    char why[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, why, sizeof(why));
    f->admin = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    *state = f;
    return f->admin ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rig_close(&f->rig);
    rd_kafka_destroy(f->admin);
    return 0;
}

/* The answer to an administrative request: all of it must have gone well. */
static void expect_done(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ASK_MS);
    assert_non_null(event);
    if (rd_kafka_event_error(event))
        fail_msg("%s", rd_kafka_event_error_string(event));
    const rd_kafka_topic_result_t **topics = NULL;
    size_t n = 0;
    if (rd_kafka_event_CreateTopics_result(event))
        topics = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    else if (rd_kafka_event_DeleteTopics_result(event))
        topics = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
    for (size_t i = 0; i < n; i++)
        if (rd_kafka_topic_result_error(topics[i]))
            fail_msg("%s", rd_kafka_topic_result_error_string(topics[i]));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
}

static void create_topic_with(struct fixture *f, const char *name, int n_partitions, const char *const (*settings)[2])
{
    char why[200];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(f->admin);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, n_partitions, 1, why, sizeof(why));
    for (; settings && (*settings)[0]; settings++)
        rd_kafka_NewTopic_set_config(topic, (*settings)[0], (*settings)[1]);
    rd_kafka_CreateTopics(f->admin, &topic, 1, NULL, queue);
    rd_kafka_NewTopic_destroy(topic);
    expect_done(queue);
}

static void create_topic(struct fixture *f, const char *name, int n_partitions)
{
    create_topic_with(f, name, n_partitions, NULL);
}

static bool is_known(struct fixture *f, const char *name)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(f->admin, name, NULL);
    bool known = rd_kafka_metadata(f->admin, 0, topic, &metadata, 5000) != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!known) {
        known = metadata->topic_cnt == 1 && metadata->topics[0].err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return known;
}

/* Returns when the broker has heard of it, too: until then it goes on acknowledging messages to the old log. */
static void delete_topic(struct fixture *f, const char *name)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(f->admin);
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_DeleteTopics(f->admin, &topic, 1, NULL, queue);
    rd_kafka_DeleteTopic_destroy(topic);
    expect_done(queue);
    WAIT_FOR(!is_known(f, name));
}

static void delete_records(struct fixture *f, const char *topic, int32_t partition, int64_t below)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(f->admin);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = below;
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(f->admin, &records, 1, NULL, queue);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(list);
    expect_done(queue);
}

static void every_message_is_stored_once_through_rebalances(void **state)
{
    struct fixture *f = *state;
    f->rig.opts.instance_id = NULL; /* two consumers come and go */
    create_topic(f, f->topic, 6);
    rig_send_values(&f->rig, 5000);
    struct consumer *first = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 5000);
    struct consumer *second = rig_start(&f->rig);
    for (int i = 0; i < 10; i++)
        rig_send_values(&f->rig, 500);
    WAIT_FOR(rig_is_done(first) && rig_is_done(second));
    WAIT_FOR(f->rig.memory.n_elsewhere == 3);
    rig_stop(&f->rig, first);
    rig_send_values(&f->rig, 500);
    WAIT_FOR(rig_stored(&f->rig) >= 10500);
    WAIT_FOR(rig_is_done(second));
    WAIT_FOR(f->rig.memory.n_elsewhere == 0);
    rig_stop(&f->rig, second);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 10500), 0);
    for (int i = 0; i < f->rig.memory.n_sources; i++) {
        assert_int_equal(f->rig.memory.sources[i].n_gaps, 0);
        assert_int_equal(f->rig.memory.sources[i].n_holes, 0);
        assert_true(f->rig.memory.sources[i].owner.generation > 0);
        assert_true(strlen(f->rig.memory.sources[i].owner.member) > 0);
        assert_true(strlen(f->rig.memory.sources[i].id.cluster) > 10);
    }
}

static void a_new_topic_of_the_pattern_is_noticed(void **state)
{
    struct fixture *f = *state;
    create_topic(f, f->topic, 1);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_is_done(consumer));
    create_topic(f, f->second_topic, 2);
    f->rig.topic = f->second_topic;
    rig_send_values(&f->rig, 100);
    WAIT_FOR(rig_stored(&f->rig) >= 100);
    rig_stop(&f->rig, consumer);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 100), 0);
}

static void a_log_truncated_while_we_were_away_is_a_gap(void **state)
{
    struct fixture *f = *state;
    create_topic(f, f->topic, 1);
    rig_send_values(&f->rig, 100);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 100);
    rig_stop(&f->rig, consumer);
    for (int i = 0; i < 50; i++)
        rig_send(&f->rig, "k", "lost", 4);
    rig_flush(&f->rig);
    delete_records(f, f->topic, 0, 150);
    rig_send_values(&f->rig, 100);
    consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 200);
    WAIT_FOR(rig_is_done(consumer));
    rig_stop(&f->rig, consumer);
    const struct memory_source *source = memory_sink_find(&f->rig.memory, f->topic, 0);
    assert_int_equal(source->n_gaps, 1);
    assert_int_equal(source->gaps[0].from, 100);
    assert_int_equal(source->gaps[0].to, 150);
    assert_int_equal(source->n_reincarnations, 0);
    assert_int_equal(source->n_dead, 0);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 200), 0);
}

static void a_log_truncated_behind_us_is_no_gap(void **state)
{
    struct fixture *f = *state;
    create_topic(f, f->topic, 1);
    rig_send_values(&f->rig, 100);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 100);
    rig_stop(&f->rig, consumer);
    delete_records(f, f->topic, 0, 100); /* the message to compare with is gone too */
    rig_send_values(&f->rig, 100);
    consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 200);
    WAIT_FOR(rig_is_done(consumer));
    rig_stop(&f->rig, consumer);
    const struct memory_source *source = memory_sink_find(&f->rig.memory, f->topic, 0);
    assert_int_equal(source->n_gaps, 0);
    assert_int_equal(source->n_reincarnations, 0);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 200), 0);
}

static void a_topic_made_anew_while_we_were_away_is_read_from_its_beginning(void **state)
{
    struct fixture *f = *state;
    create_topic(f, f->topic, 1);
    rig_send_values(&f->rig, 100);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 100);
    rig_stop(&f->rig, consumer);
    delete_topic(f, f->topic);
    create_topic(f, f->topic, 1);
    rig_send_values(&f->rig, 300); /* longer than before: only the message's hash tells */
    consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 400);
    WAIT_FOR(rig_is_done(consumer));
    rig_stop(&f->rig, consumer);
    const struct memory_source *source = memory_sink_find(&f->rig.memory, f->topic, 0);
    assert_int_equal(source->incarnation, 2);
    assert_int_equal(source->n_gaps, 0);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 400), 0);
}

static void a_topic_made_anew_under_our_eyes_is_read_from_its_beginning(void **state)
{
    struct fixture *f = *state;
    create_topic(f, f->topic, 1);
    rig_send_values(&f->rig, 100);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 100);
    delete_topic(f, f->topic);
    WAIT_FOR(memory_sink_released(&f->rig.memory));
    create_topic(f, f->topic, 1);
    rig_send_values(&f->rig, 300);
    WAIT_FOR(rig_stored(&f->rig) >= 400);
    WAIT_FOR(rig_is_done(consumer));
    rig_stop(&f->rig, consumer);
    const struct memory_source *source = memory_sink_find(&f->rig.memory, f->topic, 0);
    assert_int_equal(source->incarnation, 2);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 400), 0);
}

static rd_kafka_t *open_transactions(const struct fixture *f)
{
    char why[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, why, sizeof(why));
    rd_kafka_conf_set(conf, "transactional.id", f->group, why, sizeof(why));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    assert_non_null(rk);
    assert_null(rd_kafka_init_transactions(rk, ASK_MS));
    return rk;
}

/* A transaction of n values; the values of one that is taken back count from far away. */
static void run_transaction(struct fixture *f, rd_kafka_t *rk, int n, bool keep)
{
    assert_null(rd_kafka_begin_transaction(rk));
    for (int i = 0; i < n; i++) {
        char value[32];
        snprintf(value, sizeof(value), "v %" PRId64, keep ? f->rig.n_sent++ : 1000000 + i);
        assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(f->topic), RD_KAFKA_V_VALUE(value, strlen(value)),
                                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END), 0);
    }
    rd_kafka_flush(rk, ASK_MS); /* else taking back would not wait for the messages to become part of it */
    assert_null(keep ? rd_kafka_commit_transaction(rk, ASK_MS) : rd_kafka_abort_transaction(rk, ASK_MS));
}

static void transactions_leave_holes_that_are_passed_and_counted_until_they_are_normal(void **state)
{
    struct fixture *f = *state;
    create_topic(f, f->topic, 1);
    rd_kafka_t *rk = open_transactions(f);
    for (int i = 0; i < 6; i++) {
        run_transaction(f, rk, 10, true);
        run_transaction(f, rk, 5, false);
    }
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 60);
    WAIT_FOR(rig_is_done(consumer)); /* though the log's end lies behind marks that are no messages */
    rig_stop(&f->rig, consumer);
    consumer = rig_start(&f->rig); /* goes on though its offset is none of a message */
    run_transaction(f, rk, 10, true);
    WAIT_FOR(rig_stored(&f->rig) >= 70);
    WAIT_FOR(rig_is_done(consumer));
    rig_stop(&f->rig, consumer);
    rd_kafka_destroy(rk);
    const struct memory_source *source = memory_sink_find(&f->rig.memory, f->topic, 0);
    assert_int_equal(source->n_holes, 4); /* three until they are normal, and one in the second life */
    assert_int_equal(source->holes[0].from, 10);
    assert_int_equal(source->holes[0].to, 17);
    assert_int_equal(source->n_gaps, 0);
    assert_int_equal(source->n_reincarnations, 0);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 70), 0);
}

/* How many messages a reader from the beginning gets of partition 0. */
static int count_messages(const char *topic)
{
    char why[200];
    int n = 0;
    bool at_end = false;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, why, sizeof(why));
    rd_kafka_conf_set(conf, "group.id", "count", why, sizeof(why));
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", why, sizeof(why));
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", why, sizeof(why));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (int64_t end_us = clock_mono_us() + WAIT_US; !at_end && clock_mono_us() < end_us;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 100);
        if (!message)
            continue;
        n += !message->err;
        at_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy(rk);
    assert_true(at_end);
    return n;
}

static void a_compacted_log_has_holes_that_are_passed(void **state)
{
    struct fixture *f = *state;
    static const char *const settings[][2] = {{"cleanup.policy", "compact"}, {"segment.ms", "100"},
                                              {"min.cleanable.dirty.ratio", "0.0"}, {NULL, NULL}};
    create_topic_with(f, f->topic, 1, settings);
    rig_send(&f->rig, "first", "v -1", 4); /* stays; then ten times each of 17 keys, of which one stays */
    rig_send_values(&f->rig, 170);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) == 171);
    rig_stop(&f->rig, consumer);
    WAIT_FOR((rig_send(&f->rig, "other", "v -1", 4), rig_flush(&f->rig), count_messages(f->topic) < 100));
    rig_send_values(&f->rig, 30);
    consumer = rig_start(&f->rig); /* the last stored message is still there, but little before it */
    WAIT_FOR(rig_is_done(consumer));
    rig_stop(&f->rig, consumer);
    const struct memory_source *source = memory_sink_find(&f->rig.memory, f->topic, 0);
    assert_int_equal(source->n_gaps, 0);
    assert_int_equal(source->n_reincarnations, 0);
    memory_sink_drop(&f->rig.memory, -1); /* those only made the broker begin segments, and most of them are gone */
    assert_int_equal(memory_sink_compare(&f->rig.memory, 200), 0);
    int n = count_messages(f->topic);
    struct rig second = {0}; /* another store, which meets the holes */
    rig_open(&second, bootstrap, f->topic, f->pattern, NULL);
    rig_property(&second, "group.id", f->second_topic);
    consumer = rig_start(&second);
    WAIT_FOR(rig_is_done(consumer));
    rig_stop(&second, consumer);
    source = memory_sink_find(&second.memory, f->topic, 0);
    assert_int_equal(rig_stored(&second), n);
    assert_true(source->n_holes > 0);
    assert_int_equal(source->n_gaps, 0);
    rig_close(&second);
}

/* A process that reads until it is killed; it says so in the pipe once it has stored something. */
static void read_until_killed(struct fixture *f, int told)
{
    struct rig rig = {0};
    rig_open(&rig, bootstrap, f->topic, f->pattern, NULL);
    rig_property(&rig, "group.id", f->group);
    rig.opts.instance_id = f->instance;
    (void)rig_start(&rig);
    while (rig_stored(&rig) == 0)
        usleep(1000);
    if (write(told, "x", 1) == 1)
        pause();
    _exit(1);
}

static void a_killed_member_reads_again_at_once(void **state)
{
    struct fixture *f = *state;
    create_topic(f, f->topic, 3);
    rig_send_values(&f->rig, 1000);
    int told[2];
    char c;
    assert_int_equal(pipe(told), 0);
    pid_t pid = fork();
    if (pid == 0)
        read_until_killed(f, told[1]);
    close(told[1]);
    assert_int_equal(read(told[0], &c, 1), 1);
    close(told[0]);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    int64_t begin_us = clock_mono_us();
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 1000);
    int64_t took_us = clock_mono_us() - begin_us;
    rig_stop(&f->rig, consumer);
    assert_true(took_us < 15000000); /* without an instance id the session timeout would have to pass: 45 s */
    assert_int_equal(memory_sink_compare(&f->rig.memory, 1000), 0);
}

/* Two with one name: the later one wins, the earlier one says what to do. */
static void a_second_member_of_the_same_name_takes_over(void **state)
{
    struct fixture *f = *state;
    create_topic(f, f->topic, 1);
    rig_send_values(&f->rig, 10);
    struct consumer *first = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 10);
    struct consumer *second = rig_start(&f->rig);
    WAIT_FOR(rig_reason_has(first, "group.instance.id"));
    assert_false(rig_status(first).connected);
    rig_send_values(&f->rig, 10);
    WAIT_FOR(rig_stored(&f->rig) >= 20);
    rig_stop(&f->rig, first);
    rig_stop(&f->rig, second);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 20), 0);
}

static char script[4096], folder[] = "/tmp/almanac-kafka-XXXXXX";

/* broker.sh with an argument or two; false when it fails. Its first line goes to out. */
static bool run_script(const char *what, const char *rest, char *out, size_t size)
{
    char command[8192];
    snprintf(command, sizeof(command), "sh '%s' %s %s", script, what, rest);
    FILE *pipe = popen(command, "r");
    if (!pipe)
        return false;
    if (fgets(out, (int)size, pipe))
        out[strcspn(out, "\n")] = '\0';
    return pclose(pipe) == 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ./test_kafka [the one case to run] */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(every_message_is_stored_once_through_rebalances),
        CASE(a_new_topic_of_the_pattern_is_noticed),
        CASE(a_log_truncated_while_we_were_away_is_a_gap),
        CASE(a_log_truncated_behind_us_is_no_gap),
        CASE(a_topic_made_anew_while_we_were_away_is_read_from_its_beginning),
        CASE(a_topic_made_anew_under_our_eyes_is_read_from_its_beginning),
        CASE(transactions_leave_holes_that_are_passed_and_counted_until_they_are_normal),
        CASE(a_compacted_log_has_holes_that_are_passed),
        CASE(a_killed_member_reads_again_at_once),
        CASE(a_second_member_of_the_same_name_takes_over),
    };
    const char *source = getenv("TEST_SRCDIR");
    char line[256] = "", rest[128];
    snprintf(script, sizeof(script), "%s/tests/kafka/broker.sh", source ? source : ".");
    if (!run_script("ready", "", line, sizeof(line))) {
        printf("1..0 # SKIP no broker: tests/kafka/broker.sh fetch gets it\n");
        return 0;
    }
    if (!mkdtemp(folder))
        return 1;
    snprintf(rest, sizeof(rest), "%s %d", folder, (int)getpid());
    snprintf(line, sizeof(line), "%s/extra.properties", folder);
    FILE *extra = fopen(line, "w"); /* compaction within a test's patience */
    if (!extra || fputs("log.cleaner.backoff.ms=100\n", extra) < 0 || fclose(extra))
        return 1;
    bool started = run_script("start", rest, bootstrap, sizeof(bootstrap));
    log_level_set(getenv("ALMANAC_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    int n_failed = started ? parallel_run(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL) : 1;
    if (!started)
        printf("Bail out! Kafka does not start, see %s\n", folder);
    run_script("stop", folder, line, sizeof(line));
    if (n_failed == 0) {
        snprintf(rest, sizeof(rest), "rm -rf %s", folder);
        n_failed = system(rest) == 0 ? 0 : 1;
    }
    return n_failed;
}
