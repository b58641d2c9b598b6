#include <config.h>

#include "ingest/group.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "ingest/ends.h"

#define ROUND_MESSAGES 1000
#define REVOKE_COMMIT_MS 3000
#define COMMIT_EVERY_US 1000000
#define REJOIN_US 2000000       /* so long librdkafka may take to notice by itself that the session is over */
#define SPARSE_HOLES 3         /* holes of a topic until they count as normal */
#define MOCK_CLUSTER "mockCluster" /* librdkafka's mock cluster names itself so, with a number new at each start */

#define COUNTER(id, metric_name, text) \
    static struct metric id = {.name = metric_name, .help = text, .type = METRIC_COUNTER}
COUNTER(n_rebalances, "almanac_kafka_rebalances_total", "Assignments and revocations of partitions.");
COUNTER(n_holes, "almanac_kafka_holes_total", "Offsets without a message: compaction, transactions.");
COUNTER(n_rereads, "almanac_kafka_rereads_total", "Times we went back because an offset was not the expected one.");
COUNTER(n_lapses, "almanac_kafka_lapses_total", "Times that what was in hand was dropped: the group had not heard of us.");
static struct metric n_assigned = {.name = "almanac_kafka_partitions", .type = METRIC_GAUGE,
                                   .help = "Partitions the group has given us."};

void group_init(struct group *group)
{
    group->messages = rd_kafka_queue_new(group->rk);
    group->message_bytes = 200;
    group->cluster[0] = '\0';
}

static void forget_feeds(struct group *group)
{
    for (size_t i = 0; i < group->n_feeds; i++) {
        if (group->deadletter)
            deadletter_forget(group->deadletter, group->feeds[i]);
        feed_free(group->feeds[i]);
    }
    free(group->feeds);
    group->feeds = NULL;
    group->n_feeds = 0;
    group->n_pending = 0;
    group->recent = NULL;
    metric_set(&n_assigned, 0);
}

void group_done(struct group *group)
{
    forget_feeds(group);
    if (group->messages)
        rd_kafka_queue_destroy(group->messages);
    group->messages = NULL;
}

/* The generation orders claims. librdkafka 2.0.2 tells it only in the serialized form for transactions: a magic and the
 * number in host order. The embedded broker counts from 1 at each start, which orders nothing. */
static int32_t ask_generation(struct group *group)
{
    static const char magic[] = "CGMDv2:";
    int32_t generation = -1;
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(group->rk);
    void *bytes = NULL;
    size_t size = 0;
    rd_kafka_error_t *failed =
        metadata ? rd_kafka_consumer_group_metadata_write(metadata, &bytes, &size) : NULL;
    if (bytes && size >= sizeof(magic) - 1 + sizeof(generation) && memcmp(bytes, magic, sizeof(magic) - 1) == 0)
        memcpy(&generation, (char *)bytes + sizeof(magic) - 1, sizeof(generation));
    if (failed)
        rd_kafka_error_destroy(failed);
    if (bytes)
        rd_kafka_mem_free(group->rk, bytes);
    if (metadata)
        rd_kafka_consumer_group_metadata_destroy(metadata);
    return strcmp(group->cluster, "embedded") == 0 ? -1 : generation;
}

/* false: the broker has not told who it is, so nothing can be claimed yet. */
static bool ask_cluster(struct group *group)
{
    char *id = rd_kafka_clusterid(group->rk, ASK_MS);
    if (!id)
        return false;
    bool mock = strncmp(id, MOCK_CLUSTER, sizeof(MOCK_CLUSTER) - 1) == 0;
    snprintf(group->cluster, sizeof(group->cluster), "%s", mock ? "embedded" : id);
    rd_kafka_mem_free(group->rk, id);
    return true;
}

/* Whether nobody else owns our partitions by now. */
static bool still_ours(void *arg)
{
    const struct group *group = arg;
    return lease_holds(&group->lease) && !rd_kafka_assignment_lost(group->rk);
}

static void ask_owner(struct group *group)
{
    char *member = rd_kafka_memberid(group->rk);
    snprintf(group->owner.member, sizeof(group->owner.member), "%s", member ? member : "");
    if (member)
        rd_kafka_mem_free(group->rk, member);
    group->owner.generation = ask_generation(group);
    group->owner.holds = still_ours;
    group->owner.arg = group;
}

