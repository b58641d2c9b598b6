/* almanac deadletter replay [TOPIC PARTITION OFFSET | --reason R | --all] */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/brokers.h"
#include "app/cmd.h"
#include "app/deadletters.h"
#include "app/progress.h"
#include "app/stop.h"
#include "common/hash.h"
#include "common/limits.h"
#include "ingest/producer.h"
#include "ingest/replay.h"

#define FLUSH_TIMEOUT_MS 60000

struct replaying {
    const char *reason; /* NULL: any */
    struct deadletter_place place;
    bool dry_run;
    struct producer *producer; /* NULL on a dry run */
    struct vaulting *vaulting; /* as well */
    struct progress progress;
    struct err_text *error;
    int64_t n, n_cut, n_documents; /* sent; left out, since not all of them was kept, or since they are documents */
};

static bool is_meant(const struct replaying *replaying, const struct dead_letter *letter)
{
    return (!replaying->place.topic || deadletter_is_at(&replaying->place, letter)) &&
           (!replaying->reason || strcmp(replaying->reason, letter->reason) == 0);
}

static int send_letter(struct replaying *replaying, const struct dead_letter *letter)
{
    char header[REPLAY_TEXT_MAX];
    struct buf payload = {0};
    struct replay replay = {.id = letter->id,
                            .offset = letter->offset,
                            .known_ms = letter->known_ms,
                            .incarnation = letter->incarnation,
                            .slot = letter->slot};
    snprintf(replay.property, sizeof replay.property, "%s", letter->property);
    replay_print(&replay, header);
    int code = deadletter_payload(replaying->vaulting, "deadletter replay", letter, &payload, replaying->error);
    if (code == 0)
        code = producer_send_to(replaying->producer,
                                &(struct addressed){.topic = letter->topic,
                                                    .partition = letter->partition,
                                                    .timestamp_ms = letter->known_ms,
                                                    .header = REPLAY_HEADER,
                                                    .header_value = header,
                                                    .value = payload.data,
                                                    .value_size = payload.n},
                                replaying->error);
    deadletter_wipe(&payload);
    return code;
}

static int letter_cb(void *arg, const struct dead_letter *letter)
{
    struct replaying *replaying = arg;
    if (stop_asked())
        return err_set(replaying->error, ERR_CANCELLED,
                       "stopped; what was sent is replayed, the rest stays in the list");
    if (!is_meant(replaying, letter))
        return 0;
    if (letter->is_document) {
        replaying->n_documents++;
        return 0;
    }
    if (strcmp(letter->reason, refusal_name(REFUSED_ERASED)) == 0)
        return 0; /* nothing of it was kept */
    if (strcmp(letter->reason, refusal_name(REFUSED_SIZE)) == 0) {
        replaying->n_cut++;
        return 0;
    }
    int code = 0;
    if (replaying->dry_run)
        printf("%s partition %" PRId32 " offset %" PRId64 " %s: %s\n", letter->topic,
               letter->partition, letter->offset, letter->reason, letter->detail);
    else
        code = send_letter(replaying, letter);
    if (code == 0) {
        replaying->n++;
        progress_add(&replaying->progress, 1);
    }
    return code;
}

static int replay_letters(const struct conf *conf, struct replaying *replaying)
{
    struct reader_dir *reader = NULL;
    int code = reader_dir_open(conf->data, &reader, replaying->error);
    if (code == 0)
        code = hash_init();
    if (code == 0 && !replaying->dry_run)
        code = vaulting_open(conf, "almanac deadletter", &replaying->vaulting, replaying->error);
    if (code == 0 && !replaying->dry_run)
        code = brokers_producer(conf, &replaying->producer, replaying->error);
    progress_start(&replaying->progress, "replaying", 0);
    if (code == 0)
        code = reader_dead_letters(reader, !replaying->dry_run, letter_cb, replaying);
    /* what was handed over is sent even when the rest is not */
    if (replaying->producer) {
        int sent = producer_flush(replaying->producer, FLUSH_TIMEOUT_MS,
                                  code == 0 ? replaying->error : NULL);
        code = code != 0 ? code : sent;
    }
    progress_done(&replaying->progress);
    producer_close(replaying->producer);
    vaulting_close(replaying->vaulting);
    reader_dir_close(reader);
    if (code == 0 && replaying->place.topic && replaying->n + replaying->n_cut + replaying->n_documents == 0)
        code = deadletter_none_at(&replaying->place, replaying->error);
    return code;
}

static void tell(const struct args *args, const struct replaying *replaying)
{
    if (args_has(args, "json"))
        printf("{\"replayed\":%" PRId64 ",\"left_out\":%" PRId64 "}\n",
               replaying->dry_run ? 0 : replaying->n,
               replaying->n_cut + replaying->n_documents);
    fprintf(stderr, "%" PRId64 " dead %s %s\n", replaying->n,
            replaying->n == 1 ? "letter" : "letters",
            replaying->dry_run ? "would be sent to Kafka again"
                               : "sent to Kafka again; what is accepted now leaves the list as the "
                                 "daemon reads it");
    if (replaying->n_documents)
        fprintf(stderr,
                "%" PRId64 " documents of assets or optimizations %s left out: send them corrected, or what they refer to\n",
                replaying->n_documents, replaying->n_documents == 1 ? "is" : "are");
    if (replaying->n_cut)
        fprintf(stderr,
                "%" PRId64 " refused as \"size\" %s left out: of such messages only the first %d "
                "bytes were kept\n",
                replaying->n_cut, replaying->n_cut == 1 ? "is" : "are", LIMIT_MESSAGE_BYTES);
}

static bool is_reason(const char *text)
{
    for (unsigned i = 1; i < REFUSED_N; i++)
        if (strcmp(text, refusal_name((enum refusal_reason)i)) == 0)
            return true;
    return false;
}

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    struct replaying replaying = {.reason = args_get(args, "reason"),
                                  .dry_run = args_has(args, "dry-run"),
                                  .error = &error};
    int n_ways = (args->n_operands > 0) + (replaying.reason != NULL) + args_has(args, "all");
    if (n_ways != 1)
        return args_wrong(args, "which ones? TOPIC PARTITION OFFSET, --reason or --all");
    if (args->n_operands != 0 && args->n_operands != 3)
        return args_wrong(args, "a place is TOPIC PARTITION OFFSET");
    if (args->n_operands && !deadletter_place_parse(args, &replaying.place))
        return args_wrong(args, "partition and offset are whole numbers from 0");
    if (replaying.reason && !is_reason(replaying.reason))
        return args_wrong(args, "there is no reason \"%s\"; `almanac deadletter list` shows some",
                          replaying.reason);
    stop_catch();
    int code = site_conf(args, &conf, &error);
    if (code == 0)
        code = replay_letters(conf, &replaying);
    conf_free(conf);
    if (code == 0 || code == ERR_CANCELLED)
        tell(args, &replaying);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg options[] = {
    {"reason", 0, "R", "those refused for it: property, type, future ..."},
    {"all", 0, NULL, "all of them"},
    {"dry-run", 0, NULL, "lists what would be sent, and sends nothing"},
    {"json", 0, NULL, "prints {\"replayed\":N,\"left_out\":N}"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};

const struct command cmd_deadletter_replay = {
    .name = "deadletter replay",
    .summary = "sends what was refused to Kafka again, after its cause is gone",
    .operands = "[TOPIC PARTITION OFFSET]",
    .n_operands = 3,
    .n_optional = 3,
    .examples = "  almanac deadletter replay readings.main 0 17\n"
                "  almanac deadletter replay --reason property --dry-run\n"
                "  almanac deadletter replay --all\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};
