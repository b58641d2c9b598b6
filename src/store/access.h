/* Who may ask: bearer tokens in DIR/auth.db, kept only as keyed BLAKE2b. */
#ifndef STORE_ACCESS_H
#define STORE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define TOKEN_TEXT_MAX 64 /* "alm_" and 43 characters of base64url, NUL */

enum scope { SCOPE_READ = 1, SCOPE_EXPORT = 2, SCOPE_SQL = 4, SCOPE_OPS = 8, SCOPE_PERSONAL_READ = 16,
             SCOPE_PERSONAL_WRITE = 32, SCOPE_VAULT_ADMIN = 64, SCOPE_ADMIN = 128 };
#define SCOPES_ALL 255 /* what `admin` includes */

struct db_format;
extern const struct db_format access_format; /* of auth.db */

struct access;

/* Makes auth.db with a random key. ERR_EXISTS. */
MUST_CHECK int access_create(const char *dir, struct err_text *error);

MUST_CHECK int access_open(const char *dir, struct access **ret_access, struct err_text *error);
void access_close(struct access *access);

/* Makes a token: 256 random bits, given out once. scopes: names of contract section 8 separated by commas or blanks; a scope
 * with entity globs (`read:p2-*`) is ERR_INVALID until globs are enforced. name: 1..64 printable bytes; ERR_EXISTS. */
MUST_CHECK int access_token_create(struct access *access, const char *name, const char *scopes,
                                   char ret_token[static TOKEN_TEXT_MAX], struct err_text *error);

struct principal {
    char name[65];
    unsigned scopes; /* enum scope */
};
/* Who this token is: valid at once after it was made, by any process. ERR_DENIED when nobody. Thread-safe; a hit of the
 * cache costs one keyed hash. */
MUST_CHECK int access_check_token(struct access *access, const char *token, size_t size,
                                  struct principal *ret_principal);

#endif
