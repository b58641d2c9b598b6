/* DIR/erased.db (docs/FORMAT.md): the entities that were erased, as keyed hashes. Their series are answered as if they had never
 * been, from the moment on at which store/erasure.h has noted them.
 *
 * The list is kept in memory and followed by SQLite's data_version. Any thread. */
#ifndef STORE_ERASED_H
#define STORE_ERASED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/hash.h"
#include "db/db.h"

#define ERASED_HASH_BYTES HASH_KEYED_SHORT_BYTES

extern const struct db_format erased_format;

enum erased_sql {
    ERASED_SQL_VERSION, ERASED_SQL_KEYS, ERASED_SQL_KEY_ADD, ERASED_SQL_ALL, ERASED_SQL_ADD, ERASED_SQL_FIND,
    ERASED_SQL_PENDING, ERASED_SQL_DONE, ERASED_SQL_AGAIN, ERASED_SQL_N
};

/* Opens a list; DB_WRITE makes it, and its key, where there is none. As db_open. */
MUST_CHECK int erased_open_file(const char *path, enum db_mode mode, struct db **ret_db, struct err_text *error);

/* Where the list of a data directory lies. A snapshot has none of its own: it is that of the directory which it lies in. */
void erased_path(const char *dir, char *out, size_t size);

struct erased;

/* Touches nothing on disk but to find out whether dir is a snapshot. ERR_NOMEM. */
MUST_CHECK int erased_new(const char *dir, struct erased **ret_erased);
void erased_free(struct erased *erased);

/* Takes in what was noted since: one look at the file. *ret_version is another number after each change; 0: no list yet. May be
 * NULL. Errors of the file: whoever asks must not answer then. */
MUST_CHECK int erased_follow(struct erased *erased, int64_t *ret_version, struct err_text *error);

/* As of the last look. Where nothing was ever erased they cost nothing. */
bool erased_has(struct erased *erased, const char *entity, size_t size);
bool erased_has_hash(struct erased *erased, const uint8_t hash[static ERASED_HASH_BYTES]);
/* Whether the text names one of them: a word of it is its name, or what stands between quotes. */
bool erased_is_named(struct erased *erased, const char *text, size_t size);

/* Wall clock of the last erasure as of the last look; 0: none. */
int64_t erased_newest_us(struct erased *erased);

/* The hash by which this store's list would know the entity; false: there is no list yet. */
bool erased_hash(struct erased *erased, const char *entity, size_t size, uint8_t ret_hash[static ERASED_HASH_BYTES]);

#endif
