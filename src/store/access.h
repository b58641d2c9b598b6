/* Who may ask: bearer tokens and users with passwords, in DIR/auth.db. Tokens are kept only as keyed BLAKE2b, passwords as
 * Argon2id. */
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

/* Adds a user, for HTTP Basic. name: as of a token, without a colon; password: 8 to 256 bytes. ERR_EXISTS. */
MUST_CHECK int access_user_add(struct access *access, const char *name, const char *scopes, const char *password,
                               struct err_text *error);

/* Lets in whoever has a verified certificate with this key. spki: SHA-256 of its SubjectPublicKeyInfo; name: as of a token.
 * ERR_EXISTS: of the name or of the key. */
MUST_CHECK int access_certificate_add(struct access *access, const char *name, const char *scopes, const uint8_t *spki,
                                      struct err_text *error);

/* Tokens, users and certificates as they are listed, by name. */
enum access_kind { ACCESS_TOKENS, ACCESS_USERS, ACCESS_CERTIFICATES };
struct access_entry {
    const char *name; /* valid during the call */
    unsigned scopes;
    int64_t created_us;
    const uint8_t *spki; /* of a certificate; else NULL */
};
MUST_CHECK int access_each(struct access *access, enum access_kind kind,
                           int (*row)(void *arg, const struct access_entry *entry), void *arg, struct err_text *error);
/* Takes one back: other processes let it in for a second at most. ERR_NOTFOUND. */
MUST_CHECK int access_remove(struct access *access, enum access_kind kind, const char *name, struct err_text *error);

/* The names of scopes, with commas between; "admin" alone for all. */
#define ACCESS_SCOPES_TEXT_MAX 96
void access_scopes_print(unsigned scopes, char out[static ACCESS_SCOPES_TEXT_MAX]);

struct principal {
    char name[65];
    unsigned scopes; /* enum scope */
};
/* Who this token is: valid at once after it was made, by any process. ERR_DENIED when nobody. Thread-safe; a hit of the
 * cache costs one keyed hash. */
MUST_CHECK int access_check_token(struct access *access, const char *token, size_t size,
                                  struct principal *ret_principal);

/* The same of a user. A password that was right is remembered for five minutes, so that it need not be computed again.
 * may_compute false: ERR_BUSY when that would be needed, which takes some tenths of a second and 64 MiB. Of a user that is
 * not there it takes as long. */
MUST_CHECK int access_check_password(struct access *access, const char *name, const char *password, bool may_compute,
                                     struct principal *ret_principal);

/* The same of a client's certificate, which the caller has verified. */
MUST_CHECK int access_check_certificate(struct access *access, const uint8_t *spki, struct principal *ret_principal);

#endif
