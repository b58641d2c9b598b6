/* almanac deadletter list, almanac deadletter show TOPIC PARTITION OFFSET */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmd.h"
#include "app/deadletters.h"
#include "app/json_print.h"
#include "app/table.h"
#include "common/civil.h"
#include "common/hash.h"

struct listing {
    const struct args *args;
    bool json;
    struct table *table;
    int64_t n;
};

/* Kafka's timestamp of the message as text. */
static void time_text(const struct dead_letter *letter, char out[static CIVIL_TEXT_MAX + 1])
{
    out[civil_print_rfc3339(out, letter->known_ms * 1000, 0, true)] = '\0';
}

static int print_json(struct listing *listing, const struct dead_letter *letter)
{
    char time[CIVIL_TEXT_MAX + 1];
    time_text(letter, time);
    json_t *row = json_pack("{s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:i, s:i}", "topic", letter->topic,
                            "partition", (int)letter->partition, "offset",
                            (json_int_t)letter->offset, "reason", letter->reason, "detail",
                            letter->detail, "time", time, "property", letter->property, "slot",
                            (int)letter->slot, "incarnation", (int)letter->incarnation);
    return json_print_element(row, (size_t)listing->n);
}

static int list_cb(void *arg, const struct dead_letter *letter)
{
    struct listing *listing = arg;
    char partition[16], offset[24], time[CIVIL_TEXT_MAX + 1];
    int code;
    if (listing->json) {
        code = print_json(listing, letter);
    } else {
        snprintf(partition, sizeof partition, "%" PRId32, letter->partition);
        snprintf(offset, sizeof offset, "%" PRId64, letter->offset);
        time_text(letter, time);
        const char *const fields[] = {letter->topic,  partition, offset,
                                      letter->reason, time,      letter->detail};
        code = table_row(listing->table, fields, sizeof fields / sizeof *fields);
    }
    listing->n++;
    return code;
}

static int open_store(const struct args *args, struct reader_dir **ret_reader,
                      struct err_text *error)
{
    struct conf *conf = NULL;
    int code = site_conf(args, &conf, error);
    if (code == 0)
        code = reader_dir_open(conf->data, ret_reader, error);
    conf_free(conf);
    return code;
}

static int run_list(const struct args *args)
{
    static const char *const heads[] = {"topic", "partition", "offset", "reason", "time", "detail"};
    struct err_text error = {0};
    struct reader_dir *reader = NULL;
    struct listing listing = {.args = args, .json = args_has(args, "json")};
    int code = open_store(args, &reader, &error);
    if (code == 0 && !listing.json) {
        listing.table = table_new(stdout);
        code = listing.table ? table_row(listing.table, heads, sizeof heads / sizeof *heads)
                             : ERR_NOMEM;
    }
    if (code == 0) {
        if (listing.json)
            putchar('[');
        code = reader_dead_letters(reader, false, list_cb, &listing);
        if (listing.json)
            puts("]");
    }
    if (code == 0 && listing.table && listing.n)
        table_end(listing.table);
    if (code == 0 && !listing.json)
        fprintf(stderr, "%" PRId64 " refused %s\n", listing.n,
                listing.n == 1 ? "message or part" : "messages or parts");
    table_free(listing.table);
    reader_dir_close(reader);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

struct wanted {
    struct deadletter_place place;
    struct vaulting *vaulting;
    struct err_text *error;
    int64_t n;
};

static int show_cb(void *arg, const struct dead_letter *letter)
{
    struct wanted *wanted = arg;
    char time[CIVIL_TEXT_MAX + 1];
    if (!deadletter_is_at(&wanted->place, letter))
        return 0;
    time_text(letter, time);
    fprintf(stderr, "%s partition %" PRId32 " offset %" PRId64 " at %s: refused as %s: %s\n",
            letter->topic, letter->partition, letter->offset, time, letter->reason, letter->detail);
    wanted->n++;
    if (letter->is_document) {
        fprintf(stderr, "a refused document is kept in Kafka only\n");
        return 0;
    }
    struct buf payload = {0};
    int code = deadletter_payload(wanted->vaulting, "deadletter show", letter, &payload, wanted->error);
    if (code == 0 && payload.n > 0 && fwrite(payload.data, 1, payload.n, stdout) != payload.n)
        code = ERR_IO;
    if (code == 0)
        putchar('\n');
    deadletter_wipe(&payload);
    return code;
}

int deadletter_payload(struct vaulting *vaulting, const char *action, const struct dead_letter *letter, struct buf *out,
                       struct err_text *error)
{
    if (letter->is_sealed)
        return vaulting_unseal(vaulting, action, letter->payload, letter->payload_size, out, error);
    buf_put(out, letter->payload_size ? letter->payload : "", letter->payload_size);
    return out->failed ? ERR_NOMEM : 0;
}

void deadletter_wipe(struct buf *payload)
{
    if (payload->data)
        explicit_bzero(payload->data, payload->cap);
    buf_free(payload);
}

static int parse_whole(const char *text, int64_t *ret_value)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (!*text || *end || value < 0)
        return ERR_INVALID;
    *ret_value = value;
    return 0;
}

