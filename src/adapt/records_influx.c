/* InfluxDB's line protocol, a line a record. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "adapt/mapper_inside.h"

struct text {
    char *at, *end;
};

enum place { PLACE_TAG, PLACE_FIELD };

/* Gives a field of the mapping what the line has for it. */
static void put_cell(struct mapper *mapper, const char *prefix, const char *name, size_t name_size, struct cell cell)
{
    const struct mapping *mapping = mapper->mapping;
    size_t prefix_size = strlen(prefix);
    for (size_t i = 0; i < mapping->n_fields; i++) {
        const char *wanted = mapping->fields[i].name;
        if (strlen(wanted) == prefix_size + name_size && memcmp(wanted, prefix, prefix_size) == 0 &&
            memcmp(wanted + prefix_size, name, name_size) == 0)
            mapper->cells[i] = cell;
    }
}

/* A name or a tag's value up to one of stops, its escapes undone in place; the stop is left. false: it is empty. */
static bool take_name(struct text *in, const char *stops, struct cell *ret_name)
{
    char *begin = in->at, *out = in->at;
    while (in->at < in->end && !strchr(stops, *in->at)) {
        if (*in->at == '\\' && in->at + 1 < in->end && strchr(", =", in->at[1]))
            in->at++;
        *out++ = *in->at++;
    }
    *ret_name = (struct cell){begin, (size_t)(out - begin), CELL_TEXT};
    return out > begin;
}

static bool take_quoted(struct text *in, struct cell *ret_value)
{
    char *begin = ++in->at, *out = begin;
    while (in->at < in->end && *in->at != '"') {
        if (*in->at == '\\' && in->at + 1 < in->end && (in->at[1] == '"' || in->at[1] == '\\'))
            in->at++;
        *out++ = *in->at++;
    }
    *ret_value = (struct cell){begin, (size_t)(out - begin), CELL_TEXT};
    return in->at++ < in->end;
}

static bool is_one_of(const struct cell *cell, const char *const *texts)
{
    for (size_t i = 0; texts[i]; i++)
        if (strlen(texts[i]) == cell->size && memcmp(texts[i], cell->at, cell->size) == 0)
            return true;
    return false;
}

/* A field's value: a text, a truth value, or a number. */
static bool take_field_value(struct text *in, struct cell *ret_value)
{
    static const char *const yes[] = {"t", "T", "true", "True", "TRUE", NULL}, *const no[] = {"f",     "F",     "false",
                                                                                              "False", "FALSE", NULL};
    if (in->at < in->end && *in->at == '"')
        return take_quoted(in, ret_value);
    if (!take_name(in, ", ", ret_value))
        return false;
    if (is_one_of(ret_value, yes))
        *ret_value = (struct cell){"true", 4, CELL_TEXT};
    else if (is_one_of(ret_value, no))
        *ret_value = (struct cell){"false", 5, CELL_TEXT};
    else if (ret_value->size > 1 &&
             (ret_value->at[ret_value->size - 1] == 'i' || ret_value->at[ret_value->size - 1] == 'u'))
        ret_value->size--;
    return true;
}

/* Tags or fields: NAME=VALUE,... up to a blank or the end. */
static bool take_pairs(struct mapper *mapper, struct text *in, enum place place)
{
    do {
        struct cell name, value;
        if (!take_name(in, ",= ", &name) || in->at == in->end || *in->at != '=')
            return false;
        in->at++;
        if (!(place == PLACE_TAG ? take_name(in, ", ", &value) : take_field_value(in, &value)))
            return false;
        put_cell(mapper, place == PLACE_TAG ? "tag:" : "field:", name.at, name.size, value);
    } while (in->at < in->end && *in->at == ',' && in->at++);
    return in->at == in->end || *in->at == ' ';
}

static void skip_blanks(struct text *in)
{
    while (in->at < in->end && *in->at == ' ')
        in->at++;
}

