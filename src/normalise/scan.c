#include <config.h>

#include "normalise/scan.h"

#include <stdlib.h>
#include <string.h>

#include "common/limits.h"

void scanner_done(struct scanner *scanner)
{
    free(scanner->tokens);
    buf_free(&scanner->unescaped);
    *scanner = (struct scanner){0};
}

/* Each token takes a byte and a separator, but for the innermost first ones. */
static int reserve_tokens(struct scanner *scanner)
{
    size_t need = (scanner->size - scanner->at) / 2 + LIMIT_MESSAGE_DEPTH + 2;
    if (need <= scanner->cap)
        return 0;
    struct token *tokens = malloc(need * sizeof *tokens);
    if (!tokens)
        return ERR_NOMEM;
    free(scanner->tokens);
    scanner->tokens = tokens;
    scanner->cap = (uint32_t)need;
    return 0;
}

static struct token *add_token(struct scanner *scanner, enum token_type type, const uint8_t *from, const uint8_t *to)
{
    struct token *token = &scanner->tokens[scanner->n_tokens++];
    *token = (struct token){
        .at = (uint32_t)(from - scanner->text), .size = (uint32_t)(to - from), .next = scanner->n_tokens,
        .type = (uint8_t)type,
    };
    return token;
}

static const uint8_t *fail(struct scanner *scanner, const uint8_t *at, const char *error)
{
    scanner->error = error;
    scanner->error_at = (size_t)(at - scanner->text);
    return NULL;
}

static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static const uint8_t *scan_literal(struct scanner *scanner, const uint8_t *p, const char *word, enum token_type type)
{
    size_t size = strlen(word);
    if ((size_t)(scanner->text + scanner->size - p) < size || memcmp(p, word, size) != 0)
        return fail(scanner, p, "no value begins like this");
    add_token(scanner, type, p, p + size);
    return p + size;
}

static const uint8_t *scan_number(struct scanner *scanner, const uint8_t *start)
{
    const uint8_t *end = scanner->text + scanner->size, *p = start + (*start == '-'), *digits = p;
    if (p < end && *p == 'I')
        return scan_literal(scanner, start, "-Infinity", TOKEN_NOT_NUMBER);
    p = skip_digits(p, end);
    if (p == digits)
        return fail(scanner, p, "a number needs a digit here");
    if (*digits == '0' && p - digits > 1)
        return fail(scanner, digits, "a number begins with a needless 0");
    if (p < end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits)
            return fail(scanner, p, "a number needs a digit here");
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = skip_digits(p, end);
        if (p == digits)
            return fail(scanner, p, "a number needs a digit here");
    }
    add_token(scanner, TOKEN_NUMBER, start, p);
    return p;
}

/* Bytes of the UTF-8 sequence at p, 0 when it is none (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). */
static size_t utf8_bytes(const uint8_t *p, const uint8_t *end)
{
    size_t left = (size_t)(end - p);
    uint8_t a = p[0], low = 0x80, high = 0xBF;
    size_t n = a >= 0xF0 ? 4 : a >= 0xE0 ? 3 : 2;
    if (a < 0xC2 || a > 0xF4 || left < n)
        return 0;
    if (a == 0xE0)
        low = 0xA0;
    else if (a == 0xED)
        high = 0x9F;
    else if (a == 0xF0)
        low = 0x90;
    else if (a == 0xF4)
        high = 0x8F;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    return n;
}

/* Past plain ASCII: to a quote, a backslash, a control character or a byte above 0x7F. */
static const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end)
{
    static const bool special[256] = {
        [0 ... 0x1F] = true, ['"'] = true, ['\\'] = true, [0x80 ... 0xFF] = true,
    };
    while (p < end && !special[*p])
        p++;
    return p;
}

