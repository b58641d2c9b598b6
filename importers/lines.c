#include <config.h>

#include "importers/lines.h"

#include <stdlib.h>
#include <string.h>

#define READ_BYTES 65536

/* Some more bytes behind those that are there. */
static int read_more(struct lines *lines, struct err_text *error)
{
    if (lines->begin > 0) {
        memmove(lines->data, lines->data + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->cap - lines->end < READ_BYTES + 1) {
        size_t cap = lines->cap ? 2 * lines->cap : 4 * READ_BYTES;
        char *data = realloc(lines->data, cap);
        if (!data)
            return ERR_NOMEM;
        lines->data = data;
        lines->cap = cap;
    }
    size_t n = 0;
    const struct importing *importing = lines->importing;
    int code = importing->read(importing->arg, lines->data + lines->end, READ_BYTES, &n, error);
    if (code != 0)
        return code;
    lines->end += n;
    lines->ended = n == 0;
    return 0;
}

/* The end of a line that is too long is thrown away. */
static int skip_rest(struct lines *lines, struct err_text *error)
{
    size_t keep = lines->begin + IMPORT_LINE_BYTES;
    for (;;) {
        char *newline = memchr(lines->data + keep, '\n', lines->end - keep);
        if (newline || lines->ended) {
            size_t rest = newline ? (size_t)(newline - lines->data) : lines->end;
            memmove(lines->data + keep, lines->data + rest, lines->end - rest);
            lines->end -= rest - keep;
            return 0;
        }
        lines->end = keep;
        keep -= lines->begin;
        int code = read_more(lines, error);
        if (code != 0)
            return code;
    }
}

static void hand_out(struct lines *lines, size_t size, char **ret_text, size_t *ret_size)
{
    char *text = lines->data + lines->begin;
    lines->begin += size + (lines->begin + size < lines->end);
    if (++lines->line == 1 && size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    if (size > 0 && text[size - 1] == '\r')
        size--;
    text[size] = '\0';
    *ret_text = text;
    *ret_size = size;
}

int lines_next(struct lines *lines, char **ret_text, size_t *ret_size, struct err_text *error)
{
    size_t seen = 0;
    lines->too_long = false;
    for (;;) {
        size_t n = lines->end - lines->begin;
        char *newline = n > seen ? memchr(lines->data + lines->begin + seen, '\n', n - seen) : NULL;
        size_t size = newline ? (size_t)(newline - lines->data) - lines->begin : n;
        if (size > IMPORT_LINE_BYTES) {
            int code = skip_rest(lines, error);
            if (code != 0)
                return code;
            lines->too_long = true;
            hand_out(lines, IMPORT_LINE_BYTES, ret_text, ret_size);
            return 1;
        }
        if (newline || (lines->ended && n > 0)) {
            hand_out(lines, size, ret_text, ret_size);
            return 1;
        }
        if (lines->ended)
            return 0;
        seen = n;
        int code = read_more(lines, error);
        if (code != 0)
            return code;
    }
}

void lines_done(struct lines *lines)
{
    free(lines->data);
    lines->data = NULL;
    lines->begin = lines->end = lines->cap = 0;
}
