#include <config.h>

#include "tests/lib/test.h"

#include "ingest/consumer.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>

#include "common/hash.h"
#include "common/log.h"
#include "ingest/embedded.h"
#include "ingest/replay.h"
#include "tests/kafka/rig.h"
#include "tests/lib/parallel.h"

#define TOPIC "readings.a"
#define DEAD_TOPIC "readings.dead"

/* A mock cluster each case. It makes the first member of a group wait for 3 s, and later ones for the session timeout less
 * 1 s: so the cases run at once, in processes of their own. */
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
    rd_kafka_mock_topic_create(f->cluster, TOPIC, 4, 1);
    rd_kafka_mock_topic_create(f->cluster, DEAD_TOPIC, 1, 1);
    rig_open(&f->rig, rd_kafka_mock_cluster_bootstraps(f->cluster), TOPIC, "^readings\\.", DEAD_TOPIC);
    rig_property(&f->rig, "session.timeout.ms", "3300");
    rig_property(&f->rig, "heartbeat.interval.ms", "100");
    rig_property(&f->rig, "reconnect.backoff.max.ms", "200");
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

static void every_message_is_stored_once_and_status_is_well(void **state)
{
    struct fixture *f = *state;
    rig_send_values(&f->rig, 2000);
    struct consumer *consumer = rig_start(&f->rig);
    assert_true(rig_reason_has(consumer, "no broker"));
    WAIT_FOR(rig_stored(&f->rig) >= 2000);
    rig_send_values(&f->rig, 1000);
    WAIT_FOR(rig_stored(&f->rig) >= 3000);
    WAIT_FOR(rig_status(consumer).caught_up && rig_status(consumer).lag == 0);
    struct consumer_status status = rig_status(consumer);
    assert_true(status.connected);
    assert_true(status.assigned);
    assert_int_equal(status.lag_us, 0);
    assert_int_equal(status.lag_bytes, 0);
    assert_string_equal(status.reason, "");
    rig_stop(&f->rig, consumer);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 3000), 0);
    assert_true(memory_sink_released(&f->rig.memory));
}

static void empty_topic_is_caught_up(void **state)
{
    struct fixture *f = *state;
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_status(consumer).caught_up && rig_status(consumer).lag == 0);
    assert_int_equal(rig_status(consumer).lag_us, 0);
    rig_stop(&f->rig, consumer);
}

static void restart_goes_on_at_the_stored_offset(void **state)
{
    struct fixture *f = *state;
    f->rig.memory.hold_commits = true; /* Kafka knows nothing: what counts is the store */
    for (int i = 1; i <= 3; i++) {
        struct consumer *consumer = rig_start(&f->rig);
        rig_send_values(&f->rig, 500);
        WAIT_FOR(rig_stored(&f->rig) >= 500 * i);
        rig_stop(&f->rig, consumer);
        assert_int_equal(memory_sink_compare(&f->rig.memory, 500 * i), 0);
    }
}

static void partitions_move_to_a_second_consumer_and_back(void **state)
{
    struct fixture *f = *state;
    struct consumer *first = rig_start(&f->rig);
    rig_send_values(&f->rig, 500);
    WAIT_FOR(rig_stored(&f->rig) >= 500);
    struct consumer *second = rig_start(&f->rig); /* the same sink: what it is given shows in the claims */
    rig_send_values(&f->rig, 500);
    WAIT_FOR(rig_status(second).caught_up && rig_status(first).caught_up);
    rig_send_values(&f->rig, 500);
    WAIT_FOR(rig_stored(&f->rig) >= 1500);
    rig_stop(&f->rig, first);
    rig_send_values(&f->rig, 500);
    WAIT_FOR(rig_stored(&f->rig) >= 2000);
    rig_stop(&f->rig, second);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 2000), 0);
    assert_true(memory_sink_released(&f->rig.memory));
}

