/* Pseudonyms in place of texts that may not leave: keyed, so that nobody without the key can try names out; the same
 * text has the same pseudonym under one key. */
#ifndef ADAPT_PSEUDONYM_H
#define ADAPT_PSEUDONYM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/hash.h"

#define PSEUDONYM_CHARACTERS 22 /* of base64url: 128 bits */

struct pseudonym_key {
    uint8_t bytes[HASH_KEY_BYTES];
};

/* Reads the key from a file of HASH_KEY_BYTES bytes. ERR_NOTFOUND, ERR_IO, ERR_INVALID (another size, or readable for
 * everybody). */
MUST_CHECK int pseudonym_key_read(const char *path, struct pseudonym_key *ret_key, struct err_text *error);

/* What stands for text; no NUL behind it. */
void pseudonym_make(const struct pseudonym_key *key, const char *text, size_t size,
                    char out[static PSEUDONYM_CHARACTERS]);

#endif