/* The group's commits carry the UUID of the store that made them: where another store went further than we did, its readings
 * are not ours to read again. Unless ours is from a backup: the other may be what it was, and be gone. */
static void heed_other_stores(struct group *group, struct feed **feeds, size_t n, int64_t now_us)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++)
        if (feeds[i]->handle && !feeds[i]->restored)
            rd_kafka_topic_partition_list_add(list, feeds[i]->id.topic, feeds[i]->id.partition);
    rd_kafka_resp_err_t err = list->cnt > 0 ? rd_kafka_committed(group->rk, list, ASK_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (err) /* then we read on where our own store ends: at worst both stores hold some readings, and none is lost */
        log_event(LOG_WARNING, "commits_unknown", "text=\"%s\"", rd_kafka_err2str(err));
    for (size_t i = 0; i < n && !err; i++) {
        const rd_kafka_topic_partition_t *at =
            rd_kafka_topic_partition_list_find(list, feeds[i]->id.topic, feeds[i]->id.partition);
        if (!at || at->err || at->offset < 0 || !at->metadata || at->metadata_size == 0)
            continue;
        char uuid[65];
        snprintf(uuid, sizeof(uuid), "%.*s", (int)at->metadata_size, (const char *)at->metadata);
        if (strcmp(uuid, group->store_uuid) != 0 &&
            feed_held_elsewhere(feeds[i], at->offset, uuid, now_us) < 0)
            group->reassign = true;
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void note_elsewhere(struct group *group, int32_t n_partitions)
{
    struct err_text error = {0};
    if (group->sink->elsewhere(group->sink, n_partitions, &error))
        log_event(LOG_ERROR, "store_failed", "text=\"%s\"", error.text);
}

static void claim_feeds(struct group *group, int64_t now_us)
{
    struct feed **claimed = calloc(group->n_feeds + 1, sizeof(*claimed));
    size_t n = 0;
    if (!claimed || (!group->cluster[0] && !ask_cluster(group))) {
        for (size_t i = 0; i < group->n_feeds; i++)
            group->feeds[i]->retry_us = now_us + ASK_AGAIN_US;
        free(claimed);
        return;
    }
    ask_owner(group);
    for (size_t i = 0; i < group->n_feeds; i++) {
        struct feed *feed = group->feeds[i];
        if (feed->handle || feed->lost || now_us < feed->retry_us)
            continue;
        snprintf(feed->id.cluster, sizeof(feed->id.cluster), "%s", group->cluster);
        if (feed_claim(feed, &group->owner, now_us) == 0)
            claimed[n++] = feed;
    }
    if (n > 0) {
        heed_other_stores(group, claimed, n, now_us);
        group->reassign = true;
    }
    free(claimed);
}

/* Takes over what a stopped partition still has queued. It refers to the partition, which, when its topic is deleted, would
 * otherwise never be freed, and librdkafka 2.0.2 would wait for that when it ends. */
static void drain(struct group *group)
{
    for (size_t i = 0; i < group->n_feeds; i++)
        if (group->feeds[i]->queue)
            rd_kafka_queue_forward(group->feeds[i]->queue, group->messages);
}

/* Lets the partitions' messages come to our queue. Stopping a partition undoes it. */
static void forward(struct group *group)
{
    drain(group);
    for (size_t i = 0; i < group->n_feeds; i++) {
        struct feed *feed = group->feeds[i];
        if (feed->queue)
            rd_kafka_queue_destroy(feed->queue);
        feed->queue = rd_kafka_queue_get_partition(group->rk, feed->id.topic, feed->id.partition);
        if (feed->queue)
            rd_kafka_queue_forward(feed->queue, group->messages);
    }
}

/* Tells librdkafka what to read and from where: every feed with a store and a known place. What it has queued of an earlier
 * assignment is dropped by it; what is in our hands is judged by its offset. */
static void read_from_places(struct group *group)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)group->n_feeds);
    for (size_t i = 0; i < group->n_feeds; i++) {
        const struct feed *feed = group->feeds[i];
        if (!feed->handle || feed->adrift)
            continue;
        int64_t start = place_start(&feed->place);
        rd_kafka_topic_partition_list_add(list, feed->id.topic, feed->id.partition)->offset =
            start < 0 ? RD_KAFKA_OFFSET_BEGINNING : start;
    }
    forward(group);
    rd_kafka_resp_err_t err = rd_kafka_assign(group->rk, list);
    if (err)
        log_event(LOG_ERROR, "assign_failed", "text=\"%s\"", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(list);
    group->reassign = err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Stops every partition. The question is answered after that, since librdkafka's own thread does one thing after the other.
 * At the close it is not asked: the group may have ended by then, and librdkafka 2.0.2 never answers. */
static void stop_reading(struct group *group)
{
    rd_kafka_topic_partition_list_t *none = NULL;
    rd_kafka_assign(group->rk, NULL);
    if (!group->closing)
        rd_kafka_assignment(group->rk, &none);
    if (none)
        rd_kafka_topic_partition_list_destroy(none);
}

/* The same while partitions are being read. A partition after an offset that is not in the log can be read again only by a
 * new assignment (a seek does nothing then). */
static void read_anew_from_places(struct group *group)
{
    stop_reading(group);
    read_from_places(group);
}

static void take_assignment(struct group *group, const rd_kafka_topic_partition_list_t *partitions)
{
    forget_feeds(group);
    lease_begin(&group->lease);
    group->lapsed = false;
    group->feeds = calloc((size_t)partitions->cnt + 1, sizeof(struct feed *));
    for (int i = 0; i < partitions->cnt && group->feeds; i++) {
        const rd_kafka_topic_partition_t *at = &partitions->elems[i];
        if (strcmp(at->topic, group->dead_topic) == 0)
            continue;
        struct feed *feed = feed_new(group->sink, group->cluster, at->topic, at->partition);
        if (feed)
            group->feeds[group->n_feeds++] = feed;
    }
    log_event(LOG_INFO, "assigned", "partitions=%zu", group->n_feeds);
    metric_set(&n_assigned, (int64_t)group->n_feeds);
    group->ends_retry_us = 0;
    claim_feeds(group, clock_mono_us());
    read_from_places(group);
    members_want(&group->members);
    group->assigned = true;
}

/* What may be told to Kafka and was not yet. NULL: nothing. */
static rd_kafka_topic_partition_list_t *list_commits(struct group *group)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)group->n_feeds);
    for (size_t i = 0; i < group->n_feeds; i++) {
        struct feed *feed = group->feeds[i];
        int64_t offset = feed->handle ? group->sink->committable(group->sink, feed->handle) : -1;
        if (offset < 0 || offset == feed->committed)
            continue;
        rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(list, feed->id.topic, feed->id.partition);
        at->offset = offset;
        at->metadata = strdup(group->store_uuid); /* the list frees it */
        at->metadata_size = at->metadata ? strlen(group->store_uuid) : 0;
        feed->committed = offset;
    }
    if (list->cnt > 0)
        return list;
    rd_kafka_topic_partition_list_destroy(list);
    return NULL;
}

