/* A strict JSON scanner (RFC 8259) that turns one text into a flat list of tokens, in place.
 *
 * UTF-8, escapes and the grammar of numbers are checked; no number is converted. Stricter than the RFC where a text could
 * not be stored: a NUL in a string and half a surrogate pair are refused. Laxer in one point: NaN, Infinity and -Infinity,
 * which some producers write, are tokens of their own, so that only the value is refused and not all of the message.
 *
 * A container is followed by its children: elements, or names and values in turn. */
#ifndef NORMALISE_SCAN_H
#define NORMALISE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum token_type {
    TOKEN_NULL, TOKEN_TRUE, TOKEN_FALSE, TOKEN_NUMBER, TOKEN_NOT_NUMBER, TOKEN_STRING, TOKEN_ARRAY, TOKEN_OBJECT
};

struct token {
    uint32_t at, size; /* the bytes; of a string those between the quotes */
    uint32_t next;     /* index of the token after this one and its children */
    uint32_t n;        /* elements or members of a container */
    uint8_t type;      /* enum token_type */
    bool escaped;      /* a string with escapes: at is a position in the scanner's unescaped bytes */
};

struct scanner {
    const uint8_t *text; /* borrowed */
    size_t size;         /* at most LIMIT_MESSAGE_BYTES */
    size_t at;           /* where scan_value begins; after it, the first byte behind the value */
    struct token *tokens;
    uint32_t n_tokens, cap;
    struct buf unescaped;
    const char *error;   /* after a failure: what is wrong, and where */
    size_t error_at;
};

void scanner_done(struct scanner *scanner);

/* Scans the value that begins at `at` or behind white space there, into tokens[0]... The list is overwritten by the next
 * call. ERR_INVALID: not JSON; ERR_LIMIT: nested deeper than LIMIT_MESSAGE_DEPTH; ERR_NOMEM. */
MUST_CHECK int scan_value(struct scanner *scanner);

/* One of newline-separated values: as scan_value, but behind it there may only be blanks up to the newline or the end. Moves
 * `at` there and tells where the value ends. Failed, it moves `at` to the next line that looks like an object or an array, or
 * to the end: what is broken is refused up to there. */
MUST_CHECK int scan_line(struct scanner *scanner, size_t *ret_end);

/* Moves `at` over blanks and empty lines; whether anything is left. */
bool scan_has_line(struct scanner *scanner);

/* The bytes of a token; those of a string unescaped. */
static inline const char *token_text(const struct scanner *scanner, const struct token *token)
{
    return (const char *)(token->escaped ? scanner->unescaped.data : scanner->text) + token->at;
}

#endif
