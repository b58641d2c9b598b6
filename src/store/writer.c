#include <config.h>

#include "store/writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/metrics.h"
#include "store/assets_file.h"
#include "store/catalog.h"
#include "store/erasing.h"
#include "store/expire.h"
#include "store/flush.h"
#include "store/manifest.h"
#include "store/parcel.h"
#include "store/partition.h"
#include "store/reader.h"
#include "store/seal.h"
#include "store/window_file.h"

#define TICK_US INT64_C(200000)                /* how often the background thread looks around */
#define SYNC_EVERY_US INT64_C(1000000)         /* what was committed is synced, and Kafka told, at least so often */
#define FLUSH_BYTES_DEFAULT (INT64_C(16) << 20)
#define REVISIONS_KEEP_US_DEFAULT (90 * INT64_C(86400000000))
#define DEAD_BYTES_DEFAULT INT64_C(1000000000)
#define FLUSH_BATCHES_MAX 1024                 /* readers search each batch */
#define FLUSH_AGE_US (15 * INT64_C(60000000))  /* readings reach a window file after so long at the latest */
#define FULL_FACTOR 4                          /* so many times flush_bytes: ingest waits for the flush */
#define PURGE_EVERY_US (60 * INT64_C(1000000))
#define RETRY_US (30 * INT64_C(1000000))       /* after a flush or seal failed */

static struct metric readings_total = {.name = "almanac_readings_total", .type = METRIC_COUNTER,
                                       .help = "Readings stored, repeats included."};
static struct metric refusals_total = {.name = "almanac_refusals_total", .type = METRIC_COUNTER,
                                       .help = "Messages or parts of them that were refused and kept as dead letters."};
static struct metric flushes_total = {.name = "almanac_flushes_total", .type = METRIC_COUNTER,
                                      .help = "Flushes of batches into window files."};
static struct metric seals_total = {.name = "almanac_seals_total", .type = METRIC_COUNTER,
                                    .help = "Windows rewritten into sealed files."};
static struct metric expired_total = {.name = "almanac_expired_windows_total", .type = METRIC_COUNTER,
                                      .help = "Windows whose readings have expired."};
static struct metric late_total = {.name = "almanac_expired_readings_total", .type = METRIC_COUNTER,
                                   .help = "Readings that were stored but whose window had expired before they were flushed."};
static struct metric failures_total = {.name = "almanac_store_failures_total", .type = METRIC_COUNTER,
                                       .help = "Flushes, seals and syncs that failed and are tried again."};
static struct metric dead_letters = {.name = "almanac_dead_letters", .type = METRIC_GAUGE,
                                     .help = "Refused parts of messages that are kept."};
static struct metric dead_bytes = {.name = "almanac_dead_letter_bytes", .type = METRIC_GAUGE,
                                   .help = "Bytes of these, roughly."};
static struct metric dead_dropped = {.name = "almanac_dead_letters_dropped_total", .type = METRIC_COUNTER,
                                     .help = "Dead letters dropped before their time, since there were too many."};
static struct metric unflushed_bytes = {.name = "almanac_unflushed_bytes", .type = METRIC_GAUGE,
                                        .help = "Bytes of batches that are not in window files yet."};

/* A partition with what the writer knows of it. */
struct shard {
    struct partition *partition;
    int64_t source;       /* the catalog's id */
    enum window_length window;
    const struct retention *retention;
    uint64_t *seen;       /* bit i: the catalog knows that series i has readings here */
    size_t n_seen_words;
    int64_t seal_us;      /* when to look for windows to seal (monotonic) */
    int64_t retry_us;     /* after a failure: not before (monotonic) */
    /* the newest batch number as of some time ago, so that dead rows are kept VIEW_KEEP_US */
    int64_t purge_batch, purge_next_batch, purge_next_us;
};

/* A claim of a source: the handle that ingest holds. */
struct handle {
    struct shard *shard;
    int64_t epoch;
};

struct writer {
    struct sink sink; /* first: the sink's calls get it back by a cast */
    struct writer_opts opts;
    char *dir;
    int lock_fd;
    struct catalog *catalog;
    struct assets_file *assets;
    struct registry *registry;
    struct catalog_reader *lookup; /* of the background thread */
    struct erased *erased;
    int64_t erased_version;        /* that the registry has answers of */
    pthread_mutex_t taking;        /* held while a batch is stored, from the look at the list of erased entities on */
    struct erasing erasing;        /* of the background thread */
    pthread_mutex_t lock;          /* shards, stop */
    pthread_cond_t wake, relieved;
    struct shard **shards;
    size_t n_shards;
    bool stop, started;
    pthread_t thread;
    struct buf parcel;
    uint32_t *new_series; /* scratch of take */
    size_t new_series_cap;
};

/* ---- the directory ---- */

