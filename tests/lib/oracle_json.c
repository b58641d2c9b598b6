#include <config.h>

#include "oracle_json.h"

#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/limits.h"

static const char number_pattern[] = "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$";
static const char time_pattern[] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?"
                                   "([Zz]|[+-][0-9]{2}:[0-9]{2})$";

/* pattern is one of the two above: each is compiled once. */
static bool is_match(const char *pattern, const char *text, size_t size)
{
    static regex_t regexes[2];
    static bool compiled[2];
    size_t i = pattern == time_pattern;
    if (!compiled[i] && regcomp(&regexes[i], pattern, REG_EXTENDED | REG_NOSUB))
        abort();
    compiled[i] = true;
    char *copy = strndup(text, size);
    bool match = copy && strlen(copy) == size && regexec(&regexes[i], copy, 0, NULL, 0) == 0;
    free(copy);
    return match;
}

static const char number_bytes[] = "0123456789+-.eE";

/* Numbers become `1` and NaN and its like `[]`, padded with blanks, so that jansson sees no digits and every position
 * stays; what has not the grammar of a number stays for jansson to refuse. */
static char *mask_numbers(const char *text, size_t size)
{
    static const char *const words[] = {"NaN", "-Infinity", "Infinity"};
    char *masked = malloc(size + 1);
    if (!masked)
        abort();
    memcpy(masked, text, size);
    masked[size] = '\0';
    for (size_t i = 0; i < size;) {
        size_t n = 0;
        for (size_t k = 0; k < 3 && !n; k++)
            if (size - i >= strlen(words[k]) && memcmp(text + i, words[k], strlen(words[k])) == 0)
                n = strlen(words[k]);
        if (n) {
            memset(masked + i, ' ', n);
            memcpy(masked + i, "[]", 2);
        } else if (text[i] == '"') {
            for (n = 1; i + n < size && text[i + n] != '"'; n++)
                n += text[i + n] == '\\';
            n++;
        } else {
            while (i + n < size && text[i + n] && strchr(number_bytes, text[i + n]))
                n++;
            if (n && is_match(number_pattern, text + i, n)) {
                memset(masked + i, ' ', n);
                masked[i] = '1';
            }
        }
        i += n ? n : 1;
    }
    return masked;
}

/* Position of the first bracket that is nested too deep, or size. */
static size_t find_too_deep(const char *text, size_t size)
{
    int depth = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            for (i++; i < size && text[i] != '"'; i++)
                i += text[i] == '\\';
        else if (text[i] == '[' || text[i] == '{')
            depth++;
        else if (text[i] == ']' || text[i] == '}')
            depth--;
        if (depth > LIMIT_MESSAGE_DEPTH)
            return i;
    }
    return size;
}

static size_t skip_space(const char *text, size_t at)
{
    return at + strspn(text + at, " \t\r\n");
}

/* Takes apart a value that jansson has found well formed. Returns where it ends. */
static size_t take_apart(const char *text, const char *masked, size_t size, size_t at, struct node *node)
{
    json_error_t error;
    at = skip_space(masked, at);
    *node = (struct node){.type = text[at], .text = text + at};
    size_t end = at;
    if (node->type == '{' || node->type == '[') {
        end = skip_space(masked, at + 1);
        while (masked[end] != '}' && masked[end] != ']') {
            node->children = realloc(node->children, (node->n + 1) * sizeof *node);
            if (!node->children)
                abort();
            end = skip_space(masked, take_apart(text, masked, size, end, &node->children[node->n++]));
            if (masked[end] == ',' || masked[end] == ':')
                end = skip_space(masked, end + 1);
        }
        end++;
    } else if (node->type == '"') {
        node->string = json_loadb(masked + at, size - at, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);
        end += (size_t)error.position;
    } else if (node->type == 'N' || node->type == 'I' || text[at + 1] == 'I') {
        end += node->type == 'N' ? 3 : node->type == 'I' ? 8 : 9;
        node->type = 'N';
    } else if (strchr(number_bytes, node->type)) {
        end += strspn(text + at, number_bytes);
        node->type = '0';
    } else {
        end += strspn(text + at, "truefalsn");
    }
    node->size = end - at;
    return end;
}

void json_drop(struct node *node)
{
    for (size_t i = 0; i < node->n; i++)
        json_drop(&node->children[i]);
    free(node->children);
    json_decref(node->string);
}

