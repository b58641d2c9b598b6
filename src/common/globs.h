/* Which entities somebody may see: all of them, or those that one of some globs means. A value, to be copied. */
#ifndef COMMON_GLOBS_H
#define COMMON_GLOBS_H

#include <stdbool.h>
#include <stddef.h>

#define GLOBS_BYTES 1024 /* of all of them, each with its NUL */

/* Zeroed: nothing at all, so that who forgets to fill it in shows nobody's. */
struct globs {
    bool is_all;
    size_t n_bytes;
    char list[GLOBS_BYTES]; /* one after the other, each ended by NUL */
};

/* `*` any text, `?` one byte, case counts. */
bool glob_matches(const char *glob, const char *text);

/* False when there is no room. */
bool globs_add(struct globs *globs, const char *glob, size_t size);
bool globs_match(const struct globs *globs, const char *text);
/* The one behind `after`, the first where that is NULL; NULL at the end. */
const char *globs_next(const struct globs *globs, const char *after);
bool globs_equal(const struct globs *a, const struct globs *b);

#endif