/* Runs a whole life with the take or claim calls failing so and so. */
static void survive(struct fixture *f, int code, int times)
{
    rig_send_values(&f->rig, 300);
    pthread_mutex_lock(&f->rig.memory.lock);
    f->rig.memory.fail_take_after = 2;
    f->rig.memory.fail_take_times = times;
    f->rig.memory.fail_take_code = code;
    pthread_mutex_unlock(&f->rig.memory.lock);
    struct consumer *consumer = rig_start(&f->rig);
    for (int i = 0; i < 5; i++)
        rig_send_values(&f->rig, 100);
    WAIT_FOR(rig_stored(&f->rig) >= 800);
    WAIT_FOR(rig_status(consumer).caught_up && rig_status(consumer).reason[0] == '\0');
    rig_stop(&f->rig, consumer);
    assert_int_equal(f->rig.memory.n_failed, times);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 800), 0);
}

static void full_disk_loses_nothing(void **state)
{
    survive(*state, ERR_FULL, 2);
}

static void failed_writes_lose_nothing(void **state)
{
    survive(*state, ERR_IO, 2);
}

/* I4: nobody asked for a rebalance, since the group slept too; all the same nothing in hand may be stored. */
static void what_is_in_hand_after_a_sleep_is_dropped_and_read_again(void **state)
{
    struct fixture *f = *state;
    f->rig.opts.commit_ms = 2000;
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_is_done(consumer));
    rig_send_values(&f->rig, 100); /* stored at once; what comes next has to wait */
    WAIT_FOR(rig_stored(&f->rig) == 100);
    rig_send_values(&f->rig, 400);
    WAIT_FOR(rig_status(consumer).lag == 400);
    int64_t now_us = clock_mono_us() + 4000000, wait_until_us = now_us + WAIT_US;
    clock_freeze(now_us); /* the session timeout and more have passed */
    WAIT_FOR(rig_reason_has(consumer, "has not heard of us"));
    assert_int_equal(rig_stored(&f->rig), 100);
    int n_claims = memory_sink_find(&f->rig.memory, TOPIC, 0)->n_claims;
    while (rig_stored(&f->rig) < 500 && now_us < wait_until_us) {
        usleep(5000);
        clock_freeze(now_us += 5000);
    }
    rig_stop(&f->rig, consumer);
    clock_freeze(INT64_MIN);
    assert_int_equal(memory_sink_find(&f->rig.memory, TOPIC, 0)->n_claims, n_claims + 1);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 500), 0);
}

static void failed_claims_are_tried_again(void **state)
{
    struct fixture *f = *state;
    f->rig.memory.fail_claim_times = 2;
    f->rig.memory.fail_claim_code = ERR_IO;
    rig_send_values(&f->rig, 300);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_reason_has(consumer, "a claim was made to fail"));
    assert_false(rig_status(consumer).caught_up);
    WAIT_FOR(rig_stored(&f->rig) >= 300);
    WAIT_FOR(rig_status(consumer).caught_up && rig_status(consumer).reason[0] == '\0');
    rig_stop(&f->rig, consumer);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 300), 0);
}

static void a_lost_partition_is_left_alone_and_said(void **state)
{
    struct fixture *f = *state;
    rig_send_values(&f->rig, 100);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 100);
    memory_sink_steal(&f->rig.memory);
    rig_send_values(&f->rig, 100);
    WAIT_FOR(rig_reason_has(consumer, "another process owns"));
    rig_stop(&f->rig, consumer);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 100), 0);
}

