/* Pseudonyms in place of texts that may not leave. The vault makes them (docs/VAULT.md): the same text has the same
 * pseudonym within one domain, two domains have nothing in common, and where an identity is erased there is none any
 * more. Here they are only remembered, for a short while, by keyed hashes of the texts; keys are not here at all. One
 * thread at a time. */
#ifndef ADAPT_PSEUDONYM_H
#define ADAPT_PSEUDONYM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define PSEUDONYM_BYTES_MAX 40
#define PSEUDONYM_TEXT_MAX 1024        /* bytes of a text that has one */
#define PSEUDONYM_AGE_US INT64_C(10000000) /* how long an erasure may stay unseen */

struct pseudonyms_opts {
    /* Asks for the pseudonyms of n texts; each is freed by the caller, and NULL where the identity is erased. Untouched
     * on failure. */
    int (*ask)(void *arg, const char *domain, const char *const *texts, size_t n, char **ret_pseudonyms, struct err_text *error);
    void *arg;
    size_t n_max; /* remembered at most, rounded up; 0: 16,384 */
};

struct pseudonyms;
/* After hash_init. ERR_NOMEM. */
MUST_CHECK int pseudonyms_new(const struct pseudonyms_opts *opts, struct pseudonyms **ret_pseudonyms);
void pseudonyms_free(struct pseudonyms *pseudonyms);

/* Appends the pseudonym of a text of UTF-8. ERR_EXPIRED: the identity is erased; ERR_LIMIT: the text is too long;
 * ERR_INVALID: it holds a NUL; or what asking answered, then pseudonyms_why says why. Between begin and end something
 * is appended that only looks like one, and texts that are not known yet are noted, so that end asks for all of them
 * together. */
MUST_CHECK int pseudonyms_put(struct pseudonyms *pseudonyms, const char *domain, const char *text, size_t size, struct buf *out);
void pseudonyms_begin(struct pseudonyms *pseudonyms);
MUST_CHECK int pseudonyms_end(struct pseudonyms *pseudonyms);
const char *pseudonyms_why(const struct pseudonyms *pseudonyms);

/* Answers ask without a vault: samples, of which only the look is right. arg is a random key of HASH_KEY_BYTES bytes. */
MUST_CHECK int pseudonyms_sample(void *arg, const char *domain, const char *const *texts, size_t n, char **ret_pseudonyms,
                                 struct err_text *error);

#endif