static bool take_apart(struct mapper *mapper, struct text *in)
{
    struct cell measurement;
    if (!take_name(in, ", ", &measurement))
        return false;
    put_cell(mapper, "measurement", "", 0, measurement);
    if (in->at < in->end && *in->at == ',' && in->at++ && !take_pairs(mapper, in, PLACE_TAG))
        return false;
    skip_blanks(in);
    if (!take_pairs(mapper, in, PLACE_FIELD))
        return false;
    skip_blanks(in);
    struct cell time = {in->at, (size_t)(in->end - in->at), CELL_TEXT};
    if (time.size > 0)
        put_cell(mapper, "time", "", 0, time);
    return memchr(time.at, ' ', time.size) == NULL;
}

/* A line without a time has that of its message. */
static void put_known(struct mapper *mapper, char out[static 32])
{
    int64_t t_us = mapper->known_us;
    int n = 0;
    if (t_us < 0) /* unknown */
        return;
    switch (mapper->mapping->time.format.kind) {
    case STAMP_UNIX_S:
        n = snprintf(out, 32, "%lld.%06lld", (long long)(t_us / 1000000), (long long)(t_us % 1000000));
        break;
    case STAMP_UNIX_MS:
        n = snprintf(out, 32, "%lld.%03lld", (long long)(t_us / 1000), (long long)(t_us % 1000));
        break;
    case STAMP_UNIX_US:
        n = snprintf(out, 32, "%lld", (long long)t_us);
        break;
    case STAMP_UNIX_NS:
        n = snprintf(out, 32, "%lld000", (long long)t_us);
        break;
    default:
        return;
    }
    put_cell(mapper, "time", "", 0, (struct cell){out, (size_t)n, CELL_TEXT});
}

static int take_line(struct mapper *mapper)
{
    struct line_reader *lines = &mapper->lines;
    struct text in = {(char *)lines->text.data, (char *)lines->text.data + lines->text.n};
    const struct mapping *mapping = mapper->mapping;
    char known[32];
    mapper->line = lines->line;
    while (in.end > in.at && (in.end[-1] == '\r' || in.end[-1] == ' ' || in.end[-1] == '\t'))
        in.end--;
    skip_blanks(&in);
    if (in.at == in.end || *in.at == '#')
        return 0;
    for (size_t i = 0; i < mapping->n_fields; i++)
        if (mapping->fields[i].name[0] != '@')
            mapper->cells[i] = (struct cell){0};
    put_known(mapper, known);
    if (!take_apart(mapper, &in)) {
        mapper->counts.records++;
        return mapper_refuse(mapper, REFUSED_FIELD, "no line protocol: measurement,tag=value field=value time");
    }
    return mapper_record(mapper, lines->line);
}

static int end_line(struct mapper *mapper)
{
    struct line_reader *lines = &mapper->lines;
    int rc = 0;
    if (lines->too_large) {
        mapper->line = lines->line;
        mapper->counts.records++;
        rc = mapper_refuse(mapper, REFUSED_SIZE, "a line of more than %d bytes", CSV_ROW_BYTES_MAX);
    } else if (lines->text.n > 0) {
        rc = take_line(mapper);
    }
    buf_clear(&lines->text);
    lines->too_large = false;
    return rc;
}

int influx_reader_feed(struct mapper *mapper, const char *data, size_t size)
{
    struct line_reader *lines = &mapper->lines;
    int rc = 0;
    while (size > 0 && rc == 0) {
        const char *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size;
        lines->too_large = lines->too_large || lines->text.n + n > CSV_ROW_BYTES_MAX;
        if (!lines->too_large)
            buf_put(&lines->text, data, n);
        if (lines->text.failed)
            return ERR_NOMEM;
        if (end) {
            rc = end_line(mapper);
            lines->line++;
            n++;
        }
        data += n;
        size -= n;
    }
    return rc;
}

int influx_reader_end(struct mapper *mapper)
{
    return end_line(mapper);
}