static void a_paused_sink_is_left_in_peace_until_there_is_room(void **state)
{
    struct fixture *f = *state;
    struct consumer *consumer = rig_start(&f->rig);
    rig_send_values(&f->rig, 100);
    WAIT_FOR(rig_stored(&f->rig) >= 100);
    WAIT_FOR(rig_status(consumer).caught_up);
    pthread_mutex_lock(&f->rig.memory.lock);
    f->rig.memory.paused = true;
    pthread_mutex_unlock(&f->rig.memory.lock);
    WAIT_FOR(rig_reason_has(consumer, "disk is too full"));
    rig_send_values(&f->rig, 1000);
    WAIT_FOR(rig_status(consumer).lag == 1000);
    WAIT_FOR(rig_status(consumer).lag_us > 300000 && rig_status(consumer).lag_bytes > 1000);
    assert_int_equal(rig_stored(&f->rig), 100);
    pthread_mutex_lock(&f->rig.memory.lock);
    f->rig.memory.paused = false;
    pthread_mutex_unlock(&f->rig.memory.lock);
    WAIT_FOR(rig_stored(&f->rig) >= 1100);
    WAIT_FOR(rig_status(consumer).lag == 0);
    rig_stop(&f->rig, consumer);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 1100), 0);
}

static void a_broker_that_was_away_is_noticed_and_reading_goes_on(void **state)
{
    struct fixture *f = *state;
    struct consumer *consumer = rig_start(&f->rig);
    rig_send_values(&f->rig, 100);
    WAIT_FOR(rig_stored(&f->rig) >= 100);
    assert_true(rig_status(consumer).connected);
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    WAIT_FOR(!rig_status(consumer).connected);
    assert_true(rig_reason_has(consumer, "no broker of \"127.0.0.1"));
    rd_kafka_mock_broker_set_up(f->cluster, 1);
    rig_send_values(&f->rig, 100);
    WAIT_FOR(rig_stored(&f->rig) >= 200);
    WAIT_FOR(rig_status(consumer).connected && rig_status(consumer).caught_up);
    assert_string_equal(rig_status(consumer).reason, "");
    rig_stop(&f->rig, consumer);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 200), 0);
}

static void stopping_while_the_broker_is_away_takes_a_few_seconds_only(void **state)
{
    struct fixture *f = *state;
    struct consumer *consumer = rig_start(&f->rig);
    rig_send_values(&f->rig, 100);
    WAIT_FOR(rig_stored(&f->rig) >= 100);
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    WAIT_FOR(!rig_status(consumer).connected);
    int64_t begin_us = clock_mono_us();
    rig_stop(&f->rig, consumer);
    int64_t took_us = clock_mono_us() - begin_us;
    rd_kafka_mock_broker_set_up(f->cluster, 1);
    assert_true(took_us < 8000000);
    assert_true(memory_sink_released(&f->rig.memory));
}