static int make_folder(const char *dir, const char *name, struct err_text *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (mkdir(path, 0777) == 0)
        return 0;
    return err_set(error, errno == EEXIST ? ERR_EXISTS : ERR_IO, "cannot make the folder \"%s\": %s", path,
                   strerror(errno));
}

int store_create(const char *dir, struct err_text *error)
{
    int rc = make_folder(dir, "store", error);
    return rc ? rc : catalog_create(dir, error);
}

int store_lock(const char *dir, int *ret_fd, struct err_text *error)
{
    char path[4096], pid[24] = "";
    snprintf(path, sizeof(path), "%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "cannot open \"%s\": %s", path, strerror(errno));
    int rc = 0;
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
        pid[n > 0 ? n : 0] = '\0';
        rc = err_set(error, ERR_BUSY, "another process (%.20s) ingests into \"%s\": stop it, or run with roles = serve",
                     *pid ? pid : "unknown", dir);
    } else {
        int n = snprintf(pid, sizeof(pid), "%ld", (long)getpid());
        if (ftruncate(fd, 0) || pwrite(fd, pid, (size_t)n, 0) != n)
            rc = err_set(error, ERR_IO, "cannot write \"%s\": %s", path, strerror(errno));
    }
    if (rc) {
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

static struct shard *find_shard(struct writer *writer, const char *topic, int32_t number)
{
    for (size_t i = 0; i < writer->n_shards; i++)
        if (partition_number(writer->shards[i]->partition) == number &&
            strcmp(partition_topic(writer->shards[i]->partition), topic) == 0)
            return writer->shards[i];
    return NULL;
}

/* What the configuration says of the topic. */
static void choose_opts(const struct writer *writer, const char *topic, struct shard *shard)
{
    const struct writer_opts *opts = &writer->opts;
    shard->window = opts->window;
    shard->retention = &opts->retention;
    for (size_t i = 0; i < opts->n_topics; i++) {
        if (strcmp(opts->topics[i].topic, topic) == 0) {
            shard->window = opts->topics[i].window;
            shard->retention = &opts->topics[i].retention;
        }
    }
}

static int add_shard(struct writer *writer, const char *topic, int32_t number, struct shard **ret_shard,
                     struct err_text *error)
{
    struct shard *shard = calloc(1, sizeof(*shard));
    struct shard **shards = realloc(writer->shards, (writer->n_shards + 1) * sizeof(struct shard *));
    if (shards)
        writer->shards = shards;
    if (!shard || !shards) {
        free(shard);
        return err_set(error, ERR_NOMEM, "cannot open the partition %s/%d: out of memory", topic, number);
    }
    int rc = catalog_source(writer->catalog, topic, number, &shard->source, error);
    if (!rc)
        rc = partition_open(writer->dir, topic, number, &shard->partition, error);
    if (!rc && (rc = partition_note_store(shard->partition, catalog_uuid(writer->catalog), error)))
        partition_close(shard->partition);
    if (rc) {
        free(shard);
        return rc;
    }
    choose_opts(writer, topic, shard);
    shard->purge_next_us = clock_mono_us() + VIEW_KEEP_US;
    struct backlog backlog;
    partition_backlog(shard->partition, &backlog);
    shard->purge_next_batch = backlog.last_batch;
    writer->shards[writer->n_shards++] = shard;
    if (ret_shard)
        *ret_shard = shard;
    return 0;
}

static bool is_number(const char *text)
{
    return *text && strlen(text) < 10 && strspn(text, "0123456789") == strlen(text);
}

/* Opens the partitions of a topic's folder, claimed or not: they may have windows to seal. */
static int open_topic(struct writer *writer, const char *topic, struct err_text *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/store/%s", writer->dir, topic);
    DIR *dir = opendir(path);
    int rc = 0;
    struct dirent *entry;
    while (dir && !rc && (entry = readdir(dir)))
        if (is_number(entry->d_name))
            rc = add_shard(writer, topic, (int32_t)strtol(entry->d_name, NULL, 10), NULL, error);
    if (dir)
        closedir(dir);
    return rc;
}

static int open_shards(struct writer *writer, struct err_text *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/store", writer->dir);
    DIR *dir = opendir(path);
    if (!dir)
        return err_set(error, ERR_NOTFOUND, "cannot read the folder \"%s\": %s; make a store with `almanac init`", path,
                       strerror(errno));
    int rc = 0;
    struct dirent *entry;
    while (!rc && (entry = readdir(dir)))
        if (*entry->d_name != '.' && entry->d_type == DT_DIR)
            rc = open_topic(writer, entry->d_name, error);
    closedir(dir);
    return rc;
}

/* ---- the sink ---- */

static struct writer *of_sink(struct sink *sink)
{
    return (struct writer *)sink;
}

static int sink_claim(struct sink *sink, const struct source *source, const struct owner *owner,
                      struct claim *ret_claim, void **ret_handle, struct err_text *error)
{
    struct writer *writer = of_sink(sink);
    struct handle *handle = calloc(1, sizeof(*handle));
    if (!handle)
        return err_set(error, ERR_NOMEM, "cannot claim %s/%d: out of memory", source->topic, source->partition);
    pthread_mutex_lock(&writer->lock);
    int rc = 0;
    handle->shard = find_shard(writer, source->topic, source->partition);
    if (!handle->shard)
        rc = add_shard(writer, source->topic, source->partition, &handle->shard, error);
    pthread_mutex_unlock(&writer->lock);
    if (!rc)
        rc = partition_claim(handle->shard->partition, source, owner, ret_claim, &handle->epoch, error);
    if (rc) {
        free(handle);
        return rc;
    }
    ret_claim->restored = catalog_is_restored(writer->catalog) &&
                          !partition_is_told(handle->shard->partition, catalog_uuid(writer->catalog));
    *ret_handle = handle;
    return 0;
}

static int sink_reincarnate(struct sink *sink, void *handle_arg, int64_t next_offset, struct err_text *error)
{
    struct handle *handle = handle_arg;
    (void)sink;
    return partition_reincarnate(handle->shard->partition, handle->epoch, next_offset, error);
}

static int sink_gap(struct sink *sink, void *handle_arg, int64_t from, int64_t to, const char *why,
                    struct err_text *error)
{
    struct handle *handle = handle_arg;
    (void)sink;
    return partition_gap(handle->shard->partition, handle->epoch, from, to, why, error);
}

static bool is_seen(const struct shard *shard, uint32_t series_i)
{
    return series_i / 64 < shard->n_seen_words && shard->seen[series_i / 64] >> (series_i % 64) & 1;
}

static int make_room_for_seen(struct shard *shard, size_t n_series)
{
    size_t n_words = n_series / 64 + 1;
    if (n_words <= shard->n_seen_words)
        return 0;
    n_words += n_words / 2;
    uint64_t *seen = realloc(shard->seen, n_words * sizeof(*seen));
    if (!seen)
        return ERR_NOMEM;
    memset(seen + shard->n_seen_words, 0, (n_words - shard->n_seen_words) * sizeof(*seen));
    shard->seen = seen;
    shard->n_seen_words = n_words;
    return 0;
}

/* Makes the catalog know, before the readings are stored, every series that they belong to and that it is here. */
static int persist_series(struct writer *writer, struct shard *shard, const struct batch *batch, size_t begin,
                          struct err_text *error)
{
    size_t n = 0;
    if (make_room_for_seen(shard, registry_n_series(writer->registry)))
        return err_set(error, ERR_NOMEM, "cannot store a batch: out of memory");
    for (size_t i = begin; i < batch->n_readings; i++) {
        uint32_t series_i = batch->readings[i].series_i;
        if (is_seen(shard, series_i))
            continue;
        if (array_grow(&writer->new_series, &writer->new_series_cap, n + 1, sizeof(*writer->new_series)))
            return err_set(error, ERR_NOMEM, "cannot store a batch: out of memory");
        writer->new_series[n++] = series_i;
        shard->seen[series_i / 64] |= UINT64_C(1) << (series_i % 64);
    }
    int rc = catalog_persist(writer->catalog, writer->registry, shard->source, writer->new_series, n, error);
    for (size_t i = 0; i < n && rc; i++)
        shard->seen[writer->new_series[i] / 64] &= ~(UINT64_C(1) << (writer->new_series[i] % 64));
    return rc;
}

/* Conditions of this file run on the monotonic clock. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void wait_for_at_most(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t wait_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nsec = until.tv_nsec + wait_us * 1000;
    until.tv_sec += nsec / 1000000000;
    until.tv_nsec = nsec % 1000000000;
    pthread_cond_timedwait(condition, lock, &until);
}

/* While far more waits than a flush takes, ingest waits: batches stay bounded. */
static void wait_for_relief(struct writer *writer, struct shard *shard)
{
    struct backlog backlog;
    for (;;) {
        partition_backlog(shard->partition, &backlog);
        if (backlog.bytes < FULL_FACTOR * writer->opts.flush_bytes)
            return;
        pthread_mutex_lock(&writer->lock);
        bool give_up = writer->stop || shard->retry_us > clock_mono_us(); /* the flush fails: rather grow than stand still */
        if (!give_up) {
            pthread_cond_signal(&writer->wake);
            wait_for_at_most(&writer->relieved, &writer->lock, SYNC_EVERY_US);
        }
        pthread_mutex_unlock(&writer->lock);
        if (give_up)
            return;
    }
}

/* What comes first of a batch whose messages below next_offset are stored already; the reading is returned. */
static size_t skip_below(const struct batch *batch, int64_t next_offset, struct taking *taking)
{
    size_t i = 0, r = 0;
    while (i < batch->n_readings && batch->readings[i].offset < next_offset)
        i++;
    while (r < batch->n_refusals && batch->refusals[r].offset < next_offset)
        r++;
    taking->begin_refusal = r;
    while (taking->begin_replay < batch->n_replays && batch->replays[taking->begin_replay].at_offset < next_offset)
        taking->begin_replay++;
    return i;
}

/* Readings that were decoded before their entity was erased: what came in between is refused as what comes later. */
static int drop_erased(struct writer *writer, struct batch *batch, size_t begin)
{
    size_t n = begin;
    int64_t refused = -1;
    int rc = 0;
    for (size_t i = begin; i < batch->n_readings && !rc; i++) {
        const struct reading *reading = &batch->readings[i];
        if (!registry_is_erased(writer->registry, registry_at(writer->registry, reading->series_i)->entity)) {
            batch->readings[n++] = *reading;
        } else if (reading->offset != refused) { /* once a message */
            refused = reading->offset;
            rc = batch_refuse(batch, REFUSED_ERASED, refused, reading->known_ms, "", 0, -1, "", 0,
                              "the entity was erased: nothing of it is taken any more");
        }
    }
    batch->n_readings = n;
    return rc;
}

/* The list as it stands, for this batch and those that are decoded after it. */
static int follow_erased(struct writer *writer, struct batch *batch, size_t begin, struct err_text *error)
{
    int64_t version = 0;
    int rc = erased_follow(writer->erased, &version, error);
    if (rc || version == writer->erased_version)
        return rc;
    registry_doubt(writer->registry);
    rc = drop_erased(writer, batch, begin);
    if (rc)
        return err_set(error, rc, "cannot store a batch: out of memory");
    writer->erased_version = version;
    return 0;
}

static int store_batch(struct writer *writer, struct shard *shard, struct taking *taking, size_t begin, struct err_text *error)
{
    const struct batch *batch = taking->batch;
    int rc = persist_series(writer, shard, batch, begin, error);
    if (rc)
        return rc;
    buf_clear(&writer->parcel);
    if (begin < batch->n_readings && parcel_encode(batch, begin, writer->registry, &writer->parcel))
        return err_set(error, ERR_NOMEM, "cannot store a batch: out of memory");
    taking->n_readings = (int64_t)(batch->n_readings - begin);
    return partition_take(shard->partition, taking, error);
}

static int sink_take(struct sink *sink, void *handle_arg, struct batch *batch, struct err_text *error)
{
    struct writer *writer = of_sink(sink);
    struct handle *handle = handle_arg;
    struct partition *partition = handle->shard->partition;
    int64_t next_offset = partition_next_offset(partition);
    if (batch->next_offset <= next_offset)
        return 0;
    struct taking taking = {.epoch = handle->epoch, .batch = batch, .parcel = &writer->parcel,
                            .seal_payload = writer->opts.seal_payload, .seal_arg = writer->opts.seal_arg,
                            .erased = writer->erased};
    size_t begin = skip_below(batch, next_offset, &taking);
    wait_for_relief(writer, handle->shard);
    pthread_mutex_lock(&writer->taking);
    int rc = follow_erased(writer, batch, begin, error);
    rc = rc ? rc : store_batch(writer, handle->shard, &taking, begin, error);
    pthread_mutex_unlock(&writer->taking);
    if (rc)
        return rc;
    metric_add(&readings_total, taking.n_readings);
    metric_add(&refusals_total, (int64_t)(batch->n_refusals - taking.begin_refusal));
    struct backlog backlog;
    partition_backlog(partition, &backlog);
    if (backlog.bytes >= writer->opts.flush_bytes || backlog.batches >= FLUSH_BATCHES_MAX)
        pthread_cond_signal(&writer->wake);
    return 0;
}

/* By the clock, and what is gone already: a retention that was made longer brings no window back. */
static int64_t sink_oldest(struct sink *sink, void *handle_arg)
{
    struct handle *handle = handle_arg;
    struct expired expired;
    (void)sink;
    partition_expired(handle->shard->partition, &expired);
    int64_t oldest_us = retention_oldest_us(&handle->shard->retention->raw, clock_wall_us());
    return oldest_us > expired.raw_us ? oldest_us : expired.raw_us;
}

static int64_t sink_committable(struct sink *sink, void *handle_arg)
{
    struct handle *handle = handle_arg;
    (void)sink;
    return partition_committable(handle->shard->partition);
}

static int sink_told(struct sink *sink, void *handle_arg)
{
    struct handle *handle = handle_arg;
    return partition_tell(handle->shard->partition, handle->epoch, catalog_uuid(of_sink(sink)->catalog), NULL);
}

static int sink_sync(struct sink *sink, void *handle_arg)
{
    struct handle *handle = handle_arg;
    (void)sink;
    return partition_checkpoint(handle->shard->partition);
}

static int sink_elsewhere(struct sink *sink, int32_t n_partitions, struct err_text *error)
{
    return catalog_elsewhere(of_sink(sink)->catalog, n_partitions, error);
}

static void sink_release(struct sink *sink, void *handle)
{
    (void)sink;
    free(handle);
}

static void sink_stats(struct sink *sink, struct sink_stats *ret_stats)
{
    struct writer *writer = of_sink(sink);
    struct sink_stats stats = {0};
    struct statvfs disk;
    pthread_mutex_lock(&writer->lock);
    for (size_t i = 0; i < writer->n_shards; i++) {
        struct backlog backlog;
        partition_backlog(writer->shards[i]->partition, &backlog);
        stats.unstored_bytes += backlog.bytes;
    }
    pthread_mutex_unlock(&writer->lock);
    metric_set(&unflushed_bytes, stats.unstored_bytes);
    if (statvfs(writer->dir, &disk) == 0)
        stats.paused = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize < writer->opts.free_min_bytes;
    *ret_stats = stats;
}

static int sink_dead_next(struct sink *sink, void *handle_arg, int max,
                          int (*row)(void *arg, int64_t id, const struct refusal *refusal, const void *payload),
                          void *arg)
{
    struct handle *handle = handle_arg;
    (void)sink;
    return partition_dead_next(handle->shard->partition, max, row, arg);
}

static int sink_dead_done(struct sink *sink, void *handle_arg, int64_t id)
{
    struct handle *handle = handle_arg;
    (void)sink;
    return partition_dead_done(handle->shard->partition, id);
}

/* ---- the background thread: flush, seal, purge, sync ---- */

static bool is_stopping(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    bool stop = writer->stop;
    pthread_mutex_unlock(&writer->lock);
    return stop;
}

static bool flush_is_due(const struct writer *writer, const struct shard *shard, int64_t now_us)
{
    struct backlog backlog;
    partition_backlog(shard->partition, &backlog);
    if (!backlog.batches)
        return false;
    return backlog.bytes >= writer->opts.flush_bytes || backlog.batches >= FLUSH_BATCHES_MAX ||
           now_us - backlog.oldest_us >= FLUSH_AGE_US || now_us - backlog.newest_us >= writer->opts.seal_after_us;
}

static void note_failure(struct writer *writer, struct shard *shard, const char *event, const struct err_text *error)
{
    metric_add(&failures_total, 1);
    log_event(LOG_ERROR, event, "partition=%s/%d error=\"%s\"", partition_topic(shard->partition),
              partition_number(shard->partition), error->text);
    pthread_mutex_lock(&writer->lock);
    shard->retry_us = clock_mono_us() + RETRY_US;
    pthread_mutex_unlock(&writer->lock);
}

static bool flush_shard(struct writer *writer, struct shard *shard)
{
    struct err_text error = {0};
    struct flush_opts opts = {shard->partition, writer->lookup, shard->window, shard->purge_batch,
                              writer->opts.revisions_keep_us};
    int64_t n_expired = 0;
    int rc = flush_run(&opts, &n_expired, &error);
    if (rc)
        note_failure(writer, shard, "flush_failed", &error);
    metric_add(&flushes_total, !rc);
    metric_add(&late_total, n_expired);
    if (n_expired)
        log_event(LOG_WARNING, "readings_expired", "partition=%s/%d count=%" PRId64, partition_topic(shard->partition),
                  partition_number(shard->partition), n_expired);
    pthread_mutex_lock(&writer->lock);
    pthread_cond_broadcast(&writer->relieved);
    pthread_mutex_unlock(&writer->lock);
    return !rc;
}

static struct expire_opts expire_opts(const struct writer *writer, const struct shard *shard)
{
    return (struct expire_opts){shard->retention, writer->opts.revisions_keep_us, clock_wall_us(), writer->lookup};
}

/* Seals the windows that are due; true when there were any. */
static bool seal_shard(struct writer *writer, struct shard *shard)
{
    struct err_text error = {0};
    struct file_list files = {0};
    bool sealed = false;
    int rc = partition_files(shard->partition, &files, &error);
    for (size_t i = 0; i < files.n && !rc && !is_stopping(writer); i++) {
        if (!seal_is_due(&files, &files.at[i], clock_wall_us(), writer->opts.seal_after_us))
            continue;
        struct expire_opts rules = expire_opts(writer, shard);
        struct seal_opts opts = expire_seal_opts(&rules, files.at[i].window);
        rc = seal_window(shard->partition, &files, &opts, &error);
        sealed = sealed || !rc;
        metric_add(&seals_total, !rc);
    }
    file_list_free(&files);
    if (rc)
        note_failure(writer, shard, "seal_failed", &error);
    return sealed;
}

/* One thing that retention asks for: 1, 0 when there is none, or a code. */
static int expire_one(struct writer *writer, struct shard *shard, struct err_text *error)
{
    struct expire_opts opts = expire_opts(writer, shard);
    struct file_list files = {0};
    const struct file *file = NULL;
    struct backlog backlog;
    bool unread = false;
    int rc = partition_files(shard->partition, &files, error);
    enum expire_what what = rc ? EXPIRE_NOTHING : expire_next(&opts, &files, &file);
    partition_backlog(shard->partition, &backlog);
    if (what == EXPIRE_READINGS && backlog.batches) { /* what arrived in time takes part */
        bool flushed = flush_shard(writer, shard);
        file_list_free(&files);
        rc = flushed ? partition_files(shard->partition, &files, error) : 0;
        what = rc || !flushed ? EXPIRE_NOTHING : expire_next(&opts, &files, &file);
    }
    if (what != EXPIRE_NOTHING)
        rc = expire_do(&opts, shard->partition, &files, what, file, &unread, error);
    if (what == EXPIRE_READINGS && !rc) {
        metric_add(&expired_total, 1);
        log_event(unread ? LOG_ERROR : LOG_INFO, "window_expired", "partition=%s/%d file=%s%s%s%s",
                  partition_topic(shard->partition), partition_number(shard->partition), file->name,
                  unread ? " unread=\"" : "", unread ? error->text : "", unread ? "\"" : "");
    }
    file_list_free(&files);
    return rc ? rc : what != EXPIRE_NOTHING;
}

/* Does what retention asks for; true when that was anything. */
static bool expire_shard(struct writer *writer, struct shard *shard)
{
    struct err_text error = {0};
    bool done = false;
    int rc = 1;
    while (rc == 1 && !is_stopping(writer)) {
        error = (struct err_text){0};
        rc = expire_one(writer, shard, &error);
        done = done || rc == 1;
    }
    if (rc < 0)
        note_failure(writer, shard, "expire_failed", &error);
    return done;
}

/* A view taken now may be used for VIEW_KEEP_US: rows that died before the newest batch of that long ago may go. */
static void age_views(struct shard *shard, int64_t now_us)
{
    if (now_us < shard->purge_next_us)
        return;
    struct backlog backlog;
    partition_backlog(shard->partition, &backlog);
    shard->purge_batch = shard->purge_next_batch;
    shard->purge_next_batch = backlog.last_batch - backlog.batches;
    shard->purge_next_us = now_us + VIEW_KEEP_US;
}

static struct shard *shard_at(struct writer *writer, size_t i)
{
    pthread_mutex_lock(&writer->lock);
    struct shard *shard = i < writer->n_shards ? writer->shards[i] : NULL;
    pthread_mutex_unlock(&writer->lock);
    return shard;
}

/* What all partitions hold of dead letters; *ret_oldest is the one with the oldest of them, NULL where there are none. */
static int64_t count_dead(struct writer *writer, struct shard **ret_oldest)
{
    int64_t n = 0, bytes = 0, oldest_us = INT64_MAX;
    struct shard *shard;
    *ret_oldest = NULL;
    for (size_t i = 0; (shard = shard_at(writer, i)); i++) {
        struct dead_held held;
        if (partition_dead_held(shard->partition, &held))
            continue;
        n += held.n;
        bytes += held.bytes;
        if (held.n && held.oldest_us < oldest_us) {
            oldest_us = held.oldest_us;
            *ret_oldest = shard;
        }
    }
    metric_set(&dead_letters, n);
    metric_set(&dead_bytes, bytes);
    return bytes;
}

/* Too many dead letters: the oldest ones go. */
static void trim_dead(struct writer *writer)
{
    struct shard *oldest;
    int64_t excess, n, n_all = 0;
    while ((excess = count_dead(writer, &oldest) - writer->opts.dead_bytes_max) > 0 && oldest && !is_stopping(writer)) {
        struct err_text error = {0};
        if (partition_dead_trim(oldest->partition, excess, &n, &error)) {
            note_failure(writer, oldest, "trim_failed", &error);
            break;
        }
        n_all += n;
    }
    metric_add(&dead_dropped, n_all);
    if (n_all)
        log_event(LOG_WARNING, "dead_letters_dropped", "n=%lld why=\"more than %lld bytes of them\"", (long long)n_all,
                  (long long)writer->opts.dead_bytes_max);
}

static void write_manifest(struct writer *writer)
{
    struct err_text error = {0};
    if (manifest_write(writer->dir, &error))
        log_event(LOG_ERROR, "manifest_failed", "error=\"%s\"", error.text);
}

/* How long a window that is due may wait: a tenth of what it waited already. */
static int64_t seal_every_us(const struct writer *writer)
{
    int64_t every_us = writer->opts.seal_after_us / 10;
    return every_us < TICK_US ? TICK_US : every_us;
}

/* One look at every partition; true when sealed files came or went. */
static bool tend_shards(struct writer *writer, bool sync, bool purge)
{
    bool sealed = false;
    struct shard *shard;
    for (size_t i = 0; (shard = shard_at(writer, i)) && !is_stopping(writer); i++) {
        int64_t now_us = clock_mono_us();
        if (sync && partition_checkpoint(shard->partition))
            metric_add(&failures_total, 1);
        age_views(shard, now_us);
        if (now_us < shard->retry_us)
            continue;
        if (flush_is_due(writer, shard, now_us))
            flush_shard(writer, shard);
        if (now_us >= shard->seal_us) {
            sealed = expire_shard(writer, shard) || sealed;
            sealed = seal_shard(writer, shard) || sealed;
            shard->seal_us = clock_mono_us() + seal_every_us(writer);
        }
        struct err_text error = {0};
        if (purge && partition_purge(shard->partition, clock_wall_us() - VIEW_KEEP_US, &error))
            note_failure(writer, shard, "purge_failed", &error);
    }
    return sealed;
}

/* ---- erasures ---- */

static bool stop_erasing(void *arg)
{
    return is_stopping(arg);
}

/* Whoever stores a batch from now on has looked at the list. */
static void settle_taking(void *arg)
{
    struct writer *writer = arg;
    pthread_mutex_lock(&writer->taking);
    pthread_mutex_unlock(&writer->taking);
}

static bool flush_of(void *arg, size_t i, struct flush_opts *ret_flush)
{
    struct writer *writer = arg;
    struct shard *shard = shard_at(writer, i);
    if (shard)
        *ret_flush = (struct flush_opts){shard->partition, writer->lookup, shard->window, shard->purge_batch,
                                         writer->opts.revisions_keep_us};
    return shard != NULL;
}

static bool tend_erasures(struct writer *writer)
{
    struct err_text error = {0};
    bool changed = false;
    if (erasing_step(&writer->erasing, &changed, &error)) {
        metric_add(&failures_total, 1);
        log_event(LOG_ERROR, "erasing_failed", "error=\"%s\"", error.text);
    }
    return changed;
}

static void *tend(void *arg)
{
    struct writer *writer = arg;
    int64_t sync_us = 0, purge_us = 0;
    while (!is_stopping(writer)) {
        int64_t now_us = clock_mono_us();
        bool sync = now_us >= sync_us, purge = now_us >= purge_us;
        bool changed = tend_shards(writer, sync, purge);
        if (tend_erasures(writer) || changed)
            write_manifest(writer);
        if (sync)
            trim_dead(writer);
        sync_us = sync ? now_us + SYNC_EVERY_US : sync_us;
        purge_us = purge ? now_us + PURGE_EVERY_US : purge_us;
        pthread_mutex_lock(&writer->lock);
        if (!writer->stop)
            wait_for_at_most(&writer->wake, &writer->lock, TICK_US);
        pthread_mutex_unlock(&writer->lock);
    }
    return NULL;
}

/* ---- life ---- */

static void writer_free(struct writer *writer)
{
    for (size_t i = 0; i < writer->n_shards; i++) {
        partition_close(writer->shards[i]->partition);
        free(writer->shards[i]->seen);
        free(writer->shards[i]);
    }
    free(writer->shards);
    catalog_reader_close(writer->lookup);
    catalog_close(writer->catalog);
    assets_file_close(writer->assets);
    erased_free(writer->erased);
    registry_free(writer->registry);
    if (writer->lock_fd >= 0)
        close(writer->lock_fd);
    pthread_mutex_destroy(&writer->lock);
    pthread_mutex_destroy(&writer->taking);
    pthread_cond_destroy(&writer->wake);
    pthread_cond_destroy(&writer->relieved);
    buf_free(&writer->parcel);
    free(writer->new_series);
    free(writer->dir);
    free(writer);
}

static struct writer *writer_new(const struct writer_opts *opts)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return NULL;
    writer->lock_fd = -1;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_mutex_init(&writer->taking, NULL);
    init_condition(&writer->wake);
    init_condition(&writer->relieved);
    writer->opts = *opts;
    writer->opts.dead_bytes_max = opts->dead_bytes_max ? opts->dead_bytes_max : DEAD_BYTES_DEFAULT;
    writer->opts.flush_bytes = opts->flush_bytes ? opts->flush_bytes : FLUSH_BYTES_DEFAULT;
    writer->opts.seal_after_us = opts->seal_after_us ? opts->seal_after_us : 600 * INT64_C(1000000);
    writer->opts.revisions_keep_us = opts->revisions_keep_us ? opts->revisions_keep_us : REVISIONS_KEEP_US_DEFAULT;
    writer->dir = strdup(opts->dir);
    writer->registry = registry_new();
    if (!writer->dir || !writer->registry) {
        writer_free(writer);
        return NULL;
    }
    writer->sink = (struct sink){.claim = sink_claim, .reincarnate = sink_reincarnate, .gap = sink_gap, .take = sink_take,
                                 .oldest = sink_oldest, .committable = sink_committable, .told = sink_told,
                                 .sync = sink_sync, .elsewhere = sink_elsewhere,
                                 .release = sink_release, .stats = sink_stats,
                                 .dead_next = sink_dead_next, .dead_done = sink_dead_done};
    return writer;
}

