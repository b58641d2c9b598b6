/* audit.db and audit.heads: the chain of what was asked (docs/VAULT.md, "The chain"). One thread. */
#ifndef VAULT_AUDIT_H
#define VAULT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "db/db.h"

#define AUDIT_HASH_BYTES 32
#define AUDIT_NAME_BYTES 16

struct audit_entry {
    int64_t seq, t_us;                                      /* given by audit_add */
    const char *actor, *action, *purpose, *result, *detail; /* never NULL */
    const uint8_t *subject;                                 /* AUDIT_NAME_BYTES, or NULL */
    const void *link;                                       /* the id under the subject's own key */
    size_t link_size;
};

struct audit;

MUST_CHECK int audit_create(const char *folder, struct err_text *error);
MUST_CHECK int audit_open(const char *folder, struct audit **ret_audit, struct err_text *error);
void audit_close(struct audit *audit);
MUST_CHECK int audit_copy(struct audit *audit, const char *to, struct err_text *error); /* of the file, as it stands */
struct db *audit_db(struct audit *audit);

/* Appends an entry, synced; several make one transaction of audit_db, and audit_settle follows its end. */
MUST_CHECK int audit_add(struct audit *audit, const struct audit_entry *entry);
/* After a transaction: good, or rolled back. */
MUST_CHECK int audit_settle(struct audit *audit, bool good);

/* Entries that no head covers yet, and since when (clock_mono_us; 0: none). */
int64_t audit_unsigned(const struct audit *audit, int64_t *ret_since_us);
/* Signs the newest entry's hash with the seed and appends the head, synced. Nothing without a new entry. */
MUST_CHECK int audit_sign(struct audit *audit, const uint8_t seed[static 32]);

/* Entries with seq > after, oldest first, of one subject (or NULL) and from ≤ time < to. 1 an entry, which is good
 * until the next call; 0 at the end; begin with *after. */
struct audit_range {
    const uint8_t *subject;
    int64_t from_us, to_us, after;
};
MUST_CHECK int audit_next(struct audit *audit, const struct audit_range *range, struct audit_entry *ret_entry);

/* Compares the whole chain and all heads; needs no secret. *ret_where: what is wrong and where, empty when nothing is.
 * An error code only where it cannot be read. */
struct audit_verdict {
    int64_t entries, heads, covered; /* covered: the last entry that a head covers */
    char broken[200];
};
MUST_CHECK int audit_verify(const char *folder, struct audit_verdict *ret_verdict, struct err_text *error);

#endif
