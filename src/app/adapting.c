#include <config.h>

#include "app/adapting.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapt/mapping.h"
#include "adapt/pseudonym.h"
#include "common/hash.h"
#include "ingest/adapter.h"
#include "ingest/embedded.h"

#define NAME_BYTES 16

struct adapting {
    const struct conf *conf;
    struct mapping **mappings;
    size_t n_mappings;
    struct vaulting *vaulting; /* borrowed; NULL where it is only checked whether it could start */
    struct pseudonyms *pseudonyms; /* NULL unless a mapping substitutes */
    int lock; /* of the file with our name, -1 none */
    char name[2 * NAME_BYTES + 1];
    struct adapter *adapter;
};

static int load_mappings(struct adapting *adapting, const struct conf *conf, struct err_text *error)
{
    glob_t found = {0};
    int code = glob(conf->mappings, 0, NULL, &found); /* in the order of their names */
    if (code != 0)
        return err_set(error, code == GLOB_NOMATCH ? ERR_NOTFOUND : ERR_IO,
                       "there is no mapping \"%s\", and role adapt needs one: docs/MAPPING.md says what it is",
                       conf->mappings);
    adapting->mappings = calloc(found.gl_pathc, sizeof(*adapting->mappings));
    code = adapting->mappings ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < found.gl_pathc && code == 0; i++) {
        code = mapping_open(found.gl_pathv[i], &adapting->mappings[i], error);
        if (code == 0 && adapting->mappings[i]->n_topics == 0)
            code = err_set(error, ERR_INVALID, "the mapping \"%s\" has no \"topics\", so role adapt cannot use it",
                           found.gl_pathv[i]);
        adapting->n_mappings = i + 1;
    }
    globfree(&found);
    return code;
}

static int prepare_pseudonyms(struct adapting *adapting)
{
    const struct pseudonyms_opts opts = {.ask = vaulting_pseudonyms, .arg = adapting->vaulting};
    bool substitutes = false;
    for (size_t i = 0; i < adapting->n_mappings; i++)
        substitutes = substitutes || adapting->mappings[i]->substitutes;
    return substitutes && adapting->vaulting ? pseudonyms_new(&opts, &adapting->pseudonyms) : 0;
}

/* The name by which Kafka knows us over restarts lies in run/adapt, locked while we live: two of one name would stop
 * each other for ever. */
static int take_name(struct adapting *adapting, const struct conf *conf, struct err_text *error)
{
    char path[4096], letters[2 * HASH_BYTES + 1];
    uint8_t random[HASH_BYTES];
    snprintf(path, sizeof path, "%s/run", conf->data);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return err_set(error, ERR_IO, "cannot make the folder \"%s\": %s", path, strerror(errno));
    snprintf(path, sizeof path, "%s/run/adapt", conf->data);
    adapting->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (adapting->lock < 0)
        return err_set(error, ERR_IO, "cannot open \"%s\": %s", path, strerror(errno));
    if (flock(adapting->lock, LOCK_EX | LOCK_NB) != 0)
        return err_set(error, ERR_BUSY, "another process has the role adapt in \"%s\"; stop it first", conf->data);
    if (pread(adapting->lock, adapting->name, sizeof adapting->name - 1, 0) == (ssize_t)sizeof adapting->name - 1)
        return 0;
    hash_random(random, sizeof random);
    hash_hex(random, letters);
    memcpy(adapting->name, letters, sizeof adapting->name - 1);
    adapting->name[sizeof adapting->name - 1] = '\0';
    if (pwrite(adapting->lock, adapting->name, sizeof adapting->name - 1, 0) != (ssize_t)sizeof adapting->name - 1 ||
        fsync(adapting->lock) != 0)
        return err_set(error, ERR_IO, "cannot write \"%s\": %s", path, strerror(errno));
    return 0;
}

static int prepare(const struct conf *conf, struct vaulting *vaulting, struct adapting **ret_adapting, struct err_text *error)
{
    struct adapting *adapting = calloc(1, sizeof *adapting);
    if (!adapting)
        return ERR_NOMEM;
    adapting->conf = conf;
    adapting->vaulting = vaulting;
    adapting->lock = -1;
    int code = load_mappings(adapting, conf, error);
    if (code == 0)
        code = prepare_pseudonyms(adapting);
    if (code != 0) {
        adapting_close(adapting);
        return code;
    }
    *ret_adapting = adapting;
    return 0;
}

int adapting_open(const struct conf *conf, struct vaulting *vaulting, struct adapting **ret_adapting, struct err_text *error)
{
    struct adapting *adapting = NULL;
    int code = prepare(conf, vaulting, &adapting, error);
    if (code == 0)
        code = take_name(adapting, conf, error);
    if (code != 0) {
        adapting_close(adapting);
        return code;
    }
    *ret_adapting = adapting;
    return 0;
}

void adapting_topics(const struct adapting *adapting, struct buf *out)
{
    char target[LIMIT_TOPIC_BYTES + 1];
    for (size_t i = 0; i < adapting->n_mappings; i++) {
        const struct mapping *mapping = adapting->mappings[i];
        for (size_t j = 0; j < mapping->n_topics && !mapping->topics_match; j++)
            if (mapping_target(mapping, mapping->topics[j], target) == 0)
                buf_printf(out, " %s %s", mapping->topics[j], target);
        if (mapping->topics_match && mapping->to)
            buf_printf(out, " %s", mapping->to);
    }
}

int adapting_start(struct adapting *adapting, const char *bootstrap, struct err_text *error)
{
    const struct conf *conf = adapting->conf;
    struct kafka_property *properties = calloc(conf->n_kafka + 2, sizeof *properties);
    size_t n = 0;
    if (!properties)
        return ERR_NOMEM;
    if (bootstrap) /* what is configured wins */
        properties[n++] = (struct kafka_property){"session.timeout.ms", EMBEDDED_SESSION_MS};
    if (conf->n_kafka > 0)
        memcpy(properties + n, conf->kafka, conf->n_kafka * sizeof *properties);
    n += conf->n_kafka;
    if (bootstrap)
        properties[n++] = (struct kafka_property){"bootstrap.servers", bootstrap};
    struct adapter_opts opts = {.properties = properties,
                                .n_properties = n,
                                .topics = conf->raw_topics,
                                .dead_topic = conf->dead_topic,
                                .instance_id = adapting->name,
                                .mappings = (const struct mapping *const *)adapting->mappings,
                                .n_mappings = adapting->n_mappings,
                                .pseudonyms = adapting->pseudonyms,
                                .seal = vaulting_seal,
                                .seal_arg = adapting->vaulting};
    int code = adapter_start(&opts, &adapting->adapter, error);
    free(properties);
    return code;
}

int adapting_check(const struct conf *conf, struct err_text *error)
{
    struct adapting *adapting = NULL;
    int code = prepare(conf, NULL, &adapting, error);
    adapting_close(adapting);
    return code;
}

void adapting_status(struct adapting *adapting, struct consumer_status *ret_status)
{
    if (adapting->adapter)
        adapter_status(adapting->adapter, ret_status);
}

void adapting_close(struct adapting *adapting)
{
    if (!adapting)
        return;
    adapter_stop(adapting->adapter);
    pseudonyms_free(adapting->pseudonyms);
    for (size_t i = 0; i < adapting->n_mappings; i++)
        mapping_free(adapting->mappings[i]);
    free(adapting->mappings);
    if (adapting->lock >= 0)
        close(adapting->lock);
    free(adapting);
}