bool deadletter_place_parse(const struct args *args, struct deadletter_place *ret_place)
{
    ret_place->topic = args->operands[0];
    return parse_whole(args->operands[1], &ret_place->partition) == 0 &&
           parse_whole(args->operands[2], &ret_place->offset) == 0;
}

bool deadletter_is_at(const struct deadletter_place *place, const struct dead_letter *letter)
{
    return strcmp(letter->topic, place->topic) == 0 && letter->partition == place->partition &&
           letter->offset == place->offset;
}

int deadletter_none_at(const struct deadletter_place *place, struct err_text *error)
{
    return err_set(error, ERR_NOTFOUND,
                   "nothing was refused at \"%s\" partition %" PRId64 " offset %" PRId64
                   "; `almanac deadletter list` shows what was",
                   place->topic, place->partition, place->offset);
}

static int run_show(const struct args *args)
{
    struct err_text error = {0};
    struct reader_dir *reader = NULL;
    struct wanted wanted = {.error = &error};
    struct conf *conf = NULL;
    if (!deadletter_place_parse(args, &wanted.place))
        return args_wrong(args, "partition and offset are whole numbers from 0");
    int code = hash_init();
    if (code == 0)
        code = site_conf(args, &conf, &error);
    if (code == 0)
        code = reader_dir_open(conf->data, &reader, &error);
    if (code == 0)
        code = vaulting_open(conf, "almanac deadletter", &wanted.vaulting, &error);
    if (code == 0)
        code = reader_dead_letters(reader, true, show_cb, &wanted);
    if (code == 0 && wanted.n == 0)
        code = deadletter_none_at(&wanted.place, &error);
    vaulting_close(wanted.vaulting);
    reader_dir_close(reader);
    conf_free(conf);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg list_args[] = {{"json", 0, NULL,
                                        "prints one array of objects: topic partition offset "
                                        "reason detail time property slot incarnation"},
                                       SITE_ARG_DIR,
                                       SITE_ARG_SET};
static const struct arg show_args[] = {SITE_ARG_DIR, SITE_ARG_SET};

const struct command cmd_deadletter_list = {
    .name = "deadletter list",
    .summary = "lists refused messages, each with its reason",
    .operands = "",
    .examples =
        "  almanac deadletter list\n  almanac deadletter list --dir /var/lib/almanac --json\n",
    .args = list_args,
    .n_args = sizeof list_args / sizeof *list_args,
    .run = run_list};

const struct command cmd_deadletter_show = {
    .name = "deadletter show",
    .summary = "prints what was refused at a place in Kafka: the vault opens it, and writes down for whom",
    .operands = "TOPIC PARTITION OFFSET",
    .n_operands = 3,
    .examples = "  almanac deadletter show readings.main 0 17\n",
    .args = show_args,
    .n_args = sizeof show_args / sizeof *show_args,
    .run = run_show};
