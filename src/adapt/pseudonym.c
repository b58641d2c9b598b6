#include <config.h>

#include "adapt/pseudonym.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hash.h"

#define N_STANDARD 16384
#define N_WAYS 4
#define N_ASKED 500            /* texts in one question, */
#define BYTES_ASKED (256 << 10) /* and their bytes */
#define NAME_BYTES 16

struct slot {
    uint8_t name[NAME_BYTES]; /* keyed hash of domain and text */
    enum { SLOT_FREE, SLOT_NOTED, SLOT_KNOWN, SLOT_ERASED } state;
    int64_t until_us;
    char pseudonym[PSEUDONYM_BYTES_MAX + 1];
};

struct pseudonyms {
    struct pseudonyms_opts opts;
    uint8_t key[HASH_KEY_BYTES]; /* of this process */
    struct slot *slots;
    size_t n_sets;
    bool gathering;
    char *domain;                /* of what is noted */
    struct buf noted;            /* texts, each with its NUL */
    size_t n_noted;
    struct buf scratch;
    int rc;                      /* the first failure while gathering */
    struct err_text error;
};

int pseudonyms_new(const struct pseudonyms_opts *opts, struct pseudonyms **ret_pseudonyms)
{
    struct pseudonyms *pseudonyms = calloc(1, sizeof(*pseudonyms));
    if (!pseudonyms)
        return ERR_NOMEM;
    pseudonyms->opts = *opts;
    pseudonyms->n_sets = ((opts->n_max ? opts->n_max : N_STANDARD) + N_WAYS - 1) / N_WAYS;
    pseudonyms->slots = calloc(pseudonyms->n_sets * N_WAYS, sizeof(*pseudonyms->slots));
    if (!pseudonyms->slots) {
        free(pseudonyms);
        return ERR_NOMEM;
    }
    hash_random(pseudonyms->key, sizeof(pseudonyms->key));
    *ret_pseudonyms = pseudonyms;
    return 0;
}

/* The buffers held names. */
static void wipe(struct buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->cap);
    buf_clear(buf);
}

void pseudonyms_free(struct pseudonyms *pseudonyms)
{
    if (!pseudonyms)
        return;
    wipe(&pseudonyms->noted);
    wipe(&pseudonyms->scratch);
    buf_free(&pseudonyms->noted);
    buf_free(&pseudonyms->scratch);
    free(pseudonyms->domain);
    free(pseudonyms->slots);
    free(pseudonyms);
}

const char *pseudonyms_why(const struct pseudonyms *pseudonyms)
{
    return pseudonyms->error.text;
}

static int name_of(struct pseudonyms *pseudonyms, const char *domain, const char *text, size_t size,
                   uint8_t out[static NAME_BYTES])
{
    uint8_t hash[HASH_BYTES];
    struct buf *scratch = &pseudonyms->scratch;
    buf_clear(scratch);
    buf_put(scratch, domain, strlen(domain) + 1);
    buf_put(scratch, text, size);
    if (scratch->failed)
        return ERR_NOMEM;
    hash_keyed(pseudonyms->key, scratch->data, scratch->n, hash);
    memcpy(out, hash, NAME_BYTES);
    return 0;
}

/* The slot of that name, or else the one of its set that is to make room: a free one, or the oldest. */
static struct slot *find_slot(struct pseudonyms *pseudonyms, const uint8_t name[static NAME_BYTES])
{
    uint64_t number;
    memcpy(&number, name, sizeof(number));
    struct slot *set = &pseudonyms->slots[number % pseudonyms->n_sets * N_WAYS], *oldest = set;
    for (size_t i = 0; i < N_WAYS; i++) {
        if (set[i].state != SLOT_FREE && memcmp(set[i].name, name, NAME_BYTES) == 0)
            return &set[i];
        if (set[i].state == SLOT_FREE || set[i].until_us < oldest->until_us)
            oldest = &set[i];
    }
    if (oldest->state != SLOT_FREE)
        *oldest = (struct slot){0};
    return oldest;
}

static int keep(struct pseudonyms *pseudonyms, const char *domain, const char *text, const char *pseudonym)
{
    uint8_t name[NAME_BYTES];
    int rc = name_of(pseudonyms, domain, text, strlen(text), name);
    if (rc == 0 && pseudonym && strlen(pseudonym) > PSEUDONYM_BYTES_MAX)
        rc = err_set(&pseudonyms->error, ERR_CORRUPT, "the vault gave a pseudonym of more than %d bytes", PSEUDONYM_BYTES_MAX);
    if (rc < 0)
        return rc;
    struct slot *slot = find_slot(pseudonyms, name);
    *slot = (struct slot){.state = pseudonym ? SLOT_KNOWN : SLOT_ERASED, .until_us = clock_mono_us() + PSEUDONYM_AGE_US};
    memcpy(slot->name, name, NAME_BYTES);
    snprintf(slot->pseudonym, sizeof(slot->pseudonym), "%s", pseudonym ? pseudonym : "");
    return 0;
}

