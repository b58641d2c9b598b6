/* vault.db: the records of subjects, encrypted, and blind indexes (docs/VAULT.md). One thread. */
#ifndef VAULT_RECORDS_H
#define VAULT_RECORDS_H

#include <jansson.h>
#include <stdint.h>

#include "common/err.h"
#include "db/db.h"
#include "vault/crypt.h"

struct records;

MUST_CHECK int records_create(const char *folder, struct err_text *error);
MUST_CHECK int records_open(const char *folder, struct records **ret_records, struct err_text *error);
void records_close(struct records *records);
MUST_CHECK int records_copy(struct records *records, const char *to, struct err_text *error); /* of the file, as it stands */
struct db *records_db(struct records *records); /* for db_begin and db_commit: a write is inside a transaction */

/* Whose record it is, under which key. */
struct records_subject {
    const uint8_t *name; /* CRYPT_NAME_BYTES */
    const uint8_t *key;  /* CRYPT_KEY_BYTES */
    int64_t key_id;
};

/* Puts a record in the place of the one before. */
MUST_CHECK int records_put(struct records *records, const struct records_subject *subject, enum crypt_kind kind,
                           const char *field, int64_t revision, const json_t *value);
MUST_CHECK int records_delete_field(struct records *records, const uint8_t name[static CRYPT_NAME_BYTES],
                                    const char *field);

/* What there is of a subject: `{"id":…,"fields":{…},"entities":[…],"consents":[…]}`, and the revision of the consents
 * (0 without any). ERR_NOTFOUND without a record; ERR_CORRUPT, ERR_NOMEM. */
MUST_CHECK int records_read(struct records *records, const struct records_subject *subject, json_t **ret_whole,
                            int64_t *ret_consents);

/* The blind index of a field: the hash of its value, none (NULL) where the field has none any more. */
MUST_CHECK int records_index(struct records *records, const uint8_t name[static CRYPT_NAME_BYTES], const char *field,
                             const uint8_t *hash);
/* Calls each for the subjects with that hash behind `after`, in order, so many at most; it must not write. An answer other than 0
 * ends it. */
MUST_CHECK int records_search(struct records *records, const char *field, const uint8_t hash[static CRYPT_NAME_BYTES],
                              const uint8_t after[static CRYPT_NAME_BYTES], int64_t limit,
                              int (*each)(void *arg, const uint8_t *name), void *arg);

/* Removes all rows of a subject. */
MUST_CHECK int records_erase(struct records *records, const uint8_t name[static CRYPT_NAME_BYTES]);

/* Calls each for every subject; where it answers 1 the subject's rows are removed. One transaction. */
MUST_CHECK int records_sweep(struct records *records, int (*each)(void *arg, const uint8_t *name), void *arg,
                             int64_t *ret_removed);

#endif
