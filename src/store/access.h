/* Who may ask: bearer tokens and users with passwords, in DIR/auth.db. Tokens are kept only as keyed BLAKE2b, passwords as
 * Argon2id. */
#ifndef STORE_ACCESS_H
#define STORE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/globs.h"

#define TOKEN_TEXT_MAX 64 /* "alm_" and 43 characters of base64url, NUL */

enum scope { SCOPE_READ = 1, SCOPE_EXPORT = 2, SCOPE_SQL = 4, SCOPE_OPS = 8, SCOPE_PERSONAL_READ = 16,
             SCOPE_PERSONAL_WRITE = 32, SCOPE_VAULT_ADMIN = 64, SCOPE_ADMIN = 128, SCOPE_AGGREGATE = 256 };
#define SCOPES_ALL 255 /* what `admin` includes; SCOPE_AGGREGATE gives less than SCOPE_READ */

/* What somebody may do. A scope may be limited to entities by globs, several times (`read:p2-*,read:wx-*`); one that is held
 * without a glob, too, is not limited. */
#define ACCESS_LIMITS_MAX 512
struct grants {
    unsigned scopes;                /* enum scope: held in any way */
    unsigned whole;                 /* of them: not limited */
    char limits[ACCESS_LIMITS_MAX]; /* those with globs, as they are written, with commas between */
    unsigned k, share_percent;      /* SCOPE_AGGREGATE: what a bucket needs; of several the strictest */
};
#define AGGREGATE_K 15
#define AGGREGATE_SHARE_PERCENT 15

struct access;

/* Makes auth.db with a random key. ERR_EXISTS. */
MUST_CHECK int access_create(const char *dir, struct err_text *error);

MUST_CHECK int access_open(const char *dir, struct access **ret_access, struct err_text *error);
void access_close(struct access *access);

/* The file itself, for who looks whether it is whole; of an earlier version it is upgraded, as by access_open. */
struct db;
MUST_CHECK int access_open_db(const char *path, struct db **ret_db, struct err_text *error);

/* Copies the file auth.db, of an earlier version, too, as db_copy does. */
MUST_CHECK int access_copy(const char *from, const char *to, struct err_text *error);

/* Makes a token: 256 random bits, given out once. scopes: names of contract section 8 separated by commas or blanks, each with
 * an entity glob or without (docs/HTTP.md, "Who may do what"). name: 1..64 printable bytes; ERR_EXISTS. */
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
    const struct grants *grants;
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
/* The same of all that is held, with its globs. */
#define ACCESS_GRANTS_TEXT_MAX (ACCESS_SCOPES_TEXT_MAX + ACCESS_LIMITS_MAX)
void access_grants_print(const struct grants *grants, char out[static ACCESS_GRANTS_TEXT_MAX]);
/* Reads what that prints, or a person wrote. ERR_INVALID with the field "scope". */
MUST_CHECK int access_grants_parse(const char *text, struct grants *ret_grants, struct err_text *error);

struct principal {
    enum access_kind kind;
    char name[65]; /* of others of its kind */
    struct grants grants;
    int64_t created_us; /* another one of this name has another */
};
/* Whose entities a principal may see by one scope; nobody's where it is not held. */
void principal_globs(const struct principal *principal, enum scope scope, struct globs *ret_globs);

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

/* Of who was let in before: whether the credential is there still, within a second. *version: 0 at first; nothing is looked
 * up while the file is as at the last call. ERR_DENIED. */
MUST_CHECK int access_check_again(struct access *access, const struct principal *principal, int64_t *version);

/* Another number when the file was changed, within a second; -1 where that cannot be told. */
int64_t access_version(struct access *access);

#endif