static int ask(struct pseudonyms *pseudonyms, const char *domain, const char *const *texts, size_t n)
{
    char *answers[N_ASKED] = {0};
    pseudonyms->error = (struct err_text){0};
    int rc = pseudonyms->opts.ask(pseudonyms->opts.arg, domain, texts, n, answers, &pseudonyms->error);
    for (size_t i = 0; i < n; i++) {
        if (rc == 0)
            rc = keep(pseudonyms, domain, texts[i], answers[i]);
        free(answers[i]);
    }
    return rc;
}

/* Asks for what is noted; it stays noted nowhere. */
static int ask_noted(struct pseudonyms *pseudonyms)
{
    const char *texts[N_ASKED], *at = (const char *)pseudonyms->noted.data;
    size_t n = pseudonyms->n_noted;
    for (size_t i = 0; i < n; i++, at += strlen(at) + 1)
        texts[i] = at;
    int rc = pseudonyms->noted.failed ? ERR_NOMEM : n ? ask(pseudonyms, pseudonyms->domain, texts, n) : 0;
    wipe(&pseudonyms->noted);
    pseudonyms->n_noted = 0;
    return rc;
}

static int note(struct pseudonyms *pseudonyms, const char *domain, const char *text, size_t size)
{
    int rc = 0;
    bool full = pseudonyms->n_noted == N_ASKED || pseudonyms->noted.n + size >= BYTES_ASKED;
    if (full || (pseudonyms->domain && strcmp(pseudonyms->domain, domain) != 0))
        rc = ask_noted(pseudonyms);
    if (!pseudonyms->domain || strcmp(pseudonyms->domain, domain) != 0) {
        free(pseudonyms->domain);
        pseudonyms->domain = strdup(domain);
    }
    buf_put(&pseudonyms->noted, text, size);
    buf_putc(&pseudonyms->noted, '\0');
    pseudonyms->n_noted++;
    return !pseudonyms->domain ? ERR_NOMEM : rc;
}

int pseudonyms_put(struct pseudonyms *pseudonyms, const char *domain, const char *text, size_t size, struct buf *out)
{
    uint8_t name[NAME_BYTES];
    char copy[PSEUDONYM_TEXT_MAX + 1];
    if (size > PSEUDONYM_TEXT_MAX)
        return ERR_LIMIT;
    if (memchr(text, '\0', size))
        return ERR_INVALID;
    int rc = name_of(pseudonyms, domain, text, size, name);
    if (rc < 0)
        return rc;
    struct slot *slot = find_slot(pseudonyms, name);
    bool known = slot->state >= SLOT_KNOWN && slot->until_us > clock_mono_us();
    if (pseudonyms->gathering) {
        buf_puts(out, "gathering-not-kept-000");
        if (known || slot->state == SLOT_NOTED || pseudonyms->rc)
            return 0;
        *slot = (struct slot){.state = SLOT_NOTED, .until_us = clock_mono_us() + PSEUDONYM_AGE_US};
        memcpy(slot->name, name, NAME_BYTES);
        pseudonyms->rc = note(pseudonyms, domain, text, size);
        return 0;
    }
    if (!known) {
        memcpy(copy, text, size);
        copy[size] = '\0';
        const char *one = copy;
        rc = ask(pseudonyms, domain, &one, 1);
        explicit_bzero(copy, size);
        slot = find_slot(pseudonyms, name);
    }
    if (rc == 0 && slot->state == SLOT_ERASED)
        return ERR_EXPIRED;
    if (rc == 0)
        buf_puts(out, slot->pseudonym);
    return rc;
}

void pseudonyms_begin(struct pseudonyms *pseudonyms)
{
    pseudonyms->gathering = true;
    pseudonyms->rc = 0;
}

int pseudonyms_end(struct pseudonyms *pseudonyms)
{
    int rc = pseudonyms->rc ? pseudonyms->rc : ask_noted(pseudonyms);
    if (rc < 0) { /* what was noted is to be noted again */
        wipe(&pseudonyms->noted);
        pseudonyms->n_noted = 0;
        for (size_t i = 0; i < pseudonyms->n_sets * N_WAYS; i++)
            if (pseudonyms->slots[i].state == SLOT_NOTED)
                pseudonyms->slots[i] = (struct slot){0};
    }
    pseudonyms->gathering = false;
    return rc;
}

int pseudonyms_sample(void *arg, const char *domain, const char *const *texts, size_t n, char **ret_pseudonyms,
                      struct err_text *error)
{
    (void)error;
    for (size_t i = 0; i < n; i++) {
        struct buf text = {0};
        uint8_t hash[HASH_BYTES];
        char characters[4 * ((HASH_BYTES / 2 + 2) / 3) + 1];
        buf_put(&text, domain, strlen(domain) + 1);
        buf_puts(&text, texts[i]);
        if (!text.failed)
            hash_keyed(arg, text.data, text.n, hash);
        bool failed = text.failed;
        buf_free(&text);
        hash_base64url(hash, HASH_BYTES / 2, characters);
        ret_pseudonyms[i] = failed ? NULL : strndup(characters, 22);
        if (ret_pseudonyms[i])
            continue;
        while (i > 0) {
            free(ret_pseudonyms[--i]);
            ret_pseudonyms[i] = NULL;
        }
        return ERR_NOMEM;
    }
    return 0;
}