/* Without waiting; a commit that fails is followed by a later one, and is for lag tools only. */
static void commit(struct group *group)
{
    rd_kafka_topic_partition_list_t *list = list_commits(group);
    if (!list)
        return;
    rd_kafka_resp_err_t err = rd_kafka_commit(group->rk, list, 1);
    if (err)
        log_event(LOG_WARNING, "commit_failed", "text=\"%s\"", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(list);
}

void group_commit_failed(struct group *group)
{
    for (size_t i = 0; i < group->n_feeds; i++)
        group->feeds[i]->committed = -1;
}

/* From now on the group's commits name this store, until another one goes on. */
void group_commit_done(struct group *group, rd_kafka_topic_partition_list_t *offsets)
{
    for (size_t i = 0; i < group->n_feeds && offsets; i++) {
        struct feed *feed = group->feeds[i];
        if (!feed->restored || !feed->handle)
            continue;
        const rd_kafka_topic_partition_t *at =
            rd_kafka_topic_partition_list_find(offsets, feed->id.topic, feed->id.partition);
        if (at && !at->err && group->sink->told(group->sink, feed->handle) == 0)
            feed->restored = false;
    }
}

/* Before partitions go away: waits, but not for a broker that is gone. All of it is synced first, so that whoever is next
 * reads nothing that we have. */
static void commit_and_wait(struct group *group)
{
    for (size_t i = 0; i < group->n_feeds; i++)
        if (group->feeds[i]->handle && group->sink->sync(group->sink, group->feeds[i]->handle))
            log_event(LOG_WARNING, "sync_failed", "topic=%s partition=%d", group->feeds[i]->id.topic,
                      group->feeds[i]->id.partition);
    rd_kafka_topic_partition_list_t *list = list_commits(group);
    if (!list)
        return;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(group->rk);
    if (!rd_kafka_commit_queue(group->rk, list, queue, NULL, NULL)) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, REVOKE_COMMIT_MS);
        if (!event)
            log_event(LOG_WARNING, "commit_failed", "text=\"no answer within %d ms\"", REVOKE_COMMIT_MS);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(list);
}

