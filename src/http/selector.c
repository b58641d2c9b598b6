#include <config.h>

#include "http/selector.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

#define NESTING_MAX 32
#define REPEATS_MAX 1000
#define ALTERNATIVES_MAX 512
#define REPEATED_BYTES_MAX 1024

/* ---- labels ---- */

const char *const label_name[LABEL_N] = {"__name__", "entity", "type", "unit"};

enum label label_find(const char *name)
{
    int label = 0;
    while (label < LABEL_N && strcmp(label_name[label], name))
        label++;
    return (enum label)label;
}

const char *label_value(enum label label, const struct series_info *info)
{
    switch (label) {
    case LABEL_NAME:
        return info->property;
    case LABEL_ENTITY:
        return info->entity;
    case LABEL_TYPE:
        return info->type;
    case LABEL_UNIT:
        return info->unit;
    default:
        return "";
    }
}

/* ---- regular expressions ---- */

/* What a class of RE2 is in POSIX; NULL: it has none here. */
static const char *class_of(char c)
{
    switch (c) {
    case 'd':
        return "[0-9]";
    case 'D':
        return "[^0-9]";
    case 'w':
        return "[0-9A-Za-z_]";
    case 'W':
        return "[^0-9A-Za-z_]";
    case 's':
        return "[[:space:]]";
    case 'S':
        return "[^[:space:]]";
    default:
        return NULL;
    }
}

/* The regular expression at work: what is left of it, what it becomes, and how much it asks for. */
struct rewrite {
    const char *at;
    struct buf out;
    int nesting, repeats;
    size_t alternatives;
    bool has_repetition;
};

/* One escape, outside of brackets or inside. Letters and digits mean something in RE2 that is not the letter itself. */
static bool rewrite_escape(struct rewrite *rewrite, bool in_brackets)
{
    char c = rewrite->at[1];
    const char *class = in_brackets ? NULL : class_of(c);
    if (!c || (isalnum((unsigned char)c) && !class))
        return false;
    rewrite->at += 2;
    if (class)
        buf_puts(&rewrite->out, class);
    else if (!in_brackets)
        buf_printf(&rewrite->out, "\\%c", c);
    else if (c == ']' || c == '^' || c == '-')
        return false; /* POSIX has no escapes in brackets: there a backslash is one */
    else
        buf_putc(&rewrite->out, c);
    return true;
}

/* From the opening bracket to the closing one. */
static bool rewrite_brackets(struct rewrite *rewrite)
{
    buf_putc(&rewrite->out, *rewrite->at++);
    if (*rewrite->at == '^')
        buf_putc(&rewrite->out, *rewrite->at++);
    if (*rewrite->at == ']')
        buf_putc(&rewrite->out, *rewrite->at++);
    while (*rewrite->at != ']') {
        const char *class_end = !strncmp(rewrite->at, "[:", 2) ? strstr(rewrite->at, ":]") : NULL;
        if (!*rewrite->at || (*rewrite->at == '\\' && !rewrite_escape(rewrite, true)) || !strncmp(rewrite->at, "[.", 2) ||
            !strncmp(rewrite->at, "[=", 2))
            return false;
        if (class_end) {
            buf_put(&rewrite->out, rewrite->at, (size_t)(class_end + 2 - rewrite->at));
            rewrite->at = class_end + 2;
        } else if (*rewrite->at && *rewrite->at != ']' && *rewrite->at != '\\') {
            buf_putc(&rewrite->out, *rewrite->at++);
        }
    }
    buf_putc(&rewrite->out, *rewrite->at++);
    return true;
}

/* `{2}`, `{2,}`, `{2,5}`. How often a machine is repeated multiplies, also that of a group around it. */
static bool rewrite_counts(struct rewrite *rewrite)
{
    const char *end = strchr(rewrite->at, '}');
    int count = 0, most = 0;
    if (!end || !isdigit((unsigned char)rewrite->at[1]))
        return false;
    for (const char *c = rewrite->at + 1; c < end; c++) {
        if (!isdigit((unsigned char)*c) && *c != ',')
            return false;
        count = isdigit((unsigned char)*c) ? count * 10 + (*c - '0') : 0;
        most = count > most ? count : most;
        if (most > REPEATS_MAX)
            return false;
    }
    if (most > 1)
        rewrite->repeats *= most;
    if (rewrite->repeats > REPEATS_MAX)
        return false;
    buf_put(&rewrite->out, rewrite->at, (size_t)(end + 1 - rewrite->at));
    rewrite->at = end + 1;
    return true;
}

