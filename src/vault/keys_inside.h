/* What keys.c and its neighbours share. */
#ifndef VAULT_KEYS_INSIDE_H
#define VAULT_KEYS_INSIDE_H

#include "vault/epoch_file.h"
#include "vault/keys.h"

/* In locked memory, one piece. */
struct keys_room {
    uint8_t unlocking[CRYPT_KEY_BYTES], epoch[CRYPT_KEY_BYTES], older[CRYPT_KEY_BYTES];
    uint8_t before[CRYPT_KEY_BYTES], next[CRYPT_KEY_BYTES]; /* while an epoch is entered */
    uint8_t own[KEYS_OWN_N][CRYPT_KEY_BYTES];
};

/* Pseudonyms that were given out, by keyed hash of domain and identity; all of them are forgotten when one is erased. */
#define KEYS_KNOWN (1 << 14)
struct keys_known {
    uint8_t name[CRYPT_NAME_BYTES]; /* zeroes: free */
    char text[KEYS_PSEUDONYM_MAX];
};

struct keys {
    struct keys_known *known;
    struct db *db;
    char *folder;
    struct keys_room *room;
    struct epoch_lock lock;
    int64_t epoch; /* the newest; what is wrapped by another one is wrapped anew at opening */
    bool locked;
};

enum keys_sql {
    SQL_OWN_GET,
    SQL_OWN_ADD,
    SQL_FIND,
    SQL_ADD,
    SQL_UPDATE,
    SQL_TOMB,
    SQL_UNDONE,
    SQL_DONE,
    SQL_DROP,
    SQL_TOMB_ADD,
    SQL_PEND_ADD,
    SQL_IDENTITY,
    SQL_IDENTITY_ADD,
    SQL_ALIAS_ADD,
    SQL_UNLINK,
    SQL_UNALIAS,
    SQL_OLD_OWN,
    SQL_OLD_SUBJECT,
    SQL_OLD_PSEUDONYM,
    SQL_NEW_OWN,
    SQL_NEW_SUBJECT,
    SQL_NEW_PSEUDONYM,
    SQL_CENSUS,
    SQL_PENDING,
    SQL_CONFIRM,
    SQL_COUNTS,
    SQL_N
};

/* Wraps what other epochs wrap with the newest's key, in one transaction; and destroys epochs that nothing needs. */
MUST_CHECK int keys_rewrap(struct keys *keys, int64_t *ret_rewrapped);
MUST_CHECK int keys_destroy_older(struct keys *keys);

#endif