/* Reads the dead topic with a client of its own until it has n messages; checks the first against the texts. */
static void check_dead_letters(struct fixture *f, int n, const char *payload, const char *reason, const char *offset)
{
    char why[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", f->rig.properties[0].value, why, sizeof(why));
    rd_kafka_conf_set(conf, "group.id", "reader", why, sizeof(why));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, DEAD_TOPIC, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (int i = 0; i < n;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_US / 1000);
        assert_non_null(message);
        if (!message->err && i++ == 0) {
            rd_kafka_headers_t *headers;
            const void *value;
            size_t size;
            assert_int_equal(message->len, strlen(payload));
            assert_memory_equal(message->payload, payload, strlen(payload));
            assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
            assert_int_equal(rd_kafka_header_get_last(headers, "topic", &value, &size), 0);
            assert_string_equal(value, TOPIC);
            assert_int_equal(rd_kafka_header_get_last(headers, "partition", &value, &size), 0);
            assert_in_range(((const char *)value)[0], '0', '3');
            assert_int_equal(rd_kafka_header_get_last(headers, "offset", &value, &size), 0);
            assert_string_equal(value, offset);
            assert_int_equal(rd_kafka_header_get_last(headers, "reason", &value, &size), 0);
            assert_string_equal(value, reason);
            assert_int_equal(rd_kafka_header_get_last(headers, "detail", &value, &size), 0);
            assert_true(size > 0);
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static int count_dead(struct fixture *f, bool done)
{
    int n = 0;
    pthread_mutex_lock(&f->rig.memory.lock);
    for (int i = 0; i < f->rig.memory.n_sources; i++)
        n += done ? f->rig.memory.sources[i].n_dead_done : f->rig.memory.sources[i].n_dead;
    pthread_mutex_unlock(&f->rig.memory.lock);
    return n;
}

static void refused_messages_are_copied_to_the_dead_topic_which_is_never_read(void **state)
{
    struct fixture *f = *state;
    rig_send_values(&f->rig, 50);
    rig_send(&f->rig, "k1", "nonsense", 8);
    rig_send(&f->rig, "k1", "more nonsense", 13);
    rig_flush(&f->rig);
    rig_send_values(&f->rig, 50);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(count_dead(f, true) == 2);
    WAIT_FOR(rig_stored(&f->rig) == 100); /* other partitions than that of k1 may come later */
    struct memory_source *source = NULL;
    for (int i = 0; i < f->rig.memory.n_sources; i++)
        if (f->rig.memory.sources[i].n_dead > 0)
            source = &f->rig.memory.sources[i];
    char offset[24];
    snprintf(offset, sizeof(offset), "%" PRId64, source->dead[0].offset);
    check_dead_letters(f, 2, "nonsense", "json", offset);
    WAIT_FOR(rig_status(consumer).caught_up); /* the dead topic matches the pattern, and lies unread */
    rig_stop(&f->rig, consumer);
    assert_null(memory_sink_find(&f->rig.memory, DEAD_TOPIC, 0));
    assert_int_equal(count_dead(f, false), 2);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 100), 0);
}

static void tombstones_are_passed_and_large_messages_refused(void **state)
{
    struct fixture *f = *state;
    struct kafka_property properties[] = {f->rig.properties[0], {"message.max.bytes", "3000000"}};
    struct producer *producer;
    struct err_text error = {0};
    size_t size = LIMIT_MESSAGE_BYTES + 1;
    char *large = malloc(size);
    memset(large, 'x', size);
    assert_int_equal(producer_open(properties, 2, &producer, &error), 0);
    assert_int_equal(producer_send(producer, TOPIC, "k", 1, NULL, 0, &error), 0);
    assert_int_equal(producer_send(producer, TOPIC, "k", 1, large, size, &error), 0);
    assert_int_equal(producer_send(producer, TOPIC, "k", 1, "v 0", 3, &error), 0);
    assert_int_equal(producer_send(producer, TOPIC, "k", 1, NULL, 0, &error), 0);
    assert_int_equal(producer_flush(producer, 20000, &error), 0);
    producer_close(producer);
    free(large);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_status(consumer).caught_up && rig_status(consumer).lag == 0);
    rig_stop(&f->rig, consumer);
    struct memory_source *source = NULL;
    for (int i = 0; i < f->rig.memory.n_sources; i++)
        if (f->rig.memory.sources[i].next_offset == 4)
            source = &f->rig.memory.sources[i];
    assert_non_null(source);
    assert_int_equal(source->n_dead, 1);
    assert_int_equal(source->dead[0].reason, REFUSED_SIZE);
    assert_int_equal(source->dead[0].offset, 1);
    assert_int_equal(source->dead[0].payload_size, LIMIT_MESSAGE_BYTES);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 1), 0);
}

/* Makes the store remember another history of partition 0 to 3. */
static void pretend(struct fixture *f, int64_t next_offset, const char *last_value)
{
    for (int i = 0; i < f->rig.memory.n_sources; i++) {
        f->rig.memory.sources[i].next_offset = next_offset;
        f->rig.memory.sources[i].last_offset = next_offset - 1;
        hash_bytes(last_value, strlen(last_value), f->rig.memory.sources[i].last_hash);
        f->rig.memory.sources[i].n_readings = 0;
    }
}