/* Past what may stand in a string unescaped: to the quote or a backslash. NULL: the string is broken. */
static const uint8_t *skip_characters(struct scanner *scanner, const uint8_t *p)
{
    const uint8_t *end = scanner->text + scanner->size;
    for (;;) {
        p = skip_plain(p, end);
        if (p == end)
            return fail(scanner, p, "a string does not end");
        if (*p == '"' || *p == '\\')
            return p;
        if (*p < 0x20)
            return fail(scanner, p, "a control character in a string");
        size_t n = utf8_bytes(p, end);
        if (n == 0)
            return fail(scanner, p, "bytes that are not UTF-8");
        p += n;
    }
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits at p, or -1. */
static int32_t hex4(const uint8_t *p, const uint8_t *end)
{
    int32_t value = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static uint8_t *put_utf8(uint8_t *out, int32_t c)
{
    if (c < 0x80) {
        *out++ = (uint8_t)c;
    } else if (c < 0x800) {
        *out++ = (uint8_t)(0xC0 | c >> 6);
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    } else {
        if (c < 0x10000) {
            *out++ = (uint8_t)(0xE0 | c >> 12);
        } else {
            *out++ = (uint8_t)(0xF0 | c >> 18);
            *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        }
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    }
    return out;
}

/* One \uXXXX, or two for a surrogate pair; p is behind the first `\u`. */
static const uint8_t *unescape_unicode(struct scanner *scanner, const uint8_t *p, uint8_t **out)
{
    const uint8_t *end = scanner->text + scanner->size;
    int32_t c = hex4(p, end);
    if (c < 0)
        return fail(scanner, p, "\\u needs four hexadecimal digits");
    if (c == 0)
        return fail(scanner, p, "a NUL in a string");
    p += 4;
    if (c >= 0xD800 && c <= 0xDFFF) {
        int32_t low = c < 0xDC00 && end - p >= 2 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, end) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return fail(scanner, p, "half a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        p += 6;
    }
    *out = put_utf8(*out, c);
    return p;
}

/* One escape; p is behind its backslash. */
static const uint8_t *unescape(struct scanner *scanner, const uint8_t *p, uint8_t **out)
{
    static const uint8_t plain[256] = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
    };
    if (p == scanner->text + scanner->size)
        return fail(scanner, p, "a string does not end");
    if (*p == 'u')
        return unescape_unicode(scanner, p + 1, out);
    if (!plain[*p])
        return fail(scanner, p, "no escape of this kind");
    *(*out)++ = plain[*p];
    return p + 1;
}

/* A string with escapes: its bytes go to `unescaped`, where they are never more than in the text. */
static const uint8_t *scan_escaped(struct scanner *scanner, const uint8_t *start, const uint8_t *p)
{
    size_t left = (size_t)(scanner->text + scanner->size - start);
    uint8_t *out = buf_reserve(&scanner->unescaped, left);
    if (!out)
        return fail(scanner, p, NULL);
    const uint8_t *from = start;
    for (;;) {
        memcpy(out, from, (size_t)(p - from));
        out += p - from;
        if (*p == '"')
            break;
        from = unescape(scanner, p + 1, &out);
        if (!from)
            return NULL;
        p = skip_characters(scanner, from);
        if (!p)
            return NULL;
    }
    struct buf *unescaped = &scanner->unescaped;
    size_t size = (size_t)(out - (unescaped->data + unescaped->n));
    struct token *token = add_token(scanner, TOKEN_STRING, start, p);
    token->at = (uint32_t)unescaped->n;
    token->size = (uint32_t)size;
    token->escaped = true;
    unescaped->n += size;
    return p + 1;
}

static const uint8_t *scan_string(struct scanner *scanner, const uint8_t *quote)
{
    const uint8_t *p = skip_characters(scanner, quote + 1);
    if (!p)
        return NULL;
    if (*p == '\\')
        return scan_escaped(scanner, quote + 1, p);
    add_token(scanner, TOKEN_STRING, quote + 1, p);
    return p + 1;
}

static const uint8_t *scan_scalar(struct scanner *scanner, const uint8_t *p)
{
    if (p == scanner->text + scanner->size)
        return fail(scanner, p, "the text ends where a value is wanted");
    switch (*p) {
    case '"':
        return scan_string(scanner, p);
    case '-':
    case '0' ... '9':
        return scan_number(scanner, p);
    case 'n':
        return scan_literal(scanner, p, "null", TOKEN_NULL);
    case 't':
        return scan_literal(scanner, p, "true", TOKEN_TRUE);
    case 'f':
        return scan_literal(scanner, p, "false", TOKEN_FALSE);
    case 'N':
        return scan_literal(scanner, p, "NaN", TOKEN_NOT_NUMBER);
    case 'I':
        return scan_literal(scanner, p, "Infinity", TOKEN_NOT_NUMBER);
    default:
        return fail(scanner, p, "no value begins like this");
    }
}

/* A member's name and its colon. */
static const uint8_t *scan_name(struct scanner *scanner, const uint8_t *p)
{
    const uint8_t *end = scanner->text + scanner->size;
    p = skip_blanks(p, end);
    if (p == end || *p != '"')
        return fail(scanner, p, "a name in quotes is wanted");
    p = scan_string(scanner, p);
    if (!p)
        return NULL;
    p = skip_blanks(p, end);
    if (p == end || *p != ':')
        return fail(scanner, p, "a colon is wanted");
    return p + 1;
}

struct nesting {
    uint32_t open[LIMIT_MESSAGE_DEPTH]; /* tokens of the containers around */
    unsigned depth;
};

static struct token *innermost(struct scanner *scanner, const struct nesting *nesting)
{
    return &scanner->tokens[nesting->open[nesting->depth - 1]];
}

static const uint8_t *close_container(struct scanner *scanner, struct nesting *nesting, const uint8_t *p)
{
    struct token *token = innermost(scanner, nesting);
    token->size = (uint32_t)(p + 1 - scanner->text) - token->at;
    token->next = scanner->n_tokens;
    nesting->depth--;
    return p + 1;
}

/* Behind a value: past what closes here, to where the next value begins, or to the end of it all (depth 0). */
static const uint8_t *scan_behind(struct scanner *scanner, struct nesting *nesting, const uint8_t *p)
{
    const uint8_t *end = scanner->text + scanner->size;
    while (nesting->depth > 0) {
        struct token *token = innermost(scanner, nesting);
        token->n++;
        p = skip_blanks(p, end);
        if (p == end)
            return fail(scanner, p, "the text ends within an object or array");
        if (*p == ',')
            return token->type == TOKEN_OBJECT ? scan_name(scanner, p + 1) : p + 1;
        if (*p != (token->type == TOKEN_OBJECT ? '}' : ']'))
            return fail(scanner, p, "a comma or the end of the object or array is wanted");
        p = close_container(scanner, nesting, p);
    }
    return p;
}

/* From a bracket to where the first value within begins, or behind an empty container. */
static const uint8_t *scan_open(struct scanner *scanner, struct nesting *nesting, const uint8_t *p)
{
    const uint8_t *end = scanner->text + scanner->size;
    bool is_object = *p == '{';
    if (nesting->depth == LIMIT_MESSAGE_DEPTH)
        return fail(scanner, p, "nested too deep");
    nesting->open[nesting->depth++] = scanner->n_tokens;
    add_token(scanner, is_object ? TOKEN_OBJECT : TOKEN_ARRAY, p, p + 1);
    p = skip_blanks(p + 1, end);
    if (p < end && *p == (is_object ? '}' : ']'))
        return scan_behind(scanner, nesting, close_container(scanner, nesting, p));
    return is_object ? scan_name(scanner, p) : p;
}

int scan_value(struct scanner *scanner)
{
    struct nesting nesting = {.depth = 0};
    const uint8_t *p = scanner->text + scanner->at, *end = scanner->text + scanner->size;
    scanner->n_tokens = 0;
    scanner->error = NULL;
    buf_clear(&scanner->unescaped);
    if (reserve_tokens(scanner) < 0)
        return ERR_NOMEM;
    do {
        bool too_deep = nesting.depth == LIMIT_MESSAGE_DEPTH;
        p = skip_blanks(p, end);
        if (p < end && (*p == '{' || *p == '[')) {
            p = scan_open(scanner, &nesting, p);
            if (!p && too_deep)
                return ERR_LIMIT;
        } else {
            p = scan_scalar(scanner, p);
            if (p)
                p = scan_behind(scanner, &nesting, p);
        }
        if (!p)
            return scanner->error ? ERR_INVALID : ERR_NOMEM;
    } while (nesting.depth > 0);
    scanner->at = (size_t)(p - scanner->text);
    return 0;
}

/* ---- lines ---- */

static const uint8_t *skip_in_line(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

static const uint8_t *next_line(const uint8_t *p, const uint8_t *end)
{
    while ((p = memchr(p, '\n', (size_t)(end - p)))) {
        p = skip_in_line(p + 1, end);
        if (p < end && (*p == '{' || *p == '['))
            return p;
    }
    return end;
}

int scan_line(struct scanner *scanner, size_t *ret_end)
{
    const uint8_t *begin = scanner->text + scanner->at, *end = scanner->text + scanner->size;
    int r = scan_value(scanner);
    if (r == 0) {
        const uint8_t *behind = skip_in_line(scanner->text + scanner->at, end);
        if (behind == end || *behind == '\n') {
            *ret_end = scanner->at;
            scanner->at = (size_t)(behind - scanner->text);
            return 0;
        }
        fail(scanner, behind, "a newline is wanted behind an object");
        r = ERR_INVALID;
    }
    if (r != ERR_NOMEM)
        scanner->at = (size_t)(next_line(begin, end) - scanner->text);
    return r;
}

bool scan_has_line(struct scanner *scanner)
{
    if (scanner->at < scanner->size) /* text may be NULL where there is none */
        scanner->at = (size_t)(skip_blanks(scanner->text + scanner->at, scanner->text + scanner->size) - scanner->text);
    return scanner->at < scanner->size;
}
