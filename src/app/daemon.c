#include <config.h>

#include "app/daemon.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "app/adapting.h"
#include "app/docs.h"
#include "app/site.h"
#include "app/vaulting.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "ingest/consumer.h"
#include "ingest/documents.h"
#include "ingest/embedded.h"
#include "ingest/publisher.h"
#include "ingest/reason.h"
#include "store/access.h"
#include "store/reader.h"
#include "store/snapshots.h"
#include "store/writer.h"

#define PACE_MS 100
#define GRACE_MS 5000
#define LOOK_EVERY_US (2 * US_PER_SECOND)
#define EXPIRE_EVERY_US (30 * US_PER_SECOND)
#define EMBEDDED_PARTITIONS 2
#define FILES_OF_STORE 512 /* that may be open beside the connections */

struct daemon {
    const struct conf *conf;
    struct writer *writer;
    struct reader_dir *reader;
    struct access *access;
    struct snapshots *snapshots;
    struct exports *exports;
    int64_t look_next_us;     /* when to look whether certificates were changed; monotonic clock */
    int64_t expire_next_us;   /* when to look for snapshots whose time is over; monotonic clock */
    struct server *server;
    struct embedded *broker;
    _Atomic(struct consumer *) consumer; /* asked by the server's threads */
    _Atomic(struct documents_reader *) documents; /* as the consumer */
    struct adapting *adapting;
    struct vaulting *vaulting;
    struct vault_door door;   /* how the server reaches it */
    atomic_bool is_adapting; /* adapting may be asked by the server's threads */
    atomic_bool stopping;
    char docs[PATH_MAX];      /* the folder of Swagger UI, where there is one */
    char *broker_path;        /* run/broker, when it was written */
    _Atomic(struct publisher *) publisher; /* of outputs of optimizations; asked by the server's threads */
};

void daemon_block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Tells systemd, where it started us with Type=notify, how far we are: one datagram, no library
 * needed. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = 0; /* the abstract name space */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
        log_event(LOG_WARNING, "notify_failed", "why=\"%s\"", strerror(errno));
    close(fd);
}

/* What role adapt adds: the way in is as well as its worst part, and its lags add up. */
static void add_adapting(struct daemon *daemon, struct health *health)
{
    struct consumer_status status = {.lag = -1, .lag_us = -1};
    bool alone = !(daemon->conf->roles & ROLE_INGEST);
    if (!(daemon->conf->roles & ROLE_ADAPT))
        return;
    if (atomic_load(&daemon->is_adapting))
        adapting_status(daemon->adapting, &status);
    else
        snprintf(status.reason, sizeof status.reason, "role adapt is starting");
    health->ingesting = true;
    health->caught_up = status.caught_up && (alone || health->caught_up);
    health->connected = status.connected && (alone || health->connected);
    health->lag = status.lag < 0 || (!alone && health->lag < 0) ? -1 : status.lag + (alone ? 0 : health->lag);
    health->lag_us = status.lag_us > health->lag_us ? status.lag_us : health->lag_us;
    reason_add(health->reason, sizeof health->reason, status.reason);
}

void daemon_health(struct daemon *daemon, struct health *ret_health)
{
    struct health health = {.lag = -1, .lag_us = -1};
    struct consumer *consumer = atomic_load(&daemon->consumer);
    struct documents_reader *documents = atomic_load(&daemon->documents);
    health.serving = daemon->reader && !atomic_load(&daemon->stopping);
    health.ingesting = daemon->conf->roles & ROLE_INGEST;
    health.embedded = daemon->broker != NULL;
    if (consumer) {
        struct consumer_status status;
        consumer_status(consumer, &status);
        health.caught_up = status.caught_up;
        health.connected = status.connected;
        health.lag = status.lag;
        health.lag_us = status.lag_us;
        snprintf(health.reason, sizeof health.reason, "%s", status.reason);
    } else if (health.ingesting) {
        snprintf(health.reason, sizeof health.reason, "ingest is starting");
    }
    if (documents && health.connected) /* else there is one thing to say */
        documents_reasons(documents, health.reason, sizeof health.reason);
    add_adapting(daemon, &health);
    if (atomic_load(&daemon->stopping))
        snprintf(health.reason, sizeof health.reason, "stopping");
    *ret_health = health;
}

static void health_cb(void *arg, struct health *ret_health)
{
    daemon_health(arg, ret_health);
}