static int count_reincarnations(const struct fixture *f)
{
    int n = 0;
    for (int i = 0; i < f->rig.memory.n_sources; i++)
        n += f->rig.memory.sources[i].n_reincarnations;
    return n;
}

static void a_topic_whose_last_message_is_another_one_was_made_anew(void **state)
{
    struct fixture *f = *state;
    rig_send_values(&f->rig, 200);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 200);
    rig_stop(&f->rig, consumer);
    pretend(f, 3, "v of another life");
    consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 200);
    WAIT_FOR(rig_status(consumer).caught_up);
    rig_stop(&f->rig, consumer);
    assert_int_equal(count_reincarnations(f), 4);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 200), 0);
}

static void a_topic_shorter_than_what_is_stored_was_made_anew(void **state)
{
    struct fixture *f = *state;
    rig_send_values(&f->rig, 200);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 200);
    rig_stop(&f->rig, consumer);
    pretend(f, 100000, "v of another life");
    consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 200);
    WAIT_FOR(rig_status(consumer).caught_up);
    rig_stop(&f->rig, consumer);
    assert_int_equal(count_reincarnations(f), 4);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 200), 0);
}

static void what_was_truncated_before_it_was_read_is_a_gap(void **state)
{
    struct fixture *f = *state;
    static uint8_t noise[400000];
    rig_send(&f->rig, "k", "v 0", 3);
    rig_flush(&f->rig);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 1);
    rig_stop(&f->rig, consumer);
    for (int i = 0; i < 25; i++) { /* 10 MB: the mock keeps the last 5 */
        hash_random(noise, sizeof(noise));
        rig_send(&f->rig, "k", noise, sizeof(noise));
        rig_flush(&f->rig);
    }
    rig_send(&f->rig, "k", "v 1", 3);
    rig_flush(&f->rig);
    consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 2);
    rig_stop(&f->rig, consumer);
    int n_gaps = 0;
    for (int i = 0; i < f->rig.memory.n_sources; i++) {
        const struct memory_source *source = &f->rig.memory.sources[i];
        n_gaps += source->n_gaps;
        if (source->n_gaps == 0)
            continue;
        assert_int_equal(source->gaps[0].from, 1);
        assert_in_range(source->gaps[0].to, 10, 25);
        assert_non_null(strstr(source->gaps[0].why, "truncated"));
    }
    assert_int_equal(n_gaps, 1);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 2), 0);
}

static bool is_any_restored(struct memory_sink *memory)
{
    bool found = false;
    pthread_mutex_lock(&memory->lock);
    for (int i = 0; i < memory->n_sources; i++)
        found = found || memory->sources[i].restored;
    pthread_mutex_unlock(&memory->lock);
    return found;
}

static void what_another_store_of_the_group_committed_is_not_read_again(void **state)
{
    struct fixture *f = *state;
    struct memory_sink other;
    memory_sink_init(&other);
    rig_send_values(&f->rig, 200);
    f->rig.opts.sink = &other.sink;
    f->rig.opts.store_uuid = "store-2";
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(memory_sink_readings(&other) >= 200);
    rig_stop(&f->rig, consumer);
    f->rig.opts.sink = &f->rig.memory.sink;
    f->rig.opts.store_uuid = "store-1";
    rig_send_values(&f->rig, 200);
    consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 200);
    WAIT_FOR(rig_status(consumer).caught_up);
    rig_stop(&f->rig, consumer);
    assert_int_equal(rig_stored(&f->rig), 200);
    assert_int_equal(f->rig.memory.n_sources, 4);
    for (int i = 0; i < 4; i++) {
        const struct memory_source *source = &f->rig.memory.sources[i];
        assert_int_equal(source->n_gaps, 1);
        assert_int_equal(source->gaps[0].from, 0);
        assert_string_equal(source->gaps[0].why, "held elsewhere: store store-2");
        assert_int_equal(source->gaps[0].to, memory_sink_find(&other, TOPIC, source->id.partition)->next_offset);
    }
    memory_sink_done(&other);
}

