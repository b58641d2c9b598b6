/* Lines of a source, one after the other, in bounded memory. */
#ifndef IMPORTERS_LINES_H
#define IMPORTERS_LINES_H

#include "importers/importer.h"

struct lines {
    const struct importing *importing;
    int64_t line;  /* number of the last one, from 1 */
    bool too_long; /* the last one: what is there of it is its beginning */
    /* the reader's own */
    char *data;
    size_t begin, end, cap;
    bool ended;
};

/* The next line without its end (LF or CR LF), NUL-terminated and the caller's to write in until the next call: 1, 0 at the
 * end, or a code. A byte order mark of UTF-8 before the first line is left out. */
MUST_CHECK int lines_next(struct lines *lines, char **ret_text, size_t *ret_size, struct err_text *error);
void lines_done(struct lines *lines);

#endif