static int check_data(const struct conf *conf, struct err_text *error)
{
    struct stat info;
    if (stat(conf->data, &info) != 0)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
                       "the data directory \"%s\" cannot be used: %s; `almanac init DIR` makes one",
                       conf->data, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return err_set(error, ERR_NOTFOUND, "the data directory \"%s\" is not a folder",
                       conf->data);
    char *path = NULL;
    if (asprintf(&path, "%s/catalog.db", conf->data) < 0)
        return ERR_NOMEM;
    bool store = access(path, F_OK) == 0;
    free(path);
    if (!store)
        return err_set(error, ERR_NOTFOUND,
                       "there is no store in \"%s\" (no catalog.db): name the right data directory, "
                       "or make one with `almanac init DIR`",
                       conf->data);
    return 0;
}

/* The server hands over an output of an optimization. Where our own reading knows that the broker is
 * away, no worker waits for it. */
static int publish_cb(void *arg, const void *document, size_t size, struct published *ret_place,
                      struct err_text *error)
{
    struct daemon *daemon = arg;
    struct publisher *publisher = atomic_load(&daemon->publisher);
    struct consumer *consumer = atomic_load(&daemon->consumer);
    struct consumer_status status = {.connected = true};
    ret_place->topic = daemon->conf->optimization_topic;
    if (!publisher || !*ret_place->topic)
        return err_set(error, ERR_BUSY, "this process has no %s", publisher ? "optimization_topic" : "broker");
    if (consumer)
        consumer_status(consumer, &status);
    if (!status.connected)
        return err_set(error, ERR_BUSY, "topic \"%s\" cannot be reached: no broker answers", ret_place->topic);
    return publisher_send(publisher, ret_place->topic, document, size, &ret_place->partition,
                          &ret_place->offset, error);
}

/* Connections are files, and an answer that is under way holds some of the store's; most systems begin a process with 1024, and
 * let it have more. */
static void have_files(unsigned connections)
{
    struct rlimit files;
    rlim_t want = 2 * (rlim_t)connections + FILES_OF_STORE;
    if (getrlimit(RLIMIT_NOFILE, &files))
        return;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) || files.rlim_max < want)
        log_event(LOG_WARNING, "files_short",
                  "connections=%u text=\"with them and the files of the store over %llu open files may be needed: raise "
                  "the limit (ulimit -Hn, LimitNOFILE=) or lower http.connections\"",
                  connections, (unsigned long long)files.rlim_max);
}

static int start_serving(struct daemon *daemon, struct err_text *error)
{
    const struct conf *conf = daemon->conf;
    int code = reader_dir_open(conf->data, &daemon->reader, error);
    if (code == 0)
        code = access_open(conf->data, &daemon->access, error);
    if (code == 0 && !(daemon->snapshots = snapshots_new(conf->data)))
        code = ERR_NOMEM;
    if (code == 0)
        code = exports_start(&(struct exports_opts){.dir = conf->data,
                                                    .snapshots = daemon->snapshots,
                                                    .free_min_bytes = conf->free_min_bytes,
                                                    .quota = conf->quota},
                             &daemon->exports, error);
    if (code != 0)
        return code;
    daemon->door = (struct vault_door){.ask = vaulting_ask,
                                       .carry_over = vaulting_carry_over,
                                       .is_pending = vaulting_is_pending,
                                       .retentions = vaulting_retentions,
                                       .arg = daemon->vaulting,
                                       .erase_within_us = conf->erase_within_us};
    have_files(conf->connections);
    struct server_opts opts = {.listen = conf->listen,
                               .certificate = conf->certificate,
                               .key = conf->key,
                               .client_ca = conf->client_ca,
                               .client_revoked = conf->client_revoked,
                               .client_required = conf->client_ca[0] && conf->client_required,
                               .connections_max = conf->connections,
                               .connections_client_max = conf->connections_per_address,
                               .dir = daemon->reader,
                               .access = daemon->access,
                               .snapshots = daemon->snapshots,
                               .exports = daemon->exports,
                               .limits = conf->limits,
                               .quota = conf->quota,
                               .ready_lag_us = conf->ready_lag_us,
                               .health = health_cb,
                               .health_arg = daemon,
                               .publish = publish_cb,
                               .publish_arg = daemon,
                               .vault = &daemon->door,
                               .docs = docs_find(daemon->docs, sizeof daemon->docs)};
    return server_start(&opts, &daemon->server, error);
}