static bool rewrite_one(struct rewrite *rewrite)
{
    char c = *rewrite->at;
    if (c == '\\')
        return rewrite_escape(rewrite, false);
    if (c == '[')
        return rewrite_brackets(rewrite);
    if (c == '{')
        return rewrite_counts(rewrite);
    if (c == '(' && ++rewrite->nesting > NESTING_MAX)
        return false;
    if (c == ')')
        rewrite->nesting--;
    rewrite->alternatives += c == '|';
    if (!strncmp(rewrite->at, "(?", 2) && strncmp(rewrite->at, "(?:", 3))
        return false;
    rewrite->at += !strncmp(rewrite->at, "(?:", 3) ? 3 : 1;
    buf_putc(&rewrite->out, c);
    return rewrite->nesting >= 0;
}

static bool is_repetition(char c)
{
    return c == '*' || c == '+' || c == '?' || c == '}';
}

/* Counts what the expression asks of the machine with the others of the selector. */
static bool is_within_limits(struct selector *selector, const char *text, const struct rewrite *rewrite)
{
    selector->regex_bytes += strlen(text);
    selector->alternatives += rewrite->alternatives;
    if (rewrite->has_repetition)
        selector->repeated_bytes += strlen(text) * (size_t)rewrite->repeats;
    return selector->regex_bytes <= SELECTOR_TEXT_MAX && selector->alternatives <= ALTERNATIVES_MAX &&
           selector->repeated_bytes <= REPEATED_BYTES_MAX;
}

/* 0, or ERR_INVALID, or ERR_NOMEM. */
static int compile(struct selector *selector, const char *text, regex_t *ret_regex)
{
    struct rewrite rewrite = {.at = text, .repeats = 1};
    bool good = true;
    buf_puts(&rewrite.out, "^(");
    while (good && *rewrite.at) {
        bool repeats = is_repetition(*rewrite.at) || *rewrite.at == '{';
        rewrite.has_repetition = rewrite.has_repetition || repeats;
        good = rewrite_one(&rewrite);
        if (good && repeats && *rewrite.at == '?') /* lazy: of a whole text it makes no difference */
            rewrite.at++;
        if (good && repeats && (is_repetition(*rewrite.at) || *rewrite.at == '{'))
            good = false; /* RE2 refuses it, too */
    }
    buf_puts(&rewrite.out, ")$");
    buf_putc(&rewrite.out, '\0');
    good = good && !rewrite.nesting && is_within_limits(selector, text, &rewrite);
    int rc = rewrite.out.failed ? ERR_NOMEM : good ? 0 : ERR_INVALID;
    if (!rc) {
        int failed = regcomp(ret_regex, (const char *)rewrite.out.data, REG_EXTENDED | REG_NOSUB);
        rc = !failed ? 0 : failed == REG_ESPACE ? ERR_NOMEM : ERR_INVALID;
    }
    buf_free(&rewrite.out);
    return rc;
}

/* ---- words ---- */

void selector_skip_blanks(const char **text)
{
    *text += strspn(*text, " \t\r\n");
}

