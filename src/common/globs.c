#include <config.h>

#include "common/globs.h"

#include <string.h>

bool glob_matches(const char *glob, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*glob == '*') {
            star = glob++;
            retry = text;
        } else if (*glob == '?' || *glob == *text) {
            glob++;
            text++;
        } else if (star) {
            glob = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return !*glob;
}

bool globs_add(struct globs *globs, const char *glob, size_t size)
{
    if (size >= sizeof(globs->list) - globs->n_bytes)
        return false;
    memcpy(globs->list + globs->n_bytes, glob, size);
    globs->list[globs->n_bytes + size] = '\0';
    globs->n_bytes += size + 1;
    return true;
}

const char *globs_next(const struct globs *globs, const char *after)
{
    const char *at = after ? after + strlen(after) + 1 : globs->list;
    return at < globs->list + globs->n_bytes ? at : NULL;
}

bool globs_match(const struct globs *globs, const char *text)
{
    for (const char *glob = NULL; !globs->is_all && (glob = globs_next(globs, glob));)
        if (glob_matches(glob, text))
            return true;
    return globs->is_all;
}

bool globs_equal(const struct globs *a, const struct globs *b)
{
    return a->is_all == b->is_all && a->n_bytes == b->n_bytes && !memcmp(a->list, b->list, a->n_bytes);
}