/* The commits of the store that it was copied from do not count; once the group knows of the restored one, others' do again. */
static void a_restored_store_reads_on_where_it_stands(void **state)
{
    struct fixture *f = *state;
    f->rig.opts.store_uuid = "store-1";
    rig_send_values(&f->rig, 100);
    struct consumer *consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 100);
    rig_stop(&f->rig, consumer);
    struct memory_sink later; /* the same store after the backup */
    memory_sink_init(&later);
    f->rig.opts.sink = &later.sink;
    rig_send_values(&f->rig, 100);
    consumer = rig_start(&f->rig);
    WAIT_FOR(memory_sink_readings(&later) >= 200);
    rig_stop(&f->rig, consumer);
    memory_sink_done(&later);
    f->rig.opts.sink = &f->rig.memory.sink;
    f->rig.opts.store_uuid = "restored";
    for (int i = 0; i < f->rig.memory.n_sources; i++)
        f->rig.memory.sources[i].restored = true;
    consumer = rig_start(&f->rig);
    WAIT_FOR(rig_stored(&f->rig) >= 200);
    WAIT_FOR(!is_any_restored(&f->rig.memory));
    rig_stop(&f->rig, consumer);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 200), 0);
    for (int i = 0; i < f->rig.memory.n_sources; i++)
        assert_int_equal(f->rig.memory.sources[i].n_gaps, 0);
}

static void properties_that_cannot_be_are_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct consumer *consumer;
    struct err_text error = {0};
    f->rig.properties[4] = (struct kafka_property){"enable.auto.commit", "true"};
    assert_int_equal(consumer_start(&f->rig.opts, &consumer, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "enable.auto.commit"));
    f->rig.properties[4] = (struct kafka_property){"fetch.colour", "blue"};
    assert_int_equal(consumer_start(&f->rig.opts, &consumer, &error), ERR_INVALID);
    assert_string_equal(error.field, "fetch.colour");
    f->rig.opts.n_properties = 4;
    f->rig.opts.topics = "^[";
    assert_int_equal(consumer_start(&f->rig.opts, &consumer, &error), ERR_INVALID);
    assert_string_equal(error.field, "topics");
}

/* The embedded broker under a producer that sends as fast as it can, more than it keeps: nothing is pushed out unread. */
static void the_embedded_broker_makes_producers_wait_for_the_store(void **state)
{
    struct fixture *f = *state;
    struct embedded *broker;
    struct err_text error = {0};
    assert_int_equal(embedded_start("fast, other", 1, &broker, &error), 0);
    struct kafka_property properties[] = {{"bootstrap.servers", embedded_bootstrap(broker)},
                                          {"queue.buffering.max.kbytes", "65536"}};
    f->rig.opts.properties = properties;
    f->rig.opts.n_properties = 2;
    f->rig.opts.topics = "fast other";
    struct consumer *consumer = rig_start(&f->rig);
    struct producer *producer;
    assert_int_equal(producer_open(properties, 2, &producer, &error), 0);
    static uint8_t noise[100000];
    embedded_pace(broker, 0);
    for (int i = 0; i < 160; i++) { /* 16 MB */
        hash_random(noise, sizeof(noise));
        assert_int_equal(producer_send(producer, "fast", NULL, 0, noise, sizeof(noise), &error), 0);
    }
    int64_t end_us = clock_mono_us() + WAIT_US;
    int rc = ERR_BUSY;
    while (rc == ERR_BUSY && clock_mono_us() < end_us) {
        rc = producer_flush(producer, 100, &error);
        embedded_pace(broker, rig_status(consumer).lag_bytes);
    }
    assert_int_equal(rc, 0);
    WAIT_FOR(rig_status(consumer).caught_up && rig_status(consumer).lag == 0);
    producer_close(producer);
    rig_stop(&f->rig, consumer);
    embedded_stop(broker);
    const struct memory_source *source = memory_sink_find(&f->rig.memory, "fast", 0);
    assert_string_equal(source->id.cluster, "embedded");
    assert_int_equal(source->owner.generation, -1);
    assert_int_equal(source->next_offset, 160);
    assert_int_equal(source->n_gaps, 0);
    assert_int_equal(memory_sink_compare(&f->rig.memory, 0), 0);
}