static bool ask_erased(void *arg, const char *name, size_t size)
{
    return erased_has(arg, name, size);
}

/* Dead letters know their entities by the list's key, so the list is there before the first of them. */
static int open_erased(struct writer *writer, struct err_text *error)
{
    char path[4096];
    struct db *db;
    erased_path(writer->dir, path, sizeof(path));
    int rc = erased_open_file(path, DB_WRITE, &db, error);
    if (rc)
        return rc;
    db_close(db);
    if (erased_new(writer->dir, &writer->erased))
        return err_set(error, ERR_NOMEM, "cannot open \"%s\": out of memory", writer->dir);
    rc = erased_follow(writer->erased, &writer->erased_version, error);
    registry_watch(writer->registry, ask_erased, writer->erased);
    assets_file_watch(writer->assets, writer->erased);
    writer->erasing.opts = (struct erasing_opts){.dir = writer->dir, .erased = writer->erased, .catalog = writer->catalog,
                                                 .assets = writer->assets, .within_us = writer->opts.erase_within_us,
                                                 .tombstones = writer->opts.tombstones,
                                                 .stop = stop_erasing, .settle = settle_taking, .flush = flush_of,
                                                 .arg = writer};
    return rc;
}

int writer_open(const struct writer_opts *opts, struct writer **ret_writer, struct err_text *error)
{
    if (hash_init())
        return err_set(error, ERR_IO, "cannot open \"%s\": the system gives no random numbers", opts->dir);
    struct writer *writer = writer_new(opts);
    if (!writer)
        return err_set(error, ERR_NOMEM, "cannot open \"%s\": out of memory", opts->dir);
    int rc = store_lock(writer->dir, &writer->lock_fd, error);
    if (!rc)
        rc = catalog_open(writer->dir, writer->registry, &writer->catalog, error);
    if (!rc)
        rc = catalog_reader_open(writer->dir, &writer->lookup, error);
    if (!rc)
        rc = assets_file_open(writer->dir, &writer->assets, error);
    if (!rc)
        rc = open_erased(writer, error);
    if (!rc)
        rc = open_shards(writer, error);
    if (!rc) {
        writer->started = pthread_create(&writer->thread, NULL, tend, writer) == 0;
        if (!writer->started)
            rc = err_set(error, ERR_NOMEM, "cannot start the thread that flushes \"%s\"", writer->dir);
    }
    if (rc) {
        writer_free(writer);
        return rc;
    }
    *ret_writer = writer;
    return 0;
}