static void hand_over(struct group *group, struct feed *feed, int64_t now_us)
{
    group->n_pending -= (int64_t)feed->batch.n_readings;
    int rc = feed_hand_over(feed, now_us);
    group->n_pending += (int64_t)feed->batch.n_readings; /* not zero when it was kept for another try */
    if (rc == 0)
        return;
    if (!feed->handle)
        group->reassign = true;
    else
        group->hold_until_us = now_us + HOLD_US;
}

static void give_up_assignment(struct group *group)
{
    int64_t now_us = clock_mono_us();
    bool lost = !still_ours(group); /* somebody else may own them by now: do not write */
    for (size_t i = 0; i < group->n_feeds && !lost && !group->paused; i++)
        if (group->feeds[i]->handle)
            hand_over(group, group->feeds[i], now_us);
    if (!lost)
        commit_and_wait(group);
    else
        note_elsewhere(group, (int32_t)group->n_feeds); /* as far as we know */
    log_event(LOG_INFO, "revoked", "partitions=%zu lost=%s", group->n_feeds, lost ? "yes" : "no");
    stop_reading(group);
    drain(group);
    forget_feeds(group);
    group->assigned = group->reassign = group->lapsed = false;
}

void group_rebalance(struct group *group, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t *partitions)
{
    metric_add(&n_rebalances, 1);
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        take_assignment(group, partitions);
        return;
    }
    if (what != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
        log_event(LOG_WARNING, "rebalance_failed", "text=\"%s\"", rd_kafka_err2str(what));
    give_up_assignment(group);
}

bool group_holds_back(const struct group *group, int64_t now_us)
{
    return group->paused || group->lapsed || now_us < group->hold_until_us;
}

static struct feed *find_feed(struct group *group, const rd_kafka_message_t *message)
{
    if (group->recent && group->recent_topic == message->rkt && group->recent->id.partition == message->partition)
        return group->recent;
    const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : "";
    for (size_t i = 0; i < group->n_feeds; i++) {
        struct feed *feed = group->feeds[i];
        if (feed->id.partition == message->partition && strcmp(feed->id.topic, topic) == 0) {
            group->recent = feed;
            group->recent_topic = message->rkt;
            return feed;
        }
    }
    return NULL;
}

static void go_back(struct feed *feed, const rd_kafka_message_t *message)
{
    metric_add(&n_rereads, 1);
    rd_kafka_resp_err_t err = rd_kafka_seek(message->rkt, message->partition, place_start(&feed->place), 0);
    if (err)
        log_event(LOG_WARNING, "seek_failed", "topic=%s partition=%d text=\"%s\"", feed->id.topic, feed->id.partition,
                  rd_kafka_err2str(err));
}

static void count_hole(struct group *group, struct feed *feed, int64_t to)
{
    metric_add(&n_holes, to - feed->place.next);
    if (feed->place.sparse)
        return;
    log_event(LOG_INFO, "hole", "topic=%s partition=%d from=%" PRId64 " to=%" PRId64, feed->id.topic,
              feed->id.partition, feed->place.next, to);
    feed->n_holes++;
    int64_t holes = 0;
    for (size_t i = 0; i < group->n_feeds; i++)
        if (strcmp(group->feeds[i]->id.topic, feed->id.topic) == 0)
            holes += group->feeds[i]->n_holes;
    if (holes < SPARSE_HOLES)
        return;
    log_event(LOG_INFO, "topic_sparse", "topic=%s text=\"holes are normal here and only counted from now on\"",
              feed->id.topic);
    for (size_t i = 0; i < group->n_feeds; i++)
        if (strcmp(group->feeds[i]->id.topic, feed->id.topic) == 0)
            group->feeds[i]->place.sparse = true;
}