/* A topic that the embedded broker has from the start: the first listed one, or one that an
 * expression such as ^readings\. begins to spell. */
static void first_topic(const char *topics, char *out, size_t size)
{
    size_t n = 0;
    bool expression = topics[0] == '^';
    for (const char *at = topics + expression; *at && n + 6 < size; at++) {
        if (expression && *at == '\\' && at[1])
            at++;
        else if (expression ? strchr("[](){}*+?|^$.", *at) != NULL : strchr(", \t", *at) != NULL)
            break;
        out[n++] = *at;
    }
    snprintf(out + n, size - n, "%s", expression ? "main" : "");
}

static int start_broker(struct daemon *daemon, struct err_text *error)
{
    const struct conf *conf = daemon->conf;
    char first[260], folder[PATH_MAX], *path = NULL;
    struct buf topics = {0};
    bool expression = conf->topics[0] == '^';
    first_topic(conf->topics, first, sizeof first);
    buf_printf(&topics, "%s %s %s %s %s %s", expression ? first : conf->topics, conf->dead_topic, conf->assets_topic,
               conf->optimization_topic, conf->calendar_topic, conf->subjects_topic);
    if (daemon->adapting)
        adapting_topics(daemon->adapting, &topics);
    buf_putc(&topics, '\0');
    int code = topics.failed ? ERR_NOMEM
                             : embedded_start((const char *)topics.data, EMBEDDED_PARTITIONS, &daemon->broker, error);
    buf_free(&topics);
    if (code != 0)
        return code;
    snprintf(folder, sizeof folder, "%s/run", conf->data);
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return err_set(error, ERR_IO, "cannot make the folder \"%s\": %s", folder, strerror(errno));
    if (asprintf(&path, "%s/broker", folder) < 0)
        return ERR_NOMEM;
    unlink(path); /* left by one that was killed: the directory is ours, nobody else runs here */
    const char *address = embedded_bootstrap(daemon->broker);
    code = site_write_file(path, 0644, address, strlen(address), error);
    daemon->broker_path = path;
    if (code == 0)
        log_event(LOG_INFO, "embedded_broker", "bootstrap=%s topic=%s", address,
                  expression ? first : conf->topics);
    return code;
}

/* What the configuration says to librdkafka, and our own broker where that runs; for the caller to
 * free. NULL: no memory. */
static struct kafka_property *kafka_properties(const struct daemon *daemon, size_t *ret_n)
{
    const struct conf *conf = daemon->conf;
    struct kafka_property *properties = calloc(conf->n_kafka + 2, sizeof *properties);
    size_t n = 0;
    if (!properties)
        return NULL;
    if (daemon->broker && daemon->adapting) /* what is configured wins */
        properties[n++] = (struct kafka_property){"session.timeout.ms", EMBEDDED_SESSION_MS};
    if (conf->n_kafka > 0)
        memcpy(properties + n, conf->kafka, conf->n_kafka * sizeof *properties);
    n += conf->n_kafka;
    if (daemon->broker)
        properties[n++] =
            (struct kafka_property){"bootstrap.servers", embedded_bootstrap(daemon->broker)};
    *ret_n = n;
    return properties;
}

static int start_publishing(struct daemon *daemon, struct err_text *error)
{
    size_t n;
    struct publisher *publisher = NULL;
    struct kafka_property *properties = kafka_properties(daemon, &n);
    if (!properties)
        return ERR_NOMEM;
    int code = publisher_open(properties, n, &publisher, error);
    free(properties);
    atomic_store(&daemon->publisher, publisher);
    return code;
}

