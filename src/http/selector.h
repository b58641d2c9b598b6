/* Which series a selector of the Prometheus query language means: `voltage{entity=~"p2-.*",type!="Load"}`. Labels are
 * __name__ (the property), entity, type and unit; any other is empty.
 *
 * Regular expressions are POSIX extended ones that must fit the whole text, with what RE2 writes otherwise understood:
 * (?:x), \d \w \s and their capitals outside of brackets, lazy repetition. Back references, flags, \b and \p are refused.
 * The library's machine grows with the square of what is optional or an alternative, so that the expressions of a selector
 * have at most 4096 bytes and 512 alternatives together, and those with a repetition 1024 bytes, times the counts in them:
 * measured, that is 4 MB and 25 ms a text at worst. */
#ifndef HTTP_SELECTOR_H
#define HTTP_SELECTOR_H

#include <regex.h>
#include <stdbool.h>

#include "common/err.h"
#include "store/reader.h"

#define SELECTOR_MATCHERS_MAX 32
#define SELECTOR_TEXT_MAX 4096 /* bytes of a value or regular expression */

enum label { LABEL_NAME, LABEL_ENTITY, LABEL_TYPE, LABEL_UNIT, LABEL_OTHER };
#define LABEL_N LABEL_OTHER
extern const char *const label_name[LABEL_N];
enum label label_find(const char *name);
const char *label_value(enum label label, const struct series_info *info); /* "" where it has none */

struct matcher {
    enum label label;
    bool negated, is_regex;
    char *value;  /* owned; NULL for a regular expression */
    regex_t regex;
};

struct selector {
    struct matcher matchers[SELECTOR_MATCHERS_MAX];
    size_t n;
    size_t regex_bytes, alternatives, repeated_bytes; /* of all regular expressions */
    const char *globs[LABEL_N]; /* scratch of selector_filter */
};

/* Reads a selector at *text and moves *text behind it. On failure too selector_free is due. ERR_INVALID, ERR_LIMIT,
 * ERR_NOMEM. */
MUST_CHECK int selector_parse(const char **text, struct selector *selector, struct err_text *error);
void selector_free(struct selector *selector);

/* Series of states are never meant: they have no numbers. */
bool selector_matches(const struct selector *selector, const struct series_info *info);
/* What of it the catalog can look for by itself: narrows, never too much. Points into the selector. */
struct series_filter selector_filter(struct selector *selector);

void selector_skip_blanks(const char **text);
/* Moves *text behind a name of letters, digits, underscores and (where asked) colons, and answers its size; 0: there is
 * none. */
size_t selector_skip_name(const char **text, bool colons);

#endif
