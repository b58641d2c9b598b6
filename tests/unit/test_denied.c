#include <config.h>

#include "tests/lib/test.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>

#include "common/log.h"
#include "ingest/reason.h"
#include "ingest/unread.h"
#include "tests/kafka/rig.h"
#include "tests/lib/parallel.h"

#define TOPIC "readings.a"
#define OTHER "readings.b"
#define DEAD_TOPIC "dead"
#define TOPIC_DENIED RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
#define GROUP_DENIED RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
#define CLUSTER_DENIED RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED

enum { PRODUCE = 0, FETCH = 1, JOIN_GROUP = 11, INIT_PRODUCER_ID = 22 }; /* of Kafka's requests */

/* A mock cluster each case, as in test_consumer; it denies what it is told to. */
struct fixture {
    rd_kafka_t *mock;
    rd_kafka_mock_cluster_t *cluster;
    struct rig rig;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    char why[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why));
    f->mock = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    f->cluster = rd_kafka_mock_cluster_new(f->mock, 1);
    rd_kafka_mock_topic_create(f->cluster, TOPIC, 1, 1);
    rd_kafka_mock_topic_create(f->cluster, OTHER, 1, 1);
    rd_kafka_mock_topic_create(f->cluster, DEAD_TOPIC, 1, 1);
    rig_open(&f->rig, rd_kafka_mock_cluster_bootstraps(f->cluster), TOPIC, TOPIC " " OTHER, DEAD_TOPIC);
    rig_property(&f->rig, "group.id", "house");
    rig_property(&f->rig, "session.timeout.ms", "3300");
    rig_property(&f->rig, "heartbeat.interval.ms", "100");
    rig_property(&f->rig, "fetch.error.backoff.ms", "50");
    rig_property(&f->rig, "topic.metadata.refresh.interval.ms", "200");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rig_close(&f->rig);
    rd_kafka_mock_cluster_destroy(f->cluster);
    rd_kafka_destroy(f->mock);
    return 0;
}

static void a_topic_that_is_denied_is_said_until_it_is_granted_and_others_are_read(void **state)
{
    struct fixture *f = *state;
    rd_kafka_mock_topic_set_error(f->cluster, OTHER, TOPIC_DENIED);
    rig_send_values(&f->rig, 100);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) == 100);
    WAIT_FOR(rig_status(consumer).caught_up && rig_status(consumer).lag == 0);
    assert_string_equal(rig_status(consumer).reason, "Kafka denies topic \"" OTHER "\" to this client: grant it READ");
    rd_kafka_mock_topic_set_error(f->cluster, OTHER, RD_KAFKA_RESP_ERR_NO_ERROR);
    WAIT_FOR(rig_is_done(consumer));
    rig_stop(&f->rig, consumer);
    assert_non_null(memory_sink_find(&f->rig.memory, OTHER, 0));
}

static void fetches_that_are_denied_are_said_until_the_end_is_reached_without_a_new_message(void **state)
{
    struct fixture *f = *state;
    rd_kafka_mock_push_request_errors(f->cluster, FETCH, 4, TOPIC_DENIED, TOPIC_DENIED, TOPIC_DENIED, TOPIC_DENIED);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_reason_has(consumer, "Kafka denies topic \"readings."));
    WAIT_FOR(rig_is_done(consumer));
    rig_stop(&f->rig, consumer);
}

static void a_group_and_a_topic_that_are_denied_do_not_hide_each_other(void **state)
{
    struct fixture *f = *state;
    rd_kafka_mock_topic_set_error(f->cluster, OTHER, TOPIC_DENIED);
    rd_kafka_mock_push_request_errors(f->cluster, JOIN_GROUP, 3, GROUP_DENIED, GROUP_DENIED, GROUP_DENIED);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_reason_has(consumer, "group \"house\" to this client: grant it READ") && rig_reason_has(consumer, OTHER));
    WAIT_FOR(!rig_reason_has(consumer, "house"));
    assert_true(rig_reason_has(consumer, OTHER));
    rd_kafka_mock_topic_set_error(f->cluster, OTHER, RD_KAFKA_RESP_ERR_NO_ERROR);
    WAIT_FOR(rig_is_done(consumer));
    rig_stop(&f->rig, consumer);
}

static int count_copied(struct fixture *f)
{
    int n = 0;
    pthread_mutex_lock(&f->rig.memory.lock);
    for (int i = 0; i < f->rig.memory.n_sources; i++)
        n += f->rig.memory.sources[i].n_dead_done;
    pthread_mutex_unlock(&f->rig.memory.lock);
    return n;
}

static void dead_letters_are_copied_once_the_dead_topic_is_granted(void **state)
{
    struct fixture *f = *state;
    rig_send(&f->rig, "k", "nonsense", 8);
    rig_send_values(&f->rig, 10);
    /* what Kafka says to who may write to no topic, if he asks */
    rd_kafka_mock_push_request_errors(f->cluster, INIT_PRODUCER_ID, 3, CLUSTER_DENIED, CLUSTER_DENIED, CLUSTER_DENIED);
    rd_kafka_mock_push_request_errors(f->cluster, PRODUCE, 1, TOPIC_DENIED);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_reason_has(consumer, "Kafka denies dead topic \"" DEAD_TOPIC "\" to this client: grant it WRITE"));
    WAIT_FOR(rig_stored(&f->rig) == 10);
    assert_int_equal(count_copied(f), 0);
    WAIT_FOR(count_copied(f) == 1 && rig_is_done(consumer));
    rig_stop(&f->rig, consumer);
}

/* It is no topic that Kafka could ever show, so it is not looked for. */
static void a_pattern_without_topics_is_said_until_something_is_assigned(void **state)
{
    struct fixture *f = *state;
    struct unread unread = {0};
    char said[REASON_BYTES] = "";
    unread_note(&unread, f->mock, "^readings\\.", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    assert_int_equal(unread.n, 0);
    unread_reasons(&unread, said, sizeof(said));
    assert_non_null(strstr(said, "^readings\\."));
    unread_assigned(&unread);
    said[0] = '\0';
    unread_reasons(&unread, said, sizeof(said));
    assert_string_equal(said, "");
    unread_done(&unread);
}

static void sentences_are_added_once_and_what_has_no_room_is_told_of(void **state)
{
    (void)state;
    char out[40] = "";
    reason_add(out, sizeof(out), "");
    assert_string_equal(out, "");
    reason_add(out, sizeof(out), "first");
    reason_add(out, sizeof(out), "second");
    reason_add(out, sizeof(out), "first");
    assert_string_equal(out, "first; second");
    reason_add(out, sizeof(out), "one that is too long by some");
    assert_string_equal(out, "first; second (and more)");
    reason_add(out, sizeof(out), "x");
    assert_string_equal(out, "first; second (and more)");
    char tight[6] = "";
    reason_add(tight, sizeof(tight), "no room at all");
    assert_string_equal(tight, "");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ./test_denied [the one case to run] */
int main(int argc, char **argv)
{
    log_level_set(getenv("ALMANAC_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    const struct CMUnitTest tests[] = {
        CASE(a_topic_that_is_denied_is_said_until_it_is_granted_and_others_are_read),
        CASE(fetches_that_are_denied_are_said_until_the_end_is_reached_without_a_new_message),
        CASE(a_group_and_a_topic_that_are_denied_do_not_hide_each_other),
        CASE(dead_letters_are_copied_once_the_dead_topic_is_granted),
        CASE(a_pattern_without_topics_is_said_until_something_is_assigned),
        cmocka_unit_test(sentences_are_added_once_and_what_has_no_room_is_told_of),
    };
    return parallel_run(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}