size_t selector_skip_name(const char **text, bool colons)
{
    const char *begin = *text, *at = begin;
    if (isdigit((unsigned char)*at))
        return 0;
    while (isalnum((unsigned char)*at) || *at == '_' || (colons && *at == ':'))
        at++;
    *text = at;
    return (size_t)(at - begin);
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* The n digits behind \x, \u or \U as UTF-8, or of \x as a byte. */
static bool read_code(const char **at, int n, struct buf *out)
{
    uint32_t code = 0;
    for (int i = 0; i < n; i++, (*at)++) {
        if (hex_digit(**at) < 0)
            return false;
        code = code << 4 | (uint32_t)hex_digit(**at);
    }
    if (!code || code > 0x10ffff)
        return false;
    if (n == 2 || code < 0x80) {
        buf_putc(out, (char)code);
        return true;
    }
    if (code >= 0x10000)
        buf_printf(out, "%c%c", (int)(0xf0 | code >> 18), (int)(0x80 | (code >> 12 & 0x3f)));
    else if (code >= 0x800)
        buf_putc(out, (char)(0xe0 | code >> 12));
    else
        buf_putc(out, (char)(0xc0 | code >> 6));
    if (code >= 0x800)
        buf_putc(out, (char)(0x80 | (code >> 6 & 0x3f)));
    buf_putc(out, (char)(0x80 | (code & 0x3f)));
    return true;
}

static bool read_escape(const char **at, struct buf *out)
{
    static const char names[] = "abfnrtv\\'\"", meant[] = "\a\b\f\n\r\t\v\\'\"";
    char c = *(*at)++;
    const char *name = c ? strchr(names, c) : NULL;
    if (name) {
        buf_putc(out, meant[name - names]);
        return true;
    }
    return c == 'x' ? read_code(at, 2, out) : c == 'u' ? read_code(at, 4, out) : c == 'U' && read_code(at, 8, out);
}

/* A text in double or single quotes, or a raw one in backquotes; *ret_text is the caller's. */
static int read_text(const char **text, char **ret_text, struct err_text *error)
{
    const char *at = *text;
    char quote = *at;
    struct buf out = {0};
    bool good = quote == '"' || quote == '\'' || quote == '`';
    at += good;
    while (good && *at != quote) {
        if (!*at || out.n > SELECTOR_TEXT_MAX)
            good = false;
        else if (*at == '\\' && quote != '`')
            good = at++ && read_escape(&at, &out);
        else
            buf_putc(&out, *at++);
    }
    buf_putc(&out, '\0');
    if (!good || out.failed || out.n > SELECTOR_TEXT_MAX + 1) {
        buf_free(&out);
        if (good && out.failed)
            return ERR_NOMEM;
        return err_set_field(error, ERR_INVALID, "query",
                             "at \"%.40s\" there should be a text in quotes, of at most %d bytes", *text, SELECTOR_TEXT_MAX);
    }
    *text = at + 1;
    *ret_text = (char *)out.data;
    return 0;
}

/* ---- matchers ---- */

static bool fits(const struct matcher *matcher, const char *text)
{
    bool fits = matcher->is_regex ? !regexec(&matcher->regex, text, 0, NULL, 0) : !strcmp(matcher->value, text);
    return fits != matcher->negated;
}

/* Takes value over. */
static int add_matcher(struct selector *selector, struct matcher matcher, char *value, struct err_text *error)
{
    int rc = 0;
    if (selector->n == SELECTOR_MATCHERS_MAX)
        rc = err_set_field(error, ERR_LIMIT, "query", "a selector has at most %d conditions", SELECTOR_MATCHERS_MAX);
    else if (matcher.is_regex && (rc = compile(selector, value, &matcher.regex)) == ERR_INVALID)
        err_set_field(error, rc, "query",
                      "\"%.100s\" is no regular expression here: there are POSIX extended ones, without flags, back "
                      "references, \\b or \\p; those of a selector have at most %d alternatives and %d bytes, and %d bytes "
                      "times their counts where something repeats",
                      value, ALTERNATIVES_MAX, SELECTOR_TEXT_MAX, REPEATED_BYTES_MAX);
    if (rc || matcher.is_regex)
        free(value);
    else
        matcher.value = value;
    if (!rc)
        selector->matchers[selector->n++] = matcher;
    return rc;
}

/* `label="value"` with one of = != =~ !~, or a metric's name in quotes. */
static int parse_matcher(const char **text, struct selector *selector, struct err_text *error)
{
    const char *begin = *text;
    struct matcher matcher = {.label = LABEL_NAME};
    char name[64], *value = NULL;
    size_t size = selector_skip_name(text, false);
    if (size) {
        if (size >= sizeof(name))
            return err_set_field(error, ERR_INVALID, "query", "the label \"%.80s\" is too long", begin);
        memcpy(name, begin, size);
        name[size] = '\0';
        matcher.label = label_find(name);
        selector_skip_blanks(text);
        matcher.negated = **text == '!';
        matcher.is_regex = **text && (*text)[1] == '~';
        bool known = **text == '=' || (matcher.negated && ((*text)[1] == '=' || matcher.is_regex));
        if (!known)
            return err_set_field(error, ERR_INVALID, "query", "at \"%.40s\" there should be one of = != =~ !~", *text);
        *text += matcher.negated || matcher.is_regex ? 2 : 1;
        selector_skip_blanks(text);
    }
    int rc = read_text(text, &value, error);
    return rc ? rc : add_matcher(selector, matcher, value, error);
}

static int parse_matchers(const char **text, struct selector *selector, struct err_text *error)
{
    ++*text;
    for (;;) {
        selector_skip_blanks(text);
        if (**text == '}')
            break;
        int rc = parse_matcher(text, selector, error);
        if (rc)
            return rc;
        selector_skip_blanks(text);
        if (**text == ',')
            ++*text;
        else if (**text != '}')
            return err_set_field(error, ERR_INVALID, "query",
                                 "at \"%.40s\" there should be a comma or the closing brace", *text);
    }
    ++*text;
    return 0;
}

int selector_parse(const char **text, struct selector *selector, struct err_text *error)
{
    *selector = (struct selector){0};
    selector_skip_blanks(text);
    const char *begin = *text;
    size_t size = selector_skip_name(text, true);
    int rc = 0;
    if (size) {
        char *name = strndup(begin, size);
        rc = name ? add_matcher(selector, (struct matcher){.label = LABEL_NAME}, name, error) : ERR_NOMEM;
        selector_skip_blanks(text);
    }
    if (!rc && **text == '{')
        rc = parse_matchers(text, selector, error);
    else if (!rc && !size)
        rc = err_set_field(error, ERR_INVALID, "query", "at \"%.40s\" there should be the name of a property", *text);
    if (rc)
        return rc;
    for (size_t i = 0; i < selector->n; i++)
        if (!fits(&selector->matchers[i], ""))
            return 0;
    return err_set_field(error, ERR_INVALID, "query", "a selector needs a condition that does not fit the empty text");
}

void selector_free(struct selector *selector)
{
    for (size_t i = 0; i < selector->n; i++) {
        free(selector->matchers[i].value);
        if (selector->matchers[i].is_regex)
            regfree(&selector->matchers[i].regex);
    }
    selector->n = 0;
}

bool selector_matches(const struct selector *selector, const struct series_info *info)
{
    if (info->kind == KIND_STATE)
        return false;
    for (size_t i = 0; i < selector->n; i++)
        if (!fits(&selector->matchers[i], label_value(selector->matchers[i].label, info)))
            return false;
    return true;
}

struct series_filter selector_filter(struct selector *selector)
{
    memset(selector->globs, 0, sizeof(selector->globs));
    for (size_t i = 0; i < selector->n; i++) {
        const struct matcher *matcher = &selector->matchers[i];
        bool is_equal = !matcher->is_regex && !matcher->negated;
        if (matcher->label < LABEL_N && is_equal && *matcher->value && !strpbrk(matcher->value, "*?"))
            selector->globs[matcher->label] = matcher->value;
    }
    const char **globs = selector->globs;
    return (struct series_filter){
        .properties = &globs[LABEL_NAME], .n_properties = globs[LABEL_NAME] != NULL,
        .entities = &globs[LABEL_ENTITY], .n_entities = globs[LABEL_ENTITY] != NULL,
        .types = &globs[LABEL_TYPE], .n_types = globs[LABEL_TYPE] != NULL,
        .units = &globs[LABEL_UNIT], .n_units = globs[LABEL_UNIT] != NULL,
    };
}