static int start_reading(struct daemon *daemon, struct err_text *error)
{
    const struct conf *conf = daemon->conf;
    struct consumer *consumer = NULL;
    struct documents_reader *documents_reader = NULL;
    size_t n;
    struct kafka_property *properties = kafka_properties(daemon, &n);
    char instance[96];
    if (!properties)
        return ERR_NOMEM;
    /* One process ingests into a data directory, so the store's name is a member's name that
     * outlives restarts. */
    snprintf(instance, sizeof instance, "almanac-%s", writer_uuid(daemon->writer));
    const char *const apart[] = {conf->assets_topic, conf->optimization_topic, conf->subjects_topic};
    struct consumer_opts opts = {.properties = properties,
                                 .n_properties = n,
                                 .topics = conf->topics,
                                 .dead_topic = conf->dead_topic,
                                 .apart = apart,
                                 .n_apart = sizeof apart / sizeof *apart,
                                 .store_uuid = writer_uuid(daemon->writer),
                                 .instance_id = instance,
                                 .future_max_us = conf->future_max_us,
                                 .registry = writer_registry(daemon->writer),
                                 .sink = writer_sink(daemon->writer)};
    struct documents_opts documents = {.properties = properties,
                                       .n_properties = n,
                                       .assets_topic = conf->assets_topic,
                                       .optimization_topic = conf->optimization_topic,
                                       .calendar_topic = conf->calendar_topic,
                                       .subjects_topic = conf->subjects_topic,
                                       .subject = vaulting_subject,
                                       .subject_arg = daemon->vaulting,
                                       .sink = writer_documents(daemon->writer)};
    int code = consumer_start(&opts, &consumer, error);
    atomic_store(&daemon->consumer, consumer);
    if (code == 0)
        code = documents_start(&documents, &documents_reader, error);
    atomic_store(&daemon->documents, documents_reader);
    free(properties);
    return code;
}

static int start_adapting(struct daemon *daemon, struct err_text *error)
{
    int code = adapting_start(daemon->adapting, daemon->broker ? embedded_bootstrap(daemon->broker) : NULL, error);
    atomic_store(&daemon->is_adapting, code == 0);
    return code;
}

static int start_parts(struct daemon *daemon, const struct daemon_opts *opts,
                       struct err_text *error)
{
    const struct conf *conf = daemon->conf;
    int code = hash_init();
    if (code == 0)
        code = check_data(conf, error);
    if (code == 0)
        code = vaulting_open(conf, "almanacd", &daemon->vaulting, error);
    if (code == 0 && conf->roles & ROLE_ADAPT)
        code = adapting_open(conf, daemon->vaulting, &daemon->adapting, error);
    if (code == 0 && conf->roles & ROLE_INGEST) {
        struct writer_opts writer_opts = {.dir = conf->data,
                                          .window = conf->window,
                                          .retention = conf->retention,
                                          .topics = conf->per_topic,
                                          .n_topics = conf->n_per_topic,
                                          .revisions_keep_us = conf->revisions_keep_us,
                                          .erase_within_us = conf->erase_within_us,
                                          .tombstones = *conf->tombstones ? conf->tombstones : NULL,
                                          .seal_after_us = conf->seal_after_us,
                                          .free_min_bytes = conf->free_min_bytes,
                                          .flush_bytes = opts->flush_bytes,
                                          .seal_payload = vaulting_seal,
                                          .seal_arg = daemon->vaulting};
        code = writer_open(&writer_opts, &daemon->writer, error);
    }
    /* The port is taken before anything is read from Kafka: two daemons on one port shall not start
     * to fight over a group. */
    if (code == 0 && conf->roles & ROLE_SERVE)
        code = start_serving(daemon, error);
    const char *brokers = conf_kafka(conf, "bootstrap.servers");
    bool own_broker = (!brokers || !brokers[0]) && !conf_kafka(conf, "metadata.broker.list");
    if (code == 0 && own_broker && conf->roles & ROLE_ADAPT && !(conf->roles & ROLE_INGEST))
        code = err_set(error, ERR_INVALID, "role adapt without role ingest needs brokers: set \"bootstrap.servers\" in [kafka]");
    if (code == 0 && conf->roles & ROLE_INGEST && own_broker)
        code = start_broker(daemon, error);
    if (code == 0 && conf->roles & ROLE_SERVE && (daemon->broker || !own_broker))
        code = start_publishing(daemon, error);
    if (code == 0 && conf->roles & ROLE_INGEST)
        code = start_reading(daemon, error);
    if (code == 0)
        code = vaulting_hold(daemon->vaulting, error);
    if (code == 0 && conf->roles & ROLE_ADAPT)
        code = start_adapting(daemon, error);
    return code;
}

