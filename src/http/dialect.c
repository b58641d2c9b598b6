#include <config.h>

#include "http/dialect.h"

#include <string.h>

#include "common/buf.h"

struct word {
    const char *text;
    char value;
};

/* The word of a parameter that is given once; *ret_value stays as it is without. */
static int read_word(const struct parameter *given, const struct word *words, char *ret_value, struct err_text *error)
{
    struct buf list = {0};
    for (const struct word *word = words; word->text; word++) {
        if (!strcmp(given->value, word->text)) {
            *ret_value = word->value;
            buf_free(&list);
            return 0;
        }
        buf_printf(&list, "%s%s", list.n ? word[1].text ? ", " : " or " : "", word->text);
    }
    int rc = list.failed ? ERR_NOMEM : err_set_field(error, ERR_INVALID, given->name, "there is no %s \"%.64s\"; take %.*s",
                                                     given->name, given->value, (int)list.n, (const char *)list.data);
    buf_free(&list);
    return rc;
}

static const struct word seps[] = {{",", ','}, {";", ';'}, {"tab", '\t'}, {"|", '|'}, {0}};
static const struct word decimals[] = {{".", '.'}, {",", ','}, {0}};
static const struct word no_yes[] = {{"0", 0}, {"1", 1}, {0}};
static const struct word numbers[] = {{"float64", 0}, {"decimal", 1}, {0}};

static const struct option {
    const char *name, *format;
    const struct word *words;
} options[] = {{"sep", "csv", seps}, {"decimal", "csv", decimals}, {"bom", "csv", no_yes}, {"numbers", "arrow", numbers}};
enum { SEP, DECIMAL, BOM, NUMBERS, N_OPTIONS };

/* One parameter of the request, if it is one of ours. */
static int read_one(const struct parameter *given, const struct media *media, bool is_given[N_OPTIONS], char values[N_OPTIONS],
                    struct err_text *error)
{
    size_t i = 0;
    while (i < N_OPTIONS && strcmp(given->name, options[i].name) != 0)
        i++;
    if (!strcmp(given->name, "time") && strcmp(given->value, "iso") != 0 && !strcmp(media->name, "arrow"))
        return err_set_field(error, ERR_INVALID, "time", "\"time\" says how times print; those of Arrow are instants, in the "
                             "zone that \"tz\" names");
    if (i == N_OPTIONS)
        return 0;
    if (is_given[i])
        return err_set_field(error, ERR_INVALID, given->name, "\"%s\" is given twice", given->name);
    if (strcmp(media->name, options[i].format) != 0)
        return err_set_field(error, ERR_INVALID, given->name, "\"%s\" goes with format=%s", given->name, options[i].format);
    is_given[i] = true;
    return read_word(given, options[i].words, &values[i], error);
}

int dialect_parse(const struct parameter *parameters, size_t n, const struct media *media, struct dialect *ret_dialect,
                  struct err_text *error)
{
    bool is_given[N_OPTIONS] = {false};
    char values[N_OPTIONS] = {[SEP] = ',', [DECIMAL] = '.'};
    for (size_t i = 0; i < n; i++) {
        int rc = read_one(&parameters[i], media, is_given, values, error);
        if (rc)
            return rc;
    }
    if (values[SEP] == values[DECIMAL])
        return err_set_field(error, ERR_INVALID, is_given[SEP] ? "sep" : "decimal", "fields and decimals cannot both be "
                             "parted by \",\"; with decimal=, take sep=; or sep=tab");
    *ret_dialect = (struct dialect){values[SEP], values[DECIMAL], values[BOM], values[NUMBERS]};
    return 0;
}
