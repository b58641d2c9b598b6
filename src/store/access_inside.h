/* Inside of access (store/access.h); shared by access.c and access_users.c. */
#ifndef STORE_ACCESS_INSIDE_H
#define STORE_ACCESS_INSIDE_H

#include <pthread.h>

#include "common/hash.h"
#include "db/db.h"
#include "store/access.h"

#define CACHE_SLOTS 256 /* a power of two */

enum {
    SQL_GET_KEY, SQL_FIND, SQL_FIND_USER, SQL_ADD_KEY, SQL_ADD, SQL_ADD_USER, SQL_LIST_TOKENS, SQL_LIST_USERS, SQL_REMOVE_TOKEN,
    SQL_REMOVE_USER, SQL_FIND_CERTIFICATE, SQL_ADD_CERTIFICATE, SQL_LIST_CERTIFICATES, SQL_REMOVE_CERTIFICATE,
    SQL_VERSION, SQL_TOKEN_AGAIN, SQL_USER_AGAIN, SQL_CERTIFICATE_AGAIN, SQL_N
};

/* Who was found before, in the slot that its hash begins with: of a token, or of a user's name and password. */
struct cached {
    uint8_t hash[HASH_BYTES];
    struct principal principal;
    int64_t until_us; /* clock_mono_us */
    bool used;
};

struct access {
    char *path;
    uint8_t key[HASH_KEY_BYTES];
    pthread_mutex_t lock; /* guards everything below */
    struct db *db;        /* reading only */
    int64_t version;      /* SQLite's data_version: another one says that the file was changed */
    int64_t checked_us;   /* when it was looked at (clock_mono_us) */
    struct cached cache[CACHE_SLOTS];
};

extern const struct db_format access_format; /* of auth.db */
#define ACCESS_FORMAT "access file", 0x414c4d61 /* "ALMa" */ /* of every version */

/* Brings a file of an earlier version to the newest, in one transaction. ERR_VERSION: it is of none. */
MUST_CHECK int access_upgrade(const char *path, struct err_text *error);

/* In any mode; a file of an earlier version is upgraded. */
MUST_CHECK int access_open_file(const char *path, enum db_mode mode, struct db **ret_db, struct err_text *error);
/* Forgets what was found once another process has changed the file; under the lock. */
MUST_CHECK int access_refresh(struct access *access);
/* What is remembered of that hash, under the lock; NULL: nothing. */
const struct cached *access_recall(const struct access *access, const uint8_t hash[static HASH_BYTES]);
void access_remember(struct access *access, const uint8_t hash[static HASH_BYTES], const struct principal *principal,
                     int64_t until_us);
/* Who has the key, which statement sql finds; it is remembered under hash. ERR_DENIED: nobody. */
MUST_CHECK int access_check_key(struct access *access, int sql, const uint8_t key[static HASH_BYTES],
                                const uint8_t hash[static HASH_BYTES], struct principal *ret_principal);
/* The column `scopes`: bits where nothing is limited, else text. */
void access_bind_grants(sqlite3_stmt *stmt, const struct grants *grants, char text[static ACCESS_GRANTS_TEXT_MAX]);
MUST_CHECK int access_read_grants(sqlite3_stmt *stmt, int column, struct grants *ret_grants);
MUST_CHECK int access_check_name(const char *name, const char *of, struct err_text *error);

#endif
