/* keys.db and the keys of epochs: which keys there are, what wraps them, and how they end (docs/VAULT.md, "Keys",
 * "Erasing").
 *
 * All keys lie in memory of crypt_memory, or on the caller's stack for as long as he uses one. One thread. */
#ifndef VAULT_KEYS_H
#define VAULT_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "db/db.h"
#include "vault/crypt.h"

enum keys_own { KEYS_INDEX, KEYS_TOMB, KEYS_PSEUDONYM, KEYS_AUDIT, KEYS_BOX, KEYS_OWN_N };

struct keys;

/* Makes keys.db, epoch.1, public.key and audit.pub in folder, and the unlocking key where `file:PATH` names none that
 * is there. spec as of keys_open; passphrase for `passphrase`, else NULL. ERR_EXISTS, ERR_INVALID, ERR_IO. */
MUST_CHECK int keys_create(const char *folder, const char *spec, const char *passphrase, struct err_text *error);

/* spec: file:PATH, credential:NAME, or passphrase, where they stay locked until keys_unlock. Finishes a rotation that a
 * process that died had begun. ERR_NOTFOUND, ERR_DENIED (the unlocking key does not fit), ERR_CORRUPT, ERR_LIMIT,
 * ERR_IO. */
MUST_CHECK int keys_open(const char *folder, const char *spec, struct keys **ret_keys, struct err_text *error);
void keys_close(struct keys *keys);
MUST_CHECK int keys_unlock(struct keys *keys, const char *passphrase, struct err_text *error);

bool keys_are_locked(const struct keys *keys);
int64_t keys_epoch(const struct keys *keys);
const uint8_t *keys_own(const struct keys *keys, enum keys_own which);
struct db *keys_db(struct keys *keys);

/* ---- subjects; name is crypt_name under KEYS_INDEX ---- */

struct keys_subject {
    int64_t id, revision, consents; /* consents: the revision of the newest */
    bool restricted;
    uint8_t key[CRYPT_KEY_BYTES]; /* the caller wipes it */
    uint8_t wrapped[CRYPT_WRAPPED_BYTES];
};

/* 1 and the subject, 0 where there is none, or a code. */
MUST_CHECK int keys_find(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES],
                         struct keys_subject *ret_subject);
MUST_CHECK int keys_add(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES]);
/* Writes revision, consents and restricted. */
MUST_CHECK int keys_update(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES],
                           const struct keys_subject *subject);

/* ---- epochs ---- */

/* Makes the next epoch, wraps everything with its key, and destroys the one before. Whatever was written of it stays
 * good when the process dies in between: keys_open goes on. After a failure all keys are there as before. */
MUST_CHECK int keys_rotate(struct keys *keys, int64_t *ret_rewrapped, struct err_text *error);

/* ---- erasing ---- */

struct keys_tomb {
    uint8_t name[CRYPT_NAME_BYTES];
    int64_t erased_us;
    bool done;
};
/* 1 where the subject has been erased, 0 or a code. */
MUST_CHECK int keys_tomb(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES], struct keys_tomb *ret_tomb);
/* 1 and an erasure that is not done, 0 or a code. */
MUST_CHECK int keys_undone(struct keys *keys, struct keys_tomb *ret_tomb);
MUST_CHECK int keys_done(struct keys *keys, const uint8_t name[static CRYPT_NAME_BYTES]);

struct keys_erasing {
    const uint8_t *name;
    const char *ground;
    int64_t erased_us;
    bool deletes_series;
    const void *pending; /* what the store has to do, sealed */
    size_t pending_size;
    const char *const *entities; /* whose pseudonyms unlink */
    size_t n_entities;
};
/* One transaction: the key and the secrets of pseudonyms are gone, tombstone and pending are there. The epoch is the
 * caller's. */
MUST_CHECK int keys_erase(struct keys *keys, const struct keys_erasing *erasing);

/* Erasures that the store has not confirmed, by number: 1 and one, 0 after the last, or a code. sealed is good until
 * the next call. */
struct keys_pending {
    int64_t id, erased_us;
    bool deletes_series;
    uint8_t name[CRYPT_NAME_BYTES];
    const void *sealed;
    size_t size;
};
MUST_CHECK int keys_pending_next(struct keys *keys, int64_t after, struct keys_pending *ret_pending);
/* The store has done its part: what it had to do is forgotten. ERR_NOTFOUND. */
MUST_CHECK int keys_confirm(struct keys *keys, int64_t id);

struct keys_counts {
    int64_t subjects, restricted, tombstones, pending, pseudonyms, newest_erased_us;
};
MUST_CHECK int keys_count(struct keys *keys, struct keys_counts *ret_counts);
/* A copy of keys.db: worth nothing without the key of its epoch. */
MUST_CHECK int keys_copy(const char *folder, const char *to, struct err_text *error);

/* ---- pseudonyms ---- */

#define KEYS_PSEUDONYM_CHARACTERS 22 /* of base64url */
#define KEYS_PSEUDONYM_MAX 25        /* what hash_base64url needs */
/* Writes the pseudonym of an identity in a domain; 1, 0 where it has been erased, or a code. New secrets are written:
 * callers do many in one transaction of keys_db. */
MUST_CHECK int keys_pseudonym(struct keys *keys, const char *domain, const char *identity,
                              char ret_text[static KEYS_PSEUDONYM_MAX]);
/* After a transaction that was rolled back: what it made is not known. */
void keys_forget_pseudonyms(struct keys *keys);

#endif