static void the_header_of_a_replay_comes_back_and_nothing_else_is_one(void **state)
{
    (void)state;
    static const struct replay replays[] = {
        {.id = 1, .offset = 0, .known_ms = 0, .incarnation = 1, .slot = -1},
        {.id = INT64_MAX, .offset = INT64_MAX, .known_ms = -5, .incarnation = INT32_MAX, .slot = 65535, .property = "a.b_c-9"},
    };
    static const char *const wrong[] = {
        "", "1", "1 7 1 3 4 -1", "2 7 1 3 4 -1 x", "1 0 1 3 4 -1 x", "1 7 0 3 4 -1 x", "1 7 1 -3 4 -1 x", "1 7 1 3 4 -2 x",
        "1 7 1 3 99999999999999999999 -1 x", "1  7 1 3 4 -1 x", "1 7 1 3 4 -1x", "1 +7 1 3 4 -1 x", "1 7 1 3 4 2147483648 x",
    };
    struct replay found;
    char text[REPLAY_TEXT_MAX];
    for (size_t i = 0; i < 2; i++) {
        replay_print(&replays[i], text);
        assert_true(replay_parse(text, strlen(text), &found));
        assert_memory_equal(&found, &replays[i], sizeof(found));
        for (size_t n = 0; n + 8 < strlen(text); n++)
            assert_false(replay_parse(text, n, &found));
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        if (replay_parse(wrong[i], strlen(wrong[i]), &found))
            fail_msg("\"%s\" was taken", wrong[i]);
    assert_false(replay_parse("1 7 1 3 4 -1 \0x", 15, &found));
    memset(text, 'x', sizeof(text));
    assert_false(replay_parse(text, sizeof(text), &found));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ./test_consumer [the one case to run] */
int main(int argc, char **argv)
{
    log_level_set(getenv("ALMANAC_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    const struct CMUnitTest tests[] = {
        CASE(every_message_is_stored_once_and_status_is_well),
        CASE(empty_topic_is_caught_up),
        CASE(restart_goes_on_at_the_stored_offset),
        CASE(partitions_move_to_a_second_consumer_and_back),
        CASE(full_disk_loses_nothing),
        CASE(failed_writes_lose_nothing),
        CASE(what_is_in_hand_after_a_sleep_is_dropped_and_read_again),
        CASE(failed_claims_are_tried_again),
        CASE(a_lost_partition_is_left_alone_and_said),
        CASE(a_paused_sink_is_left_in_peace_until_there_is_room),
        CASE(a_broker_that_was_away_is_noticed_and_reading_goes_on),
        CASE(stopping_while_the_broker_is_away_takes_a_few_seconds_only),
        CASE(refused_messages_are_copied_to_the_dead_topic_which_is_never_read),
        CASE(tombstones_are_passed_and_large_messages_refused),
        CASE(a_topic_whose_last_message_is_another_one_was_made_anew),
        CASE(a_topic_shorter_than_what_is_stored_was_made_anew),
        CASE(what_was_truncated_before_it_was_read_is_a_gap),
        CASE(what_another_store_of_the_group_committed_is_not_read_again),
        CASE(a_restored_store_reads_on_where_it_stands),
        CASE(the_header_of_a_replay_comes_back_and_nothing_else_is_one),
        CASE(properties_that_cannot_be_are_refused_by_name),
        CASE(the_embedded_broker_makes_producers_wait_for_the_store),
    };
    return parallel_run(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}
