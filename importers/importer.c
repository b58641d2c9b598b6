#include <config.h>

#include "importers/importer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/hash.h"
#include "common/limits.h"

static const struct importer *const importers[] = {
    &importer_csv,  &importer_greenbutton, &importer_influx,
    &importer_json, &importer_mscons,      &importer_nem12,  &importer_pilot2,
};
#define N_IMPORTERS (sizeof importers / sizeof *importers)

const struct importer *importer_at(size_t i)
{
    return i < N_IMPORTERS ? importers[i] : NULL;
}

const struct importer *importer_find(const char *kind)
{
    for (size_t i = 0; i < N_IMPORTERS; i++)
        if (strcmp(importers[i]->kind, kind) == 0)
            return importers[i];
    return NULL;
}

int importing_refuse(const struct importing *importing, int64_t line, enum refusal_reason reason, const char *format, ...)
{
    struct misfit misfit = {.line = line, .reason = reason};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(misfit.detail, sizeof misfit.detail, format, arguments);
    va_end(arguments);
    return importing->misfit(importing->arg, &misfit);
}

static bool is_name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == ':' ||
           c == '/' || c == '-';
}

void importer_entity(const char *kind, const char *text, char ret_name[static LIMIT_ENTITY_BYTES + 1])
{
    int begin = snprintf(ret_name, LIMIT_ENTITY_BYTES + 1, "%s-", kind);
    size_t n = (size_t)begin, room = LIMIT_ENTITY_BYTES - n;
    size_t size = strlen(text), kept = size < room ? size : room;
    bool changed = kept < size;
    for (size_t i = 0; i < kept; i++) {
        bool good = is_name_byte(text[i]);
        ret_name[n + i] = good ? text[i] : '_';
        changed = changed || !good;
    }
    n += kept;
    ret_name[n] = '\0';
    if (!changed)
        return;
    if (n > LIMIT_ENTITY_BYTES - 9)
        n = LIMIT_ENTITY_BYTES - 9;
    snprintf(ret_name + n, LIMIT_ENTITY_BYTES + 1 - n, ".%08" PRIx32, (uint32_t)hash_short(0, text, size));
}

/* ---- numbers ---- */

static size_t span_digits(const char *text, size_t at, size_t size)
{
    size_t begin = at;
    while (at < size && text[at] >= '0' && text[at] <= '9')
        at++;
    return at - begin;
}

/* Copies the exponent at `at`, if there is one; false when it is broken. */
static bool take_exponent(const char *text, size_t at, size_t size, char *out, size_t *n)
{
    if (at == size)
        return true;
    if (text[at] != 'e' && text[at] != 'E')
        return false;
    size_t sign = at + 1 < size && (text[at + 1] == '-' || text[at + 1] == '+');
    size_t digits = span_digits(text, at + 1 + sign, size);
    if (digits == 0 || at + 1 + sign + digits != size)
        return false;
    memcpy(out + *n, text + at, size - at);
    *n += size - at;
    return true;
}

int importer_number(const char *text, size_t size, char mark, char ret_number[static IMPORT_NUMBER_BYTES])
{
    while (size > 0 && (*text == ' ' || *text == '\t'))
        text++, size--;
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    size_t at = size > 0 && (*text == '-' || *text == '+'), n = 0;
    char out[IMPORT_NUMBER_BYTES];
    if (size > IMPORT_NUMBER_BYTES - 4)
        return ERR_INVALID;
    if (at && *text == '-')
        out[n++] = '-';
    size_t whole = span_digits(text, at, size), skip = 0;
    while (skip + 1 < whole && text[at + skip] == '0')
        skip++;
    if (whole == 0)
        out[n++] = '0';
    memcpy(out + n, text + at + skip, whole - skip);
    n += whole - skip;
    at += whole;
    if (at < size && text[at] == mark) {
        size_t part = span_digits(text, ++at, size);
        if (whole + part == 0)
            return ERR_INVALID;
        if (part > 0) {
            out[n++] = '.';
            memcpy(out + n, text + at, part);
            n += part;
        }
        at += part;
    } else if (whole == 0) {
        return ERR_INVALID;
    }
    if (!take_exponent(text, at, size, out, &n))
        return ERR_INVALID;
    memcpy(ret_number, out, n);
    ret_number[n] = '\0';
    return 0;
}
