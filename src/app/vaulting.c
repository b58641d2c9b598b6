#include <config.h>

#include "app/vaulting.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/vault_site.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "ingest/kept.h"
#include "store/erasure.h"
#include "store/folders.h"
#include "vault/client.h"
#include "vault/seal.h"

#define EVERY_S 60
#define AGAIN_S 5 /* after a failure */

struct vaulting {
    const struct conf *conf;
    char *role;
    uint8_t key[SEAL_KEY_BYTES];
    pthread_mutex_t lock; /* of the connection's making */
    struct vault *vault;  /* NULL: not asked yet */
    pthread_mutex_t carrying;
    pthread_t thread;
    pthread_cond_t wake;  /* with lock */
    bool holds, stop;
};

/* ---- making and ending ---- */

void vaulting_key_path(const struct conf *conf, char *out, size_t size)
{
    snprintf(out, size, "%s/public.key", conf->vault_dir);
}

int vaulting_open(const struct conf *conf, const char *role, struct vaulting **ret_vaulting, struct err_text *error)
{
    struct vaulting *vaulting = calloc(1, sizeof(*vaulting));
    char path[PATH_MAX];
    if (!vaulting || !(vaulting->role = strdup(role))) {
        free(vaulting);
        return ERR_NOMEM;
    }
    vaulting->conf = conf;
    pthread_mutex_init(&vaulting->lock, NULL);
    pthread_mutex_init(&vaulting->carrying, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&vaulting->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    vaulting_key_path(conf, path, sizeof(path));
    int rc = seal_key_read(path, vaulting->key, error);
    if (rc == ERR_NOTFOUND)
        err_set(error, rc,
                "there is no vault in \"%s\" (no public.key), and nothing is kept without one: make one with "
                "`almanac vault init`, or name the folder of yours in [vault] dir",
                conf->vault_dir);
    if (rc < 0) {
        vaulting_close(vaulting);
        return rc;
    }
    *ret_vaulting = vaulting;
    return 0;
}

void vaulting_close(struct vaulting *vaulting)
{
    if (!vaulting)
        return;
    if (vaulting->holds) {
        pthread_mutex_lock(&vaulting->lock);
        vaulting->stop = true;
        pthread_cond_signal(&vaulting->wake);
        pthread_mutex_unlock(&vaulting->lock);
        pthread_join(vaulting->thread, NULL);
    }
    vault_close(vaulting->vault);
    pthread_cond_destroy(&vaulting->wake);
    pthread_mutex_destroy(&vaulting->carrying);
    pthread_mutex_destroy(&vaulting->lock);
    free(vaulting->role);
    free(vaulting);
}

static void *run(void *arg)
{
    struct vaulting *vaulting = arg;
    bool told = false;
    for (;;) {
        struct err_text error = {0};
        struct timespec until;
        int rc = vaulting_carry_over(vaulting, &error);
        if (rc < 0 && !told)
            log_event(LOG_WARNING, "vault_away", "text=\"%s\"", *error.text ? error.text : err_name(rc));
        told = rc < 0;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += rc < 0 ? AGAIN_S : EVERY_S;
        pthread_mutex_lock(&vaulting->lock);
        while (!vaulting->stop && pthread_cond_timedwait(&vaulting->wake, &vaulting->lock, &until) == 0)
            ;
        bool stop = vaulting->stop;
        pthread_mutex_unlock(&vaulting->lock);
        if (stop)
            return NULL;
    }
}

int vaulting_hold(struct vaulting *vaulting, struct err_text *error)
{
    sigset_t all, before; /* signals belong to the program's own thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    vaulting->holds = pthread_create(&vaulting->thread, NULL, run, vaulting) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return vaulting->holds ? 0 : err_set(error, ERR_NOMEM, "no thread for the vault");
}

/* ---- asking ---- */

static int connect_to(struct vaulting *vaulting, struct err_text *error)
{
    pthread_mutex_lock(&vaulting->lock);
    int rc = vaulting->vault ? 0 : vault_site_open(vaulting->conf, vaulting->role, &vaulting->vault, error);
    pthread_mutex_unlock(&vaulting->lock);
    return rc;
}

int vaulting_ask(void *arg, json_t *question, json_t **ret_answer, struct err_text *error)
{
    struct vaulting *vaulting = arg;
    int rc = connect_to(vaulting, error);
    if (rc == 0)
        return vault_ask(vaulting->vault, question, ret_answer, error);
    json_decref(question);
    return rc == ERR_NOMEM ? rc : ERR_BUSY;
}

int vaulting_seal(void *arg, const void *data, size_t size, struct buf *out)
{
    const struct vaulting *vaulting = arg;
    uint8_t *sealed = buf_reserve(out, size + SEAL_EXTRA_BYTES);
    int rc = sealed ? seal_make(vaulting->key, data, size, sealed) : ERR_NOMEM;
    if (rc == 0)
        out->n += size + SEAL_EXTRA_BYTES;
    return rc;
}

int vaulting_unseal(struct vaulting *vaulting, const char *action, const void *sealed, size_t size, struct buf *out,
                    struct err_text *error)
{
    char actor[VAULTING_ACTOR_MAX];
    json_t *answer;
    size_t n;
    char *text = malloc(HASH_BASE64_MAX(size));
    if (!text)
        return ERR_NOMEM;
    hash_base64(sealed, size, text);
    vaulting_actor(actor);
    json_t *question = json_pack("{s:s, s:s, s:s, s:s}", "do", "unseal", "actor", actor, "action", action, "sealed", text);
    free(text);
    int rc = vaulting_ask(vaulting, question, &answer, error);
    if (rc < 0)
        return rc;
    const char *payload = json_string_value(json_object_get(answer, "payload"));
    size_t text_size = payload ? strlen(payload) : 0;
    uint8_t *room = buf_reserve(out, text_size + 1);
    rc = !room ? ERR_NOMEM : payload ? hash_from_base64(payload, text_size, room, &n) : ERR_IO;
    if (rc == 0)
        out->n += n;
    json_decref(answer);
    return rc;
}

int vaulting_subject(void *arg, const char *sealed, const char *from, struct err_text *error)
{
    json_t *answer;
    int rc = vaulting_ask(arg, json_pack("{s:s, s:s, s:s}", "do", "subjects", "sealed", sealed, "from", from), &answer, error);
    if (rc == 0)
        json_decref(answer);
    return rc;
}

int vaulting_pseudonyms(void *arg, const char *domain, const char *const *texts, size_t n, char **ret_pseudonyms,
                        struct err_text *error)
{
    json_t *answer, *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(texts[i]));
    int rc = vaulting_ask(arg, json_pack("{s:s, s:s, s:o}", "do", "pseudonyms", "domain", domain, "texts", list), &answer, error);
    if (rc < 0)
        return rc;
    const json_t *given = json_object_get(answer, "pseudonyms");
    if (json_array_size(given) != n)
        rc = err_set(error, ERR_IO, "the vault gave %zu pseudonyms for %zu texts", json_array_size(given), n);
    for (size_t i = 0; i < n && rc == 0; i++) {
        const char *text = json_string_value(json_array_get(given, i));
        ret_pseudonyms[i] = text ? strdup(text) : NULL;
        if (!text || ret_pseudonyms[i])
            continue;
        rc = ERR_NOMEM;
        while (i > 0) {
            free(ret_pseudonyms[--i]);
            ret_pseudonyms[i] = NULL;
        }
        break;
    }
    json_decref(answer);
    return rc;
}

void vaulting_actor(char out[static VAULTING_ACTOR_MAX])
{
    const struct passwd *user = getpwuid(geteuid());
    if (user)
        snprintf(out, VAULTING_ACTOR_MAX, "local:%.60s", user->pw_name);
    else
        snprintf(out, VAULTING_ACTOR_MAX, "local:%u", (unsigned)geteuid());
}

/* ---- what was erased ---- */

static int hide(struct vaulting *vaulting, const json_t *erasure, struct err_text *error)
{
    const json_t *list = json_object_get(erasure, "entities");
    const char *when = json_string_value(json_object_get(erasure, "erased_at")),
               *series = json_string_value(json_object_get(erasure, "series"));
    size_t n = json_array_size(list);
    int64_t t_us = clock_wall_us();
    if (n == 0 || (series && strcmp(series, "keep") == 0))
        return 0;
    const char **entities = calloc(n, sizeof(*entities));
    if (!entities)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        entities[i] = json_string_value(json_array_get(list, i));
    if (when && civil_parse_rfc3339(when, strlen(when), &t_us) < 0)
        t_us = clock_wall_us();
    int rc = erasure_add(vaulting->conf->data, entities, n, t_us, error);
    free(entities);
    if (rc == 0 && vaulting->conf->tombstones[0]) /* before anybody is told that they are erased */
        rc = erasure_copy(vaulting->conf->data, vaulting->conf->tombstones, error);
    return rc;
}

static int confirm(struct vaulting *vaulting, const json_t *erasure, struct err_text *error)
{
    json_t *answer;
    int rc = hide(vaulting, erasure, error);
    if (rc == 0)
        rc = vaulting_ask(vaulting, json_pack("{s:s, s:O}", "do", "erased", "id", json_object_get(erasure, "id")),
                          &answer, error);
    if (rc == 0)
        json_decref(answer);
    return rc;
}

int vaulting_carry_over(void *arg, struct err_text *error)
{
    struct vaulting *vaulting = arg;
    json_t *answer;
    pthread_mutex_lock(&vaulting->carrying);
    int rc = vaulting_ask(vaulting, json_pack("{s:s}", "do", "erasures"), &answer, error);
    if (rc == 0) {
        const json_t *pending = json_object_get(answer, "pending");
        for (size_t i = 0; i < json_array_size(pending) && rc == 0; i++)
            rc = confirm(vaulting, json_array_get(pending, i), error);
        json_decref(answer);
    }
    pthread_mutex_unlock(&vaulting->carrying);
    return rc;
}

int vaulting_is_pending(void *arg, const char *const *entities, size_t n, bool *ret_pending, struct err_text *error)
{
    const struct vaulting *vaulting = arg;
    enum erasure_state state;
    int rc = erasure_state(vaulting->conf->data, entities, n, &state, error);
    if (rc == 0)
        *ret_pending = state == ERASURE_PENDING;
    return rc;
}

/* ---- what erasing cannot reach ---- */

struct topics {
    char **at;
    size_t n;
};

static int note_topic(void *arg, const char *topic, int32_t partition)
{
    struct topics *topics = arg;
    (void)partition;
    for (size_t i = 0; i < topics->n; i++)
        if (strcmp(topics->at[i], topic) == 0)
            return 0;
    char **more = realloc(topics->at, (topics->n + 1) * sizeof(*more));
    if (!more)
        return ERR_NOMEM;
    topics->at = more;
    more[topics->n] = strdup(topic);
    return more[topics->n] ? (topics->n++, 0) : ERR_NOMEM;
}

static void note_kept(void *arg, const char *topic, int64_t kept_ms)
{
    char text[CIVIL_TEXT_MAX + 1] = "none";
    struct duration kept = {.days = (int32_t)(kept_ms / (US_PER_DAY / 1000)), .us = kept_ms % (US_PER_DAY / 1000) * 1000};
    if (kept_ms != KEPT_FOR_EVER)
        text[civil_print_duration(text, &kept)] = '\0';
    json_object_set_new(arg, topic, json_string(text));
}

json_t *vaulting_retentions(void *arg)
{
    const struct vaulting *vaulting = arg;
    const struct conf *conf = vaulting->conf;
    struct topics topics = {0};
    struct err_text error = {0};
    json_t *kept = json_object();
    int rc = kept ? folders_walk(conf->data, note_topic, &topics) : ERR_NOMEM;
    for (size_t i = 0; i < topics.n && rc == 0; i++)
        rc = json_object_set_new(kept, topics.at[i], json_null()) ? ERR_NOMEM : 0;
    if (rc == 0 && conf_kafka(conf, "bootstrap.servers")) /* the embedded broker does not tell, and keeps little */
        rc = kept_each(conf->kafka, conf->n_kafka, (const char *const *)topics.at, topics.n, note_kept, kept, &error);
    for (size_t i = 0; i < topics.n; i++)
        free(topics.at[i]);
    free(topics.at);
    if (rc == 0 || rc == ERR_BUSY)
        return kept;
    json_decref(kept);
    return NULL;
}