enum json_verdict json_take(const char *text, size_t size, struct node *ret_node, size_t *ret_end)
{
    json_error_t error;
    char *masked = mask_numbers(text, size);
    json_t *value = json_loadb(masked, size, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);
    size_t deep = find_too_deep(text, size), stop = (size_t)error.position;
    bool at_bracket = stop == deep + 1 && json_error_code(&error) == json_error_invalid_syntax;
    enum json_verdict verdict = value ? JSON_GOOD : JSON_BAD;
    if (deep < stop && !at_bracket) /* where the bracket itself is what jansson stops at, it is out of place */
        verdict = JSON_DEEP;
    if (verdict == JSON_GOOD)
        *ret_end = take_apart(text, masked, size, 0, ret_node);
    json_decref(value);
    free(masked);
    return verdict;
}

/* ---- numbers and times ---- */

bool node_number(const struct node *node, struct decimal *ret_value, bool *ret_rounded)
{
    char *digits = calloc(1, node->size + 2);
    size_t n = 0;
    long exponent = 0;
    bool fraction = false;
    for (size_t i = 0; i < node->size; i++) {
        char c = node->text[i];
        if (c == 'e' || c == 'E') {
            char *text = strndup(node->text + i + 1, node->size - i - 1);
            long stated = strtol(text, NULL, 10);
            exponent += stated > 100000000 ? 100000000 : stated < -100000000 ? -100000000 : stated;
            free(text);
            break;
        }
        fraction |= c == '.';
        if (c >= '0' && c <= '9') {
            exponent -= fraction;
            if (n || c != '0')
                digits[n++] = c;
        }
    }
    *ret_rounded = false;
    while (n && digits[n - 1] == '0')
        n--, exponent++;
    if (n > DECIMAL_DIGITS_MAX) {
        bool half = digits[18] == '5' && n == 19;
        bool up = half ? (digits[17] - '0') % 2 == 1 : digits[18] >= '5';
        exponent += (long)n - 18;
        n = 18;
        *ret_rounded = true;
        for (size_t i = n; up && i-- > 0;) {
            up = digits[i] == '9';
            digits[i] = up ? '0' : (char)(digits[i] + 1);
        }
        if (up) { /* all nines */
            digits[0] = '1';
            exponent += 18;
            n = 1;
        }
    }
    while (n && digits[n - 1] == '0')
        n--, exponent++;
    digits[n] = '\0';
    int64_t m = strtoll(digits, NULL, 10);
    free(digits);
    if (m == 0)
        exponent = 0;
    *ret_value = (struct decimal){.m = *node->text == '-' ? -m : m, .e = (int8_t)exponent};
    return exponent >= -24 && exponent <= 15;
}

static int two(const char *text)
{
    return (text[0] - '0') * 10 + text[1] - '0';
}

bool node_time(const struct node *node, int64_t *ret_t_us)
{
    int64_t t_us = 0, us = 0;
    if (node->type == '0') {
        if (node->size > 16 || memchr(node->text, '.', node->size) || memchr(node->text, 'e', node->size) ||
            memchr(node->text, 'E', node->size))
            return false;
        t_us = strtoll(node->text, NULL, 10) * 1000;
    } else {
        const char *text = node->type == '"' ? json_string_value(node->string) : "";
        if (!is_match(time_pattern, text, strlen(text)))
            return false;
        struct tm tm = {.tm_year = two(text) * 100 + two(text + 2) - 1900, .tm_mon = two(text + 5) - 1,
                        .tm_mday = two(text + 8), .tm_hour = two(text + 11), .tm_min = two(text + 14),
                        .tm_sec = two(text + 17)};
        struct tm same = tm;
        time_t s = timegm(&same);
        if (same.tm_mon != tm.tm_mon || same.tm_mday != tm.tm_mday || same.tm_hour != tm.tm_hour ||
            same.tm_min != tm.tm_min || same.tm_sec != tm.tm_sec || tm.tm_year < 1 - 1900)
            return false;
        const char *at = text + 19;
        if (*at == '.') {
            int64_t unit = 100000;
            for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
                us += (*at - '0') * unit;
        }
        if (*at == '+' || *at == '-') {
            if (two(at + 1) > 23 || two(at + 4) > 59)
                return false;
            s -= (*at == '-' ? -1 : 1) * (two(at + 1) * 3600 + two(at + 4) * 60);
        }
        t_us = (int64_t)s * 1000000 + us;
    }
    *ret_t_us = t_us;
    return t_us >= -INT64_C(62135596800) * 1000000 && t_us < INT64_C(253402300800) * 1000000;
}