/* Puts a message into its feed's batch, making room by handing over. false: it could not be taken and the feed goes back. */
static bool add_message(struct group *group, struct feed *feed, rd_kafka_message_t *message, bool hole, bool *ret_kept)
{
    int64_t to = message->offset, from = feed->place.next;
    size_t before = feed->batch.n_readings;
    int rc = feed_add(feed, group->decoder, message, hole, ret_kept);
    if (rc == ERR_BUSY || rc == ERR_NOMEM) {
        hand_over(group, feed, clock_mono_us());
        before = feed->batch.n_readings;
        if (!feed->handle)
            return true; /* the store failed: all of it is read again after the next claim */
        rc = feed->batch.n_messages > 0 ? ERR_BUSY : feed_add(feed, group->decoder, message, hole, ret_kept);
    }
    if (rc < 0) {
        if (rc == ERR_NOMEM)
            log_event(LOG_ERROR, "no_memory", "topic=%s partition=%d offset=%" PRId64, feed->id.topic,
                      feed->id.partition, to);
        group->hold_until_us = clock_mono_us() + HOLD_US;
        return false;
    }
    group->n_pending += (int64_t)(feed->batch.n_readings - before);
    if (hole) {
        feed->place.next = from;
        count_hole(group, feed, to);
        feed->place.next = to + 1;
    }
    return true;
}

/* true: the message now belongs to its feed. */
static bool take_message(struct group *group, struct feed *feed, rd_kafka_message_t *message)
{
    bool kept = false;
    switch (place_meet(&feed->place, message->offset, message->payload, message->payload ? message->len : 0,
                       group->round)) {
    case PLACE_SKIP:
        break;
    case PLACE_GO_BACK:
        go_back(feed, message);
        break;
    case PLACE_OTHER:
        feed->adrift = feed->other_topic = true;
        break;
    case PLACE_TAKE:
    case PLACE_HOLE: {
        bool hole = feed->place.next >= 0 && message->offset > feed->place.next;
        if (!add_message(group, feed, message, hole, &kept))
            group->reassign = true;
        break;
    }
    }
    return kept;
}

static void take_event(struct feed *feed, const rd_kafka_message_t *message, uint64_t round)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (place_meets_end(&feed->place, message->offset, round))
            feed->eof = message->offset;
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        log_event(LOG_WARNING, "offset_not_in_log", "topic=%s partition=%d text=\"%s\"", feed->id.topic,
                  feed->id.partition, rd_kafka_message_errstr(message));
        feed->adrift = true;
        break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: /* when it comes back, it may be another one */
        feed->adrift = true;
        /* fall through */
    default:
        snprintf(feed->reason, sizeof(feed->reason), "topic \"%.60s\" partition %d cannot be read: %s", feed->id.topic,
                 feed->id.partition, rd_kafka_err2str(message->err));
        log_event(LOG_WARNING, "partition_failed", "topic=%s partition=%d text=\"%s\"", feed->id.topic,
                  feed->id.partition, rd_kafka_err2str(message->err));
    }
}

static void hand_over_due(struct group *group)
{
    int64_t now_us = clock_mono_us();
    bool all = group->n_pending > LIMIT_BATCH_READINGS;
    for (size_t i = 0; i < group->n_feeds; i++) {
        struct feed *feed = group->feeds[i];
        if (feed->batch.n_messages > 0 && (all || now_us - feed->handed_us >= group->commit_us))
            hand_over(group, feed, now_us);
    }
}

size_t group_read(struct group *group, int wait_ms)
{
    rd_kafka_message_t *messages[ROUND_MESSAGES];
    group->round++;
    group->recent = NULL; /* topic handles live as long as a message that names them */
    ssize_t n = rd_kafka_consume_batch_queue(group->messages, wait_ms, messages, ROUND_MESSAGES);
    for (ssize_t i = 0; i < n; i++) {
        rd_kafka_message_t *message = messages[i];
        struct feed *feed = find_feed(group, message);
        bool kept = false;
        if (feed && feed->handle && message->err)
            take_event(feed, message, group->round);
        else if (feed && feed->handle && !feed->adrift) {
            group->message_bytes += ((double)message->len - group->message_bytes) / 256;
            kept = take_message(group, feed, message);
        }
        if (!kept)
            rd_kafka_message_destroy(message);
    }
    hand_over_due(group);
    return n > 0 ? (size_t)n : 0;
}