int daemon_start(const struct daemon_opts *opts, struct daemon **ret_daemon, struct err_text *error)
{
    struct daemon *daemon = calloc(1, sizeof *daemon);
    if (!daemon)
        return ERR_NOMEM;
    daemon->conf = opts->conf;
    int code = start_parts(daemon, opts, error);
    if (code != 0) {
        daemon_stop(daemon);
        return code;
    }
    log_event(LOG_INFO, "started", "data=\"%s\" ingest=%d serve=%d adapt=%d port=%u", opts->conf->data,
              daemon->writer != NULL, daemon->server != NULL, daemon->adapting != NULL, daemon_port(daemon));
    notify("READY=1");
    *ret_daemon = daemon;
    return 0;
}

/* Keeps producers of the embedded broker at our pace. */
static void pace(struct daemon *daemon)
{
    struct consumer *consumer = atomic_load(&daemon->consumer);
    if (!consumer || !daemon->broker)
        return;
    struct consumer_status status;
    consumer_status(consumer, &status);
    int64_t unstored_bytes = status.lag_bytes;
    if (daemon->adapting) {
        adapting_status(daemon->adapting, &status);
        unstored_bytes += status.lag_bytes;
    }
    embedded_pace(daemon->broker, unstored_bytes);
}

static void tend_snapshots(struct daemon *daemon)
{
    int64_t now_us = clock_mono_us();
    if (!daemon->snapshots || now_us < daemon->expire_next_us)
        return;
    snapshots_expire(daemon->snapshots);
    daemon->expire_next_us = now_us + EXPIRE_EVERY_US;
}

static void tend_certificates(struct daemon *daemon, bool asked)
{
    int64_t now_us = clock_mono_us();
    if (!daemon->server || (!asked && now_us < daemon->look_next_us))
        return;
    server_look(daemon->server, asked);
    daemon->look_next_us = now_us + LOOK_EVERY_US;
}

int daemon_wait(struct daemon *daemon, int timeout_ms)
{
    int64_t end_us = clock_mono_us() + timeout_ms * INT64_C(1000);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    for (;;) {
        int64_t left_us = timeout_ms < 0 ? INT64_MAX : end_us - clock_mono_us();
        if (left_us <= 0)
            return 0;
        if (left_us > PACE_MS * 1000)
            left_us = PACE_MS * 1000;
        struct timespec time = {.tv_nsec = (long)left_us * 1000};
        int signal_number = sigtimedwait(&set, NULL, &time);
        if (signal_number > 0 && signal_number != SIGHUP) {
            log_event(LOG_INFO, "stopping", "signal=%s", sigabbrev_np(signal_number));
            /* A second signal ends the process at once: the store is safe against that at any
             * moment. */
            pthread_sigmask(SIG_UNBLOCK, &set, NULL);
            return 1;
        }
        tend_certificates(daemon, signal_number == SIGHUP);
        pace(daemon);
        tend_snapshots(daemon);
    }
}

uint16_t daemon_port(const struct daemon *daemon)
{
    return daemon->server ? server_port(daemon->server) : 0;
}

const char *daemon_bootstrap(const struct daemon *daemon)
{
    return daemon->broker ? embedded_bootstrap(daemon->broker) : NULL;
}

struct reader_dir *daemon_reader(struct daemon *daemon)
{
    return daemon->reader;
}

void daemon_stop(struct daemon *daemon)
{
    if (!daemon)
        return;
    notify("STOPPING=1");
    atomic_store(&daemon->stopping, true);
    /* The server first: its threads ask for the consumer. Then the way in, from its mouth to the
     * disk. */
    if (daemon->server)
        server_stop(daemon->server, GRACE_MS);
    publisher_close(atomic_exchange(&daemon->publisher, NULL));
    exports_stop(daemon->exports);
    adapting_close(daemon->adapting); /* the server, which asks for it, has stopped */
    struct consumer *consumer = atomic_exchange(&daemon->consumer, NULL);
    if (consumer)
        consumer_stop(consumer);
    documents_stop(atomic_exchange(&daemon->documents, NULL));
    if (daemon->broker)
        embedded_stop(daemon->broker);
    if (daemon->broker_path)
        unlink(daemon->broker_path);
    if (daemon->access)
        access_close(daemon->access);
    /* While the reader has files open, the writer cannot leave them without their logs. */
    snapshots_free(daemon->snapshots);
    if (daemon->reader)
        reader_dir_close(daemon->reader);
    if (daemon->writer)
        writer_close(daemon->writer);
    vaulting_close(daemon->vaulting);
    free(daemon->broker_path);
    free(daemon);
}