struct sink *writer_sink(struct writer *writer)
{
    return &writer->sink;
}

struct documents_sink *writer_documents(struct writer *writer)
{
    return assets_file_sink(writer->assets);
}

struct registry *writer_registry(struct writer *writer)
{
    return writer->registry;
}

const char *writer_uuid(const struct writer *writer)
{
    return catalog_uuid(writer->catalog);
}

/* Open windows that were not written just now may have their -wal still: of a crash, or of readers that were in the way. */
static void settle_windows(struct shard *shard)
{
    struct file_list files = {0};
    if (partition_files(shard->partition, &files, NULL))
        return;
    for (size_t i = 0; i < files.n; i++) {
        char path[4096];
        struct window_file *file;
        snprintf(path, sizeof(path), "%s/%s", partition_folder(shard->partition), files.at[i].name);
        if (files.at[i].kind == FILE_OPEN && window_file_open(path, &file, NULL) == 0)
            window_file_settle(file);
    }
    file_list_free(&files);
}

void writer_close(struct writer *writer)
{
    if (!writer)
        return;
    if (writer->started) {
        pthread_mutex_lock(&writer->lock);
        writer->stop = true;
        pthread_cond_broadcast(&writer->wake);
        pthread_cond_broadcast(&writer->relieved);
        pthread_mutex_unlock(&writer->lock);
        pthread_join(writer->thread, NULL);
        for (size_t i = 0; i < writer->n_shards; i++) {
            flush_shard(writer, writer->shards[i]);
            settle_windows(writer->shards[i]);
        }
    }
    writer_free(writer);
}