/* A kept batch is given again as soon as the store may have room. */
static void try_again(struct group *group, int64_t now_us)
{
    struct sink_stats stats = {0};
    group->sink->stats(group->sink, &stats);
    if (stats.paused != group->paused)
        log_event(LOG_WARNING, stats.paused ? "reading_paused" : "reading_resumed",
                  stats.paused ? "text=\"the disk is too full\"" : "text=\"there is room again\"");
    group->paused = stats.paused;
    if (!group_holds_back(group, now_us))
        hand_over_due(group);
}

static void drop_everything(struct group *group)
{
    metric_add(&n_lapses, 1);
    log_event(LOG_WARNING, "lease_lapsed", "text=\"the group has not heard of us in time: what is in hand is dropped\"");
    for (size_t i = 0; i < group->n_feeds; i++)
        feed_release(group->feeds[i]);
    group->n_pending = 0;
    note_elsewhere(group, (int32_t)group->n_feeds); /* as far as we know */
}

/* Asks the group to assign anew, where librdkafka sees no reason to: the broker slept when we did. */
static void rejoin(struct group *group)
{
    rd_kafka_topic_partition_list_t *topics;
    if (rd_kafka_subscription(group->rk, &topics))
        return;
    rd_kafka_resp_err_t err = rd_kafka_subscribe(group->rk, topics);
    log_event(LOG_INFO, "rejoin", "text=\"%s\"", err ? rd_kafka_err2str(err) : "the group is asked to assign anew");
    rd_kafka_topic_partition_list_destroy(topics);
}

/* The process was stopped, or nobody answers: others may own our partitions. Nothing of what we have may be stored, and
 * nothing is done until the group has assigned anew. */
static void let_go(struct group *group, int64_t now_us)
{
    if (!group->lapsed) {
        drop_everything(group);
        group->lapsed = true;
    } else if (now_us >= group->rejoin_us) {
        rejoin(group);
    } else {
        return;
    }
    group->rejoin_us = now_us + REJOIN_US;
}

void group_tend(struct group *group, int64_t now_us)
{
    try_again(group, now_us);
    if (!group->assigned)
        return;
    if (group->lapsed || !lease_holds(&group->lease)) {
        let_go(group, now_us);
        return;
    }
    for (size_t i = 0; i < group->n_feeds; i++) {
        const struct feed *feed = group->feeds[i];
        if (!feed->handle && !feed->lost && now_us >= feed->retry_us) {
            claim_feeds(group, now_us);
            break;
        }
    }
    if (!group_holds_back(group, now_us))
        ends_settle(group, now_us);
    if (group->reassign && !group_holds_back(group, now_us))
        read_anew_from_places(group);
    if (now_us >= group->ends_retry_us)
        ends_ask(group, now_us);
    if (now_us >= group->commit_next_us) {
        group->commit_next_us = now_us + COMMIT_EVERY_US;
        commit(group);
    }
    int32_t n_elsewhere;
    bool embedded = strcmp(group->cluster, "embedded") == 0; /* nobody else reads there, and it could not say */
    if (!embedded && members_tend(&group->members, group->rk, group->owner.member, now_us, &n_elsewhere))
        note_elsewhere(group, n_elsewhere);
    if (group->deadletter)
        deadletter_serve(group->deadletter, group->feeds, group->n_feeds, now_us);
}

void group_doubt(struct group *group)
{
    int64_t now_us = clock_mono_us();
    for (size_t i = 0; i < group->n_feeds; i++) {
        struct feed *feed = group->feeds[i];
        if (feed->handle)
            hand_over(group, feed, now_us);
        if (feed->handle && feed->batch.n_messages == 0) {
            place_doubt(&feed->place, feed->place.next);
            group->reassign = true;
        }
        feed->end = -1;
    }
    group->ends_retry_us = 0;
}

const char *group_reason(const struct group *group)
{
    if (group->paused)
        return "the disk is too full: reading is held back until there is room";
    if (group->lapsed)
        return "the consumer group has not heard of us within session.timeout.ms: what was in hand is dropped, and reading "
               "goes on once it has assigned partitions anew";
    for (size_t i = 0; i < group->n_feeds; i++)
        if (group->feeds[i]->reason[0])
            return group->feeds[i]->reason;
    return NULL;
}
