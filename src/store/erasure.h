/* Erasures: which entities' curves have to leave the store. What is noted here is answered by nobody from then on, in any
 * process; the writer's background thread rewrites the files that hold it (store/rewrite.h), and tells when it is done. */
#ifndef STORE_ERASURE_H
#define STORE_ERASURE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Notes the entities, those that the store does not know included: their later messages are refused. On the disk when it
 * returns; again is nothing new. ERR_IO, ERR_FULL, ERR_BUSY, ERR_CORRUPT, ERR_VERSION. */
MUST_CHECK int erasure_add(const char *dir, const char *const *entities, size_t n, int64_t when_us, struct err_text *error);

enum erasure_state { ERASURE_NONE, ERASURE_PENDING, ERASURE_DONE };

/* NONE where one of the entities was never erased; PENDING while a file may have something of one; DONE then, and for none. */
MUST_CHECK int erasure_state(const char *dir, const char *const *entities, size_t n, enum erasure_state *ret_state,
                             struct err_text *error);

/* Those noted up to *ret_last wait to be rewritten, the oldest since *ret_since_us; 0: none does. */
MUST_CHECK int erasure_pending(const char *dir, int64_t *ret_last, int64_t *ret_since_us, struct err_text *error);
/* What was noted up to last is in no file any more. */
MUST_CHECK int erasure_done(const char *dir, int64_t last, int64_t now_us, struct err_text *error);

/* Writes a whole copy of the list of dir to path, in place of an older one: for another disk. Nothing where there is no list. */
MUST_CHECK int erasure_copy(const char *dir, const char *path, struct err_text *error);
/* Adds the list in the file path to that of dir, where everything is pending then: what dir holds is older. ERR_NOTFOUND. */
MUST_CHECK int erasure_merge(const char *dir, const char *path, struct err_text *error);

/* Everything of the list is pending again, since nobody knows what a copy holds. Nothing where there is no list. */
MUST_CHECK int erasure_again(const char *dir, struct err_text *error);

#endif
